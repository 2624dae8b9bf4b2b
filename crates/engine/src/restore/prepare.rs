//! Checks everything and makes the plan. Nothing on the target is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context;
use bson::RawBson;
use oplogue_domain::plan::{Part, choose};
use oplogue_domain::{Catalog, Namespace, NamespaceSelection, Rename, ReplicaSetName};
use oplogue_mongo::MongoError;
use oplogue_oplog::{CollectionKind, CollectionSpec, Outcome, SelectedView, is_capped};
use oplogue_repository::{RepositoryError, SnapshotCollection, SnapshotContents};
use tokio_util::sync::CancellationToken;

use super::RestoreRequest;
use super::ahead::Ahead;
use super::check::{self, Checked};
use super::compose::{self, TargetFacts};
use super::fold::{self, Ways};
use super::journal::{self, Beginning};
use super::names;
use super::plan::RestorePlan;
use super::survey::{survey, untouched};
use super::work::{self, Work};
use crate::failure::{Ending, Refused, ending};
use crate::progress::{Progress, Step, Unit};

/// A plan that has been checked, with all that is needed to carry it out.
pub struct PreparedRestore {
    pub plan: RestorePlan,
    pub(super) request: RestoreRequest,
    pub(super) part: Part,
    pub(super) contents: SnapshotContents,
    pub(super) specs: Vec<CollectionSpec>,
    pub(super) work: Vec<Work>,
    pub(super) views: Vec<SelectedView>,
    pub(super) principals: bool,
    pub(super) ways: Ways,
    /// What its journal knows it by.
    pub(super) fingerprint: String,
}

/// Chooses, reads and checks. The plan that comes back can be printed, dropped or carried out.
///
/// # Errors
/// [`Refused`] when a check says no: the moment cannot be reached, an object is missing or damaged, the target does not fit, an entry
/// cannot be applied. Nothing was touched then, nor after any other error.
pub async fn prepare(
    mut request: RestoreRequest,
    progress: Arc<dyn Progress>,
    cancel: CancellationToken,
) -> anyhow::Result<PreparedRestore> {
    request.selection = selected_by(request.selection, &request.renames);
    let prepared = prepare_unless_cancelled(request, &progress, &cancel).await;
    prepared.map_err(|error| match ending(&error) {
        // Whatever broke off because of the cancellation, the cancellation is the reason.
        _ if cancel.is_cancelled() && ending(&error) != Ending::Refused => untouched().into(),
        Ending::Failed if is_bad_object(&error) => {
            let refused = Refused::new("the backup cannot be restored as it lies on the storage")
                .advise("nothing was touched; choose another moment or backup, or leave the damaged namespace out with --ns");
            error.context(refused)
        }
        _ => error,
    })
}

/// Whoever names only renames wants just those, beside everything that is there.
fn selected_by(selection: NamespaceSelection, renames: &[Rename]) -> NamespaceSelection {
    match selection {
        NamespaceSelection::Everything => NamespaceSelection::from_patterns(renames.iter().map(|rename| rename.from.clone()).collect()),
        only @ NamespaceSelection::Only(_) => only,
    }
}

/// Everything, of a selective backup, is what it holds: its oplog speaks of more. Patterns that match nothing at the moment are left out.
fn within_base(selection: NamespaceSelection, held: &NamespaceSelection, outcome: &Outcome) -> NamespaceSelection {
    if !selection.is_everything() || held.is_everything() {
        return selection;
    }
    let names = || outcome.collections.iter().map(|one| &one.namespace).chain(outcome.views.iter().map(|view| &view.namespace));
    let present = held.patterns().iter().filter(|pattern| names().any(|name| pattern.matches(name)));
    let present: Vec<_> = present.cloned().collect();
    // Nothing may be left of it; everything it is not.
    if present.is_empty() { held.clone() } else { NamespaceSelection::Only(present) }
}

fn is_bad_object(error: &anyhow::Error) -> bool {
    let bad = |error: &RepositoryError| {
        matches!(error, RepositoryError::Missing { .. } | RepositoryError::Damaged { .. } | RepositoryError::Unreadable { .. })
    };
    error.downcast_ref::<RepositoryError>().is_some_and(bad)
        || error.chain().any(|cause| cause.downcast_ref::<RepositoryError>().is_some_and(bad))
}

