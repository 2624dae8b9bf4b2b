//! The oplog of a restore: the entries of all its pieces in order, each once, none after the moment.
//!
//! Slices may be joined into longer ones while a restore reads them. A slice that has gone is looked for again: what it held must be in others, and
//! they are read from where it left off.

use std::collections::VecDeque;

use anyhow::Context;
use bson::RawDocumentBuf;
use oplogue_domain::coverage::{Coverage, OplogPiece, OplogSource};
use oplogue_domain::{OplogRange, OplogTime, ReplicaSetName};
use oplogue_repository::{EntryStream, Repository, RepositoryError};

/// Reads the pieces one after another. Entries outside a piece's own range (the shared boundary, or what another piece already gave)
/// are left out, so that every entry comes exactly once.
pub(super) struct Feed {
    repository: Repository,
    replica_set: ReplicaSetName,
    pieces: VecDeque<OplogPiece>,
    current: Option<Current>,
}

struct Current {
    stream: EntryStream,
    source: OplogSource,
    /// What of it is still to come.
    range: OplogRange,
}

impl Feed {
    pub(super) fn new(repository: &Repository, replica_set: &ReplicaSetName, pieces: &[OplogPiece]) -> Self {
        Self { repository: repository.clone(), replica_set: replica_set.clone(), pieces: pieces.to_vec().into(), current: None }
    }

    /// The next entries with their times, never empty; `None` after the last.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Vec<(OplogTime, RawDocumentBuf)>>> {
        loop {
            let Some(current) = &mut self.current else {
                let Some(piece) = self.pieces.pop_front() else { return Ok(None) };
                match self.repository.read_oplog(&self.replica_set, &piece.source).await {
                    Ok(stream) => self.current = Some(Current { stream, source: piece.source, range: piece.range }),
                    Err(error) => self.find_again(&piece.source, piece.range, error).await?,
                }
                continue;
            };
            let batch = match current.stream.next_batch().await {
                Ok(Some(batch)) => batch,
                Ok(None) => {
                    self.current = None;
                    continue;
                }
                Err(error) => {
                    let (source, range) = (current.source.clone(), current.range);
                    self.current = None;
                    self.find_again(&source, range, error).await?;
                    continue;
                }
            };
            let range = current.range;
            let entries: Vec<_> = batch.into_iter().filter(|(time, _)| range.contains(*time)).collect();
            if let Some((reached, _)) = entries.last() {
                current.range.after = *reached;
                return Ok(Some(entries));
            }
        }
    }

    /// After `source` failed with `error`: where `range` is now, if it is only that the slice is not there any more.
    async fn find_again(&mut self, source: &OplogSource, range: OplogRange, error: RepositoryError) -> anyhow::Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        if !matches!((&error, source), (RepositoryError::Missing { .. }, OplogSource::Slice(_))) {
            return Err(error.into());
        }
        let catalog = self.repository.catalog().await.context("look where a slice that has gone is now")?;
        match Coverage::of(&catalog, &self.replica_set).chain(range) {
            Ok(pieces) if pieces.iter().all(|piece| piece.source != *source) => {
                tracing::debug!(%source, %range, pieces = pieces.len(), "a slice has gone and is read from others");
                pieces.into_iter().rev().for_each(|piece| self.pieces.push_front(piece));
                Ok(())
            }
            _ => Err(error.into()),
        }
    }
}
