//! Puts the plan together from what was chosen, surveyed and found on the target. Pure: no question is asked here.

use std::collections::{BTreeMap, BTreeSet};

use oplogue_domain::coverage::{OplogPiece, OplogSource};
use oplogue_domain::plan::{Choice, Part};
use oplogue_domain::{Backup, Namespace, ReplicaSetName};
use oplogue_mongo::{ListedCollection, Versions};
use oplogue_oplog::{CollectionKind, Outcome, SelectedView};
use oplogue_repository::SnapshotContents;

use super::RestoreRequest;
use super::check::Checked;
use super::fold::Ways;
use super::plan::{PlannedCollection, PlannedDrop, PlannedOplog, PlannedView, RestorePlan, WritesAfter, estimate_seconds};
use super::work::Work;
use crate::failure::Refused;

/// What the target is and holds.
pub(super) struct TargetFacts {
    pub replica_set: ReplicaSetName,
    pub primary: String,
    pub versions: Versions,
    pub present: Vec<ListedCollection>,
}

pub(super) struct Inputs<'a> {
    pub request: &'a RestoreRequest,
    pub target: &'a TargetFacts,
    pub base: &'a Backup,
    pub choice: &'a Choice,
    pub part: &'a Part,
    pub contents: &'a SnapshotContents,
    pub outcome: &'a Outcome,
    pub work: &'a [Work],
    pub views: &'a [SelectedView],
    pub checked: &'a BTreeMap<Namespace, Checked>,
    pub ways: &'a Ways,
    pub principals: bool,
    pub unfinished: usize,
    pub writes_after: WritesAfter,
}