async fn prepare_unless_cancelled(
    mut request: RestoreRequest,
    progress: &Arc<dyn Progress>,
    cancel: &CancellationToken,
) -> anyhow::Result<PreparedRestore> {
    progress.begin(Step::Prepare, Unit::Items, None);
    let target = target_facts(&request).await?;
    let catalog = request.repository.catalog().await.context("list what is on the storage")?;
    let source = source_replica_set(&request, &target.replica_set);
    refuse_unknown_source(&catalog, &source, &target.replica_set)?;
    // One replica set is restored: what others on the storage lack must not stand in its way.
    let catalog = catalog.only(std::slice::from_ref(&source));
    let choice = choose(&catalog, &request.moment, &request.selection).map_err(|error| {
        Refused::new(format!("{error}{}", unreadable(&catalog))).advise("`oplogue timeline` shows every moment that can be restored")
    })?;
    let base = catalog.backup(&choice.base).context("the chosen base is in the catalog it was chosen from")?;
    let part =
        choice.parts.iter().find(|part| part.replica_set == source).cloned().context("a choice among one replica set is about it")?;
    compose::fits(base, &target.versions)?;
    let contents = request.repository.snapshot(base, &source).await.context("open the backup")?;
    progress.end(Step::Prepare);

    let parallel = request.parallel.max(1);
    let (capped_ids, mut checked) = check_capped(&request, &contents, progress, cancel).await?;
    let specs = specs(&contents, &capped_ids);
    let mut ahead = Ahead::begin(&request, part.snapshot.oplog.through);
    let mut survey = survey(&request.repository, &part, specs.clone(), ahead.as_mut(), progress, cancel).await?;
    // Changes of users whose beginnings the backup does not hold lead nowhere: then none are touched.
    let principals = (request.users_and_roles || request.selection.is_everything() && base.users_and_roles) && contents.users.is_some();
    if request.users_and_roles && !principals {
        return Err(Refused::new(format!("backup {} holds no users and roles", base.name)).advise("leave out --users-and-roles").into());
    }
    request.selection = within_base(request.selection, &base.selection, &survey.outcome);
    let refuse = |error: oplogue_oplog::SelectError| Refused::new(error.to_string()).advise("`oplogue describe` lists what a backup holds");
    let selected = survey.outcome.select(&request.selection, &request.renames).map_err(refuse)?;
    let views = survey.outcome.select_views(&request.selection, &request.renames).map_err(refuse)?;
    let targets =
        selected.iter().map(|one| (&one.survivor.namespace, &one.target)).chain(views.iter().map(|one| (&one.view.namespace, &one.target)));
    names::refuse_impossible(targets)?;
    let work = work::decide(selected, &contents, &request, &target.present);

    let people = contents.users.iter().chain(contents.roles.iter()).filter(|_| principals);
    let needed: Vec<&SnapshotCollection> = work.iter().filter_map(|one| one.load.as_ref()).chain(people).collect();
    let unchecked: Vec<&SnapshotCollection> = needed.iter().copied().filter(|one| !checked.contains_key(&one.namespace)).collect();
    let answers = check::check(&request.repository, &unchecked, parallel, progress, cancel).await?;
    checked.extend(unchecked.iter().map(|one| one.namespace.clone()).zip(answers));

    let restored: BTreeSet<_> = work.iter().map(|one| one.selected.survivor.id).collect();
    // A restore of everything drops what came later, too: every write counts.
    let everything = request.selection.is_everything();
    let concerned = |id| everything || restored.contains(&id);
    let inputs =
        fold::Inputs { request: &request, part: &part, specs: &specs, work: &work, checked: &checked, principals, survey: &survey };
    let ways = fold::fold(inputs, ahead, progress, cancel).await?;
    let writes_after = survey.writes_after(&request.repository, &part, choice.through, concerned).await?;
    let mut plan = compose::compose(compose::Inputs {
        request: &request,
        target: &target,
        base,
        choice: &choice,
        part: &part,
        contents: &contents,
        outcome: &survey.outcome,
        work: &work,
        views: &views,
        checked: &checked,
        ways: &ways,
        principals,
        unfinished: survey.unfinished,
        writes_after,
    });
    let fingerprint = journal::fingerprint(&plan, &work);
    go_on(&mut plan, &request, &fingerprint, &target).await?;
    Ok(PreparedRestore { plan, request, part, contents, specs, work, views, principals, ways, fingerprint })
}

/// Takes into the plan what an earlier try of it has left on the target.
async fn go_on(plan: &mut RestorePlan, request: &RestoreRequest, fingerprint: &str, target: &TargetFacts) -> anyhow::Result<()> {
    if request.from_scratch {
        return Ok(());
    }
    let journal = match request.connection.restore_journal().await {
        Err(MongoError::Unauthorized { .. }) => None,
        journal => journal.context("look for a restore that was interrupted")?,
    };
    match journal::decide(journal.as_ref(), fingerprint, plan, &target.present) {
        Beginning::Anew(why) => plan.warnings.extend(why),
        Beginning::GoesOn(continues) => {
            plan.warnings.push(continues.to_string());
            plan.drops.retain(|drop| !continues.kept.contains(&drop.namespace));
            plan.continues = Some(continues);
        }
    }
    Ok(())
}

