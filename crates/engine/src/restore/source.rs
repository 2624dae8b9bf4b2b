//! The documents of one collection on their way to the target: out of the snapshot, and through the fold.

use anyhow::Context;
use bson::RawDocumentBuf;
use oplogue_fold::{FoldError, Folded, Met, Tally};
use oplogue_repository::DocumentStream;

use super::fold::blocking;

/// Bytes of a batch of documents that the oplog made. As large as those that a snapshot is read in.
const BATCH_BYTES: usize = 2 << 20;

/// Documents to insert. There may be none in it.
pub(super) struct Batch {
    pub documents: Vec<RawDocumentBuf>,
    /// What was read of the snapshot for them.
    pub read_bytes: u64,
}

pub(super) struct Source {
    snapshot: Option<DocumentStream>,
    fold: Fold,
}

enum Fold {
    Nothing,
    Going(Box<Folded>),
    Done(Tally),
    Failed(String),
}

impl Source {
    pub(super) fn folded(snapshot: Option<DocumentStream>, folded: Box<Folded>) -> Self {
        // Untouched documents need no looking at.
        let fold = if folded.is_idle() { Fold::Nothing } else { Fold::Going(folded) };
        Self { snapshot, fold }
    }

    /// The next batch; `None` at the end. A document that cannot be folded ends it, too, and then there is a [`Source::failure`]: so
    /// whatever is under way is waited for before anything is undone.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Batch>> {
        if let Fold::Failed(_) = self.fold {
            return Ok(None);
        }
        if let Some(stream) = &mut self.snapshot {
            if let Some(documents) = stream.next_batch().await? {
                let read_bytes = documents.iter().map(|document| document.as_bytes().len() as u64).sum();
                return self.meet(documents, read_bytes).await;
            }
            self.snapshot = None;
        }
        self.rest().await
    }

    async fn meet(&mut self, documents: Vec<RawDocumentBuf>, read_bytes: u64) -> anyhow::Result<Option<Batch>> {
        let Fold::Going(mut folded) = std::mem::replace(&mut self.fold, Fold::Nothing) else {
            return Ok(Some(Batch { documents, read_bytes }));
        };
        let met = blocking(move || {
            let met = documents.into_iter().filter_map(|document| match folded.meet(&document) {
                Ok(Met::Kept) => Some(Ok(document)),
                Ok(Met::Changed(document)) => Some(Ok(document)),
                Ok(Met::Away) => None,
                Err(error) => Some(Err(error)),
            });
            let met: Result<Vec<_>, FoldError> = met.collect();
            anyhow::Ok((folded, met))
        });
        let (folded, met) = met.await?;
        match met {
            Ok(documents) => {
                self.fold = Fold::Going(folded);
                Ok(Some(Batch { documents, read_bytes }))
            }
            Err(error) => self.fail(&error),
        }
    }

    async fn rest(&mut self) -> anyhow::Result<Option<Batch>> {
        let Fold::Going(mut folded) = std::mem::replace(&mut self.fold, Fold::Nothing) else { return Ok(None) };
        let rest = blocking(move || {
            let documents = folded.rest(BATCH_BYTES);
            anyhow::Ok((folded, documents))
        });
        let (folded, rest) = rest.await.context("fold what was written to the temporary file")?;
        match rest {
            Ok(Some(documents)) => {
                self.fold = Fold::Going(folded);
                Ok(Some(Batch { documents, read_bytes: 0 }))
            }
            Ok(None) => {
                self.fold = Fold::Done(folded.tally());
                Ok(None)
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &FoldError) -> anyhow::Result<Option<Batch>> {
        self.fold = Fold::Failed(error.to_string());
        Ok(None)
    }

    /// Why it could not be folded to its end.
    pub(super) fn failure(&self) -> Option<String> {
        match &self.fold {
            Fold::Failed(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// What was folded, once everything was given.
    pub(super) fn tally(&self) -> Tally {
        match self.fold {
            Fold::Done(tally) => tally,
            _ => Tally::default(),
        }
    }
}
