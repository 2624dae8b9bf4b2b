//! Reading, compressing and storing at the same time.
//!
//! What one reader brings is compressed beside its reading, by as many workers as there are cores for all readers together, and
//! appended in its order. Memory is bounded by [`Packing`], not by data: besides the one batch that a reader holds, all readers
//! together have at most [`FRAMES_BYTES_MAX`] of documents on the way (without compression [`BATCHES_BYTES_MAX`]), and what became of them.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use oplogue_format::compression::{Compression, encode_frame};
use oplogue_storage::{ByteBudget, Room};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::{Appender, Frame};
use crate::error::RepositoryError;

/// Documents that are being compressed or wait to be stored, of all readers of a backup. Two frames of the largest document, or eight of
/// the usual size.
const FRAMES_BYTES_MAX: usize = 32 << 20;
/// The same where nothing is compressed: batches as they are read. Memory that is touched for the first time costs more than a copy.
const BATCHES_BYTES_MAX: usize = 8 << 20;

/// Documents, one after the other, and how many end here. Whole ones, unless [`super::DocumentObject::may_cut_documents`].
pub struct Batch {
    pub bytes: Bytes,
    pub documents: u64,
}

/// What bounds the work of all readers of one backup. Clones share it.
#[derive(Clone)]
pub(crate) struct Packing {
    bytes: ByteBudget,
    workers: Arc<Semaphore>,
}

impl Packing {
    pub(crate) fn new(compression: Compression) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let bytes_max = if compression == Compression::None { BATCHES_BYTES_MAX } else { FRAMES_BYTES_MAX };
        Self { bytes: ByteBudget::new(bytes_max), workers: Arc::new(Semaphore::new(cores)) }
    }

    /// Compresses once a worker is free.
    async fn pack(&self, compression: Compression, raw: Bytes, documents: u64) -> Frame {
        // The semaphore is never closed.
        let _worker = self.workers.acquire().await.ok();
        pack(compression, raw, documents).await
    }
}

/// Compresses on a blocking thread.
pub(super) async fn pack(compression: Compression, raw: Bytes, documents: u64) -> Frame {
    if compression == Compression::None {
        return Frame { stored: raw.clone(), raw, documents };
    }
    let compressed = tokio::task::spawn_blocking(move || Frame { stored: Bytes::from(encode_frame(compression, &raw)), raw, documents });
    compressed.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()))
}

struct Packed {
    frame: Frame,
    /// Given back when the frame is stored.
    room: Option<Room>,
}

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A frame that waits for room, its documents in hand.
struct Entering {
    raw: Bytes,
    documents: u64,
    room: Pending<Option<Room>>,
}

impl Appender {
    /// Appends everything that comes, in its order, and finishes. Dropped, what was appended stays in the unfinished object.
    ///
    /// # Errors
    /// The first one, of the stream or of the storage.
    pub async fn append_all<E>(mut self, batches: impl Stream<Item = Result<Batch, E>> + Send) -> Result<(), E>
    where
        E: From<RepositoryError>,
    {
        let mut batches = std::pin::pin!(batches);
        let mut ended = false;
        // The frames of this reader, by how far they are: the oldest is stored while those behind it are compressed and read.
        let mut entering: Option<Entering> = None;
        let mut packing: VecDeque<JoinHandle<Packed>> = VecDeque::new();
        let mut storing: Option<JoinHandle<Result<(), RepositoryError>>> = None;
        loop {
            tokio::select! {
                biased;
                stored = outcome(storing.as_mut()), if storing.is_some() => {
                    storing = None;
                    stored.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()))?;
                }
                packed = outcome(packing.front_mut()), if storing.is_none() && !packing.is_empty() => {
                    packing.pop_front();
                    let Packed { frame, room } = packed.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()));
                    let (object, restarts) = (self.object.clone(), self.restarts);
                    // A task of its own: its checksums are a good part of the whole, and the reading goes on meanwhile.
                    storing = Some(tokio::spawn(async move {
                        let stored = object.append(frame, restarts).await;
                        drop(room);
                        stored
                    }));
                }
                room = outcome(entering.as_mut().map(|entering| &mut entering.room)), if entering.is_some() => {
                    if let Some(Entering { raw, documents, .. }) = entering.take() {
                        packing.push_back(self.pack(raw, documents, room));
                    }
                }
                batch = batches.next(), if !ended && entering.is_none() => match batch {
                    Some(batch) => {
                        let Batch { bytes, documents } = batch?;
                        entering = self.builder.add(bytes, documents).map(|frame| self.enter(frame));
                    }
                    None => {
                        ended = true;
                        entering = self.builder.take().map(|frame| self.enter(frame));
                    }
                },
                else => return Ok(()),
            }
        }
    }

    fn enter(&self, (raw, documents): (Bytes, u64)) -> Entering {
        let (budget, bytes) = (self.object.shared.packing.bytes.clone(), raw.len());
        Entering { raw, documents, room: Box::pin(async move { budget.room(bytes).await }) }
    }

    fn pack(&self, raw: Bytes, documents: u64, room: Option<Room>) -> JoinHandle<Packed> {
        let (packing, compression) = (self.object.shared.packing.clone(), self.object.shared.compression);
        tokio::spawn(async move { Packed { frame: packing.pack(compression, raw, documents).await, room } })
    }
}

/// Ends as `future` does; never without one.
async fn outcome<F: Future + Unpin>(future: Option<&mut F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
