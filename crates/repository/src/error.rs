//! What can be wrong with what lies on a storage.

use oplogue_domain::BackupName;
use oplogue_storage::StorageError;

/// A failure to read or write a repository. Each text begins with the object it is about.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// An object that metadata or a listing speaks of is not there.
    #[error("object `{object}` is missing from {location}")]
    Missing { object: String, location: String },
    /// An object whose bytes are not what was written: torn, changed, or with a wrong checksum.
    /// `at` counts decompressed bytes from the start of the object.
    #[error("object `{object}` is damaged at byte {at}: {why}")]
    Damaged { object: String, at: u64, why: String },
    /// Metadata that cannot be understood.
    #[error("object `{object}` cannot be understood: {why}")]
    Unreadable { object: String, why: String },
    #[error("{location} holds no backup named `{name}`")]
    UnknownBackup { name: BackupName, location: String },
    /// A backup of this name is already there, or is being written, or was left behind by a crash.
    #[error("{location} already holds objects of a backup named `{name}` (e.g. `{example}`)")]
    NameTaken { name: BackupName, location: String, example: String },
    /// A value of ours that cannot be written, e.g. a document that is not BSON. A mistake of the program or its memory.
    #[error("object `{object}` cannot be written: {why}")]
    Unwritable { object: String, why: String },
    #[error("spool the oplog in the folder for temporary files (TMPDIR): {0}")]
    Spool(#[source] std::io::Error),
    /// The folder holds encrypted objects, and no key was given.
    #[error(
        "what lies in {location} is encrypted: give its key with --key-file, --passphrase-file or OPLOGUE_PASSPHRASE (server and agents \
         cannot work on it)"
    )]
    Encrypted { location: String },
    /// A copy would replace an object that is there by another one.
    #[error("object `{object}` is already in {location} and is not the same ({why}): nothing is overwritten")]
    Different { object: String, location: String, why: String },
    #[error(transparent)]
    Storage(StorageError),
}

impl From<StorageError> for RepositoryError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Damaged { name, at } => Self::Damaged { object: name, at: 0, why: at.cause },
            error => Self::Storage(error),
        }
    }
}

impl RepositoryError {
    /// True when trying again later may help: the storage was away, not wrong.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_temporary(),
            Self::Spool(_) => true,
            _ => false,
        }
    }
}
