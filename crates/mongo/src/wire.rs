//! Connections of our own beside the driver's, for moving documents: what the driver decodes, copies and asks for again is most of a
//! backup's cost on the client.
//!
//! They are made of the same options as the driver's (address, TLS, login), speak OP_MSG without compression, and know two things: a
//! cursor whose batches the server sends without being asked (exhaust), and inserts whose documents are sent as they are. Everything
//! else stays with the driver, and so does everything when a connection cannot be made in our way (another login than SCRAM, a
//! handshake we do not understand): [`Connection::wire`] then answers `None`, and callers take the driver's path.
//!
//! A connection whose last answer was not read to its end is never used again.

pub(crate) mod answer;
pub(crate) mod cursor;
pub(crate) mod elements;
mod local;
mod message;
mod open;
mod pool;
mod scram;
mod tls;

use std::io;
use std::time::Instant;

use bson::{RawDocument, RawDocumentBuf};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::read_batch::ReadBatch;
pub(crate) use answer::is_ok;
use answer::{Answer, FIELDS_BYTES_MAX, Fed};
pub(crate) use message::EXHAUST_ALLOWED;
use message::HEAD_BYTES;
pub(crate) use pool::Pool;

/// Received and not yet taken apart. Twice what has to be whole at once.
const BUFFER_BYTES: usize = FIELDS_BYTES_MAX * 2;
/// What an answer that is no batch may have: write errors of a whole insert are the largest.
const SMALL_ANSWER_BYTES_MAX: usize = message::MESSAGE_BYTES_MAX;

/// Why an exchange failed. The connection is of no use afterwards.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Nonsense(String),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// One connection, logged in.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    /// What of the buffer was received and not consumed.
    start: usize,
    end: usize,
    requests: i32,
    /// An answer is owed, or one was not read to its end.
    owed: bool,
    /// It served before, so the other side may have closed it meanwhile.
    pub(crate) reused: bool,
    idle_since: Instant,
}

/// An answer that is being read.
#[derive(Debug)]
pub(crate) struct Reading {
    answer: Answer,
    /// Another one follows without being asked for.
    pub(crate) more: bool,
}

impl Wire {
    fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            requests: 0,
            owed: false,
            reused: false,
            idle_since: Instant::now(),
        }
    }

    /// Sends a command, its `$db` included, with a sequence of documents if one is given.
    pub(crate) async fn send(&mut self, flags: u32, command: &RawDocument, sequence: Option<(&str, &[u8])>) -> Result<(), WireError> {
        self.requests = self.requests.wrapping_add(1);
        let head = message::head(self.requests, flags, command, sequence.map(|(name, bytes)| (name, bytes.len())));
        let head = head.ok_or_else(|| WireError::Nonsense("the message is larger than servers take".to_owned()))?;
        self.owed = true;
        self.stream.write_all(&head).await?;
        if let Some((_, documents)) = sequence {
            self.stream.write_all(documents).await?;
        }
        self.stream.flush().await?;
        Ok(())
    }

    /// Sends a command and reads its answer whole. The answer may be an error of the server.
    pub(crate) async fn run(&mut self, command: &RawDocument, sequence: Option<(&str, &[u8])>) -> Result<RawDocumentBuf, WireError> {
        self.send(0, command, sequence).await?;
        let head = self.head().await?;
        if head.more || head.body_bytes > SMALL_ANSWER_BYTES_MAX {
            return Err(WireError::Nonsense("more than one answer to a command".to_owned()));
        }
        let mut body = vec![0; head.body_bytes];
        let buffered = body.len().min(self.end - self.start);
        body[..buffered].copy_from_slice(&self.buffer[self.start..self.start + buffered]);
        self.start += buffered;
        self.stream.read_exact(&mut body[buffered..]).await?;
        self.owed = false;
        RawDocumentBuf::from_bytes(body).map_err(|error| WireError::Nonsense(error.to_string()))
    }

    /// The beginning of the next answer of a cursor.
    pub(crate) async fn next_answer(&mut self) -> Result<Reading, WireError> {
        let head = self.head().await?;
        Ok(Reading { answer: Answer::new(head.body_bytes), more: head.more })
    }

    /// Reads on in an answer until `batch` is full or the answer is over: then true.
    pub(crate) async fn read_on(&mut self, reading: &mut Reading, batch: &mut ReadBatch) -> Result<bool, WireError> {
        loop {
            let end = self.end.min(self.start + reading.answer.left());
            let fed = reading.answer.feed(&self.buffer[self.start..end], batch);
            let (consumed, fed) = fed.map_err(|nonsense| WireError::Nonsense(nonsense.0.to_owned()))?;
            self.start += consumed;
            match fed {
                Fed::Full => return Ok(false),
                Fed::Done => {
                    self.owed = reading.more;
                    return Ok(true);
                }
                Fed::Hungry => self.receive().await?,
            }
        }
    }

    async fn head(&mut self) -> Result<message::AnswerHead, WireError> {
        while self.end - self.start < HEAD_BYTES {
            self.receive().await?;
        }
        let mut head = [0; HEAD_BYTES];
        head.copy_from_slice(&self.buffer[self.start..self.start + HEAD_BYTES]);
        self.start += HEAD_BYTES;
        message::answer_head(&head).map_err(WireError::Nonsense)
    }

    /// More bytes into the buffer, at least one.
    async fn receive(&mut self) -> Result<(), WireError> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            return Err(WireError::Nonsense("a field of the answer is too large".to_owned()));
        }
        let received = self.stream.read(&mut self.buffer[self.end..]).await?;
        if received == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection").into());
        }
        self.end += received;
        Ok(())
    }

    /// Whether another exchange can begin.
    fn is_clean(&self) -> bool {
        !self.owed && self.start == self.end
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("requests", &self.requests).field("owed", &self.owed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::read_batch::BatchEnd;

    /// A message from a server: `flags`, then the document.
    fn from_server(flags: u32, document: &RawDocumentBuf) -> Vec<u8> {
        message::head(1, flags, document, None).expect("small")
    }

    #[tokio::test]
    async fn answers_that_follow_each_other_are_told_apart() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut wire = Wire::new(Box::new(ours));
        let server = tokio::spawn(async move {
            let mut request = vec![0; 200];
            let _ = theirs.read(&mut request).await;
            for (flags, id) in [(2, 5_i64), (2, 5), (0, 0)] {
                let answer = rawdoc! { "cursor": { "nextBatch": [{ "_id": 1 }, { "_id": 2 }], "id": id }, "ok": 1 };
                theirs.write_all(&from_server(flags, &answer)).await.expect("somebody reads");
            }
            theirs
        });
        wire.send(EXHAUST_ALLOWED, &rawdoc! { "getMore": 5_i64 }, None).await.expect("sent");
        let mut batch = ReadBatch::new(&std::sync::Arc::default(), BatchEnd::Document);
        let mut answers = 0;
        loop {
            assert!(!wire.is_clean());
            let mut reading = wire.next_answer().await.expect("a head");
            assert!(wire.read_on(&mut reading, &mut batch).await.expect("an answer"));
            answers += 1;
            if !reading.more {
                break;
            }
        }
        assert_eq!((answers, batch.documents()), (3, 6));
        assert!(wire.is_clean());
        drop(server.await.expect("the server of the test"));
        assert!(wire.next_answer().await.is_err(), "a closed connection is no answer");
    }
}
