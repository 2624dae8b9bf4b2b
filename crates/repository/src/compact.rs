//! Joining short slices into a long one, as [`oplogue_domain::compact`] decided.
//!
//! The order is what keeps every moment restorable, whoever looks, at whatever instant:
//!
//! 1. The long slice is written. It appears when it is whole; until then nothing has changed.
//! 2. Its record follows, as that of any slice. From here on everything is on the storage twice, and who reads takes the long one.
//! 3. The long slice is read back. Unless it holds just what was written, it is taken away again, and the short ones stay.
//! 4. The short ones go, the oldest first. What is left of them joins the next slice at every point.
//!
//! A crash, or a failure, leaves one of these states. The next compaction sees the short slices within the long one, reads both, compares entry
//! by entry, and goes on with step 4. Two compactions at the same time do the same twice, or one of them fails for want of what the other has
//! already deleted.
//!
//! Nothing is held but a frame and what the streams read ahead, however long the slice becomes.

use std::collections::{BTreeSet, VecDeque};

use bson::RawDocumentBuf;
use futures::{StreamExt, TryStreamExt, stream};
use oplogue_domain::compact::Merge;
use oplogue_domain::{OplogPiece, OplogRange, OplogSource, OplogTime, ReplicaSetName, Slice};
use oplogue_format::compression::Compression;
use oplogue_format::pbm::layout;
use oplogue_format::sidecar::{self, SliceRecord};

use crate::Repository;
use crate::documents::{DocumentStream, EntryStream};
use crate::error::RepositoryError;
use crate::frames::{FrameBuilder, Tally, Written};
use crate::object::ObjectRef;
use crate::slices::facts_of;

/// Records and continuations deleted at once. The slices themselves go one by one.
const DELETIONS_AT_ONCE: usize = 16;

/// What a merge came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The long slice.
    pub slice: Slice,
    /// Entries that were compared or copied.
    pub entries: u64,
    /// Short slices that went.
    pub slices: usize,
    /// Stored bytes of them.
    pub bytes: u64,
}

impl Repository {
    /// Carries out `merge`. `compression` of the long slice, where it is still to be written.
    ///
    /// # Errors
    /// When something cannot be read or written, or a short slice does not hold what its name says. Then the short slices are still there, or
    /// the long one is whole. May be dropped at any time with the same outcome.
    pub async fn compact(&self, merge: &Merge, compression: Compression) -> Result<Compacted, RepositoryError> {
        let (slice, entries) = match &merge.keeps {
            Some(long) => (long.clone(), self.compare(merge, long).await?),
            None => self.join(merge, compression).await?,
        };
        self.delete_replaced(&merge.replaces).await?;
        Ok(Compacted { slice, entries, slices: merge.replaces.len(), bytes: merge.bytes() })
    }

    /// Steps 1 to 3.
    async fn join(&self, merge: &Merge, compression: Compression) -> Result<(Slice, u64), RepositoryError> {
        let object = layout::slice(&merge.replica_set, merge.range, compression);
        let (previous, continues) = self.links_over(&merge.replaces).await?;
        let (written, first, no_ops) = self.write_joined(merge, &object, compression).await?;
        let record = SliceRecord {
            no_ops,
            first,
            previous,
            replaces: merge.replaces.iter().map(|slice| slice.object().into_owned()).collect(),
            continues,
            ..facts_of(&merge.replica_set, merge.range, &object, &written)
        };
        self.write_slice_record(&record).await?;
        #[cfg(feature = "planted-bugs")]
        if oplogue_domain::planted::is_planted(oplogue_domain::planted::Bug::ShortSlicesGoUnverified) {
            self.delete_replaced(&merge.replaces).await?;
        }
        if let Err(error) = self.read_back(&record, &written).await {
            if !error.is_temporary() {
                self.storage.delete(&sidecar::slice_record(&merge.replica_set, merge.range)).await?;
                self.storage.delete(&object).await?;
            }
            return Err(error);
        }
        let name = layout::slice_name(&object, &merge.replica_set, merge.range, compression);
        let slice = Slice { replica_set: merge.replica_set.clone(), range: merge.range, name, bytes: written.stored_bytes };
        Ok((slice, written.documents))
    }

    /// What was written, the time of its first entry, and how many no-ops are in it.
    async fn write_joined(
        &self,
        merge: &Merge,
        object: &str,
        compression: Compression,
    ) -> Result<(Written, Option<OplogTime>, u64), RepositoryError> {
        let mut entries = Entries::new(self, &merge.replica_set, &merge.pieces);
        let mut writer = self.storage.writer(object).await?;
        let mut frames = FrameBuilder::new(compression);
        let (mut tally, mut no_ops, mut first, mut last) = (Tally::new(compression), 0, None, None);
        while let Some((time, entry)) = entries.next().await? {
            no_ops += u64::from(entry.get_str("op").is_ok_and(|op| op == "n"));
            first = first.or(Some(time));
            last = Some(time);
            frames.push(&entry);
            if frames.is_full()
                && let Some(frame) = frames.close().await
            {
                tally.add(&frame);
                writer.write(frame.stored).await?;
            }
        }
        if last != Some(merge.range.through) {
            let why = format!("its last entry would be at {last:?} instead of {}", merge.range.through);
            return Err(RepositoryError::Unwritable { object: object.to_owned(), why });
        }
        if let Some(frame) = frames.close().await {
            tally.add(&frame);
            writer.write(frame.stored).await?;
        }
        writer.finish().await?;
        Ok((tally.written(), first, no_ops))
    }