async fn target_facts(request: &RestoreRequest) -> anyhow::Result<TargetFacts> {
    let connection = &request.connection;
    let replica_set = connection.replica_set().await.context("ask the target who its members are")?;
    let primary = replica_set.primary.clone().ok_or_else(|| {
        Refused::new(format!("replica set {} has no primary, and only a primary can be restored to", replica_set.name))
            .advise("bring a majority of its members up, then try again")
    })?;
    if replica_set.is_config_server {
        return Err(Refused::new("the target is the config server of a sharded cluster, which is not supported yet").into());
    }
    Ok(TargetFacts {
        replica_set: replica_set.name,
        primary,
        versions: connection.versions().await.context("ask the target for its version")?,
        present: connection.target_state(&NamespaceSelection::Everything).await.map_err(refuse_unauthorized)?,
    })
}

fn refuse_unauthorized(error: MongoError) -> anyhow::Error {
    match error {
        MongoError::Unauthorized { .. } => {
            let refused =
                Refused::new("this user may not do what a restore needs").advise("`oplogue doctor` prints the commands that grant it");
            anyhow::Error::from(error).context(refused)
        }
        error => anyhow::Error::from(error).context("list what is on the target"),
    }
}

/// What lies on the storage and cannot be understood, where something is missing: it may be just that.
fn unreadable(catalog: &Catalog) -> String {
    const SHOWN_MAX: usize = 3;
    let all = &catalog.unreadable;
    let shown = all.iter().take(SHOWN_MAX).map(|(object, why)| format!("; `{object}` cannot be understood: {why}"));
    let more =
        if all.len() > SHOWN_MAX { format!("; and {} more objects cannot be understood", all.len() - SHOWN_MAX) } else { String::new() };
    shown.chain([more]).collect()
}

fn source_replica_set(request: &RestoreRequest, target: &ReplicaSetName) -> ReplicaSetName {
    let mapped = request.replica_set_mapping.iter().find(|(to, _)| to == target);
    mapped.map_or_else(|| target.clone(), |(_, from)| from.clone())
}

fn refuse_unknown_source(catalog: &Catalog, source: &ReplicaSetName, target: &ReplicaSetName) -> anyhow::Result<()> {
    let held = catalog.replica_sets();
    // With nothing there at all, choosing says so better.
    if held.is_empty() || held.contains(source) {
        return Ok(());
    }
    let advice = match held.as_slice() {
        [one] => format!("to restore it here, add --replset-remapping {target}={one}"),
        _ => format!("choose one of them with --replset-remapping {target}=NAME"),
    };
    let names = held.iter().map(ReplicaSetName::as_str).collect::<Vec<_>>().join(", ");
    Err(Refused::new(format!("the storage holds nothing of replica set {source}; it holds {names}")).advise(advice).into())
}

/// The last document of every capped collection is needed before the oplog is followed; the object is checked on the way.
async fn check_capped(
    request: &RestoreRequest,
    contents: &SnapshotContents,
    progress: &Arc<dyn Progress>,
    cancel: &CancellationToken,
) -> anyhow::Result<(BTreeMap<Namespace, RawBson>, BTreeMap<Namespace, Checked>)> {
    let capped: Vec<&SnapshotCollection> =
        contents.collections.iter().filter(|one| one.object.is_some() && is_capped(&one.options)).collect();
    let answers = check::check(&request.repository, &capped, request.parallel.max(1), progress, cancel).await?;
    let checked: BTreeMap<Namespace, Checked> = capped.iter().map(|one| one.namespace.clone()).zip(answers).collect();
    let ids = checked.iter().filter_map(|(namespace, checked)| Some((namespace.clone(), checked.last_id.clone()?))).collect();
    Ok((ids, checked))
}

fn specs(contents: &SnapshotContents, capped_ids: &BTreeMap<Namespace, RawBson>) -> Vec<CollectionSpec> {
    let spec = |one: &SnapshotCollection| CollectionSpec {
        namespace: one.namespace.clone(),
        kind: match one.kind {
            oplogue_format::pbm::collections::CollectionKind::Collection => CollectionKind::Collection,
            oplogue_format::pbm::collections::CollectionKind::View => CollectionKind::View,
            oplogue_format::pbm::collections::CollectionKind::TimeSeries => CollectionKind::TimeSeries,
        },
        uuid: one.uuid,
        buckets_uuid: one.buckets_uuid,
        options: one.options.clone(),
        indexes: one.indexes.clone(),
        capped_last_id: capped_ids.get(&one.namespace).cloned(),
    };
    contents.collections.iter().map(spec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renames_alone_select_what_they_rename_and_nothing_else() {
        let rename: Rename = "shop.orders=shop.orders_before".parse().expect("a rename of the test");
        let only = |text: &str| NamespaceSelection::Only(vec![text.parse().expect("a pattern of the test")]);
        assert_eq!(selected_by(NamespaceSelection::Everything, std::slice::from_ref(&rename)), only("shop.orders"));
        assert_eq!(selected_by(only("shop.*"), &[rename]), only("shop.*"));
        assert_eq!(selected_by(NamespaceSelection::Everything, &[]), NamespaceSelection::Everything);
    }
}
