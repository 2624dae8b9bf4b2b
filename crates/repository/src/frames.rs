//! Turning documents into stored frames.
//!
//! Every codec we write allows complete frames one after another (PBM reads them so too), which lets several readers of one
//! collection compress at the same time and append to one object. Documents stay whole inside a compressed frame; the order of frames
//! is the order of appending, so one reader alone keeps its order.

mod pipeline;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bson::RawDocumentBuf;
use bytes::Bytes;
use oplogue_format::checksum::{ContentHash, ContentHasher, Crc64};
use oplogue_format::compression::Compression;
use oplogue_storage::{ObjectWriter, Storage};
use tokio::sync::Mutex;

use crate::error::RepositoryError;
pub use pipeline::Batch;
pub(crate) use pipeline::Packing;

/// A frame is closed when it holds this many bytes of documents: large enough for every codec to compress well, small
/// enough that a dozen readers fit in memory.
pub(crate) const FRAME_BYTES: usize = 4 << 20;
/// What comes in batches of documents need not be cut and copied for the last byte: this much is a frame, too. Without compression
/// any size is as good as another.
const BATCHES_ENOUGH: usize = FRAME_BYTES / 2;

/// What was written, raw and stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub documents: u64,
    /// Uncompressed.
    pub bytes: u64,
    /// CRC-64/XZ of the uncompressed bytes.
    pub crc64: u64,
    pub stored_bytes: u64,
    /// CRC-64/XZ of the stored bytes.
    pub stored_crc64: u64,
    /// BLAKE3 of the stored bytes.
    pub stored_hash: ContentHash,
}

/// Running totals of one object, in the order in which its bytes are appended.
pub(crate) struct Tally {
    documents: u64,
    bytes: u64,
    crc64: Crc64,
    stored_bytes: u64,
    /// `None` without compression: what is stored is what was read.
    stored_crc64: Option<Crc64>,
    stored_hash: ContentHasher,
}

impl Tally {
    pub(crate) fn new(compression: Compression) -> Self {
        let stored_crc64 = (compression != Compression::None).then(Crc64::new);
        Self { documents: 0, bytes: 0, crc64: Crc64::new(), stored_bytes: 0, stored_crc64, stored_hash: ContentHasher::new() }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn documents(&self) -> u64 {
        self.documents
    }

    pub(crate) fn add(&mut self, frame: &Frame) {
        self.documents += frame.documents;
        self.bytes += frame.raw.len() as u64;
        self.crc64.write(&frame.raw);
        self.stored_bytes += frame.stored.len() as u64;
        if let Some(stored) = &mut self.stored_crc64 {
            stored.write(&frame.stored);
        }
        self.stored_hash.write(&frame.stored);
    }

    pub(crate) fn written(&self) -> Written {
        Written {
            documents: self.documents,
            bytes: self.bytes,
            crc64: self.crc64.sum(),
            stored_bytes: self.stored_bytes,
            stored_crc64: self.stored_crc64.as_ref().unwrap_or(&self.crc64).sum(),
            stored_hash: self.stored_hash.hash(),
        }
    }
}

/// Documents and what they became.
pub(crate) struct Frame {
    pub(crate) raw: Bytes,
    pub(crate) stored: Bytes,
    pub(crate) documents: u64,
}

/// Collects documents until they fill a frame.
pub(crate) struct FrameBuilder {
    compression: Compression,
    pending: Vec<u8>,
    documents: u64,
}

impl FrameBuilder {
    pub(crate) fn new(compression: Compression) -> Self {
        Self { compression, pending: Vec::new(), documents: 0 }
    }

    pub(crate) fn push(&mut self, document: &RawDocumentBuf) {
        self.pending.extend_from_slice(document.as_bytes());
        self.documents += 1;
    }

    /// Takes documents in, one after the other (whole ones if they are compressed). What makes a frame by itself is never copied. Returns
    /// a frame's documents as soon as they are enough.
    pub(crate) fn add(&mut self, bytes: Bytes, documents: u64) -> Option<(Bytes, u64)> {
        let enough = if self.compression == Compression::None { 1 } else { BATCHES_ENOUGH };
        if self.pending.is_empty() {
            if bytes.len() >= enough {
                return Some((bytes, documents));
            }
            self.pending.reserve_exact(FRAME_BYTES);
        }
        self.pending.extend_from_slice(&bytes);
        self.documents += documents;
        if self.pending.len() >= enough { self.take() } else { None }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.pending.len() >= FRAME_BYTES
    }

