//! Creates the collections of the plan and fills them: with their documents as they are at the moment where these are folded, otherwise as
//! the snapshot holds them.
//!
//! Each collection is complete by itself. One whose fold meets a document that it cannot be sure of is dropped, created again and loaded as
//! the snapshot holds it; the oplog is applied to it afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use futures::{Stream, StreamExt, TryStreamExt};
use oplogue_domain::Namespace;
use oplogue_fold::Tally;
use oplogue_mongo::{Connection, MongoError};
use oplogue_oplog::{CollectionId, CollectionKind};
use oplogue_repository::{ByteStream, Repository};
use tokio_util::sync::CancellationToken;

use super::fold::Way;
use super::journal::Journal;
use super::plan::RestorePlan;
use super::source::{Batch, Source};
use super::work::Work;
use crate::failure::Cancelled;
use crate::progress::{Progress, Step, Unit};
use crate::throttle::Brake;

/// Batches of one collection that are on their way to the server at the same time. The server is the limit, not the wire: two keep it
/// busy while the next one is decoded.
const BATCHES_IN_FLIGHT: usize = 2;
/// The server's code for a collection that is there already.
const NAMESPACE_EXISTS: i32 = 48;

/// A collection that has its documents.
#[derive(Debug)]
pub(super) struct Loaded {
    pub id: CollectionId,
    /// Inserted; for a collection that was loaded twice, the second time.
    pub documents: u64,
    /// What was folded.
    pub tally: Tally,
    /// Its documents are those of the snapshot: the server has to apply the oplog, and why.
    pub replay: Option<String>,
}

/// What loading needs.
#[derive(Clone, Copy)]
pub(super) struct Loading<'a> {
    pub connection: &'a Connection,
    pub repository: &'a Repository,
    pub plan: &'a RestorePlan,
    pub journal: &'a Journal<'a>,
    pub brake: &'a Brake,
    pub progress: &'a Arc<dyn Progress>,
    pub cancel: &'a CancellationToken,
}

/// Creates every collection and loads it, `parallel` collections at a time, the largest first.
pub(super) async fn load(
    loading: Loading<'_>,
    work: &[Work],
    mut ways: BTreeMap<CollectionId, Way>,
    parallel: usize,
) -> anyhow::Result<Vec<Loaded>> {
    let total = work.iter().filter_map(|one| one.load.as_ref()).map(|collection| collection.bytes).sum();
    loading.progress.begin(Step::Load, Unit::Bytes, Some(total));
    let mut order: Vec<&Work> = work.iter().collect();
    order.sort_by_key(|one| std::cmp::Reverse(one.load.as_ref().map_or(0, |collection| collection.bytes)));
    let done = AtomicU64::new(0);
    let loads = order.into_iter().map(|one| {
        let way = ways.remove(&one.selected.survivor.id);
        let done = &done;
        async move {
            let loaded = loading.bring(one, way).await;
            let loaded = loaded.map_err(|error| stopped(error, done.load(Ordering::Relaxed), work.len()))?;
            done.fetch_add(1, Ordering::Relaxed);
            anyhow::Ok(loaded)
        }
    });
    let loaded = futures::stream::iter(loads).buffer_unordered(parallel.max(1)).try_collect().await?;
    loading.progress.end(Step::Load);
    Ok(loaded)
}

