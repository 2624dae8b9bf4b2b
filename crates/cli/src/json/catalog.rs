//! Everything found on a storage: `list` and `timeline`.

use oplogue_domain::{Backup, Catalog, Gap, GapReason, OplogTime, ReplicaSetTimeline, RestorableRange, Slice, Snapshot, Timeline};
use serde::Serialize;

use super::time::{RangeJson, TimeJson};

#[derive(Serialize)]
pub struct CatalogJson {
    backups: Vec<BackupJson>,
    /// Moments to which the whole cluster can be restored.
    restorable: Vec<RestorableJson>,
    replica_sets: Vec<ReplicaSetJson>,
    gaps: Vec<GapJson>,
    unreadable: Vec<UnreadableJson>,
}

impl CatalogJson {
    pub fn new(catalog: &Catalog, timeline: &Timeline) -> Self {
        let replica_set = |set: &ReplicaSetTimeline| ReplicaSetJson::new(set, catalog.slices_of(&set.name));
        let unreadable = catalog.unreadable.iter().map(|(object, why)| UnreadableJson { object: object.clone(), why: why.clone() });
        Self {
            backups: catalog.backups.iter().map(BackupJson::from).collect(),
            restorable: timeline.cluster.iter().map(RestorableJson::from).collect(),
            replica_sets: timeline.replica_sets.iter().map(replica_set).collect(),
            gaps: timeline.replica_sets.iter().flat_map(|set| &set.gaps).map(GapJson::from).collect(),
            unreadable: unreadable.collect(),
        }
    }
}

#[derive(Serialize)]
pub struct BackupJson {
    name: String,
    restores_to: TimeJson,
    started: String,
    finished: String,
    /// `null`: everything.
    namespaces: Option<Vec<String>>,
    users_and_roles: bool,
    compression: String,
    bytes: u64,
    mongodb_version: String,
    fcv: Option<String>,
    pbm_version: String,
    written_by: Option<String>,
    /// Why it cannot be restored; `null` when it can.
    problem: Option<String>,
    /// A point-in-time restore may start from it.
    is_base: bool,
    snapshots: Vec<SnapshotJson>,
}

impl From<&Backup> for BackupJson {
    fn from(backup: &Backup) -> Self {
        let second = |seconds: u32| OplogTime::start_of_second(seconds).rfc3339();
        let patterns = || backup.selection.patterns().iter().map(ToString::to_string).collect();
        Self {
            name: backup.name.to_string(),
            restores_to: backup.consistent_at().into(),
            started: second(backup.started),
            finished: second(backup.finished),
            namespaces: (!backup.selection.is_everything()).then(patterns),
            users_and_roles: backup.users_and_roles,
            compression: backup.compression.clone(),
            bytes: backup.bytes,
            mongodb_version: backup.mongodb_version.clone(),
            fcv: Some(backup.fcv.clone()).filter(|fcv| !fcv.is_empty()),
            pbm_version: backup.pbm_version.clone(),
            written_by: backup.written_by.clone(),
            problem: backup.problem.as_ref().map(ToString::to_string),
            is_base: backup.is_base(),
            snapshots: backup.snapshots.iter().map(SnapshotJson::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct SnapshotJson {
    replica_set: String,
    oplog: RangeJson,
    node: Option<String>,
    config_server: bool,
}

impl From<&Snapshot> for SnapshotJson {
    fn from(snapshot: &Snapshot) -> Self {
        Self {
            replica_set: snapshot.replica_set.to_string(),
            oplog: snapshot.oplog.into(),
            node: snapshot.node.clone(),
            config_server: snapshot.is_config_server,
        }
    }
}

/// Every moment from `from` up to and including `through`.
#[derive(Serialize)]
struct RestorableJson {
    from: TimeJson,
    through: TimeJson,
    base: String,
    newer_bases: Vec<String>,
}

impl From<&RestorableRange> for RestorableJson {
    fn from(range: &RestorableRange) -> Self {
        Self {
            from: range.from.into(),
            through: range.through.into(),
            base: range.base.to_string(),
            newer_bases: range.newer_bases.iter().map(ToString::to_string).collect(),
        }
    }
}

#[derive(Serialize)]
struct ReplicaSetJson {
    name: String,
    restorable: Vec<RestorableJson>,
    /// Oplog that no backup leads to.
    unreached: Vec<RangeJson>,
    newest: Option<TimeJson>,
    slices: usize,
    slice_bytes: u64,
}

impl ReplicaSetJson {
    fn new(set: &ReplicaSetTimeline, slices: &[Slice]) -> Self {
        Self {
            name: set.name.to_string(),
            restorable: set.restorable.iter().map(RestorableJson::from).collect(),
            unreached: set.unusable.iter().copied().map(RangeJson::from).collect(),
            newest: set.newest.map(TimeJson::from),
            slices: slices.len(),
            slice_bytes: slices.iter().map(|slice| slice.bytes).sum(),
        }
    }
}

#[derive(Serialize)]
pub struct GapJson {
    replica_set: String,
    range: RangeJson,
    /// `oplog-rolled-over`, `not-sliced`, `damaged`, `deleted` or `other`.
    kind: &'static str,
    reason: String,
}

impl From<&Gap> for GapJson {
    fn from(gap: &Gap) -> Self {
        let kind = match gap.reason {
            GapReason::OplogRolledOver => "oplog-rolled-over",
            GapReason::NotSliced => "not-sliced",
            GapReason::Damaged(_) => "damaged",
            GapReason::Deleted => "deleted",
            GapReason::Other(_) => "other",
        };
        Self { replica_set: gap.replica_set.to_string(), range: gap.range.into(), kind, reason: gap.reason.to_string() }
    }
}

#[derive(Serialize)]
struct UnreadableJson {
    object: String,
    why: String,
}

#[cfg(test)]
mod tests {
    use oplogue_domain::{diagram, timeline};

    use super::*;

    #[test]
    fn a_listing_gives_backups_ranges_and_gaps() {
        let catalog = diagram::catalog("rs0   B==|---|~~~|---|");
        let json = serde_json::to_value(CatalogJson::new(&catalog, &timeline(&catalog))).expect("serialises");
        assert_eq!(json["backups"][0]["name"], "B");
        assert_eq!(json["backups"][0]["namespaces"], serde_json::Value::Null);
        assert_eq!(json["restorable"][0]["base"], "B");
        assert_eq!(json["restorable"][0]["through"]["t"], 1007);
        assert_eq!(json["gaps"][0]["range"]["after"]["t"], 1007);
        assert_eq!(json["gaps"][0]["replica_set"], "rs0");
    }
}
