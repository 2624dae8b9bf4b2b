//! Drops what the plan says, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use oplogue_domain::Namespace;
use oplogue_mongo::Connection;
use oplogue_oplog::CollectionKind;

use super::plan::RestorePlan;
use crate::failure::Refused;
use crate::progress::{Progress, Step, Unit};

/// Drops the plan's victims, views first. Before the first drop it looks whether something has come to the target since the plan was
/// made that would be in the way; then nothing is touched.
pub(super) async fn clear(connection: &Connection, plan: &RestorePlan, progress: &Arc<dyn Progress>) -> anyhow::Result<()> {
    let present = connection.target_state(&oplogue_domain::NamespaceSelection::Everything).await.context("look at the target again")?;
    let planned: BTreeSet<&Namespace> = plan.drops.iter().map(|drop| &drop.namespace).collect();
    let wanted: BTreeSet<&Namespace> =
        plan.collections.iter().map(|one| &one.target).chain(plan.views.iter().map(|view| &view.target)).collect();
    let appeared =
        present.iter().map(|one| &one.spec.namespace).find(|name| wanted.contains(name) && !planned.contains(name) && !plan.keeps(name));
    if let Some(name) = appeared {
        return Err(Refused::new(format!("`{name}` has appeared on the target since the plan was made"))
            .advise("make the plan again; nothing was touched")
            .into());
    }
    progress.begin(Step::Clear, Unit::Items, Some(plan.drops.len() as u64));
    let (views, others): (Vec<_>, Vec<_>) =
        present.iter().filter(|one| planned.contains(&one.spec.namespace)).partition(|one| one.spec.kind == CollectionKind::View);
    for one in views.into_iter().chain(others) {
        let name = &one.spec.namespace;
        connection.drop_namespace(name).await.with_context(|| format!("drop `{name}`"))?;
        progress.advance(Step::Clear, 1);
    }
    progress.end(Step::Clear);
    Ok(())
}
