//! Which short slices become one long slice.
//!
//! Slices are cut every few seconds, so that the newest restorable moment is young. Once they are old, thousands of small objects are only a
//! burden: to list, to read, to delete. Compaction joins those of one hour, later those of one day.
//!
//! Promises, for every catalog and policy (property tests beside this file hold them):
//!
//! - What is covered stays exactly what it was: a long slice reaches from the beginning of its first part to the end of its last, gaps are
//!   never bridged, and replica sets never mixed. So the timeline, the plan and retention see the same moments before and after, and at
//!   every point in between, because the short slices go only when the long one is there, oldest first.
//! - No long slice reaches across the moment of a backup: the slice that first reaches it begins a new one. Retention frees the oplog before
//!   a backup as it did. And PBM replays the first slice of a restore from its very beginning; with an hour before the backup in it, a rename in
//!   that hour would be done twice.
//! - The newest slice of a replica set is left alone: slicing goes on from it.
//! - Of two slices of one range none takes the other's place. A slice gives way only to a longer one, so that two compactions at the same
//!   time, whatever their policies, never delete each other's work.
//!
//! A compaction that was interrupted is seen as slices that lie within another one, and finished by the next ([`Merge::keeps`]). Until then the
//! long slice is joined with no others: nobody has compared it with its parts yet, and a mistake in it would spread. (The simulation found that.)

use std::cmp::Reverse;
use std::fmt;

use crate::catalog::Catalog;
use crate::coverage::{OplogPiece, OplogSource, has_usable_oplog};
use crate::namespace::ReplicaSetName;
use crate::slice::Slice;
use crate::time::{OplogRange, OplogTime};

/// What is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A span is compacted when its end is at least this old.
    pub older_than_seconds: u32,
    /// The slices that begin in the same span are joined. Spans are counted from 1970 in UTC: hours and days are those of the clock there.
    pub span_seconds: u32,
    /// Stored bytes of a long slice, as a sum over its parts. A restore may read one in vain, but for its last entry.
    pub bytes_max: u64,
}

impl Policy {
    /// What is done unless somebody wants it otherwise: hours after a day, days after a month.
    pub const USUAL: [Self; 2] = [Self::new(86_400, 3_600), Self::new(30 * 86_400, 86_400)];
    /// Read from its beginning in seconds, and few requests for a day of a busy server.
    pub const BYTES_MAX: u64 = 256 << 20;

    pub const fn new(older_than_seconds: u32, span_seconds: u32) -> Self {
        Self { older_than_seconds, span_seconds, bytes_max: Self::BYTES_MAX }
    }

    /// The number of the span that `slice` begins in.
    fn span_of(&self, slice: &Slice) -> u32 {
        slice.range.after.seconds / self.span_seconds.max(1)
    }

    /// Nothing more is expected in the span of `slice`. `now`: Unix seconds.
    fn is_due(&self, slice: &Slice, now: u32) -> bool {
        let end = (u64::from(self.span_of(slice)) + 1) * u64::from(self.span_seconds.max(1));
        end + u64::from(self.older_than_seconds) <= u64::from(now)
    }
}

/// `slices older than 1 d into 1 h each, up to 256 MiB`
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slices older than {} s into {} s each, up to {} bytes", self.older_than_seconds, self.span_seconds, self.bytes_max)
    }
}

/// Slices that become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    pub replica_set: ReplicaSetName,
    /// Of the long slice.
    pub range: OplogRange,
    /// The long slice, when it is there already: an earlier compaction wrote it and got no further, or somebody else did. Otherwise it is to
    /// be written.
    pub keeps: Option<Slice>,
    /// Where each entry of `replaces` is read, in order and exactly once, the entry at the beginning included. When the long slice is still to
    /// be written, these are all of its entries.
    pub pieces: Vec<OplogPiece>,
    /// What can go once the long slice is whole, oldest first. In this order PBM, which compares each slice only with the one before, sees no
    /// gap wherever the deletion stops.
    pub replaces: Vec<Slice>,
}

impl Merge {
    /// Stored bytes of what is replaced.
    pub fn bytes(&self) -> u64 {
        self.replaces.iter().map(|slice| slice.bytes).fold(0, u64::saturating_add)
    }
}

impl fmt::Display for Merge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.keeps.is_some() { "lie within one that is there" } else { "become one" };
        write!(f, "{}: {} slices, {} … {}, {what}", self.replica_set, self.replaces.len(), self.range.after, self.range.through)
    }
}

