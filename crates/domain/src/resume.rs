//! Where a slicer starts, after it was started for the first time or again.
//!
//! Slicing carries on where the oplog on the storage ends, as long as the server still has what follows. When it has not,
//! entries are lost for good, and the hole is recorded rather than papered over; slicing then starts at the end of the newest
//! base backup, the next moment from which a restore can be carried on.
//!
//! Slices are inclusive at both ends, so the server must still hold the entry *at* the start: an oplog whose oldest entry is
//! later may have dropped some in between.

use std::fmt;

use crate::catalog::{Catalog, Gap, GapReason};
use crate::coverage::Coverage;
use crate::namespace::ReplicaSetName;
use crate::time::{OplogRange, OplogTime};

/// Where slicing may start, and the entries that are lost by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartPoint {
    /// The new slice's `after`: its first entry is the one at this time, where the server has one.
    pub from: OplogTime,
    /// From the end of what is on the storage to where the oplog on the storage goes on. To be recorded before slicing starts.
    pub gap: Option<Gap>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resume {
    Start(StartPoint),
    /// Nothing on the storage joins what the server still has, so that no slice could be restored: a full backup must be
    /// taken first. `lost` is what is known to be missing by now: from the newest oplog on the storage to the server's oldest entry.
    NeedsBackup {
        lost: Option<Gap>,
    },
}

impl fmt::Display for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(StartPoint { from, gap: None }) => write!(f, "slicing starts at {from}, nothing is missing before"),
            Self::Start(StartPoint { from, gap: Some(gap) }) => {
                write!(f, "slicing starts at {from}; {} is missing before ({})", gap.range, gap.reason)
            }
            Self::NeedsBackup { lost: None } => f.write_str("there is no full backup to slice from: take one with `oplogue backup`"),
            Self::NeedsBackup { lost: Some(gap) } => write!(
                f,
                "what is stored ends at {}, and the server's oplog begins only at {} ({}): take a full backup with `oplogue backup`, \
                 slicing goes on from it",
                gap.range.after, gap.range.through, gap.reason
            ),
        }
    }
}

/// Where to start, best first. Empty without any slice or full backup of `replica_set`.
///
/// 1. At the end of the newest slice: nothing is lost. It goes on there also when a backup has covered the time since, so that
///    the slices stay a whole chain for readers that know nothing of backups' oplogs.
/// 2. At the end of the backups' oplogs that join that slice: nothing is lost either.
/// 3. At the end of the oplog that follows the newest full backup; what lies before it, back to the newest slice, is lost.
pub fn start_points(catalog: &Catalog, replica_set: &ReplicaSetName) -> Vec<StartPoint> {
    let coverage = Coverage::of(catalog, replica_set);
    let slice_end = catalog.newest_slice(replica_set).map(|slice| slice.range.through);
    let base_end = catalog.newest_base(replica_set).and_then(|base| base.snapshot(replica_set)).map(|snapshot| snapshot.oplog.through);

    let mut points: Vec<StartPoint> = Vec::new();
    if let Some(end) = slice_end {
        points.push(StartPoint { from: end, gap: None });
        points.push(StartPoint { from: coverage.reach(end), gap: None });
    }
    if let Some(end) = base_end.filter(|end| points.last().is_none_or(|known| *end > known.from)) {
        let stretch = coverage.stretch_at(end).unwrap_or(OplogRange::new(end, end));
        let gap = points.last().map(|known| lost(replica_set, OplogRange::new(known.from, stretch.after)));
        points.push(StartPoint { from: stretch.through, gap });
    }
    points.dedup();
    points
}

/// Where to start given the oldest entry that the server's oplog still has. Printable, and to be asked again whenever the
/// oplog rolled over before the first slice was read.
pub fn resume(catalog: &Catalog, replica_set: &ReplicaSetName, oldest_in_oplog: OplogTime) -> Resume {
    let points = start_points(catalog, replica_set);
    let newest = points.last().map(|point| point.from);
    #[cfg(feature = "planted-bugs")]
    let points = misplaced(points);
    match points.into_iter().find(|point| oldest_in_oplog <= point.from) {
        Some(point) => Resume::Start(point),
        None => Resume::NeedsBackup { lost: newest.map(|end| lost(replica_set, OplogRange::new(end, oldest_in_oplog))) },
    }
}

#[cfg(feature = "planted-bugs")]
fn misplaced(mut points: Vec<StartPoint>) -> Vec<StartPoint> {
    use crate::planted::{Bug, is_planted};
    for point in &mut points {
        if is_planted(Bug::ResumesOneLate) {
            point.from.ordinal += 1;
        }
        if is_planted(Bug::GapIsNotRecorded) {
            point.gap = None;
        }
    }
    points
}

fn lost(replica_set: &ReplicaSetName, range: OplogRange) -> Gap {
    Gap { replica_set: replica_set.clone(), range, reason: GapReason::OplogRolledOver }
}

#[cfg(test)]
mod tests;
