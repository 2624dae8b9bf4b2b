//! The documents of one collection on their way to the target: out of the snapshot, and through the fold.

use bson::RawDocumentBuf;
use oplogue_fold::{FoldError, Folded, Met, Tally};
use oplogue_repository::{DocumentStream, RepositoryError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Bytes of a batch of documents that the oplog made. As large as those that a snapshot is read in.
const BATCH_BYTES: usize = 2 << 20;
/// Batches that wait to be inserted.
const BATCHES_AHEAD: usize = 1;

/// Documents to insert. There may be none in it.
pub(super) struct Batch {
    pub documents: Vec<RawDocumentBuf>,
    /// What was read of the snapshot for them.
    pub read_bytes: u64,
}

/// What folding gives, on a thread of its own from the first document to the last: memory that one thread took and another gives back is
/// used again late or never.
pub(super) struct Source {
    messages: mpsc::Receiver<Message>,
    end: Option<Result<Tally, String>>,
}

enum Message {
    Batch(Batch),
    End(Result<Tally, String>),
    Failed(RepositoryError),
}

/// Why the thread stops before its end.
enum Stop {
    CannotFold(FoldError),
    Failed(RepositoryError),
    NobodyListens,
}

impl Source {
    pub(super) fn folded(snapshot: Option<DocumentStream>, mut folded: Box<Folded>) -> Self {
        let (sender, messages) = mpsc::channel(BATCHES_AHEAD);
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let end = match give_all(&runtime, snapshot, &mut folded, &sender) {
                Ok(tally) => Message::End(Ok(tally)),
                Err(Stop::CannotFold(error)) => Message::End(Err(error.to_string())),
                Err(Stop::Failed(error)) => Message::Failed(error),
                Err(Stop::NobodyListens) => return,
            };
            // Nobody listens any more when the load was given up.
            drop(sender.blocking_send(end));
        });
        Self { messages, end: None }
    }

    /// The next batch; `None` at the end. A document that cannot be folded ends it, too, and then there is a [`Source::failure`]: so
    /// whatever is under way is waited for before anything is undone.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Batch>> {
        if self.end.is_some() {
            return Ok(None);
        }
        match self.messages.recv().await {
            Some(Message::Batch(batch)) => Ok(Some(batch)),
            Some(Message::End(end)) => {
                self.end = Some(end);
                Ok(None)
            }
            Some(Message::Failed(error)) => Err(error.into()),
            None => anyhow::bail!("the folding of the documents was given up"),
        }
    }

    /// Why it could not be folded to its end.
    pub(super) fn failure(&self) -> Option<String> {
        self.end.as_ref()?.as_ref().err().cloned()
    }

    /// What was folded, once everything was given.
    pub(super) fn tally(&self) -> Tally {
        self.end.as_ref().and_then(|end| end.as_ref().ok()).copied().unwrap_or_default()
    }
}

/// The documents of the snapshot as they are at the moment, then those that the oplog made.
fn give_all(
    runtime: &Handle,
    snapshot: Option<DocumentStream>,
    folded: &mut Folded,
    sender: &mpsc::Sender<Message>,
) -> Result<Tally, Stop> {
    let give =
        |documents, read_bytes| sender.blocking_send(Message::Batch(Batch { documents, read_bytes })).map_err(|_| Stop::NobodyListens);
    if let Some(mut stream) = snapshot {
        while let Some(documents) = runtime.block_on(stream.next_batch()).map_err(Stop::Failed)? {
            let read_bytes = documents.iter().map(|document| document.as_bytes().len() as u64).sum();
            let met = documents.into_iter().filter_map(|document| match folded.meet(&document) {
                Ok(Met::Kept) => Some(Ok(document)),
                Ok(Met::Changed(document)) => Some(Ok(document)),
                Ok(Met::Away) => None,
                Err(error) => Some(Err(Stop::CannotFold(error))),
            });
            give(met.collect::<Result<_, Stop>>()?, read_bytes)?;
        }
    }
    while let Some(documents) = folded.rest(BATCH_BYTES).map_err(Stop::CannotFold)? {
        give(documents, 0)?;
    }
    Ok(folded.tally())
}
