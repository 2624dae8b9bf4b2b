//! The oplog of a running backup, kept aside until its end is known.
//!
//! The object's name contains its last entry's time, and waiting with the reading until then would risk that the server has
//! discarded the first entries. So they are compressed as they come into an unnamed temporary file, which the operating
//! system removes with the process, and are copied to the storage at the end.

use std::io::{Seek, SeekFrom, Write};

use bson::RawDocumentBuf;
use bytes::{Bytes, BytesMut};
use oplogue_format::compression::Compression;
use oplogue_storage::Storage;
use tokio::io::AsyncReadExt;

use crate::error::RepositoryError;
use crate::frames::{Frame, FrameBuilder, Tally, Written};

/// Bytes copied to the storage at a time.
const COPY_BYTES: usize = 1 << 20;

/// Oplog entries on their way into one object.
pub struct Spool {
    file: std::fs::File,
    builder: FrameBuilder,
    tally: Tally,
}

impl Spool {
    pub fn new(compression: Compression) -> Result<Self, RepositoryError> {
        let file = tempfile::tempfile().map_err(RepositoryError::Spool)?;
        Ok(Self { file, builder: FrameBuilder::new(compression), tally: Tally::new(compression) })
    }

    pub async fn write(&mut self, entries: &[RawDocumentBuf]) -> Result<(), RepositoryError> {
        for entry in entries {
            self.builder.push(entry);
            if self.builder.is_full() {
                self.close_frame().await?;
            }
        }
        Ok(())
    }

    async fn close_frame(&mut self) -> Result<(), RepositoryError> {
        let Some(frame) = self.builder.close().await else { return Ok(()) };
        self.tally.add(&frame);
        let Frame { stored, .. } = frame;
        let mut file = self.file.try_clone().map_err(RepositoryError::Spool)?;
        blocking(move || file.write_all(&stored)).await
    }

    /// Copies everything into the object `name`, which appears when it is whole.
    pub(crate) async fn publish(mut self, storage: &Storage, name: &str) -> Result<Written, RepositoryError> {
        self.close_frame().await?;
        let mut file = self.file.try_clone().map_err(RepositoryError::Spool)?;
        blocking(move || file.seek(SeekFrom::Start(0)).map(drop)).await?;
        let mut file = tokio::fs::File::from_std(self.file);
        let mut writer = storage.writer(name).await?;
        loop {
            let mut chunk = BytesMut::with_capacity(COPY_BYTES);
            if file.read_buf(&mut chunk).await.map_err(RepositoryError::Spool)? == 0 {
                break;
            }
            writer.write(Bytes::from(chunk)).await?;
        }
        writer.finish().await?;
        Ok(self.tally.written())
    }
}

async fn blocking(work: impl FnOnce() -> std::io::Result<()> + Send + 'static) -> Result<(), RepositoryError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic())).map_err(RepositoryError::Spool)
}
