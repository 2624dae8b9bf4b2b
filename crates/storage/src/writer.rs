//! Writing one object piece by piece.

use bytes::Bytes;

use crate::backend::WriteObject;
use crate::error::StorageError;

/// An object on its way to a storage; invisible until [`ObjectWriter::finish`]. Dropped without it, the object never was.
pub struct ObjectWriter {
    inner: Box<dyn WriteObject>,
    bytes: u64,
}

impl ObjectWriter {
    pub(crate) fn new(inner: Box<dyn WriteObject>) -> Self {
        Self { inner, bytes: 0 }
    }

    /// Appends a piece of any size. May return before it is sent; waits when too much is under way.
    ///
    /// After an error only [`ObjectWriter::abort`] makes sense.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let length = bytes.len() as u64;
        self.inner.write(bytes).await?;
        self.bytes += length;
        Ok(())
    }

    /// How many bytes have been given so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes the object durable and visible under its name, replacing what was there. Returns its size.
    ///
    /// On an error nothing has become visible, save that a storage which fails while answering may already have the object.
    pub async fn finish(mut self) -> Result<u64, StorageError> {
        self.inner.finish().await?;
        Ok(self.bytes)
    }

    /// Takes back what was written. Better than dropping only in that it waits and tells.
    pub async fn abort(mut self) -> Result<(), StorageError> {
        self.inner.abort().await
    }
}

impl std::fmt::Debug for ObjectWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectWriter").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
