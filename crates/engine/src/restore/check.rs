//! Reads every document object that the restore needs to its end, before anything is touched: a damaged backup must not cost the
//! data it was meant to replace.
//!
//! An object whose hash our records know is what was written if it has this hash, and need not be decompressed to know it: its documents
//! were counted when they were written. Others (PBM's) are taken apart, and their documents compared with what the metadata says of them.

use std::sync::Arc;

use anyhow::Context;
use bson::RawBson;
use futures::{StreamExt, TryStreamExt};
use oplogue_mongo::DocumentBatch;
use oplogue_oplog::is_capped;
use oplogue_repository::{Repository, SnapshotCollection};
use tokio_util::sync::CancellationToken;

use super::survey::untouched;
use crate::progress::{Progress, Step, Unit};

/// What reading a collection's object told.
pub(super) struct Checked {
    pub documents: u64,
    /// The `_id` of the last document, in stored order. Of capped collections only, where the oplog cannot be followed without it.
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
    if let (Some(documents), Some(_), false) = (collection.documents, object.stored_hash, is_capped(&collection.options)) {
        let mut share = Share { told: 0, read: 0, stored: object.stored_bytes.unwrap_or(0), documents: collection.bytes };
        let checking = repository.check_stored(object, |bytes| progress.advance(Step::Check, share.more(bytes)));
        cancel.run_until_cancelled(checking).await.ok_or_else(untouched)?.with_context(reading)?;
        return Ok(Checked { documents, last_id: None });
    }
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

/// Progress is told in bytes of documents; what is read are stored bytes.
struct Share {
    told: u64,
    read: u64,
    stored: u64,
    documents: u64,
}

impl Share {
    /// How many more bytes of documents are done when so many more stored ones are.
    fn more(&mut self, bytes: u64) -> u64 {
        self.read += bytes;
        let done = u128::from(self.documents) * u128::from(self.read.min(self.stored)) / u128::from(self.stored.max(1));
        let done = u64::try_from(done).unwrap_or(self.documents);
        done - std::mem::replace(&mut self.told, done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_documents_are_done_when_all_that_is_stored_was_read() {
        let mut share = Share { told: 0, read: 0, stored: 7, documents: 1_000 };
        let told: Vec<u64> = [3, 3, 1, 5].into_iter().map(|bytes| share.more(bytes)).collect();
        assert_eq!(told, [428, 429, 143, 0]);
        assert_eq!(Share { told: 0, read: 0, stored: 0, documents: 10 }.more(3), 0);
    }
}
