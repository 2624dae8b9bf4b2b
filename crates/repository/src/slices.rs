//! Slices: making them, storing them, and what is recorded beside them.
//!
//! The slice comes first and its record second: a crash between leaves a slice without a record, which is read as any slice of
//! PBM's is. Neither is ever changed afterwards.
//!
//! A record names the one before it. A builder that follows another learns from it, once that one is stored; the first of a row looks on the
//! storage. Where nothing was recorded, the chain begins.

use std::sync::{Arc, OnceLock};

use bson::RawDocumentBuf;
use bytes::Bytes;
use oplogue_domain::{Gap, OplogRange, OplogTime, ReplicaSetName, Slice};
use oplogue_format::checksum::ContentHash;
use oplogue_format::compression::Compression;
use oplogue_format::pbm::layout;
use oplogue_format::sidecar::{self, GapRecord, Link, LocatedRecord, SliceRecord, seal_of};

use crate::Repository;
use crate::error::RepositoryError;
use crate::frames::{FrameBuilder, Tally, Written};

/// A slice in the making, compressed as it grows, in memory: it is small by the slicer's own limit.
pub struct SliceBuilder {
    replica_set: ReplicaSetName,
    compression: Compression,
    first: OplogTime,
    last: OplogTime,
    /// The newest entry, which the next slice begins with.
    boundary: Option<RawDocumentBuf>,
    noops: u64,
    frames: FrameBuilder,
    stored: Vec<Bytes>,
    tally: Tally,
    pending_entries: u64,
    /// Time of the first entry.
    first_entry: Option<OplogTime>,
    /// The record of the slice that this one follows: empty until that one is stored. `None`: it follows none that is known here.
    before: Option<Arc<OnceLock<Link>>>,
    /// This slice's own record, once it is stored.
    own: Arc<OnceLock<Link>>,
}

/// A stored slice and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSlice {
    pub slice: Slice,
    /// Entries, the boundary entry at its beginning included.
    pub entries: u64,
    /// Of these, no-ops.
    pub noops: u64,
    /// Uncompressed bytes.
    pub bytes: u64,
}

impl SliceBuilder {
    /// A slice that begins with the entry at `first`, which is the last one of the slice before.
    pub fn new(replica_set: ReplicaSetName, first: OplogTime, compression: Compression) -> Self {
        Self {
            replica_set,
            compression,
            first,
            last: first,
            boundary: None,
            noops: 0,
            frames: FrameBuilder::new(compression),
            stored: Vec::new(),
            tally: Tally::new(compression),
            pending_entries: 0,
            first_entry: None,
            before: None,
            own: Arc::default(),
        }
    }

    /// Adds the next entry. One that is not later than the newest is left out, except the first of all at exactly the slice's
    /// beginning.
    pub async fn push(&mut self, entry: &RawDocumentBuf) -> Result<(), RepositoryError> {
        let unreadable =
            |why: String| RepositoryError::Unwritable { object: format!("slice of {} after {}", self.replica_set, self.last), why };
        let time = entry.get_timestamp("ts").map_err(|error| unreadable(format!("an oplog entry has no time `ts`: {error}")))?;
        let time = OplogTime::new(time.time, time.increment);
        let is_boundary = self.boundary.is_none() && time == self.first;
        if time <= self.last && !is_boundary {
            return Ok(());
        }
        self.first_entry = self.first_entry.or(Some(time));
        self.last = time;
        self.boundary = Some(entry.clone());
        self.noops += u64::from(entry.get_str("op").is_ok_and(|op| op == "n"));
        self.frames.push(entry);
        self.pending_entries += 1;
        if self.frames.is_full() {
            self.close_frame().await;
        }
        Ok(())
    }

    /// Where it begins: the end of the slice before.
    pub fn first(&self) -> OplogTime {
        self.first
    }

    /// The newest entry; [`SliceBuilder::first`] when there is none yet.
    pub fn last(&self) -> OplogTime {
        self.last
    }

    /// The newest entry itself; `None` when there is none yet.
    pub fn newest(&self) -> Option<&RawDocumentBuf> {
        self.boundary.as_ref()
    }

    /// Uncompressed bytes so far.
    pub fn bytes(&self) -> u64 {
        self.tally.bytes() + self.frames.pending_bytes()
    }

    pub fn entries(&self) -> u64 {
        self.tally.documents() + self.pending_entries
    }

    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The builder of the slice that follows this one, with the entry they share.
    pub async fn following(&self, compression: Compression) -> Result<Self, RepositoryError> {
        let mut next = Self::new(self.replica_set.clone(), self.last, compression);
        next.before = Some(self.own.clone());
        if let Some(boundary) = &self.boundary {
            next.push(boundary).await?;
        }
        Ok(next)
    }

    async fn close_frame(&mut self) {
        if let Some(frame) = self.frames.close().await {
            self.tally.add(&frame);
            self.stored.push(frame.stored);
            self.pending_entries = 0;
        }
    }
}

