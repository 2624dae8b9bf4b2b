//! Sealing an object while it is written. Holds less than one chunk beside what it is given.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::seal::{self, CHUNK_BYTES, Cipher, Sealed};
use crate::backend::WriteObject;
use crate::error::{Attempt, StorageError};
use crate::writer::ObjectWriter;

pub(super) struct Sealing {
    cipher: Arc<Cipher>,
    object: Sealed,
    attempt: Attempt,
    /// `None` once it ended.
    writer: Option<ObjectWriter>,
    /// The header goes out with the first bytes.
    outgoing: Vec<u8>,
    pending: BytesMut,
    chunk: u64,
}

impl Sealing {
    pub(super) fn new(cipher: Arc<Cipher>, name: &str, writer: ObjectWriter) -> Result<Self, StorageError> {
        let attempt = Attempt::new("the encrypted folder", format!("encrypt {name:?}"));
        let prefix = seal::random_prefix().map_err(|error| StorageError::Other { at: attempt.because(error) })?;
        let object = Sealed::new(prefix, name);
        let outgoing = object.header();
        Ok(Self { cipher, object, attempt, writer: Some(writer), outgoing, pending: BytesMut::new(), chunk: 0 })
    }

    /// Seals what is there: whole chunks, and at the end the last one. One that may turn out to be the last waits.
    async fn seal(&mut self, end: bool) -> Result<(), StorageError> {
        let whole = self.pending.len().saturating_sub(1) / CHUNK_BYTES;
        let plain = if end { self.pending.split() } else { self.pending.split_to(whole * CHUNK_BYTES) }.freeze();
        let (cipher, object, first) = (self.cipher.clone(), self.object.clone(), self.chunk);
        let mut outgoing = std::mem::take(&mut self.outgoing);
        self.chunk += whole as u64;
        let work = move || {
            outgoing.reserve(plain.len() + (whole + 1) * (seal::SEALED_BYTES - CHUNK_BYTES));
            let mut pieces: Vec<&[u8]> = plain.chunks(CHUNK_BYTES).collect();
            if end && pieces.is_empty() {
                pieces.push(&[]);
            }
            let count = pieces.len();
            for (index, piece) in pieces.into_iter().enumerate() {
                outgoing.extend_from_slice(&cipher.seal(&object, first + index as u64, end && index + 1 == count, piece)?);
            }
            Some(outgoing)
        };
        let sealed = super::read::off_the_runtime(whole > 3, work).await;
        let sealed = sealed.ok_or_else(|| StorageError::Other { at: self.attempt.because("the object is too large to be encrypted") })?;
        match &mut self.writer {
            Some(writer) => writer.write(Bytes::from(sealed)).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl WriteObject for Sealing {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.pending.extend_from_slice(&bytes);
        if self.pending.len() > CHUNK_BYTES { self.seal(false).await } else { Ok(()) }
    }

    async fn finish(&mut self) -> Result<(), StorageError> {
        self.seal(true).await?;
        match self.writer.take() {
            Some(writer) => writer.finish().await.map(drop),
            None => Ok(()),
        }
    }

    async fn abort(&mut self) -> Result<(), StorageError> {
        match self.writer.take() {
            Some(writer) => writer.abort().await,
            None => Ok(()),
        }
    }
}
