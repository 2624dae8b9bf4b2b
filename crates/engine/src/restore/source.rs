//! The documents of one collection on their way to the target: out of the snapshot, and through the fold.

use anyhow::Context;
use oplogue_fold::{FoldError, Folded, Met, Tally};
use oplogue_mongo::DocumentBatch;
use oplogue_repository::{ByteStream, StoredBatch};
use oplogue_storage::Room;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Bytes of a batch of documents that the oplog made. As large as those that a snapshot is read in.
const BATCH_BYTES: usize = 2 << 20;
/// A batch of the snapshot that grows is divided when it has so many bytes, not into one of the usual size and a rest of next to nothing.
const GROWN_BYTES: usize = 2 * BATCH_BYTES;
/// A batch that changes gets room for so much more than it had: for a part of it, this one. Moving it once it is full costs more than what stays
/// empty.
const GROWTH_PART: usize = 8;
/// Batches that wait to be inserted.
const BATCHES_AHEAD: usize = 1;

/// Documents to insert. There may be none in it.
pub(super) struct Batch {
    pub documents: DocumentBatch,
    /// What was read of the snapshot for them.
    pub read_bytes: u64,
    /// The memory they came in, to be kept until they are inserted.
    pub room: Option<Room>,
}

impl Batch {
    /// What is stored, as it is.
    pub(super) fn stored(StoredBatch { bytes, room, .. }: StoredBatch) -> anyhow::Result<Self> {
        let read_bytes = bytes.len() as u64;
        let documents = DocumentBatch::from_bytes(bytes).context("the stored documents are not BSON")?;
        Ok(Self { documents, read_bytes, room })
    }

    fn made(documents: DocumentBatch) -> Self {
        Self { documents, read_bytes: 0, room: None }
    }
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
    Failed(anyhow::Error),
}

/// Why the thread stops before its end.
enum Stop {
    CannotFold(FoldError),
    Failed(anyhow::Error),
    NobodyListens,
}

impl Source {
    pub(super) fn folded(snapshot: Option<ByteStream>, mut folded: Box<Folded>) -> Self {
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
            Some(Message::Failed(error)) => Err(error),
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
fn give_all(runtime: &Handle, snapshot: Option<ByteStream>, folded: &mut Folded, sender: &mpsc::Sender<Message>) -> Result<Tally, Stop> {
    let give = |batch| sender.blocking_send(Message::Batch(batch)).map_err(|_| Stop::NobodyListens);
    if let Some(mut stream) = snapshot {
        while let Some(stored) = runtime.block_on(stream.next_batch()).map_err(|error| Stop::Failed(error.into()))? {
            let Batch { documents, read_bytes, room } = Batch::stored(stored).map_err(Stop::Failed)?;
            let documents = through(folded, documents, |grown| give(Batch::made(grown)))?;
            give(Batch { documents, read_bytes, room })?;
        }
    }
    while let Some(rest) = folded.rest(BATCH_BYTES).map_err(Stop::CannotFold)? {
        let mut documents = DocumentBatch::with_capacity(rest.iter().map(|document| document.as_bytes().len()).sum());
        rest.iter().for_each(|document| documents.push(document));
        give(Batch::made(documents))?;
    }
    Ok(folded.tally())
}

/// What becomes of documents: the same batch where all stay as they are. They may have grown: whenever there are enough for a batch, they are
/// given to `grown`, and the last come back.
fn through(
    folded: &mut Folded,
    batch: DocumentBatch,
    mut grown: impl FnMut(DocumentBatch) -> Result<(), Stop>,
) -> Result<DocumentBatch, Stop> {
    let touched = folded.touched(batch.iter());
    if !touched.contains(&true) {
        return Ok(batch);
    }
    let bytes = batch.bytes().len();
    let mut out = DocumentBatch::with_capacity(bytes + bytes / GROWTH_PART);
    for (document, touched) in batch.iter().zip(touched) {
        match if touched { folded.meet(document).map_err(Stop::CannotFold)? } else { Met::Kept } {
            Met::Kept => out.push(document),
            Met::Changed(changed) => out.push(&changed),
            Met::Away => {}
        }
        if out.bytes().len() >= GROWN_BYTES {
            grown(std::mem::take(&mut out))?;
        }
    }
    Ok(out)
}