impl Repository {
    /// Stores a slice and its record. An empty slice is refused: PBM takes objects without bytes for broken.
    pub async fn write_slice(&self, mut builder: SliceBuilder) -> Result<StoredSlice, RepositoryError> {
        builder.close_frame().await;
        let range = OplogRange::new(builder.first, builder.last);
        let object = layout::slice(&builder.replica_set, range, builder.compression);
        if builder.stored.is_empty() {
            return Err(RepositoryError::Unwritable { object, why: "the slice holds no entry".to_owned() });
        }
        let previous = match builder.before.as_ref().and_then(|before| before.get()) {
            Some(link) => Some(*link),
            None => self.record_ending_at(&builder.replica_set, builder.first).await?,
        };
        #[cfg(feature = "planted-bugs")]
        if oplogue_domain::planted::is_planted(oplogue_domain::planted::Bug::RecordBeforeSlice) {
            self.storage.put(&sidecar::slice_record(&builder.replica_set, range), Bytes::from_static(b"{}")).await?;
        }
        let mut writer = self.storage.writer(&object).await?;
        for frame in builder.stored {
            writer.write(frame).await?;
        }
        writer.finish().await?;

        let written = builder.tally.written();
        let facts = SliceRecord {
            no_ops: builder.noops,
            first: builder.first_entry,
            previous,
            ..facts_of(&builder.replica_set, range, &object, &written)
        };
        let link = self.write_slice_record(&facts).await?;
        // Set once, and only here.
        let _ = builder.own.set(link);
        let name = layout::slice_name(&object, &builder.replica_set, range, builder.compression);
        let slice = Slice { replica_set: builder.replica_set, range, name, bytes: written.stored_bytes };
        Ok(StoredSlice { slice, entries: written.documents, noops: builder.noops, bytes: written.bytes })
    }

    /// Stores the record of a slice that is stored, and says how others name it.
    pub(crate) async fn write_slice_record(&self, facts: &SliceRecord) -> Result<Link, RepositoryError> {
        let record = facts.to_json();
        let seal = seal_of(&record).ok_or_else(|| RepositoryError::Unwritable {
            object: facts.object.clone(),
            why: "its record came without a seal".to_owned(),
        })?;
        self.storage.put(&sidecar::slice_record(&facts.replica_set, facts.range), record.into()).await?;
        Ok(Link { range: facts.range, seal })
    }

    /// What the record of a slice that stands for `replaced` takes over, which are in order: the link of the first, and the link by which the
    /// slice behind knows the last (`previous` and `continues`). Where the last stands for others itself, that is the link it took over.
    pub async fn links_over(&self, replaced: &[Slice]) -> Result<(Option<Link>, Option<Link>), RepositoryError> {
        let (Some(first), Some(last)) = (replaced.first(), replaced.last()) else { return Ok((None, None)) };
        let previous = self.slice_facts(first).await?.and_then(|facts| facts.previous);
        let facts = self.sealed_slice_facts(last).await?;
        let own = facts.as_ref().and_then(|(_, seal)| *seal).map(|seal| Link { range: last.range, seal });
        Ok((previous, facts.and_then(|(facts, _)| facts.continues).or(own)))
    }

    /// The record of the slice that ends at `moment`, if there is one with a seal. It began on the same day or the one before: longer slices
    /// are not made.
    async fn record_ending_at(&self, replica_set: &ReplicaSetName, moment: OplogTime) -> Result<Option<Link>, RepositoryError> {
        let day_before = OplogTime::new(moment.seconds.saturating_sub(86_400), 0);
        let mut folders = vec![sidecar::slice_records_of_day(replica_set, moment), sidecar::slice_records_of_day(replica_set, day_before)];
        folders.dedup();
        for folder in folders {
            let listed = self.storage.list(folder.trim_end_matches('/')).await?;
            let ending = listed.into_iter().rev().find_map(|object| match sidecar::locate(&object.name) {
                LocatedRecord::Slice { range, .. } if range.through == moment && range.after < moment => Some((object.name, range)),
                _ => None,
            });
            if let Some((name, range)) = ending {
                let seal = self.get_if_there(&name).await?.filter(|bytes| SliceRecord::parse(bytes).is_ok());
                return Ok(seal.and_then(|bytes| seal_of(&bytes)).map(|seal| Link { range, seal }));
            }
        }
        Ok(None)
    }

    /// What was recorded about a slice when it was written; `None` for slices of other writers.
    pub async fn slice_facts(&self, slice: &Slice) -> Result<Option<SliceRecord>, RepositoryError> {
        Ok(self.sealed_slice_facts(slice).await?.map(|(facts, _)| facts))
    }

    /// The same with the record's seal, by which others name it. Records of format 1 have none.
    pub async fn sealed_slice_facts(&self, slice: &Slice) -> Result<Option<(SliceRecord, Option<ContentHash>)>, RepositoryError> {
        let record = sidecar::slice_record(&slice.replica_set, slice.range);
        let Some(bytes) = self.get_if_there(&record).await? else {
            return Ok(None);
        };
        match SliceRecord::parse(&bytes) {
            Ok(facts) => Ok(Some((facts, seal_of(&bytes)))),
            Err(error) => Err(RepositoryError::Unreadable { object: record, why: error.to_string() }),
        }
    }

    /// Records a hole in the oplog, with its reason. `now`: Unix seconds.
    pub async fn record_gap(&self, gap: &Gap, now: u32) -> Result<(), RepositoryError> {
        let name = sidecar::gap_record(&gap.replica_set, gap.range);
        let record =
            GapRecord { replica_set: gap.replica_set.clone(), range: gap.range, reason: gap.reason.clone(), recorded_seconds: now };
        self.storage.put(&name, record.to_json().into()).await?;
        Ok(())
    }
}

/// The record of a slice that was stored and stands for no others, without what the writing of the object does not tell: no-ops, the first entry,
/// the slice before.
pub(crate) fn facts_of(replica_set: &ReplicaSetName, range: OplogRange, object: &str, written: &Written) -> SliceRecord {
    SliceRecord {
        replica_set: replica_set.clone(),
        range,
        object: object.to_owned(),
        stored_bytes: written.stored_bytes,
        stored_crc64: written.stored_crc64,
        stored_hash: Some(written.stored_hash),
        raw_bytes: written.bytes,
        raw_crc64: written.crc64,
        entries: written.documents,
        no_ops: 0,
        first: None,
        last: Some(range.through),
        previous: None,
        replaces: Vec::new(),
        continues: None,
        written_by: crate::written_by(),
    }
}
