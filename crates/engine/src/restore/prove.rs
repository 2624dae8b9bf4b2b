//! Looks at the target after the restore and compares it with the plan.

use std::collections::BTreeMap;

use anyhow::Context;
use oplogue_domain::{Namespace, NamespaceSelection};
use oplogue_mongo::Connection;

use super::plan::RestorePlan;

/// What was found of one planned collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub target: Namespace,
    /// As the server counts them.
    pub documents: u64,
    /// Indexes expected and found.
    pub indexes_planned: usize,
    pub indexes_found: usize,
}

/// Every planned collection and view must be there with all its indexes.
///
/// # Errors
/// Names everything that is missing.
pub(super) async fn prove(connection: &Connection, plan: &RestorePlan) -> anyhow::Result<Vec<Proof>> {
    let found = connection.target_state(&NamespaceSelection::Everything).await.context("look at the restored target")?;
    let found: BTreeMap<&Namespace, _> = found.iter().map(|one| (&one.spec.namespace, one)).collect();
    let mut proofs = Vec::new();
    let mut missing: Vec<String> =
        plan.views.iter().filter(|view| !found.contains_key(&view.target)).map(|view| format!("view `{}`", view.target)).collect();
    for planned in &plan.collections {
        let Some(one) = found.get(&planned.target) else {
            missing.push(format!("collection `{}`", planned.target));
            continue;
        };
        let indexes = if planned.time_series { &one.logical_indexes } else { &one.spec.indexes };
        if indexes.len() < planned.indexes {
            missing.push(format!("{} of the {} indexes of `{}`", planned.indexes - indexes.len(), planned.indexes, planned.target));
        }
        proofs.push(Proof {
            target: planned.target.clone(),
            documents: one.documents,
            indexes_planned: planned.indexes,
            indexes_found: indexes.len(),
        });
    }
    anyhow::ensure!(missing.is_empty(), "the restore has ended and these are missing: {}", missing.join(", "));
    Ok(proofs)
}
