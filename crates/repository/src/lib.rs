//! A storage read and written in PBM's format, with our own records beside it.
//!
//! A [`Repository`] is what lies in one cluster's folder: backups, slices, and what we know about them. Names and bytes are
//! `oplogue-format`'s business, places are `oplogue-storage`'s; here is the order of things:
//!
//! - Objects are immutable. What a listing shows is whole.
//! - Metadata comes last and goes first. A backup exists when its `.pbm.json` does; everything it speaks of was written before.
//!   After a crash in the middle remain objects nobody refers to, never a reference to nothing.
//! - What is read is checked: framing, sizes, checksums, as far as somebody recorded them.

mod backup_write;
mod catalog;
mod compact;
mod copy;
mod delete;
mod documents;
mod error;
mod frames;
mod object;
mod recognise;
mod slices;
mod snapshot;
mod spool;

use bytes::Bytes;
use oplogue_storage::{Storage, StorageError};

pub use backup_write::{
    BackupFacts, SnapshotFacts, SnapshotTotals, SnapshotWriter, UnknownToPbm, WrittenCollection, WrittenSnapshot, roles_namespace,
    users_namespace,
};
pub use catalog::CatalogState;
pub use compact::Compacted;
pub use copy::{CopyItem, Presence};
pub use delete::{Deleted, DeletionStep, Orphan, OrphanKind};
pub use documents::{BATCH_BYTES, BATCH_DOCUMENTS, BatchStream, ByteStream, DocumentStream, EntryStream, ReadSummary, StoredBatch};
pub use error::RepositoryError;
pub use frames::{Appender, Batch, DocumentObject, Written};
pub use object::ObjectRef;
pub use oplogue_format::pbm::collections::CollectionKind;
pub use oplogue_format::sidecar::SliceRecord;
pub use recognise::{foreign_folders, is_repository};
pub use slices::{SliceBuilder, StoredSlice};
pub use snapshot::{SnapshotCollection, SnapshotContents};
pub use spool::Spool;

/// What lies in one cluster's folder of a storage. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Repository {
    storage: Storage,
}

impl Repository {
    /// `storage` is already within the cluster's folder.
    pub fn new(storage: Storage) -> Self {
        Self { storage }
    }

    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// A small object, or `None` when it is not there.
    async fn get_if_there(&self, name: &str) -> Result<Option<Bytes>, RepositoryError> {
        match self.storage.get(name).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StorageError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Fails when what lies in the folder was encrypted by us: without its key nothing of it can be seen, and beside it nothing is written.
    pub async fn refuse_encrypted(&self) -> Result<(), RepositoryError> {
        match self.storage.stat(oplogue_storage::ENCRYPTION_MARKER).await {
            Ok(_) => Err(RepositoryError::Encrypted { location: self.storage.location() }),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A small object that must be there.
    async fn get(&self, name: &str) -> Result<Bytes, RepositoryError> {
        let missing = || RepositoryError::Missing { object: name.to_owned(), location: self.storage.location() };
        self.get_if_there(name).await?.ok_or_else(missing)
    }
}

/// What our records name as their writer.
fn written_by() -> String {
    format!("oplogue {}", env!("CARGO_PKG_VERSION"))
}
