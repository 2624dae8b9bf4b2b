//! Follows every collection through the oplog, before anything is touched.
//!
//! The same entries that will be applied are read here once, in order, to learn what exists at the moment, under which name, and what
//! becomes of indexes and views. An operation that cannot be applied is refused here. It also proves that every slice can be read to
//! its end.

use std::sync::Arc;

use anyhow::Context;
use oplogue_domain::coverage::{OplogPiece, OplogSource};
use oplogue_domain::plan::Part;
use oplogue_domain::{OplogRange, OplogTime};
use oplogue_oplog::{CollectionId, CollectionSpec, Lineage, Meaning, Outcome, Transactions};
use oplogue_repository::Repository;
use tokio_util::sync::CancellationToken;

use super::ahead::Ahead;
use super::feed::Feed;
use super::plan::WritesAfter;
use crate::failure::{Cancelled, Refused};
use crate::progress::{Progress, Step, Unit};

/// Slices after the moment, and entries in them, that are read to count the writes; with more, the count is "at least". Somebody waits for
/// the plan, and a slice may hold a whole day.
const SLICES_AFTER_MAX: usize = 60;
const ENTRIES_AFTER_MAX: usize = 250_000;

pub(super) struct Survey {
    pub outcome: Outcome,
    /// Transactions begun and not committed at the moment.
    pub unfinished: usize,
    /// The lineage at the moment, to go on counting from.
    lineage: Lineage,
    transactions: Transactions,
}

/// Nothing has been touched: what a cancelled preparation says.
pub(super) fn untouched() -> Cancelled {
    Cancelled { state: "nothing on the target was touched".to_owned() }
}

pub(super) async fn survey(
    repository: &Repository,
    part: &Part,
    collections: Vec<CollectionSpec>,
    mut ahead: Option<&mut Ahead>,
    progress: &Arc<dyn Progress>,
    cancel: &CancellationToken,
) -> anyhow::Result<Survey> {
    progress.begin(Step::Oplog, Unit::Entries, None);
    let mut feed = Feed::new(repository, &part.replica_set, &part.oplog);
    let (mut transactions, mut lineage) = (Transactions::beginning_at(part.snapshot.oplog.after), Lineage::from_snapshot(collections));
    while let Some(entries) = feed.next().await.context("read the oplog that leads to the moment")? {
        if cancel.is_cancelled() {
            return Err(untouched().into());
        }
        for (time, entry) in &entries {
            if *time > part.snapshot.oplog.through {
                lineage.end_base_window();
            }
            for operation in transactions.push(entry).map_err(cannot_apply)? {
                let resolved = lineage.push(&operation).map_err(cannot_apply)?;
                if let Some(ahead) = &mut ahead {
                    ahead.take(operation, &resolved, &lineage).await;
                }
            }
        }
        if let Some(ahead) = &mut ahead {
            ahead.flush().await;
        }
        progress.advance(Step::Oplog, entries.len() as u64);
    }
    progress.end(Step::Oplog);
    let outcome = lineage.outcome();
    Ok(Survey { outcome, unfinished: transactions.unfinished().len(), lineage, transactions })
}

pub(super) fn cannot_apply(error: oplogue_oplog::OplogError) -> anyhow::Error {
    Refused::new(error.to_string())
        .advise("choose a moment before this entry, or restore the backup alone with --backup; nothing was touched")
        .into()
}

impl Survey {
    /// How many entries lead to the moment.
    pub(super) fn entries(&self) -> u64 {
        self.transactions.entries()
    }

    /// Counts the writes after the moment that are on the storage and concern what is restored: `concerned` says which collections. To be
    /// asked once: the lineage goes on to the last of them, the outcome stays that of the moment.
    pub(super) async fn writes_after(
        &mut self,
        repository: &Repository,
        part: &Part,
        through: OplogTime,
        concerned: impl Fn(CollectionId) -> bool,
    ) -> anyhow::Result<WritesAfter> {
        let newest = part.writes_after.last().map_or(through, |slice| slice.range.through);
        let mut after = through;
        let mut pieces = Vec::new();
        for slice in part.writes_after.iter().take(SLICES_AFTER_MAX) {
            // A hole in the slices after the moment hides writes, it does not stop the restore.
            let range = OplogRange::new(after.max(slice.range.after), slice.range.through);
            after = after.max(slice.range.through);
            pieces.push(OplogPiece { source: OplogSource::Slice(slice.clone()), range });
        }
        let mut feed = Feed::new(repository, &part.replica_set, &pieces);
        let (mut counted, mut entries_read) = (0, 0);
        let mut complete = pieces.len() == part.writes_after.len();
        'read: while let Some(entries) = feed.next().await.unwrap_or_else(|_| {
            complete = false;
            None
        }) {
            entries_read += entries.len();
            if entries_read > ENTRIES_AFTER_MAX {
                complete = false;
                break;
            }
            for (_, entry) in &entries {
                // What cannot be understood after the moment is no reason to refuse what lies before it.
                let Ok(operations) = self.transactions.push(entry) else {
                    complete = false;
                    break 'read;
                };
                for operation in &operations {
                    match self.lineage.push(operation) {
                        Ok(resolved) if matches!(resolved.meaning, Meaning::Write) && resolved.collection.is_some_and(&concerned) => {
                            counted += 1
                        }
                        Ok(_) => {}
                        Err(_) => complete = false,
                    }
                }
            }
        }
        Ok(WritesAfter { counted, complete, newest })
    }
}
