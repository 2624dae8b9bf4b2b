//! The chain of one replica set's slices: what the records say of each other, and the entries that neighbours share.
//!
//! Slices come in order of their ranges. Kept are only those that end where a later one may begin.

use std::collections::BTreeMap;

use oplogue_domain::damage::Loss;
use oplogue_domain::{Coverage, OplogRange, OplogTime, ReplicaSetName, Slice};
use oplogue_format::checksum::ContentHash;
use oplogue_format::sidecar::{self, Link, SliceRecord};

use super::object::Entries;
use super::{Kind, Notes};

/// A slice as it was found.
pub(super) struct Seen {
    pub slice: Slice,
    pub record: Option<(SliceRecord, Option<ContentHash>)>,
    /// `None` when it was not read to its end, or could not be.
    pub entries: Option<Entries>,
}

/// The end of a slice, as the one behind may know it.
struct End {
    range: OplogRange,
    object: String,
    /// Of its record, when it has one.
    seal: Option<ContentHash>,
    last: Option<(OplogTime, ContentHash)>,
}

pub(super) struct Chain<'a> {
    replica_set: &'a ReplicaSetName,
    coverage: &'a Coverage,
    /// Stretches recorded as lost, with a reason.
    explained: &'a [OplogRange],
    ends: BTreeMap<OplogTime, Vec<End>>,
    /// The beginning of the first slice.
    begins: Option<OplogTime>,
}

impl<'a> Chain<'a> {
    pub(super) fn new(replica_set: &'a ReplicaSetName, coverage: &'a Coverage, explained: &'a [OplogRange]) -> Self {
        Self { replica_set, coverage, explained, ends: BTreeMap::new(), begins: None }
    }

    /// The next slice.
    pub(super) fn add(&mut self, seen: &Seen, notes: &mut Notes) {
        let slice = &seen.slice;
        self.begins = self.begins.or(Some(slice.range.after));
        let mut own = seen.record.as_ref();
        if let Some((record, _)) = own
            && !is_of(record, slice)
        {
            let name = sidecar::slice_record(self.replica_set, slice.range);
            notes.find(name, Kind::Record, format!("it speaks of `{}`", record.object), Loss::Nothing);
            own = None;
        }
        if let (Some((record, _)), Some(entries)) = (own, &seen.entries)
            && let Some(what) = differs(record, entries)
        {
            notes.find(slice.object(), Kind::Content, what, self.lost(&slice.object()));
        }
        if let Some(entries) = &seen.entries {
            self.join(slice, entries, notes);
        }
        if let Some(link) = own.and_then(|(record, _)| record.previous) {
            self.follow(slice, link, notes);
        }
        self.remember(slice, own, seen.entries.as_ref());
    }

    fn lost(&self, object: &str) -> Loss {
        Loss::Slice { replica_set: self.replica_set.clone(), object: object.to_owned() }
    }

    /// Neighbours share an entry, byte for byte.
    fn join(&self, slice: &Slice, entries: &Entries, notes: &mut Notes) {
        let Some((time, hash)) = entries.first.filter(|(time, _)| *time == slice.range.after) else { return };
        let before = self.ends.get(&time).into_iter().flatten().find(|end| end.last.is_some_and(|(_, last)| last != hash));
        if let Some(before) = before {
            let what =
                format!("its first entry, at {time}, is another than the last one of `{}`: they are of two histories", before.object);
            notes.find(slice.object(), Kind::Join, what, self.lost(&slice.object()));
        }
    }

    /// The record that this one was written after must be there.
    fn follow(&self, slice: &Slice, link: Link, notes: &mut Notes) {
        let ends = self.ends.get(&link.range.through).map_or(&[][..], Vec::as_slice);
        let of_range = || ends.iter().filter(|end| end.range == link.range);
        if of_range().any(|end| end.seal == Some(link.seal)) {
            return;
        }
        if let Some(end) = of_range().find(|end| end.seal.is_some()) {
            let what = format!("it is another version than the one that was there when `{}` was written", slice.object());
            notes.find(&end.object, Kind::Chain, what, self.lost(&end.object));
            return;
        }
        if of_range().next().is_some() {
            let what = format!("it is not there, and was when `{}` was written", slice.object());
            notes.find(sidecar::slice_record(self.replica_set, link.range), Kind::Missing, what, Loss::Nothing);
            return;
        }
        // Gone with its record. Others may hold the same entries, or a deletion may have been recorded.
        let missing = self.coverage.missing(link.range);
        let unexplained =
            missing.iter().any(|range| !self.explained.iter().any(|known| known.after <= range.after && range.through <= known.through));
        // Where everything older is gone too, retention was there.
        let oldest = self.coverage.stretches().first().map(|stretch| stretch.after);
        let is_oldest = self.begins == Some(slice.range.after) && oldest.is_none_or(|oldest| oldest >= slice.range.after);
        if unexplained && !is_oldest {
            let range = self.gone_before(link.range);
            let what = format!("the slice of {range} before it is gone with its record, and both were there when this one was written");
            let gone = Slice { replica_set: self.replica_set.clone(), range, name: slice.object().as_ref().into(), bytes: 0 };
            notes.find(slice.object(), Kind::Missing, what, Loss::Gone(gone));
        }
    }

    /// The whole stretch that is missing up to the end of `link`: slices that were joined into one are named by their last.
    fn gone_before(&self, link: OplogRange) -> OplogRange {
        let before = self.coverage.stretches().iter().map(|stretch| stretch.through).filter(|through| *through < link.after).max();
        let explained = |range: OplogRange| self.explained.iter().any(|known| known.after < range.through && range.after < known.through);
        match before.map(|before| OplogRange::new(before, link.after)) {
            Some(range) if !explained(range) => OplogRange::new(range.after, link.through),
            _ => link,
        }
    }

    fn remember(&mut self, slice: &Slice, own: Option<&(SliceRecord, Option<ContentHash>)>, entries: Option<&Entries>) {
        // Nobody begins before this slice any more.
        self.ends = self.ends.split_off(&slice.range.after);
        let last = entries.and_then(|entries| entries.last);
        let end = |range: OplogRange, seal| End { range, object: slice.object().into_owned(), seal, last };
        let through = slice.range.through;
        self.ends.entry(through).or_default().push(end(slice.range, own.and_then(|(_, seal)| *seal)));
        if let Some(link) = own.and_then(|(record, _)| record.continues) {
            self.ends.entry(link.range.through).or_default().push(end(link.range, Some(link.seal)));
        }
    }
}

fn is_of(record: &SliceRecord, slice: &Slice) -> bool {
    record.replica_set == slice.replica_set && record.range == slice.range && record.object == slice.object()
}

/// Where what was read is not what was recorded, beyond the stored bytes.
fn differs(record: &SliceRecord, entries: &Entries) -> Option<String> {
    let read = entries.summary;
    let pairs = [
        (read.documents == record.entries, format!("it holds {} entries instead of {}", read.documents, record.entries)),
        (read.bytes == record.raw_bytes, format!("its entries have {} bytes instead of {}", read.bytes, record.raw_bytes)),
        (read.crc64 == record.raw_crc64, format!("its entries have checksum {:016x} instead of {:016x}", read.crc64, record.raw_crc64)),
        (
            record.first.is_none() || entries.first.map(|(time, _)| time) == record.first,
            "its first entry is not the one that was recorded".to_owned(),
        ),
        (
            record.last.is_none() || entries.last.map(|(time, _)| time) == record.last,
            "its last entry is not the one that was recorded".to_owned(),
        ),
    ];
    pairs.into_iter().find(|(same, _)| !same).map(|(_, what)| what)
}
