//! Has the server apply the oplog to collections that hold the documents of the snapshot, in order, in large batches.
//!
//! This is the reference way: the server itself applies every operation. Inserts into capped collections go as plain inserts, because
//! `applyOps` of old servers does not make room for them (seen on 4.2.6); they are kept in order with everything else on that collection.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Context;
use bson::RawDocumentBuf;
use oplogue_domain::{Namespace, OplogTime};
use oplogue_mongo::{Connection, MongoError};
use oplogue_oplog::{Batch, Batcher, Lineage, Router, Step as Routed, Transactions};
use oplogue_repository::Repository;
use tokio_util::sync::CancellationToken;

use super::feed::Feed;
use super::prepare::PreparedRestore;
use super::principals::{self, TouchedPrincipals};
use super::work::Work;
use crate::failure::Cancelled;
use crate::progress::{Progress, Step, Unit};

/// Operations in one atomic `applyOps`. Measured: 1,000 give 9,400 operations a second, 5,000 give 11,900.
const BATCH_OPERATIONS_MAX: usize = 5_000;
const BATCH_BYTES_MAX: usize = 8 << 20;

/// The server's error code for a delete from a capped collection.
const ILLEGAL_OPERATION: i32 = 20;

/// What replaying did.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    pub operations: u64,
    /// Updates after the snapshot's own oplog that found no document: a sign that base and oplog do not belong together.
    pub lost_updates: u64,
}

struct Replay<'a> {
    connection: &'a Connection,
    progress: &'a dyn Progress,
    batcher: Batcher,
    capped: HashSet<String>,
    /// Inserts into capped collections that are due before the next batch's commands, by namespace.
    capped_inserts: HashMap<String, Vec<RawDocumentBuf>>,
    /// Capped collections with operations in the batcher.
    capped_pending: HashSet<String>,
    capped_deletes_refused: bool,
    /// The end of the snapshot's own oplog, and whether it is passed.
    consistent_at: OplogTime,
    caught_up: bool,
    replayed: Replayed,
}

/// Applies to the collections of `work`, and to users and roles where they are restored, what the oplog says of them.
pub(super) async fn replay(
    prepared: &PreparedRestore,
    work: &[&Work],
    touched: &mut TouchedPrincipals,
    progress: &Arc<dyn Progress>,
    cancel: &CancellationToken,
) -> anyhow::Result<Replayed> {
    let repository: &Repository = &prepared.request.repository;
    let operations = work.iter().map(|one| one.selected.survivor.writes).sum();
    progress.begin(Step::Replay, Unit::Entries, Some(operations));
    let selected: Vec<_> = work.iter().map(|one| one.selected.clone()).collect();
    let lineage = Lineage::from_snapshot(prepared.specs.clone());
    let mut router = Router::new(lineage, &selected, prepared.principals.then(principals::scratch));
    let capped = work.iter().filter(|one| one.is_capped()).map(|one| one.selected.target.to_string());
    let mut replay = Replay {
        connection: &prepared.request.connection,
        progress: progress.as_ref(),
        batcher: Batcher::new(BATCH_OPERATIONS_MAX, BATCH_BYTES_MAX),
        capped: capped.collect(),
        capped_inserts: HashMap::new(),
        capped_pending: HashSet::new(),
        capped_deletes_refused: false,
        consistent_at: prepared.part.snapshot.oplog.through,
        caught_up: false,
        replayed: Replayed::default(),
    };
    let mut feed = Feed::new(repository, &prepared.part.replica_set, &prepared.part.oplog);
    let mut transactions = Transactions::beginning_at(prepared.part.snapshot.oplog.after);
    let mut at = OplogTime::MIN;
    while let Some(entries) = feed.next().await.context("read the oplog")? {
        if cancel.is_cancelled() {
            let state = format!(
                "the target is incomplete: its collections are loaded, and to some the oplog is applied only up to {at} instead of {}. Run the same restore again",
                prepared.plan.through
            );
            return Err(Cancelled { state }.into());
        }
        for (time, entry) in &entries {
            for operation in transactions.push(entry)? {
                if let Some(step) = router.route(&operation)? {
                    touched.note(&step);
                    replay.take(operation.time, step).await.with_context(|| format!("apply the entry at {time}"))?;
                }
            }
            at = *time;
        }
    }
    replay.flush().await?;
    progress.end(Step::Replay);
    Ok(replay.replayed)
}

