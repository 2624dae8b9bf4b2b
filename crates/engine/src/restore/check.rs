//! Reads every document object that the restore needs to its end, before anything is touched: a damaged backup must not cost the
//! data it was meant to replace.

use std::sync::Arc;

use anyhow::Context;
use bson::RawBson;
use futures::{StreamExt, TryStreamExt};
use oplogue_mongo::DocumentBatch;
use oplogue_repository::{Repository, SnapshotCollection};
use tokio_util::sync::CancellationToken;

use super::survey::untouched;
use crate::progress::{Progress, Step, Unit};

/// What reading a collection's object told.
pub(super) struct Checked {
    pub documents: u64,
    /// The `_id` of the last document, in stored order.
    pub last_id: Option<RawBson>,
}

/// Checks the objects of `collections`, `parallel` at a time. The answers are in the same order.
pub(super) async fn check(
    repository: &Repository,
    collections: &[&SnapshotCollection],
    parallel: usize,
    progress: &Arc<dyn Progress>,
    cancel: &CancellationToken,
) -> anyhow::Result<Vec<Checked>> {
    let total = collections.iter().map(|collection| collection.bytes).sum();
    progress.begin(Step::Check, Unit::Bytes, Some(total));
    let checks = collections.iter().map(|collection| check_collection(repository, collection, progress, cancel));
    let checked = futures::stream::iter(checks).buffered(parallel.max(1)).try_collect().await?;
    progress.end(Step::Check);
    Ok(checked)
}

async fn check_collection(
    repository: &Repository,
    collection: &SnapshotCollection,
    progress: &Arc<dyn Progress>,
    cancel: &CancellationToken,
) -> anyhow::Result<Checked> {
    let Some(object) = &collection.object else { return Ok(Checked { documents: 0, last_id: None }) };
    let reading = || format!("check the documents of {}", collection.namespace);
    let mut stream = repository.read_document_bytes(object);
    let mut last = None;
    while let Some(batch) = stream.next_batch().await.with_context(reading)? {
        if cancel.is_cancelled() {
            return Err(untouched().into());
        }
        progress.advance(Step::Check, batch.bytes.len() as u64);
        // Without its share of the memory: others may be waiting for it.
        last = Some(batch.bytes);
    }
    let summary = stream.summary().context("a stream that ended has a summary")?;
    collection.compare(summary).with_context(reading)?;
    let last_id = last.and_then(DocumentBatch::from_bytes).and_then(|batch| batch.last_id());
    Ok(Checked { documents: summary.documents, last_id })
}
