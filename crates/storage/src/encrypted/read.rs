//! Opening a sealed object anywhere. Holds one chunk beside the piece that came last.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::seal::{self, CHUNK_BYTES, Cipher, HEADER_BYTES, SEALED_BYTES, Sealed};
use crate::Storage;
use crate::backend::Opened;
use crate::error::{Attempt, StorageError};

/// Each of these contains the storage's own retries with their pauses.
const HEADER_TRIES: usize = 4;

pub(super) async fn open(
    objects: &Storage,
    cipher: &Arc<Cipher>,
    name: &str,
    attempt: Attempt,
    offset: u64,
) -> Result<Opened, StorageError> {
    let damaged = |why: &str| StorageError::Damaged { name: name.to_owned(), at: attempt.because(why) };
    let (header, mut opened) = opened_with_header(objects, name).await?;
    let bytes = seal::plain_bytes(opened.bytes).ok_or_else(|| damaged("it is cut off"))?;
    let object = Sealed::parse(&header, name).ok_or_else(|| damaged("it does not begin as an encrypted object does"))?;
    if offset >= bytes && offset > 0 {
        return Ok(Opened { bytes, version: opened.version, stream: stream::empty().boxed() });
    }
    let first = offset / CHUNK_BYTES as u64;
    if first > 0 {
        let further = objects.open_at(name, HEADER_BYTES + first * SEALED_BYTES as u64).await?;
        if further.version != opened.version || further.bytes != opened.bytes {
            return Err(StorageError::Changed { at: attempt.because("another version of it was there when it was read on") });
        }
        opened = further;
    }
    let state = Opening {
        cipher: cipher.clone(),
        object,
        name: name.to_owned(),
        attempt,
        sealed: opened.stream,
        pending: BytesMut::new(),
        chunk: first,
        last: seal::last_chunk(bytes),
        last_bytes: (opened.bytes - HEADER_BYTES - seal::last_chunk(bytes) * SEALED_BYTES as u64) as usize,
        skip: (offset % CHUNK_BYTES as u64) as usize,
    };
    let stream = stream::try_unfold(state, |state| async move { state.next().await }).boxed();
    Ok(Opened { bytes, version: opened.version, stream })
}

/// The object from its beginning: its header, and what stands behind.
async fn opened_with_header(objects: &Storage, name: &str) -> Result<(Vec<u8>, Opened), StorageError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut opened = objects.open_at(name, 0).await?;
        let mut begun = BytesMut::new();
        let outcome = loop {
            if begun.len() as u64 >= HEADER_BYTES {
                break Ok(());
            }
            match opened.stream.try_next().await {
                Ok(Some(piece)) => begun.extend_from_slice(&piece),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        match outcome {
            // A connection that broke in the first bytes; further on, whoever reads asks again.
            Err(error) if error.is_temporary() && tries < HEADER_TRIES => {}
            Err(error) => return Err(error),
            Ok(()) => {
                let header = begun.split_to(begun.len().min(HEADER_BYTES as usize)).to_vec();
                let rest = stream::once(async move { Ok(begun.freeze()) });
                opened.stream = rest.chain(opened.stream).boxed();
                return Ok((header, opened));
            }
        }
    }
}

struct Opening {
    cipher: Arc<Cipher>,
    object: Sealed,
    name: String,
    attempt: Attempt,
    sealed: BoxStream<'static, Result<Bytes, StorageError>>,
    pending: BytesMut,
    /// The next to be opened.
    chunk: u64,
    last: u64,
    /// Stored bytes of the last chunk.
    last_bytes: usize,
    /// Of the first chunk, what comes before the offset.
    skip: usize,
}

impl Opening {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StorageError> {
        loop {
            if self.chunk > self.last {
                return Ok(None);
            }
            let ready = self.ready();
            if ready > 0 {
                let plain = self.open(ready).await?;
                return Ok(Some((plain, self)));
            }
            match self.sealed.try_next().await? {
                Some(piece) => self.pending.extend_from_slice(&piece),
                // The reader above asks for the rest, from where it is.
                None => return Ok(None),
            }
        }
    }

    /// How many whole chunks have arrived.
    fn ready(&self) -> usize {
        let whole = (self.pending.len() / SEALED_BYTES).min((self.last - self.chunk) as usize);
        let with_last = self.chunk + whole as u64 == self.last && self.pending.len() >= whole * SEALED_BYTES + self.last_bytes;
        whole + usize::from(with_last)
    }

    async fn open(&mut self, chunks: usize) -> Result<Bytes, StorageError> {
        let ends = self.chunk + chunks as u64 > self.last;
        let bytes = if ends { (chunks - 1) * SEALED_BYTES + self.last_bytes } else { chunks * SEALED_BYTES };
        let sealed = self.pending.split_to(bytes).freeze();
        let (cipher, object, first, last) = (self.cipher.clone(), self.object.clone(), self.chunk, self.last);
        let work = move || {
            let mut plain = Vec::with_capacity(chunks * CHUNK_BYTES);
            for (number, chunk) in (first..).zip(sealed.chunks(SEALED_BYTES)) {
                plain.extend_from_slice(&cipher.open(&object, number, number == last, chunk)?);
            }
            Some(plain)
        };
        let plain = off_the_runtime(chunks > 3, work).await.ok_or_else(|| {
            let why = format!("what lies between byte {} and the next {bytes} is not what was encrypted", self.chunk * CHUNK_BYTES as u64);
            StorageError::Damaged { name: self.name.clone(), at: self.attempt.because(why) }
        })?;
        self.chunk += chunks as u64;
        let skip = std::mem::take(&mut self.skip).min(plain.len());
        Ok(Bytes::from(plain).slice(skip..))
    }
}

/// Does work of more than a moment where it keeps nobody waiting.
pub(super) async fn off_the_runtime<T: Send + 'static>(much: bool, work: impl FnOnce() -> T + Send + 'static) -> T {
    if !much {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()))
}
