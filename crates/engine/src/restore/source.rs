//! The documents of one collection on their way to the target: out of the snapshot, and through the fold.

use bson::RawDocument;
use oplogue_fold::{FoldError, Folded, Met, Tally};
use oplogue_repository::{ByteStream, RepositoryError, Room, StoredBatch};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Bytes of a batch of documents that the oplog made. As large as those that a snapshot is read in.
const BATCH_BYTES: usize = 2 << 20;
/// A batch of the snapshot that grows is divided when it has so many bytes, not into one of the usual size and a rest of next to nothing.
const GROWN_BYTES: usize = 2 * BATCH_BYTES;
/// Batches that wait to be inserted.
const BATCHES_AHEAD: usize = 1;

/// Documents to insert, one after the other. There may be none in it.
pub(super) struct Batch {
    pub bytes: Vec<u8>,
    pub documents: u64,
    /// What was read of the snapshot for them.
    pub read_bytes: u64,
    /// The memory they came in, to be kept until they are inserted.
    pub room: Option<Room>,
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
fn give_all(runtime: &Handle, snapshot: Option<ByteStream>, folded: &mut Folded, sender: &mpsc::Sender<Message>) -> Result<Tally, Stop> {
    let give = |batch| sender.blocking_send(Message::Batch(batch)).map_err(|_| Stop::NobodyListens);
    if let Some(mut stream) = snapshot {
        while let Some(StoredBatch { bytes, room, .. }) = runtime.block_on(stream.next_batch()).map_err(Stop::Failed)? {
            let read_bytes = bytes.len() as u64;
            let grown = |bytes, documents| give(Batch { bytes, documents, read_bytes: 0, room: None });
            let (bytes, documents) = through(folded, bytes, grown)?;
            give(Batch { bytes, documents, read_bytes, room: Some(room) })?;
        }
    }
    while let Some(documents) = folded.rest(BATCH_BYTES).map_err(Stop::CannotFold)? {
        let mut bytes = Vec::with_capacity(documents.iter().map(|document| document.as_bytes().len()).sum());
        documents.iter().for_each(|document| bytes.extend_from_slice(document.as_bytes()));
        give(Batch { bytes, documents: documents.len() as u64, read_bytes: 0, room: None })?;
    }
    Ok(folded.tally())
}

/// What becomes of whole documents that stand one after the other, and how many there are then. What stays as it is stays where it is, or is
/// copied together with its neighbours. Documents may have grown: whenever there are enough for a batch, they are given to `grown`, and the
/// last come back.
fn through(folded: &mut Folded, bytes: Vec<u8>, mut grown: impl FnMut(Vec<u8>, u64) -> Result<(), Stop>) -> Result<(Vec<u8>, u64), Stop> {
    let mut out: Option<Vec<u8>> = None;
    let (mut at, mut kept_from, mut documents) = (0, 0, 0);
    while at < bytes.len() {
        let damaged = || Stop::CannotFold(FoldError::CannotFold("a stored document is damaged".to_owned()));
        let length = bytes[at..].first_chunk().map(|prefix| i32::from_le_bytes(*prefix)).ok_or_else(damaged)?;
        let end = usize::try_from(length).ok().and_then(|length| at.checked_add(length)).ok_or_else(damaged)?;
        let document = bytes.get(at..end).and_then(|bytes| RawDocument::from_bytes(bytes).ok()).ok_or_else(damaged)?;
        let met = folded.meet(document).map_err(Stop::CannotFold)?;
        documents += u64::from(met != Met::Away);
        if met != Met::Kept {
            let out = out.get_or_insert_with(|| Vec::with_capacity(bytes.len()));
            out.extend_from_slice(&bytes[kept_from..at]);
            kept_from = end;
            if let Met::Changed(changed) = met {
                out.extend_from_slice(changed.as_bytes());
            }
            if out.len() >= GROWN_BYTES {
                grown(std::mem::take(out), std::mem::take(&mut documents))?;
            }
        }
        at = end;
    }
    match out {
        None => Ok((bytes, documents)),
        Some(mut out) => {
            out.extend_from_slice(&bytes[kept_from..]);
            Ok((out, documents))
        }
    }
}
