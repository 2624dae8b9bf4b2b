//! The oplog of a restore: the entries of all its pieces in order, each once, none after the moment.

use std::collections::VecDeque;

use anyhow::Context;
use bson::RawDocumentBuf;
use oplogue_domain::coverage::OplogPiece;
use oplogue_domain::{OplogRange, OplogTime, ReplicaSetName};
use oplogue_repository::{DocumentStream, Repository};

/// Reads the pieces one after another. Entries outside a piece's own range (the shared boundary, or what another piece already gave)
/// are left out, so that every entry comes exactly once.
pub(super) struct Feed {
    repository: Repository,
    replica_set: ReplicaSetName,
    pieces: VecDeque<OplogPiece>,
    current: Option<(DocumentStream, OplogRange)>,
}

impl Feed {
    pub(super) fn new(repository: &Repository, replica_set: &ReplicaSetName, pieces: &[OplogPiece]) -> Self {
        Self { repository: repository.clone(), replica_set: replica_set.clone(), pieces: pieces.to_vec().into(), current: None }
    }

    /// The next entries with their times, never empty; `None` after the last.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Vec<(OplogTime, RawDocumentBuf)>>> {
        loop {
            let Some((stream, range)) = &mut self.current else {
                let Some(piece) = self.pieces.pop_front() else { return Ok(None) };
                let stream = self.repository.read_oplog(&self.replica_set, &piece.source).await?;
                self.current = Some((stream, piece.range));
                continue;
            };
            let Some(batch) = stream.next_batch().await? else {
                self.current = None;
                continue;
            };
            let range = *range;
            let entries = batch.into_iter().filter_map(|entry| within(entry, range).transpose()).collect::<anyhow::Result<Vec<_>>>()?;
            if !entries.is_empty() {
                return Ok(Some(entries));
            }
        }
    }
}

fn within(entry: RawDocumentBuf, range: OplogRange) -> anyhow::Result<Option<(OplogTime, RawDocumentBuf)>> {
    let time = entry.get_timestamp("ts").context("read the time `ts` of an oplog entry")?;
    let time = OplogTime::new(time.time, time.increment);
    Ok(range.contains(time).then_some((time, entry)))
}