impl Replay<'_> {
    async fn take(&mut self, time: OplogTime, step: Routed) -> anyhow::Result<()> {
        if time > self.consistent_at && !self.caught_up {
            // A batch is of one side only: what may be missing before is a loss after.
            self.flush().await?;
            self.caught_up = true;
        }
        match step {
            Routed::Write(operation) => match self.capped_namespace(&operation) {
                Some(namespace) if is(&operation, "i") => self.append(namespace, &operation).await,
                Some(_) if is(&operation, "d") => self.remove_from_capped(operation).await,
                Some(namespace) => {
                    self.append_due(&namespace).await?;
                    self.capped_pending.insert(namespace);
                    self.push(time, Routed::Write(operation)).await
                }
                None => self.push(time, Routed::Write(operation)).await,
            },
            command @ Routed::Command { .. } => {
                self.flush().await?;
                self.push(time, command).await
            }
        }
    }

    fn capped_namespace(&self, operation: &RawDocumentBuf) -> Option<String> {
        let namespace = operation.get_str("ns").ok()?;
        self.capped.get(namespace).cloned()
    }

    /// 5.0 writes an entry for every document that a capped collection drops to make room, and refuses to apply it; the inserts make the
    /// same room here. Servers that let users delete from capped collections apply it.
    async fn remove_from_capped(&mut self, operation: RawDocumentBuf) -> anyhow::Result<()> {
        if self.capped_deletes_refused {
            self.count(1);
            return Ok(());
        }
        self.flush().await?;
        match self.connection.apply_batch(&[operation]).await {
            Err(MongoError::ApplyFailed { code: ILLEGAL_OPERATION, .. }) => self.capped_deletes_refused = true,
            result => drop(result?),
        }
        self.count(1);
        Ok(())
    }

    /// Takes an insert into a capped collection, after everything before it on that collection.
    async fn append(&mut self, namespace: String, operation: &RawDocumentBuf) -> anyhow::Result<()> {
        if self.capped_pending.remove(&namespace)
            && let Some(batch) = self.batcher.flush()
        {
            self.send(batch).await?;
        }
        let document = operation.get_document("o").context("an insert has its document in `o`")?.to_owned();
        let due = self.capped_inserts.entry(namespace.clone()).or_default();
        due.push(document);
        if due.len() >= BATCH_OPERATIONS_MAX { self.append_due(&namespace).await } else { Ok(()) }
    }

    async fn append_due(&mut self, namespace: &str) -> anyhow::Result<()> {
        let Some(documents) = self.capped_inserts.remove(namespace) else { return Ok(()) };
        let target: Namespace = namespace.parse()?;
        self.connection.insert_batch(&target, &documents).await?;
        self.count(documents.len());
        Ok(())
    }

    async fn push(&mut self, time: OplogTime, step: Routed) -> anyhow::Result<()> {
        for batch in self.batcher.push(time, step) {
            self.send(batch).await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        if let Some(batch) = self.batcher.flush() {
            self.send(batch).await?;
        }
        self.capped_pending.clear();
        let due: Vec<String> = self.capped_inserts.keys().cloned().collect();
        for namespace in due {
            self.append_due(&namespace).await?;
        }
        Ok(())
    }

    async fn send(&mut self, batch: Batch) -> anyhow::Result<()> {
        match batch {
            Batch::Writes { operations, .. } => {
                let report = self.connection.apply_batch(&operations).await?;
                // While the snapshot catches up to its own end, a document may have been deleted before it was read.
                if self.caught_up {
                    self.replayed.lost_updates += report.missing.len() as u64;
                }
                self.count(operations.len());
            }
            Batch::Command { database, command, .. } => {
                self.connection.run_ddl(&database, &command).await?;
                self.count(1);
            }
        }
        Ok(())
    }

    fn count(&mut self, operations: usize) {
        self.replayed.operations += operations as u64;
        self.progress.advance(Step::Replay, operations as u64);
    }
}

fn is(operation: &RawDocumentBuf, letter: &str) -> bool {
    operation.get_str("op").is_ok_and(|op| op == letter)
}