/// `6.0` of `6.0.5` or of `6.0`.
fn series(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-']).map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// The feature compatibility version of the data, or the server's own where PBM did not store it yet.
fn version_of(base: &Backup) -> &str {
    if base.fcv.is_empty() { &base.mongodb_version } else { &base.fcv }
}

/// Refuses a target that is older than the data: options, indexes and oplog entries of the newer server would not be understood.
pub(super) fn fits(base: &Backup, target: &Versions) -> Result<(), Refused> {
    let wanted = version_of(base);
    let (Some(wanted_series), Some(found)) = (series(wanted), series(&target.fcv)) else { return Ok(()) };
    if found < wanted_series {
        return Err(Refused::new(format!(
            "backup {} is of MongoDB {wanted}, and the target's feature compatibility version is {}: it is older than the data",
            base.name, target.fcv
        ))
        .advise("restore to a server of the same version, then upgrade or export from there"));
    }
    Ok(())
}

pub(super) fn compose(inputs: Inputs<'_>) -> RestorePlan {
    let Inputs { request, target, base, choice, part, contents, work, .. } = &inputs;
    let collections: Vec<PlannedCollection> = work.iter().map(|one| planned(one, inputs.checked, inputs.ways)).collect();
    let views: Vec<PlannedView> = inputs
        .views
        .iter()
        .map(|selected| PlannedView { namespace: selected.view.namespace.clone(), target: selected.target.clone() })
        .collect();
    let operations: u64 = collections.iter().map(|collection| collection.writes).sum();
    let replayed = collections.iter().filter(|one| one.replayed_because.is_some()).map(|one| one.writes).sum();
    let document_bytes = collections.iter().map(|collection| collection.document_bytes).sum();
    RestorePlan {
        base: base.name.clone(),
        base_mongodb_version: base.mongodb_version.clone(),
        base_fcv: base.fcv.clone(),
        source_replica_set: part.replica_set.clone(),
        target_replica_set: target.replica_set.clone(),
        target_host: target.primary.clone(),
        target_mongodb_version: target.versions.server.to_string(),
        target_fcv: target.versions.fcv.clone(),
        through: choice.through,
        passed_over: choice.why.clone(),
        oplog: part.oplog.iter().map(described).collect(),
        drops: drops(request, target, &collections, &views),
        users_and_roles: inputs.principals.then(|| {
            let count = |one: &Option<oplogue_repository::SnapshotCollection>| {
                one.as_ref().and_then(|one| inputs.checked.get(&one.namespace)).map_or(0, |checked| checked.documents)
            };
            (count(&contents.users), count(&contents.roles))
        }),
        read_bytes: read_bytes(work, part),
        operations,
        writes_after: inputs.writes_after,
        unfinished_transactions: inputs.unfinished,
        seconds_estimate: estimate_seconds(document_bytes, operations - replayed, replayed, collections.len()),
        continues: None,
        warnings: warnings(&inputs),
        collections,
        views,
    }
}

fn planned(one: &Work, checked: &BTreeMap<Namespace, Checked>, ways: &Ways) -> PlannedCollection {
    let survivor = &one.selected.survivor;
    let documents = one.load.as_ref().and_then(|load| checked.get(&load.namespace)).map_or(0, |checked| checked.documents);
    PlannedCollection {
        namespace: survivor.namespace.clone(),
        target: one.selected.target.clone(),
        time_series: survivor.kind == CollectionKind::TimeSeries,
        loaded_from: one.load.as_ref().map(|load| load.namespace.clone()),
        document_bytes: one.load.as_ref().map_or(0, |load| load.bytes),
        documents,
        writes: survivor.writes,
        replayed_because: ways.replayed_because(survivor.id).map(str::to_owned),
        indexes: survivor.indexes.len(),
        keeps_uuid: one.keep_uuid && survivor.kind == CollectionKind::Collection,
    }
}

fn described(piece: &OplogPiece) -> PlannedOplog {
    let source = match &piece.source {
        OplogSource::BackupOplog { backup } => format!("backup {backup}"),
        OplogSource::Slice(slice) => slice.object().into_owned(),
    };
    PlannedOplog { source, range: piece.range }
}

/// A restore of everything makes the target what the source was, so everything goes; a selective one replaces what it brings.
fn drops(request: &RestoreRequest, target: &TargetFacts, collections: &[PlannedCollection], views: &[PlannedView]) -> Vec<PlannedDrop> {
    let brought: BTreeSet<&Namespace> = collections.iter().map(|one| &one.target).chain(views.iter().map(|view| &view.target)).collect();
    let everything = request.selection.is_everything();
    let goes = |one: &&ListedCollection| brought.contains(&one.spec.namespace) || everything && one.spec.namespace.database != "config";
    let dropped = target.present.iter().filter(goes).map(|one| PlannedDrop {
        namespace: one.spec.namespace.clone(),
        documents: one.documents,
        bytes: one.bytes,
        replaced: brought.contains(&one.spec.namespace),
    });
    dropped.collect()
}

/// The stored size where it is known, and the uncompressed one where it is not.
fn read_bytes(work: &[Work], part: &Part) -> u64 {
    let documents: u64 = work
        .iter()
        .filter_map(|one| one.load.as_ref())
        .filter_map(|load| load.object.as_ref().map(|object| object.stored_bytes.unwrap_or(load.bytes)))
        .sum();
    let slices: u64 = part
        .oplog
        .iter()
        .map(|piece| match &piece.source {
            OplogSource::Slice(slice) => slice.bytes,
            OplogSource::BackupOplog { .. } => 0,
        })
        .sum();
    documents + slices
}

fn warnings(inputs: &Inputs<'_>) -> Vec<String> {
    let Inputs { base, target, contents, outcome, part, choice, .. } = inputs;
    let mut warnings = contents.warnings.clone();
    let wanted = version_of(base);
    if series(wanted) != series(&target.versions.fcv) {
        warnings
            .push(format!("the backup is of MongoDB {wanted}, the target runs with feature compatibility version {}", target.versions.fcv));
    }
    if base.last_write < base.consistent_at() {
        warnings.push(format!(
            "PBM would restore this backup to {}, before its documents are consistent; they are at {}",
            base.last_write,
            base.consistent_at()
        ));
    }
    if part.through < choice.through {
        warnings.push(format!("the oplog of {} ends at {}, earlier than that of the other replica sets", part.replica_set, part.through));
    }
    if inputs.unfinished > 0 {
        warnings.push(format!("{} transactions had not committed at this moment: their writes are not restored", inputs.unfinished));
    }
    if base.users_and_roles && contents.users.is_none() {
        warnings.push("the backup holds no users and roles: those of the target are left as they are".to_owned());
    }
    if base.selection.is_everything() {
        for stranger in &outcome.strangers {
            warnings.push(format!(
                "the oplog writes to `{}` ({} operations), which the base backup does not hold: it cannot be restored",
                stranger.namespace, stranger.operations
            ));
        }
    }
    warnings
}
