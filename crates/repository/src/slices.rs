//! Slices: making them, storing them, and what is recorded beside them.
//!
//! The slice comes first and its record second: a crash between leaves a slice without a record, which is read as any slice of
//! PBM's is. Neither is ever changed afterwards.

use bson::RawDocumentBuf;
use bytes::Bytes;
use oplogue_domain::{Gap, OplogRange, OplogTime, ReplicaSetName, Slice};
use oplogue_format::compression::Compression;
use oplogue_format::pbm::layout;
use oplogue_format::sidecar::{self, GapRecord, SliceRecord};

use crate::Repository;
use crate::error::RepositoryError;
use crate::frames::{FrameBuilder, Tally};

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
            tally: Tally::new(),
            pending_entries: 0,
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

    /// Uncompressed bytes so far.
    pub fn bytes(&self) -> u64 {
        self.tally.bytes() + self.frames.pending_bytes()
    }

    pub fn entries(&self) -> u64 {
        self.tally.documents() + self.pending_entries
    }

    /// The builder of the slice that follows this one, with the entry they share.
    pub async fn following(&self) -> Result<Self, RepositoryError> {
        let mut next = Self::new(self.replica_set.clone(), self.last, self.compression);
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
        let mut writer = self.storage.writer(&object).await?;
        for frame in builder.stored {
            writer.write(frame).await?;
        }
        writer.finish().await?;

        let written = builder.tally.written();
        let facts = SliceRecord {
            replica_set: builder.replica_set.clone(),
            range,
            object: object.clone(),
            stored_bytes: written.stored_bytes,
            stored_crc64: written.stored_crc64,
            raw_bytes: written.bytes,
            raw_crc64: written.crc64,
            entries: written.documents,
            no_ops: builder.noops,
            written_by: crate::written_by(),
        };
        let record = sidecar::slice_record(&builder.replica_set, range);
        self.storage.put(&record, facts.to_json().into()).await?;
        let name = layout::slice_name(&object, &builder.replica_set, range, builder.compression);
        let slice = Slice { replica_set: builder.replica_set, range, name, bytes: written.stored_bytes };
        Ok(StoredSlice { slice, entries: written.documents, noops: builder.noops, bytes: written.bytes })
    }

    /// What was recorded about a slice when it was written; `None` for slices of other writers.
    pub async fn slice_facts(&self, slice: &Slice) -> Result<Option<SliceRecord>, RepositoryError> {
        let record = sidecar::slice_record(&slice.replica_set, slice.range);
        let Some(bytes) = self.get_if_there(&record).await? else {
            return Ok(None);
        };
        match SliceRecord::parse(&bytes) {
            Ok(facts) => Ok(Some(facts)),
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