impl Loading<'_> {
    /// Brings one collection in, and notes it when it is as it will be. Dropped half-way, it holds some of its documents, and nothing is
    /// noted.
    async fn bring(self, one: &Work, way: Option<Way>) -> anyhow::Result<Loaded> {
        if self.plan.keeps(&one.selected.target) {
            return Ok(Loaded { id: one.selected.survivor.id, documents: 0, tally: Tally::default(), replay: None });
        }
        let loaded = self.bring_anew(one, way).await?;
        if loaded.replay.is_none() {
            self.journal.note(&one.selected.target, &data_namespace(one)).await?;
        }
        Ok(loaded)
    }

    async fn bring_anew(self, one: &Work, way: Option<Way>) -> anyhow::Result<Loaded> {
        let (id, target) = (one.selected.survivor.id, &one.selected.target);
        let object = one.load.as_ref().and_then(|collection| collection.object.as_ref());
        let bytes = || object.map(|object| self.repository.read_document_bytes(object));
        let creating = || format!("create `{target}`");
        let filling = || format!("load `{target}`");
        create(self.connection, one).await.with_context(creating)?;
        let why = match way {
            Some(Way::Folded { documents: folded, commands }) => {
                // Where nothing is folded, nothing needs to be looked at.
                let mut source = (!folded.is_idle()).then(|| Source::folded(bytes(), folded));
                let documents = match &mut source {
                    Some(source) => self.fill(one, source).await,
                    None => self.fill_untouched(one, bytes()).await,
                };
                let documents = documents.with_context(filling)?;
                match source.as_ref().and_then(Source::failure) {
                    None => {
                        for (database, command) in &commands {
                            self.connection
                                .run_ddl(database, command)
                                .await
                                .with_context(|| format!("change the options of `{target}`"))?;
                        }
                        let mut tally = source.as_ref().map(Source::tally).unwrap_or_default();
                        tally.operations += commands.len() as u64;
                        return Ok(Loaded { id, documents, tally, replay: None });
                    }
                    Some(why) => {
                        self.progress.note(&format!("`{target}` is loaded again, and the server applies the oplog to it: {why}"));
                        self.connection.drop_namespace(target).await.with_context(|| format!("drop `{target}` to load it again"))?;
                        create(self.connection, one).await.with_context(creating)?;
                        why
                    }
                }
            }
            Some(Way::Replayed(why)) => why,
            None => "nothing was folded".to_owned(),
        };
        let documents = self.fill_untouched(one, bytes()).await.with_context(filling)?;
        Ok(Loaded { id, documents, tally: Tally::default(), replay: Some(why) })
    }

    /// Inserts the documents as they were stored, without looking at them; none where none are stored. Returns how many that were.
    async fn fill_untouched(self, one: &Work, stream: Option<ByteStream>) -> anyhow::Result<u64> {
        let Some(stream) = stream else { return Ok(0) };
        let batches = futures::stream::try_unfold(stream, |mut stream| async move {
            let stored = stream.next_batch().await?;
            stored.map(|stored| anyhow::Ok((Batch::stored(stored)?, stream))).transpose()
        });
        self.insert_all(one, batches).await
    }

    /// Inserts everything that the source gives. Returns how many documents that were.
    async fn fill(self, one: &Work, source: &mut Source) -> anyhow::Result<u64> {
        let batches =
            futures::stream::try_unfold(source, |source| async move { anyhow::Ok(source.next().await?.map(|batch| (batch, source))) });
        self.insert_all(one, batches).await
    }

    /// Inserts every batch, some at once. Returns how many documents there were.
    async fn insert_all(self, one: &Work, batches: impl Stream<Item = anyhow::Result<Batch>>) -> anyhow::Result<u64> {
        let namespace = data_namespace(one);
        // The order of a capped collection is part of it.
        let in_flight = if one.is_capped() { 1 } else { BATCHES_IN_FLIGHT };
        let inserted = batches.map_ok(|batch| {
            let namespace = &namespace;
            async move {
                if self.cancel.is_cancelled() {
                    return Err(Stopped.into());
                }
                let Batch { documents, read_bytes, room } = batch;
                let count = self.connection.insert_documents(namespace, &documents).await? as u64;
                // Others may have the memory now, also while this one is held back.
                drop((documents, room));
                self.progress.advance(Step::Load, read_bytes);
                self.brake.moved(read_bytes, count).await;
                anyhow::Ok(count)
            }
        });
        inserted.try_buffered(in_flight).try_fold(0, |sum, one| async move { Ok(sum + one) }).await
    }
}

/// Tells a cancelled load where it stood.
fn stopped(error: anyhow::Error, done: u64, total: usize) -> anyhow::Error {
    if error.chain().any(|cause| cause.is::<Stopped>()) {
        let state = format!("the target is incomplete: {done} of {total} collections have their documents. Run the same restore again");
        return Cancelled { state }.into();
    }
    error
}

#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Stopped;

async fn create(connection: &Connection, one: &Work) -> anyhow::Result<()> {
    let survivor = &one.selected.survivor;
    if survivor.kind == CollectionKind::TimeSeries {
        connection.create_time_series(&one.selected.target, &survivor.options).await?;
        return Ok(());
    }
    let id_index = survivor.indexes.iter().find(|index| index.get_str("name").is_ok_and(|name| name == "_id_"));
    let uuid = survivor.uuid.filter(|_| one.keep_uuid);
    match connection.create_collection(&one.selected.target, &survivor.options, id_index, uuid).await {
        // No server lets it be dropped: it was emptied, and stays the same collection (PBM's bug W12).
        Err(MongoError::Server { code: NAMESPACE_EXISTS, .. }) if one.selected.target.collection == "system.js" => Ok(()),
        result => Ok(result?),
    }
}

/// Where documents of the collection go: of a time series into its buckets.
pub(super) fn data_namespace(one: &Work) -> Namespace {
    match one.selected.survivor.kind {
        CollectionKind::TimeSeries => one.selected.target.buckets(),
        _ => one.selected.target.clone(),
    }
}
