//! A reference to one stored object, and the pump that carries its bytes into a blocking thread.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes};
use futures::{FutureExt, StreamExt};
use oplogue_format::checksum::{ContentHash, ContentHasher, Crc64};
use oplogue_format::compression::Compression;
use oplogue_format::pbm::layout;
use oplogue_storage::{Storage, StorageError};
use tokio::sync::mpsc;

use crate::error::RepositoryError;

/// One object that holds documents, with what is known about it beforehand. What is known is checked while it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRef {
    /// Relative to the repository's folder, without `.pbmpart.N`.
    pub name: String,
    /// What name or metadata say. Only whether there is any counts: which one, the stream's own first bytes decide.
    pub compression: Compression,
    /// Bytes as stored, parts included. `None`: unknown, and parts are probed for.
    pub stored_bytes: Option<u64>,
    /// CRC-64/XZ of the stored bytes, from our own metadata.
    pub stored_crc64: Option<u64>,
    /// BLAKE3 of the stored bytes, from our own metadata. With it the checksum is not needed.
    pub stored_hash: Option<ContentHash>,
}

impl ObjectRef {
    /// An object of which only the name is known.
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        let compression = Compression::of_name(&name);
        Self { name, compression, stored_bytes: None, stored_crc64: None, stored_hash: None }
    }
}

/// Chunks between the storage and the decoder. With the usual chunk of up to 1 MiB this bounds what one stream holds.
const CHUNKS_AHEAD: usize = 4;

enum Piece {
    Bytes(Bytes),
    /// Without it the channel's end would be taken for the object's end when the pump dies.
    End,
    Failed(RepositoryError),
}

/// The bytes of an object and of its parts, as a blocking reader. Must be read on a blocking thread.
pub(crate) struct ObjectBytes {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
    failure: Failure,
}

/// Where the real reason lies when a reader returned an I/O error made of it.
#[derive(Clone, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<RepositoryError>>>);

impl Failure {
    pub(crate) fn take(&self) -> Option<RepositoryError> {
        self.0.lock().ok()?.take()
    }

    fn set(&self, error: RepositoryError) {
        if let Ok(mut slot) = self.0.lock() {
            *slot = Some(error);
        }
    }
}

impl ObjectBytes {
    pub(crate) fn open(runtime: &tokio::runtime::Handle, storage: Storage, object: ObjectRef) -> (Self, Failure) {
        let (sender, pieces) = mpsc::channel(CHUNKS_AHEAD);
        runtime.spawn(async move {
            // Nobody listens any more when the reader was dropped.
            let send = |chunk| sender.send(Piece::Bytes(chunk)).map(|sent| sent.is_ok());
            let end = match pump(&storage, &object, send).await {
                Ok(()) => Piece::End,
                Err(error) => Piece::Failed(error),
            };
            // Nobody listens any more when the reader was dropped: nothing to tell.
            let _ = sender.send(end).await;
        });
        let failure = Failure::default();
        (Self { pieces, current: Bytes::new(), ended: false, failure: failure.clone() }, failure)
    }
}

impl io::Read for ObjectBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.ended = true,
                Some(Piece::Failed(error)) => {
                    let told = io::Error::other(error.to_string());
                    self.failure.set(error);
                    return Err(told);
                }
                None => return Err(io::Error::other("the reading of the object was given up")),
            }
        }
        let length = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// Gives the bytes of the object and of its parts to `take`, in order, until that returns false, and compares what came with what was known.
pub(crate) async fn pump<F>(storage: &Storage, object: &ObjectRef, mut take: impl FnMut(Bytes) -> F) -> Result<(), RepositoryError>
where
    F: Future<Output = bool>,
{
    let mut sent = Sent::of(object);
    for part in 0.. {
        let name = if part == 0 { object.name.clone() } else { layout::part(&object.name, part) };
        if part > 0 && object.stored_bytes.is_some_and(|stored| sent.bytes >= stored) {
            break;
        }
        let reader = match storage.reader(&name).await {
            Ok(reader) => reader,
            Err(StorageError::NotFound { .. }) if part == 0 => {
                return Err(RepositoryError::Missing { object: name, location: storage.location() });
            }
            Err(StorageError::NotFound { .. }) => break,
            Err(error) => return Err(error.into()),
        };
        if !take_all(reader, &name, &mut sent, &mut take).await? {
            return Ok(());
        }
    }
    sent.compare(object)
}

/// What has gone by of an object's stored bytes, and of that what can be compared at its end.
struct Sent {
    bytes: u64,
    crc64: Option<Crc64>,
    hash: Option<ContentHasher>,
}

impl Sent {
    fn of(object: &ObjectRef) -> Self {
        let hash = object.stored_hash.map(|_| ContentHasher::new());
        let crc64 = object.stored_crc64.filter(|_| hash.is_none()).map(|_| Crc64::new());
        Self { bytes: 0, crc64, hash }
    }

    fn add(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        if let Some(crc64) = &mut self.crc64 {
            crc64.write(chunk);
        }
        if let Some(hash) = &mut self.hash {
            hash.write(chunk);
        }
    }

    fn compare(&self, object: &ObjectRef) -> Result<(), RepositoryError> {
        let damaged = |why| Err(RepositoryError::Damaged { object: object.name.clone(), at: 0, why });
        if let Some(stored) = object.stored_bytes.filter(|stored| *stored != self.bytes) {
            return damaged(format!("{} bytes are stored, and {stored} were expected", self.bytes));
        }
        if let (Some(hash), Some(stored)) = (self.hash.as_ref().map(ContentHasher::hash), object.stored_hash)
            && hash != stored
        {
            return damaged(format!("its stored bytes have hash {hash} instead of {stored}"));
        }
        if let (Some(crc64), Some(stored)) = (self.crc64.as_ref().map(Crc64::sum), object.stored_crc64)
            && crc64 != stored
        {
            return damaged(format!("its stored bytes have checksum {crc64:016x} instead of {stored:016x}"));
        }
        Ok(())
    }
}

/// False when no more is wanted.
async fn take_all<F>(
    mut reader: oplogue_storage::ObjectReader,
    name: &str,
    sent: &mut Sent,
    take: &mut impl FnMut(Bytes) -> F,
) -> Result<bool, RepositoryError>
where
    F: Future<Output = bool>,
{
    while let Some(chunk) = reader.next().await {
        let chunk = chunk.map_err(|error| match error.downcast::<StorageError>() {
            Ok(error) => error.into(),
            Err(error) => {
                RepositoryError::Damaged { object: name.to_owned(), at: sent.bytes, why: format!("it cannot be read on: {error}") }
            }
        })?;
        sent.add(&chunk);
        if !take(chunk).await {
            return Ok(false);
        }
    }
    Ok(true)
}
