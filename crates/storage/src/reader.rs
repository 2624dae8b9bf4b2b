//! Reading one object as a stream that survives broken connections.
//!
//! When the connection breaks, the rest is asked for again from where it broke, up to [`RESUMES_WITHOUT_PROGRESS_MAX`] times without
//! a new byte; the storage's own retries come on top. If the object was replaced meanwhile, or has another size, that is an error:
//! the pieces of two versions are never put together.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};

use crate::backend::{Opened, SharedBackend};
use crate::error::{Attempt, StorageError};

/// Each of these already contains the storage's own retries with their pauses.
const RESUMES_WITHOUT_PROGRESS_MAX: u32 = 3;

/// One object being read: a stream of pieces, in order, that ends after exactly [`ObjectReader::bytes`] bytes or with an error.
pub struct ObjectReader {
    bytes: u64,
    stream: BoxStream<'static, io::Result<Bytes>>,
}

impl ObjectReader {
    pub(crate) fn new(backend: SharedBackend, key: String, attempt: Attempt, opened: Opened) -> Self {
        let bytes = opened.bytes;
        let state = State { backend, key, attempt, bytes, version: opened.version, offset: 0, stream: Some(opened.stream), fruitless: 0 };
        let stream = stream::try_unfold(state, |state| async move { state.next().await.map_err(io::Error::from) }).boxed();
        Self { bytes, stream }
    }

    /// Size of the whole object.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Stream for ObjectReader {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next_unpin(context)
    }
}

impl std::fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectReader").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

struct State {
    backend: SharedBackend,
    key: String,
    attempt: Attempt,
    bytes: u64,
    version: Option<String>,
    /// How many bytes have been given out.
    offset: u64,
    stream: Option<BoxStream<'static, Result<Bytes, StorageError>>>,
    /// Resumes since the last byte.
    fruitless: u32,
}

impl State {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StorageError> {
        loop {
            if self.offset == self.bytes {
                return Ok(None);
            }
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None => self.reopen().await?,
            };
            let broken = match stream.next().await {
                Some(Ok(piece)) if piece.is_empty() => {
                    self.stream = Some(stream);
                    continue;
                }
                Some(Ok(piece)) => {
                    let length = piece.len() as u64;
                    if length > self.bytes - self.offset {
                        let cause = format!("more than the announced {} bytes arrived", self.bytes);
                        return Err(StorageError::Changed { at: self.attempt.because(cause) });
                    }
                    self.offset += length;
                    self.fruitless = 0;
                    self.stream = Some(stream);
                    return Ok(Some((piece, self)));
                }
                Some(Err(error)) if error.is_temporary() => error,
                Some(Err(error)) => return Err(error),
                None => StorageError::Unavailable {
                    at: self.attempt.because(format!("it ended after {} of {} bytes", self.offset, self.bytes)),
                },
            };
            self.fruitless += 1;
            if self.fruitless > RESUMES_WITHOUT_PROGRESS_MAX {
                return Err(broken);
            }
        }
    }

    async fn reopen(&mut self) -> Result<BoxStream<'static, Result<Bytes, StorageError>>, StorageError> {
        let opened = self.backend.open(&self.key, self.offset).await?;
        if opened.bytes != self.bytes || opened.version != self.version {
            let cause = format!(
                "after {} of {} bytes the connection broke; when asked again, another version of {} bytes was there",
                self.offset, self.bytes, opened.bytes
            );
            return Err(StorageError::Changed { at: self.attempt.because(cause) });
        }
        Ok(opened.stream)
    }
}
