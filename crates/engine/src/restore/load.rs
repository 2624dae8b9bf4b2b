//! Creates the collections of the plan and loads their documents from the snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt};
use oplogue_domain::Namespace;
use oplogue_mongo::{Connection, MongoError};
use oplogue_oplog::CollectionKind;
use oplogue_repository::Repository;
use tokio_util::sync::CancellationToken;

use super::work::Work;
use crate::failure::Cancelled;
use crate::progress::{Progress, Step, Unit};

/// Batches of one collection that are on their way to the server at the same time. The server is the limit, not the wire: two keep it
/// busy while the next one is decoded.
const BATCHES_IN_FLIGHT: usize = 2;
/// The server's code for a collection that is there already.
const NAMESPACE_EXISTS: i32 = 48;

/// Creates every collection and loads it, `parallel` collections at a time, the largest first. Returns how many documents were loaded.
pub(super) async fn load(
    connection: &Connection,
    repository: &Repository,
    work: &[Work],
    parallel: usize,
    progress: &Arc<dyn Progress>,
    cancel: &CancellationToken,
) -> anyhow::Result<u64> {
    let total = work.iter().filter_map(|one| one.load.as_ref()).map(|collection| collection.bytes).sum();
    progress.begin(Step::Load, Unit::Bytes, Some(total));
    let mut order: Vec<&Work> = work.iter().collect();
    order.sort_by_key(|one| std::cmp::Reverse(one.load.as_ref().map_or(0, |collection| collection.bytes)));
    let done = AtomicU64::new(0);
    let loads = order.into_iter().map(|one| {
        let done = &done;
        async move {
            let target = &one.selected.target;
            create(connection, one).await.with_context(|| format!("create `{target}`"))?;
            let documents = fill(connection, repository, one, progress, cancel).await.with_context(|| format!("load `{target}`"));
            let documents = documents.map_err(|error| stopped(error, done.load(Ordering::Relaxed), work.len()))?;
            done.fetch_add(1, Ordering::Relaxed);
            anyhow::Ok(documents)
        }
    });
    let documents =
        futures::stream::iter(loads).buffer_unordered(parallel.max(1)).try_fold(0, |sum, one| async move { Ok(sum + one) }).await?;
    progress.end(Step::Load);
    Ok(documents)
}

/// Tells a cancelled load where it stood.
fn stopped(error: anyhow::Error, done: u64, total: usize) -> anyhow::Error {
    if error.chain().any(|cause| cause.is::<Stopped>()) {
        let state = format!(
            "the target is incomplete: {done} of {total} collections were loaded, and the oplog was not applied. Run the same restore again"
        );
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

async fn fill(
    connection: &Connection,
    repository: &Repository,
    one: &Work,
    progress: &Arc<dyn Progress>,
    cancel: &CancellationToken,
) -> anyhow::Result<u64> {
    let Some(object) = one.load.as_ref().and_then(|collection| collection.object.as_ref()) else { return Ok(0) };
    let namespace = data_namespace(one);
    // The order of a capped collection is part of it.
    let in_flight = if one.is_capped() { 1 } else { BATCHES_IN_FLIGHT };
    let stream = repository.read_documents(object);
    let batches =
        futures::stream::try_unfold(
            stream,
            |mut stream| async move { anyhow::Ok(stream.next_batch().await?.map(|batch| (batch, stream))) },
        );
    let inserted = batches.map_ok(|batch| {
        let namespace = &namespace;
        async move {
            if cancel.is_cancelled() {
                return Err(Stopped.into());
            }
            let bytes = batch.iter().map(|document| document.as_bytes().len() as u64).sum();
            connection.insert_batch(namespace, &batch).await?;
            progress.advance(Step::Load, bytes);
            anyhow::Ok(batch.len() as u64)
        }
    });
    inserted.try_buffered(in_flight).try_fold(0, |sum, one| async move { Ok(sum + one) }).await
}
