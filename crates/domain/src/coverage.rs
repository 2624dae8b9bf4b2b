//! Which stretches of one replica set's oplog lie on the storage, and which objects to read for one of them.
//!
//! Two kinds of object hold oplog: slices, and the oplog inside each backup (complete even in a selective backup). Together
//! they are the coverage. Overlaps are normal: slicing goes on during a backup, and two slicers may once have written the
//! same range differently cut. An overlap never harms, because a chain of pieces says exactly which entries each object contributes.

use std::fmt;

use crate::backup::{Backup, BackupKind, BackupName};
use crate::catalog::Catalog;
use crate::namespace::ReplicaSetName;
use crate::slice::Slice;
use crate::time::{OplogRange, OplogTime};

/// Where oplog entries can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OplogSource {
    /// The oplog inside a backup, of the replica set in question.
    BackupOplog {
        backup: BackupName,
    },
    Slice(Slice),
}

/// `slice pbmPitr/rs0/…` or `the oplog of backup …`
impl fmt::Display for OplogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackupOplog { backup } => write!(f, "the oplog of backup {backup}"),
            Self::Slice(slice) => write!(f, "slice {}", slice.object()),
        }
    }
}

/// One object's contribution to a chain: of its entries, those that `range` contains. What it holds outside belongs to its neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OplogPiece {
    pub source: OplogSource,
    pub range: OplogRange,
}

/// Everything that covers the oplog of one replica set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// By `after`. None is empty.
    sources: Vec<(OplogRange, OplogSource)>,
    /// By `after`; no two touch. None is empty.
    stretches: Vec<OplogRange>,
}

/// True for a backup whose oplog may be read: its objects are understood, whatever it was selected for.
pub fn has_usable_oplog(backup: &Backup) -> bool {
    backup.problem.is_none() && backup.kind == BackupKind::Logical
}

impl Coverage {
    /// The coverage of a replica set of which nothing is on the storage.
    pub const fn nothing() -> Self {
        Self { sources: Vec::new(), stretches: Vec::new() }
    }

    /// The slices of `replica_set` and the oplogs of all usable backups of it.
    pub fn of(catalog: &Catalog, replica_set: &ReplicaSetName) -> Self {
        let slices = catalog.slices_of(replica_set).iter().map(|slice| (slice.range, OplogSource::Slice(slice.clone())));
        let oplogs = catalog.backups.iter().filter(|backup| has_usable_oplog(backup)).filter_map(|backup| {
            let range = backup.snapshot(replica_set)?.oplog;
            Some((range, OplogSource::BackupOplog { backup: backup.name.clone() }))
        });
        // An empty range (a slice of one boundary entry, an idle backup) adds no moment.
        let mut sources: Vec<_> = slices.chain(oplogs).filter(|(range, _)| !range.is_empty()).collect();
        sources.sort_by_key(|(range, _)| *range);
        let stretches = joined(sources.iter().map(|(range, _)| *range));
        Self { sources, stretches }
    }

    /// The covered stretches, oldest first, as long as they go. Between two of them something is missing.
    pub fn stretches(&self) -> &[OplogRange] {
        &self.stretches
    }

    /// The newest moment on the storage.
    pub fn newest(&self) -> Option<OplogTime> {
        self.stretches.last().map(|stretch| stretch.through)
    }

    /// The stretch that has `moment` in it or at one of its ends: what can be continued from there.
    pub fn stretch_at(&self, moment: OplogTime) -> Option<OplogRange> {
        let index = self.stretches.partition_point(|stretch| stretch.through < moment);
        let found = self.stretches.get(index).copied().filter(|stretch| stretch.after <= moment)?;
        Some(found)
    }

    /// The newest moment up to which every entry later than `from` is there: `from` itself when nothing joins it.
    pub fn reach(&self, from: OplogTime) -> OplogTime {
        self.stretch_at(from).map_or(from, |stretch| stretch.through)
    }

    /// The earliest source that holds anything later than `moment`.
    pub fn first_beyond(&self, moment: OplogTime) -> Option<&OplogSource> {
        self.sources.iter().find(|(range, _)| range.through > moment).map(|(_, source)| source)
    }

    /// What of `range` is not covered, oldest first.
    pub fn missing(&self, range: OplogRange) -> Vec<OplogRange> {
        subtract(range, &self.stretches)
    }

    /// The pieces that together hold each entry of `range` exactly once, in order; or the first stretch that is missing.
    /// Of several ways it reads slices rather than other backups' oplogs, and long objects rather than many.
    pub fn chain(&self, range: OplogRange) -> Result<Vec<OplogPiece>, OplogRange> {
        let mut pieces = Vec::new();
        let mut position = range.after;
        let mut waiting = self.sources.iter().peekable();
        let mut longest_slice: Option<&(OplogRange, OplogSource)> = None;
        let mut longest_oplog: Option<&(OplogRange, OplogSource)> = None;
        while position < range.through {
            while let Some(source) = waiting.next_if(|(source, _)| source.after <= position) {
                let longest = match source.1 {
                    OplogSource::Slice(_) => &mut longest_slice,
                    OplogSource::BackupOplog { .. } => &mut longest_oplog,
                };
                if longest.is_none_or(|(known, _)| known.through < source.0.through) {
                    *longest = Some(source);
                }
            }
            let useful = |source: &&(OplogRange, OplogSource)| source.0.through > position;
            let Some((next, source)) = longest_slice.filter(useful).or(longest_oplog.filter(useful)) else {
                let through = waiting.peek().map_or(range.through, |(next, _)| next.after.min(range.through));
                return Err(OplogRange::new(position, through));
            };
            let through = next.through.min(range.through);
            pieces.push(OplogPiece { source: source.clone(), range: OplogRange::new(position, through) });
            position = through;
        }
        Ok(pieces)
    }
}

/// The slices that carry `backup` on: of each of its replica sets those that hold anything later than the beginning of its own oplog, as far as
/// nothing is missing in between. By replica set and range.
pub fn slices_following(catalog: &Catalog, backup: &Backup) -> Vec<Slice> {
    let mut slices = Vec::new();
    for snapshot in &backup.snapshots {
        let reach = Coverage::of(catalog, &snapshot.replica_set).reach(snapshot.oplog.through);
        let of_it = catalog.slices_of(&snapshot.replica_set).iter();
        slices.extend(of_it.filter(|slice| slice.range.through > snapshot.oplog.after && slice.range.after < reach).cloned());
    }
    slices
}

/// Joins ranges that overlap or touch. The input must be sorted by `after`.
pub(crate) fn joined(ranges: impl IntoIterator<Item = OplogRange>) -> Vec<OplogRange> {
    let mut joined: Vec<OplogRange> = Vec::new();
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        match joined.last_mut() {
            Some(last) if range.after <= last.through => last.through = last.through.max(range.through),
            _ => joined.push(range),
        }
    }
    joined
}

/// `range` without what `covered` covers. `covered` must be sorted and joined.
pub(crate) fn subtract(range: OplogRange, covered: &[OplogRange]) -> Vec<OplogRange> {
    let mut rest = Vec::new();
    let mut position = range.after;
    let first = covered.partition_point(|stretch| stretch.through <= range.after);
    for stretch in covered.iter().skip(first).take_while(|stretch| stretch.after < range.through) {
        rest.push(OplogRange::new(position, stretch.after));
        position = position.max(stretch.through);
    }
    rest.push(OplogRange::new(position, range.through));
    rest.retain(|range| !range.is_empty());
    rest
}

#[cfg(test)]
mod tests;
