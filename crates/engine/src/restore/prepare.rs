//! Checks everything and makes the plan. Nothing on the target is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context;
use bson::RawBson;
use oplogue_domain::plan::{Choice, Part, choose};
use oplogue_domain::{Namespace, NamespaceSelection, ReplicaSetName};
use oplogue_mongo::{ListedCollection, MongoError};
use oplogue_oplog::{CollectionKind, CollectionSpec, SelectedSurvivor, SelectedView};
use oplogue_repository::{RepositoryError, SnapshotCollection, SnapshotContents};
use tokio_util::sync::CancellationToken;

use super::RestoreRequest;
use super::check::{self, Checked};
use super::compose::{self, TargetFacts};
use super::plan::RestorePlan;
use super::survey::survey;
use crate::failure::{Cancelled, Refused, ending, Ending};
use crate::progress::{Progress, Step, Unit};

/// One collection to create, load and bring to the moment.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub selected: SelectedSurvivor,
    /// What the snapshot holds of it; `None` when it starts empty.
    pub load: Option<SnapshotCollection>,
    pub keep_uuid: bool,
}

impl Work {
    pub(super) fn is_capped(&self) -> bool {
        self.selected.survivor.options.get_bool("capped").unwrap_or(false)
    }
}

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
}

/// Chooses, reads and checks. The plan that comes back can be printed, dropped or carried out.
///
/// # Errors
/// [`Refused`] when a check says no: the moment cannot be reached, an object is missing or damaged, the target does not fit, an entry
/// cannot be applied. Nothing was touched then, nor after any other error.
pub async fn prepare(request: RestoreRequest, progress: Arc<dyn Progress>, cancel: CancellationToken) -> anyhow::Result<PreparedRestore> {
    let prepared = prepare_unless_cancelled(request, &progress, &cancel).await;
    prepared.map_err(|error| match ending(&error) {
        // Whatever broke off because of the cancellation, the cancellation is the reason.
        _ if cancel.is_cancelled() && ending(&error) != Ending::Refused => Cancelled { state: "nothing on the target was touched".to_owned() }.into(),
        Ending::Failed if is_bad_object(&error) => {
            let refused = Refused::new("the backup cannot be restored as it lies on the storage")
                .advise("nothing was touched; choose another moment or backup, or leave the damaged namespace out with --ns");
            error.context(refused)
        }
        _ => error,
    })
}

fn is_bad_object(error: &anyhow::Error) -> bool {
    let bad = |error: &RepositoryError| {
        matches!(error, RepositoryError::Missing { .. } | RepositoryError::Damaged { .. } | RepositoryError::Unreadable { .. })
    };
    error.downcast_ref::<RepositoryError>().is_some_and(bad)
        || error.chain().any(|cause| cause.downcast_ref::<RepositoryError>().is_some_and(bad))
}

async fn prepare_unless_cancelled(
    request: RestoreRequest,
    progress: &Arc<dyn Progress>,
    cancel: &CancellationToken,
) -> anyhow::Result<PreparedRestore> {
    progress.begin(Step::Prepare, Unit::Items, None);
    let target = target_facts(&request).await?;
    let catalog = request.repository.catalog().await.context("list what is on the storage")?;
    let choice = choose(&catalog, &request.moment, &request.selection)
        .map_err(|error| Refused::new(error.to_string()).advise("`oplogue timeline` shows every moment that can be restored"))?;
    let base = catalog.backup(&choice.base).context("the chosen base is in the catalog it was chosen from")?;
    let source = source_replica_set(&request, &target.replica_set);
    let part = part_of(&choice, &source, &target.replica_set)?;
    compose::fits(base, &target.versions)?;
    let contents = request.repository.snapshot(base, &source).await.context("open the backup")?;
    progress.end(Step::Prepare);

    let parallel = request.parallel.max(1);
    let (capped_ids, mut checked) = check_capped(&request, &contents, progress, cancel).await?;
    let specs = specs(&contents, &capped_ids);
    let survey = survey(&request.repository, &part, specs.clone(), progress, cancel).await?;
    let refuse = |error: oplogue_oplog::SelectError| Refused::new(error.to_string()).advise("`oplogue describe` lists what a backup holds");
    let selected = survey.outcome.select(&request.selection, &request.renames).map_err(refuse)?;
    let views = survey.outcome.select_views(&request.selection, &request.renames).map_err(refuse)?;
    let targets = selected.iter().map(|one| (&one.survivor.namespace, &one.target)).chain(views.iter().map(|one| (&one.view.namespace, &one.target)));
    refuse_impossible_names(targets)?;
    let work = work(selected, &contents, &request, &target.present);

    let needed: Vec<&SnapshotCollection> =
        work.iter().filter_map(|one| one.load.as_ref()).chain(contents.users.iter()).chain(contents.roles.iter()).collect();
    let unchecked: Vec<&SnapshotCollection> = needed.iter().copied().filter(|one| !checked.contains_key(&one.namespace)).collect();
    let answers = check::check(&request.repository, &unchecked, parallel, progress, cancel).await?;
    checked.extend(unchecked.iter().map(|one| one.namespace.clone()).zip(answers));

    let principals = request.users_and_roles || request.selection.is_everything() && request.renames.is_empty();
    let outcome = survey.outcome.clone();
    let unfinished = survey.unfinished;
    let restored: BTreeSet<_> = work.iter().map(|one| one.selected.survivor.id).collect();
    let writes_after = survey.writes_after(&request.repository, &part, choice.through, |id| restored.contains(&id)).await?;
    let plan = compose::compose(compose::Inputs {
        request: &request,
        target: &target,
        base,
        choice: &choice,
        part: &part,
        contents: &contents,
        outcome: &outcome,
        work: &work,
        views: &views,
        checked: &checked,
        principals,
        unfinished,
        writes_after,
    });
    Ok(PreparedRestore { plan, request, part, contents, specs, work, views, principals })
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
            let refused = Refused::new("this user may not do what a restore needs").advise("`oplogue doctor` prints the commands that grant it");
            anyhow::Error::from(error).context(refused)
        }
        error => anyhow::Error::from(error).context("list what is on the target"),
    }
}