    /// The slice and its record, which whoever reads the slice will believe.
    async fn read_back(&self, record: &SliceRecord, written: &Written) -> Result<(), RepositoryError> {
        let (stored_bytes, stored_hash) = (Some(written.stored_bytes), Some(written.stored_hash));
        let stored = ObjectRef { stored_bytes, stored_hash, ..ObjectRef::named(&record.object) };
        let read = DocumentStream::of_documents(self.storage.clone(), stored).drain().await?;
        if (read.documents, read.bytes, read.crc64) != (written.documents, written.bytes, written.crc64) {
            let why = format!("{} entries were written and {} are read back, or others", written.documents, read.documents);
            return Err(RepositoryError::Damaged { object: record.object.clone(), at: 0, why });
        }
        let name = sidecar::slice_record(&record.replica_set, record.range);
        if SliceRecord::parse(&self.get(&name).await?).ok().as_ref() != Some(record) {
            return Err(RepositoryError::Damaged { object: name, at: 0, why: "it is not what was written".to_owned() });
        }
        Ok(())
    }

    /// Reads `long` to its end, and finds every entry of the slices it replaces in it. Says how many those are.
    async fn compare(&self, merge: &Merge, long: &Slice) -> Result<u64, RepositoryError> {
        let whole = OplogRange::new(long.range.after.predecessor(), long.range.through);
        let whole = OplogPiece { source: OplogSource::Slice(long.clone()), range: whole };
        let mut held = Entries::new(self, &merge.replica_set, &[whole]);
        let mut wanted = Entries::new(self, &merge.replica_set, &merge.pieces);
        let mut compared = 0;
        while let Some((time, entry)) = wanted.next().await? {
            let found = loop {
                match held.next().await? {
                    Some((earlier, _)) if earlier < time => {}
                    other => break other,
                }
            };
            if found.as_ref() != Some(&(time, entry)) {
                let why = format!("it does not hold the entry at {time} as a shorter slice of the same range does");
                return Err(RepositoryError::Damaged { object: long.object().into_owned(), at: 0, why });
            }
            compared += 1;
        }
        // To its end, where sizes and checksums are compared.
        while held.next().await?.is_some() {}
        Ok(compared)
    }

    /// Step 4. Absent objects are fine.
    async fn delete_replaced(&self, slices: &[Slice]) -> Result<(), RepositoryError> {
        let objects: BTreeSet<String> = slices.iter().map(|slice| slice.object().into_owned()).collect();
        let folders: BTreeSet<&str> = objects.iter().filter_map(|object| Some(object.rsplit_once('/')?.0)).collect();
        let mut continuations = Vec::new();
        for folder in folders {
            let listed = self.storage.list(folder).await?.into_iter().map(|object| object.name);
            continuations.extend(listed.filter(|name| {
                let (whole, part) = layout::split_part(name);
                part.is_some() && objects.contains(whole)
            }));
        }
        self.delete_named(slices.iter().map(|slice| sidecar::slice_record(&slice.replica_set, slice.range)).collect()).await?;
        for slice in slices {
            self.storage.delete(&slice.object()).await?;
        }
        self.delete_named(continuations).await
    }

    async fn delete_named(&self, names: Vec<String>) -> Result<(), RepositoryError> {
        let deletions = names.into_iter().map(|name| async move { self.storage.delete(&name).await });
        stream::iter(deletions).buffer_unordered(DELETIONS_AT_ONCE).try_collect::<()>().await?;
        Ok(())
    }
}

/// The entries of several pieces in order, each once.
struct Entries {
    repository: Repository,
    replica_set: ReplicaSetName,
    pieces: VecDeque<OplogPiece>,
    current: Option<Current>,
    ready: VecDeque<(OplogTime, RawDocumentBuf)>,
}

struct Current {
    stream: EntryStream,
    piece: OplogPiece,
    last: Option<OplogTime>,
}

impl Entries {
    fn new(repository: &Repository, replica_set: &ReplicaSetName, pieces: &[OplogPiece]) -> Self {
        let (repository, replica_set) = (repository.clone(), replica_set.clone());
        Self { repository, replica_set, pieces: pieces.to_vec().into(), current: None, ready: VecDeque::new() }
    }

    async fn next(&mut self) -> Result<Option<(OplogTime, RawDocumentBuf)>, RepositoryError> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Ok(Some(entry));
            }
            let current = match &mut self.current {
                Some(current) => current,
                None => {
                    let Some(piece) = self.pieces.pop_front() else { return Ok(None) };
                    let stream = self.repository.read_oplog(&self.replica_set, &piece.source).await?;
                    self.current.insert(Current { stream, piece, last: None })
                }
            };
            match current.stream.next_batch().await? {
                Some(batch) => {
                    current.last = batch.last().map(|(time, _)| *time).or(current.last);
                    self.ready.extend(batch.into_iter().filter(|(time, _)| current.piece.range.contains(*time)));
                }
                None => {
                    current.is_whole()?;
                    self.current = None;
                }
            }
        }
    }
}

impl Current {
    /// A slice ends with the entry that its name says; who joins one that does not would hide that something is missing.
    fn is_whole(&self) -> Result<(), RepositoryError> {
        let OplogSource::Slice(slice) = &self.piece.source else { return Ok(()) };
        if self.last == Some(slice.range.through) || slice.range.is_empty() {
            return Ok(());
        }
        let why = format!("its last entry is at {:?}, and its name says {:?}", self.last, slice.range.through);
        Err(RepositoryError::Damaged { object: slice.object().into_owned(), at: 0, why })
    }
}
