//! Holes between slices that nobody explained.
//!
//! Slicing that stops and begins again leaves a hole: ours is recorded with its reason, and slices begin at the end of a backup. A slice that
//! begins anywhere else, behind a stretch that is missing, lost its predecessor.

use crate::catalog::Catalog;
use crate::coverage::{has_usable_oplog, joined, subtract};
use crate::namespace::ReplicaSetName;
use crate::time::{OplogRange, OplogTime};

/// The stretches before slices of `replica_set` that are not on the storage, and neither recorded as lost nor the usual beginning of slicing.
pub fn unexplained(catalog: &Catalog, replica_set: &ReplicaSetName) -> Vec<OplogRange> {
    let mut oplogs: Vec<OplogRange> = catalog
        .backups
        .iter()
        .filter(|backup| has_usable_oplog(backup))
        .filter_map(|backup| backup.snapshot(replica_set).map(|snapshot| snapshot.oplog))
        .collect();
    oplogs.sort_by_key(|range| range.through);
    let recorded = catalog.recorded_gaps.get(replica_set).map_or(&[][..], Vec::as_slice);
    let mut explained: Vec<OplogRange> = recorded.iter().map(|gap| gap.range).chain(oplogs.iter().copied()).collect();
    explained.sort();
    let explained = joined(explained);

    let mut holes = Vec::new();
    let mut reached: Option<OplogTime> = None;
    for slice in catalog.slices_of(replica_set) {
        let first = slice.range.after;
        let before = oplogs.iter().map(|oplog| oplog.through).filter(|through| *through < first).max();
        if let Some(from) = reached.max(before)
            && from < first
            && !oplogs.iter().any(|oplog| oplog.after <= first && first <= oplog.through)
        {
            holes.extend(subtract(OplogRange::new(from, first), &explained));
        }
        reached = reached.max(Some(slice.range.through));
    }
    holes
}