/// Refuses new names that no server would take: it would be noticed after the drops.
fn refuse_impossible_names<'a>(names: impl Iterator<Item = (&'a Namespace, &'a Namespace)>) -> Result<(), Refused> {
    for (from, to) in names.filter(|(from, to)| from != to) {
        if let Some(why) = impossible(to) {
            return Err(Refused::new(format!("`{from}` cannot be renamed to `{to}`: {why}")).advise("choose another name; nothing was touched"));
        }
    }
    Ok(())
}

/// Why a user's collection cannot have this name: the rules of the server's `NamespaceString`.
fn impossible(name: &Namespace) -> Option<&'static str> {
    let (database, collection) = (name.database.as_str(), name.collection.as_str());
    if matches!(database, "admin" | "config" | "local") {
        return Some("the databases admin, config and local are the server's own");
    }
    if database.is_empty() || database.len() > 63 || database.contains(['/', '\\', '.', ' ', '"', '$', '\0']) {
        return Some("a database's name has 1 to 63 bytes and none of / \\ . \" $ or space");
    }
    if collection.is_empty() || collection.starts_with("system.") || collection.starts_with('.') || collection.contains(['$', '\0']) {
        return Some("a collection's name is not empty, does not begin with `system.` or a dot, and has no `$` in it");
    }
    (database.len() + 1 + collection.len() > 255).then_some("database and collection together are longer than 255 bytes")
}

fn source_replica_set(request: &RestoreRequest, target: &ReplicaSetName) -> ReplicaSetName {
    let mapped = request.replica_set_mapping.iter().find(|(to, _)| to == target);
    mapped.map_or_else(|| target.clone(), |(_, from)| from.clone())
}

fn part_of(choice: &Choice, source: &ReplicaSetName, target: &ReplicaSetName) -> anyhow::Result<Part> {
    let part = choice.parts.iter().find(|part| part.replica_set == *source);
    part.cloned().ok_or_else(|| {
        let held: Vec<&str> = choice.parts.iter().map(|part| part.replica_set.as_str()).collect();
        let advice = match held.as_slice() {
            [one] => format!("to restore it here, add --replset-remapping {target}={one}"),
            _ => format!("choose one of them with --replset-remapping {target}=NAME"),
        };
        let reason = format!("backup {} does not hold replica set {source}; it holds {}", choice.base, held.join(", "));
        Refused::new(reason).advise(advice).into()
    })
}

/// The last document of every capped collection is needed before the oplog is followed; the object is checked on the way.
async fn check_capped(
    request: &RestoreRequest,
    contents: &SnapshotContents,
    progress: &Arc<dyn Progress>,
    cancel: &CancellationToken,
) -> anyhow::Result<(BTreeMap<Namespace, RawBson>, BTreeMap<Namespace, Checked>)> {
    let capped: Vec<&SnapshotCollection> =
        contents.collections.iter().filter(|one| one.object.is_some() && one.options.get_bool("capped").unwrap_or(false)).collect();
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

fn work(
    selected: Vec<SelectedSurvivor>,
    contents: &SnapshotContents,
    request: &RestoreRequest,
    present: &[ListedCollection],
) -> Vec<Work> {
    // A UUID can be given again only where nobody else has it once the plan's drops are done.
    let dropped = |name: &Namespace| request.selection.is_everything() && request.renames.is_empty() || selected.iter().any(|one| one.target == *name);
    let taken: BTreeSet<[u8; 16]> =
        present.iter().filter(|one| !dropped(&one.spec.namespace)).filter_map(|one| one.spec.uuid.or(one.spec.buckets_uuid)).collect();
    let by_name: BTreeMap<&Namespace, &SnapshotCollection> = contents.collections.iter().map(|one| (&one.namespace, one)).collect();
    let with = |selected: &SelectedSurvivor| Work {
        load: selected.survivor.source.as_ref().and_then(|source| by_name.get(source)).map(|one| (*one).clone()),
        keep_uuid: selected.target == selected.survivor.namespace && selected.survivor.uuid.is_some_and(|uuid| !taken.contains(&uuid)),
        selected: selected.clone(),
    };
    selected.iter().map(with).collect()
}
