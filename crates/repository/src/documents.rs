//! Reading stored documents back.
//!
//! One stream = one blocking thread that decompresses and cuts, fed by one task that downloads. Several streams run in
//! parallel; each holds a bounded read-ahead (a few chunks of stored bytes and [`BATCHES_AHEAD`] batches of documents). A
//! dropped stream stops its thread and its download at their next step.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::LazyLock;

use bson::RawDocumentBuf;
use oplogue_domain::OplogTime;
use oplogue_format::bson_stream::{DocumentReader, PieceReader, StreamError};
use oplogue_format::compression;
use oplogue_storage::{ByteBudget, Room, Storage};
use tokio::sync::mpsc;

use crate::error::RepositoryError;
use crate::object::{Failure, ObjectBytes, ObjectRef};

/// A batch is handed over when it holds this many bytes of documents …
pub const BATCH_BYTES: usize = 2 << 20;
/// … or this many documents, whichever comes first.
pub const BATCH_DOCUMENTS: usize = 20_000;
const BATCHES_AHEAD: usize = 2;
/// Bytes of batches handed out by all streams of bytes of this process, until their takers are done with them. Each stream makes one more
/// while it waits. So restores of documents of 16 MiB stay in bounds, too.
const BYTES_OUT_MAX: usize = 96 << 20;
static BYTES_OUT: LazyLock<ByteBudget> = LazyLock::new(|| ByteBudget::new(BYTES_OUT_MAX));

/// What a stream of documents amounted to, known at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadSummary {
    /// Decompressed bytes.
    pub bytes: u64,
    /// CRC-64/XZ of the decompressed bytes; of the last object when the stream spans several.
    pub crc64: u64,
    pub documents: u64,
}

/// Documents in stored order, in batches.
pub type DocumentStream = BatchStream<Vec<RawDocumentBuf>>;
/// Entries of an oplog in order, each once and with its time, in batches.
pub type EntryStream = BatchStream<Vec<(OplogTime, RawDocumentBuf)>>;
/// Documents for those who pass them on: a batch is the documents' bytes, one after the other.
pub type ByteStream = BatchStream<StoredBatch>;

/// Whole documents, one after the other.
#[derive(Debug)]
pub struct StoredBatch {
    pub bytes: Vec<u8>,
    pub documents: u64,
    /// What others may have when this batch is done with: to be kept as long as the bytes are.
    pub room: Option<Room>,
}

/// Batches in stored order.
pub struct BatchStream<B> {
    messages: mpsc::Receiver<Message<B>>,
    summary: Option<ReadSummary>,
}

enum Message<B> {
    Batch(B),
    End(ReadSummary),
    Failed(RepositoryError),
}

impl<B> BatchStream<B> {
    /// The next batch, never empty; `None` at the end. After an error the stream is over.
    pub async fn next_batch(&mut self) -> Result<Option<B>, RepositoryError> {
        if self.summary.is_some() {
            return Ok(None);
        }
        match self.messages.recv().await {
            Some(Message::Batch(batch)) => Ok(Some(batch)),
            Some(Message::End(summary)) => {
                self.summary = Some(summary);
                Ok(None)
            }
            Some(Message::Failed(error)) => Err(error),
            None => Err(RepositoryError::Damaged { object: "?".to_owned(), at: 0, why: "the stream was given up".to_owned() }),
        }
    }

    /// Known once [`DocumentStream::next_batch`] has returned `None`.
    pub fn summary(&self) -> Option<ReadSummary> {
        self.summary
    }

    /// Reads what is left and says what it amounted to.
    pub async fn drain(mut self) -> Result<ReadSummary, RepositoryError> {
        loop {
            if self.next_batch().await?.is_none() {
                return Ok(self.summary.unwrap_or_default());
            }
        }
    }
}

impl ByteStream {
    /// The bytes of an object's documents. Their framing is checked, not what is in them.
    pub(crate) fn of_bytes(storage: Storage, object: ObjectRef) -> Self {
        let (sender, messages) = mpsc::channel(BATCHES_AHEAD);
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            // Nobody listens any more when the stream was dropped.
            drop(match read_bytes(&runtime, storage, &object, &sender) {
                Ok(summary) => sender.blocking_send(Message::End(summary)),
                Err(Stop::Failed(error)) => sender.blocking_send(Message::Failed(error)),
                Err(Stop::NobodyListens) => Ok(()),
            });
        });
        Self { messages, summary: None }
    }
}

fn read_bytes(
    runtime: &tokio::runtime::Handle,
    storage: Storage,
    object: &ObjectRef,
    sender: &mpsc::Sender<Message<StoredBatch>>,
) -> Result<ReadSummary, Stop> {
    let (bytes, failure) = ObjectBytes::open(runtime, storage, object.clone());
    let mut reader = PieceReader::new(compression::decoder(object.compression, Box::new(bytes)));
    while let Some((bytes, documents)) = reader.next_piece(BATCH_BYTES).map_err(|error| stop(object, &failure, error))? {
        let room = runtime.block_on(BYTES_OUT.room(bytes.len()));
        sender.blocking_send(Message::Batch(StoredBatch { bytes, documents, room })).map_err(|_| Stop::NobodyListens)?;
    }
    Ok(ReadSummary { bytes: reader.bytes(), crc64: reader.crc64(), documents: reader.documents() })
}

