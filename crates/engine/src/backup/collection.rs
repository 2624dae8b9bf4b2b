//! Reading one collection, whole or in parts, into one object.
//!
//! When the server makes a part begin again (the collection was renamed, a capped one overtook its reader), the whole
//! collection begins again: its parts share one object, and what one part has written cannot be taken out of it. The same when server or
//! storage were away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use futures::future::try_join_all;
use futures::{Stream, StreamExt, stream};
use oplogue_mongo::{BatchEnd, Connection, IdRange, ListedCollection, MongoError, ReadEvent};
use oplogue_repository::{Batch, DocumentObject, Written};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::backup::away::{Away, again};
use crate::progress::{Progress, Step};
use crate::throttle::Brake;

/// Beginnings of one collection before the backup is given up: renames come in bursts, not for ever.
const BEGINNINGS_MAX: u32 = 50;

/// What became of a collection.
pub struct Outcome {
    pub written: Written,
    /// It was dropped while it was read. What was read of it stays: PBM replays its oplog entries before the drop.
    pub dropped: bool,
}

/// How one try ended.
enum Try {
    Done { dropped: bool, written: Written },
    StartOver,
}

/// What all collections of a backup are read with.
#[derive(Clone)]
pub struct Means {
    pub node: Connection,
    pub brake: Arc<Brake>,
    pub progress: Arc<dyn Progress>,
    /// What may go on for a moment after the backup was given up: to be waited for.
    pub tasks: TaskTracker,
}

/// Reads all documents into `object` and publishes it. One permit of `cursors` is one cursor.
pub async fn read(
    means: &Means,
    cursors: &Semaphore,
    collection: &ListedCollection,
    object: DocumentObject,
    parts: usize,
) -> anyhow::Result<Outcome> {
    let (node, progress) = (&means.node, &means.progress);
    let mut away = Away::new(format!("read {}", collection.spec.namespace), progress);
    let ranges = again("divide a collection", progress, || node.split(collection, parts)).await?;
    // Of several readers each must leave off where the next may go on.
    let end = if ranges.len() == 1 && object.may_cut_documents() { BatchEnd::Anywhere } else { BatchEnd::Document };
    let mut beginnings = 0;
    while beginnings < BEGINNINGS_MAX {
        let attempt = Attempt { means, cursors, collection, object: &object, end, start_over: AtomicBool::new(false) };
        match attempt.run_and_publish(&ranges).await {
            Ok(Try::Done { dropped, written }) => return Ok(Outcome { written, dropped }),
            Ok(Try::StartOver) => {
                beginnings += 1;
                // A cursor may also have been lost because the server is away: that is no reason to count.
                away.until_it_answers(node).await?;
            }
            Err(error) => away.wait(error).await?,
        }
        start_over(&object, &mut away).await?;
    }
    bail!("it was renamed or its cursor was killed {BEGINNINGS_MAX} times while it was read")
}

/// Nothing of the object is kept, even if that has to wait for its storage.
async fn start_over(object: &DocumentObject, away: &mut Away) -> anyhow::Result<()> {
    loop {
        match object.restart().await {
            Ok(()) => return Ok(()),
            // What could not be taken back has never been visible, and is not referred to.
            Err(error) => away.wait(error.into()).await?,
        }
    }
}

struct Attempt<'a> {
    means: &'a Means,
    cursors: &'a Semaphore,
    collection: &'a ListedCollection,
    object: &'a DocumentObject,
    end: BatchEnd,
    /// Set by the first part that must begin again; the others stop at their next batch.
    start_over: AtomicBool,
}

impl Attempt<'_> {
    async fn run_and_publish(&self, ranges: &[IdRange]) -> anyhow::Result<Try> {
        let reads = ranges.iter().map(|range| self.read_part(range.clone()));
        let dropped = try_join_all(reads).await?;
        if self.start_over.load(Ordering::Relaxed) {
            return Ok(Try::StartOver);
        }
        // Not given up half-way: what a storage was told to publish may appear whenever it likes.
        let written = self.means.tasks.spawn(self.object.clone().finish()).await.context("publish its documents")??;
        Ok(Try::Done { dropped: dropped.contains(&true), written })
    }

    /// True when the collection was dropped.
    async fn read_part(&self, range: IdRange) -> anyhow::Result<bool> {
        let _cursor = self.cursors.acquire().await?;
        if self.start_over.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let range = Some(range).filter(|range| !range.is_everything());
        let events = self.means.node.read_collection(self.collection, range, self.end);
        let dropped = AtomicBool::new(false);
        let batches = stream::try_unfold(Box::pin(events), |mut events| async {
            let batch = self.next_batch(&mut events, &dropped).await?;
            anyhow::Ok(batch.map(|batch| (batch, events)))
        });
        self.object.appender().append_all(batches).await?;
        Ok(dropped.into_inner())
    }

    /// `None` at the end, and when all parts must begin again.
    async fn next_batch(
        &self,
        events: &mut (impl Stream<Item = Result<ReadEvent, MongoError>> + Unpin),
        dropped: &AtomicBool,
    ) -> anyhow::Result<Option<Batch>> {
        while let Some(event) = events.next().await {
            if self.start_over.load(Ordering::Relaxed) {
                return Ok(None);
            }
            match event? {
                ReadEvent::Batch(batch) => {
                    let (bytes, documents) = (batch.bytes().len() as u64, batch.documents() as u64);
                    self.means.progress.advance(Step::Snapshot, bytes);
                    self.means.brake.moved(bytes, documents).await;
                    return Ok(Some(Batch { bytes: batch.into_bytes(), documents }));
                }
                ReadEvent::Restarted { namespace } => {
                    let known = &self.collection.spec.namespace;
                    let now = namespace.logical();
                    if now == *known {
                        self.means.progress.note(&format!("{known} must be read again from its beginning: the server closed its cursor"));
                    } else {
                        self.means.progress.note(&format!("{known} was renamed to {now} while it was read: reading it again"));
                    }
                    self.start_over.store(true, Ordering::Relaxed);
                    return Ok(None);
                }
                ReadEvent::Dropped => dropped.store(true, Ordering::Relaxed),
            }
        }
        Ok(None)
    }
}
