//! What a deletion does to what can be restored.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::coverage::{joined, subtract};
use crate::namespace::ReplicaSetName;
use crate::reach::{Survey, usable};
use crate::time::{OplogRange, OplogTime};

use super::rules::levels;

/// Moments that can be restored in `before` and cannot in `after`, oldest first: by the cluster, or by one of its replica sets alone. A moment
/// counts as lost also when a backup that stays can no longer be made consistent at it.
pub fn lost(before: &Catalog, after: &Catalog) -> Vec<OplogRange> {
    let (before, after) = (Survey::of(before), Survey::of(after));
    let (then, now) = (restorable(&before), restorable(&after));
    let mut lost: Vec<OplogRange> = Vec::new();
    for (level, ranges) in &then {
        let left = now.get(level).map_or(&[][..], Vec::as_slice);
        lost.extend(ranges.iter().flat_map(|range| subtract(*range, left)));
    }
    for backup in after.catalog.backups.iter().filter(|backup| usable(backup).is_ok()) {
        let own = backup.consistent_at();
        let torn = backup.snapshots.iter().any(|snapshot| {
            let reach = |survey: &Survey<'_>| survey.coverage(&snapshot.replica_set).reach(snapshot.oplog.through).min(own);
            reach(&after) < reach(&before)
        });
        if torn {
            lost.push(OplogRange::new(own.predecessor(), own));
        }
    }
    lost.sort();
    joined(lost)
}

/// Moments that seem restorable in `after` and are not in `before`, oldest first. Nothing can become restorable by deleting: if there are any,
/// what shows that a replica set was there that the base does not hold is gone.
pub fn gained(before: &Catalog, after: &Catalog) -> Vec<OplogRange> {
    let (then, now) = (restorable(&Survey::of(before)), restorable(&Survey::of(after)));
    let then = then.get(&None).map_or(&[][..], Vec::as_slice);
    now.get(&None).into_iter().flatten().flat_map(|range| subtract(*range, then)).collect()
}

/// Moments in ranges that are joined and sorted. `None`: of the cluster.
fn restorable(survey: &Survey<'_>) -> BTreeMap<Option<ReplicaSetName>, Vec<OplogRange>> {
    let names = std::iter::once(None).chain(survey.coverages.keys().cloned().map(Some));
    names.zip(levels(survey)).map(|(name, level)| (name, joined(level.into_iter().map(|(_, range)| range)))).collect()
}

/// What of `ranges` lies at `since` or later.
pub(super) fn since(ranges: &[OplogRange], since: OplogTime) -> Vec<OplogRange> {
    let first = since.predecessor();
    let clipped = ranges.iter().map(|range| OplogRange::new(range.after.max(first), range.through));
    clipped.filter(|range| !range.is_empty()).collect()
}