impl DocumentStream {
    pub(crate) fn of_documents(storage: Storage, object: ObjectRef) -> Self {
        Self::spawn(storage, vec![object], |document| Ok(Some(document)))
    }
}

impl EntryStream {
    /// A stream without entries.
    pub(crate) fn empty() -> Self {
        let (_, messages) = mpsc::channel(1);
        Self { messages, summary: Some(ReadSummary::default()) }
    }

    /// Oplog entries of several objects, which must be sorted. Entries not later than one already seen are left out: slices
    /// share their boundary entries and may overlap.
    pub(crate) fn of_entries(storage: Storage, objects: Vec<ObjectRef>) -> Self {
        let mut newest: Option<OplogTime> = None;
        Self::spawn(storage, objects, move |entry| {
            let time = entry.get_timestamp("ts").map_err(|error| format!("an oplog entry without its time `ts`: {error}"))?;
            let time = OplogTime::new(time.time, time.increment);
            if newest.is_some_and(|newest| time <= newest) {
                return Ok(None);
            }
            newest = Some(time);
            Ok(Some((time, entry)))
        })
    }
}

impl<T: Send + 'static> BatchStream<Vec<T>> {
    /// What `keep` makes of the documents of all objects.
    fn spawn<K>(storage: Storage, objects: Vec<ObjectRef>, keep: K) -> Self
    where
        K: FnMut(RawDocumentBuf) -> Result<Option<T>, String> + Send + 'static,
    {
        let (sender, messages) = mpsc::channel(BATCHES_AHEAD);
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let mut work = Work { runtime, storage, sender, batch: Vec::new(), batch_bytes: 0, summary: ReadSummary::default(), keep };
            match work.read_all(objects.into()) {
                Ok(()) => drop(work.sender.blocking_send(Message::End(work.summary))),
                Err(Stop::Failed(error)) => drop(work.sender.blocking_send(Message::Failed(error))),
                Err(Stop::NobodyListens) => {}
            }
        });
        Self { messages, summary: None }
    }
}

enum Stop {
    Failed(RepositoryError),
    NobodyListens,
}

struct Work<T, K> {
    runtime: tokio::runtime::Handle,
    storage: Storage,
    sender: mpsc::Sender<Message<Vec<T>>>,
    batch: Vec<T>,
    batch_bytes: usize,
    summary: ReadSummary,
    keep: K,
}

impl<T, K> Work<T, K>
where
    K: FnMut(RawDocumentBuf) -> Result<Option<T>, String>,
{
    fn read_all(&mut self, mut objects: VecDeque<ObjectRef>) -> Result<(), Stop> {
        while let Some(object) = objects.pop_front() {
            self.read_object(object)?;
        }
        self.hand_over()
    }

    fn read_object(&mut self, object: ObjectRef) -> Result<(), Stop> {
        let (bytes, failure) = ObjectBytes::open(&self.runtime, self.storage.clone(), object.clone());
        let decoded: Box<dyn Read + Send> = compression::decoder(object.compression, Box::new(bytes));
        let mut reader = DocumentReader::new(decoded);
        loop {
            let document = reader.next_document().map_err(|error| stop(&object, &failure, error))?;
            let Some(document) = document else { break };
            let (at, bytes) = (reader.bytes(), document.as_bytes().len());
            match (self.keep)(document) {
                Ok(Some(kept)) => self.take(kept, bytes)?,
                Ok(None) => {}
                Err(why) => {
                    return Err(Stop::Failed(RepositoryError::Damaged { object: object.name, at, why }));
                }
            }
        }
        self.summary.bytes += reader.bytes();
        self.summary.crc64 = reader.crc64();
        Ok(())
    }

    fn take(&mut self, kept: T, bytes: usize) -> Result<(), Stop> {
        self.summary.documents += 1;
        self.batch_bytes += bytes;
        self.batch.push(kept);
        if self.batch_bytes >= BATCH_BYTES || self.batch.len() >= BATCH_DOCUMENTS { self.hand_over() } else { Ok(()) }
    }

    fn hand_over(&mut self) -> Result<(), Stop> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.batch_bytes = 0;
        // The next one is about as large.
        let next = Vec::with_capacity(self.batch.len());
        let batch = std::mem::replace(&mut self.batch, next);
        self.sender.blocking_send(Message::Batch(batch)).map_err(|_| Stop::NobodyListens)
    }
}

/// The download's own error tells more than what the decoder made of it.
fn stop(object: &ObjectRef, failure: &Failure, error: StreamError) -> Stop {
    let (at, why) = match error {
        StreamError::Io { offset, source } => (offset, source.to_string()),
        StreamError::Torn { offset, needed, found } => {
            (offset, format!("it ends within a document: {needed} bytes are needed, and {found} are there"))
        }
        StreamError::BadLength { offset, length } => (offset, format!("a document claims to have {length} bytes")),
        StreamError::NotTerminated { offset, reason } => (offset, format!("a document does not end where it should: {reason}")),
    };
    Stop::Failed(failure.take().unwrap_or_else(|| RepositoryError::Damaged { object: object.name.clone(), at, why }))
}