    pub(crate) fn pending_bytes(&self) -> u64 {
        self.pending.len() as u64
    }

    /// What was collected. `None` when there is nothing.
    pub(crate) fn take(&mut self) -> Option<(Bytes, u64)> {
        let documents = std::mem::take(&mut self.documents);
        (!self.pending.is_empty()).then(|| (Bytes::from(std::mem::take(&mut self.pending)), documents))
    }

    /// Compresses what was collected, on a blocking thread. `None` when there is nothing.
    pub(crate) async fn close(&mut self) -> Option<Frame> {
        let (raw, documents) = self.take()?;
        Some(pipeline::pack(self.compression, raw, documents).await)
    }
}

/// One object that several readers append to. The object is created by its first frame and appears when finished; dropped
/// before, it leaves nothing.
#[derive(Clone)]
pub struct DocumentObject {
    shared: Arc<Shared>,
}

struct Shared {
    storage: Storage,
    name: String,
    compression: Compression,
    packing: Packing,
    /// How often it was started over.
    restarts: AtomicU64,
    open: Mutex<Open>,
}

struct Open {
    writer: Option<ObjectWriter>,
    tally: Tally,
}

impl DocumentObject {
    pub(crate) fn new(storage: Storage, name: String, compression: Compression, packing: Packing) -> Self {
        let open = Mutex::new(Open { writer: None, tally: Tally::new(compression) });
        Self { shared: Arc::new(Shared { storage, name, compression, packing, restarts: AtomicU64::new(0), open }) }
    }

    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Whether a single appender may be given batches that end within a document: what is stored is then what was given.
    pub fn may_cut_documents(&self) -> bool {
        self.shared.compression == Compression::None
    }

    /// A hand that appends to the object. Several may work at once; each must be finished.
    pub fn appender(&self) -> Appender {
        Appender {
            object: self.clone(),
            restarts: self.shared.restarts.load(Ordering::Acquire),
            builder: FrameBuilder::new(self.shared.compression),
        }
    }

    /// Does nothing for an appender of before the last restart: a frame of it may have been under way.
    async fn append(&self, frame: Frame, restarts: u64) -> Result<(), RepositoryError> {
        let mut open = self.shared.open.lock().await;
        if self.shared.restarts.load(Ordering::Acquire) != restarts {
            return Ok(());
        }
        let open = &mut *open;
        let writer = match &mut open.writer {
            Some(writer) => writer,
            None => open.writer.insert(self.shared.storage.writer(&self.shared.name).await?),
        };
        open.tally.add(&frame);
        writer.write(frame.stored).await?;
        Ok(())
    }

    /// Publishes the object, after every appender was finished. Without documents there is no object.
    pub async fn finish(self) -> Result<Written, RepositoryError> {
        let mut open = self.shared.open.lock().await;
        if let Some(writer) = open.writer.take() {
            writer.finish().await?;
        }
        Ok(open.tally.written())
    }

    /// Throws away what was written, and starts over. What appenders made before still bring is not taken.
    pub async fn restart(&self) -> Result<(), RepositoryError> {
        let mut open = self.shared.open.lock().await;
        self.shared.restarts.fetch_add(1, Ordering::Release);
        open.tally = Tally::new(self.shared.compression);
        match open.writer.take() {
            Some(writer) => Ok(writer.abort().await?),
            None => Ok(()),
        }
    }
}

/// Appends documents to a [`DocumentObject`].
pub struct Appender {
    object: DocumentObject,
    /// The object's when this was made.
    restarts: u64,
    builder: FrameBuilder,
}

impl Appender {
    pub async fn write(&mut self, documents: &[RawDocumentBuf]) -> Result<(), RepositoryError> {
        for document in documents {
            self.builder.push(document);
            if self.builder.is_full() {
                self.close_frame().await?;
            }
        }
        Ok(())
    }

    pub async fn finish(mut self) -> Result<(), RepositoryError> {
        self.close_frame().await
    }

    async fn close_frame(&mut self) -> Result<(), RepositoryError> {
        match self.builder.close().await {
            Some(frame) => self.object.append(frame, self.restarts).await,
            None => Ok(()),
        }
    }
}