/// Decides what becomes one. By replica set, oldest first. `now`: Unix seconds.
pub fn compact(catalog: &Catalog, policy: &Policy, now: u32) -> Vec<Merge> {
    let mut merges = Vec::new();
    for (replica_set, slices) in &catalog.slices {
        let ends = ends_of_backups(catalog, replica_set);
        let newest = catalog.newest_slice(replica_set).map(|slice| slice.range.through);
        let mut due: Vec<&Slice> = slices.iter().filter(|slice| policy.is_due(slice, now) && Some(slice.range.through) != newest).collect();
        // Of those that begin together the longest first: the others lie within it.
        due.sort_by_key(|slice| (slice.range.after, Reverse(slice.range.through)));
        let mut group: Option<Group<'_>> = None;
        for (index, slice) in due.iter().copied().enumerate() {
            let unfinished = holds_others(slice, &due[index + 1..]);
            match group.as_mut().filter(|group| !unfinished && group.takes(slice, policy, &ends)) {
                Some(group) => group.push(slice),
                None => {
                    merges.extend(group.take().and_then(Group::merge));
                    group = Some(Group::new(slice, unfinished));
                }
            }
        }
        merges.extend(group.and_then(Group::merge));
    }
    merges
}

/// The moments that backups of `replica_set` restore to, by our reckoning and by PBM's.
fn ends_of_backups(catalog: &Catalog, replica_set: &ReplicaSetName) -> Vec<OplogTime> {
    let usable = catalog.backups.iter().filter(|backup| has_usable_oplog(backup));
    let ends = usable.filter_map(|backup| Some([backup.snapshot(replica_set)?.oplog.through, backup.consistent_at(), backup.last_write]));
    let mut ends: Vec<_> = ends.flatten().collect();
    ends.sort();
    ends.dedup();
    ends
}

/// Whether one of `later`, which are sorted by where they begin, lies within `slice`.
fn holds_others(slice: &Slice, later: &[&Slice]) -> bool {
    let mut beside = later.iter().take_while(|other| other.range.after < slice.range.through);
    beside.any(|other| other.range != slice.range && other.range.through <= slice.range.through)
}

/// Slices that join, in the making.
struct Group<'a> {
    parts: Vec<&'a Slice>,
    range: OplogRange,
    bytes: u64,
    /// It began with a slice that holds others.
    unfinished: bool,
}

impl<'a> Group<'a> {
    fn new(first: &'a Slice, unfinished: bool) -> Self {
        Self { parts: vec![first], range: first.range, bytes: first.bytes, unfinished }
    }

    /// `slice` does not begin before the group does.
    fn takes(&self, slice: &Slice, policy: &Policy, ends: &[OplogTime]) -> bool {
        let reach = self.range.through;
        if slice.range.through <= reach {
            // All of it is here already.
            return true;
        }
        let joins = slice.range.after <= reach;
        let same_span = self.parts.first().is_some_and(|first| policy.span_of(first) == policy.span_of(slice));
        #[cfg(feature = "planted-bugs")]
        if crate::planted::is_planted(crate::planted::Bug::GapIsBridged) {
            return same_span;
        }
        let fits = self.bytes.saturating_add(slice.bytes) <= policy.bytes_max;
        !self.unfinished && joins && same_span && fits && !holds(ends, OplogRange::new(reach, slice.range.through))
    }

    fn push(&mut self, slice: &'a Slice) {
        if slice.range.through > self.range.through {
            self.range.through = slice.range.through;
            self.bytes = self.bytes.saturating_add(slice.bytes);
        }
        self.parts.push(slice);
    }

    /// `None` when there is nothing to gain.
    fn merge(self) -> Option<Merge> {
        let keeps = self.parts.iter().find(|part| part.range == self.range).copied().cloned();
        let mut replaces: Vec<Slice> = self.parts.into_iter().filter(|part| part.range != self.range).cloned().collect();
        let pieces = pieces(&replaces);
        replaces.sort_by_key(|slice| slice.range);
        let first = replaces.first()?;
        Some(Merge { replica_set: first.replica_set.clone(), range: self.range, keeps, pieces, replaces })
    }
}

/// Whether one of the sorted `times` lies in `range`.
fn holds(times: &[OplogTime], range: OplogRange) -> bool {
    times.get(times.partition_point(|time| *time <= range.after)).is_some_and(|time| range.contains(*time))
}

/// Where to read every entry of `slices`, which are sorted by where they begin, exactly once. The entry at the beginning of a slice counts, too.
fn pieces(slices: &[Slice]) -> Vec<OplogPiece> {
    let mut pieces = Vec::new();
    let mut position: Option<OplogTime> = None;
    for slice in slices {
        let after = match position {
            Some(position) if slice.range.after <= position => position,
            _ => slice.range.after.predecessor(),
        };
        let range = OplogRange::new(after, slice.range.through);
        if !range.is_empty() {
            pieces.push(OplogPiece { source: OplogSource::Slice(slice.clone()), range });
            position = Some(slice.range.through);
        }
    }
    pieces
}

#[cfg(test)]
mod tests;
