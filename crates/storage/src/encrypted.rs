//! A folder whose objects are encrypted before they leave this machine.
//!
//! ```text
//! oplogue/encryption.json       which key is needed, and how it is made of a passphrase; not secret
//! oplogue/encrypted/<name>      the object <name>, sealed (see `seal`)
//! ```
//!
//! To whoever uses it this is a storage like any other: names, listings and sizes are those of the objects inside. Percona Backup for MongoDB
//! never looks below `oplogue/`, so it cannot take what is there for its own. Names, sizes and times stay visible to who can list the storage.
//!
//! A wrong key is told by the first call, from `encryption.json`; an object that was changed, cut, or moved under another name is
//! [`StorageError::Damaged`]. Garbage is never handed out.
//!
//! Two that begin to encrypt the same folder at the same time are both refused, or one is: with two salts, one's objects would be lost.

mod key;
mod marker;
mod read;
mod seal;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::OnceCell;

use crate::Storage;
use crate::backend::{Backend, Opened, WriteObject};
use crate::error::{Attempt, StorageError};
use crate::storage::{Level, ObjectInfo};

pub use key::{EncryptionKey, KeyError};
pub use marker::MARKER;
use seal::Cipher;

/// Where the encrypted objects lie, within the folder.
const OBJECTS: &str = "oplogue/encrypted";

/// Whether a folder that is not encrypted yet may become so with the first write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    Allowed,
    /// The folder must be an encrypted one already.
    Never,
}

pub(crate) struct Encrypted {
    /// The folder, as it is.
    around: Storage,
    /// The encrypted objects in it.
    objects: Storage,
    key: EncryptionKey,
    beginning: Beginning,
    cipher: OnceCell<Arc<Cipher>>,
}

impl Encrypted {
    pub(crate) fn new(around: Storage, key: EncryptionKey, beginning: Beginning) -> Self {
        Self { objects: around.within(OBJECTS), around, key, beginning, cipher: OnceCell::new() }
    }

    /// The cipher of the folder. `None`: it is not encrypted yet, and so nothing is in it.
    async fn opened(&self) -> Result<Option<Arc<Cipher>>, StorageError> {
        if let Some(cipher) = self.cipher.get() {
            return Ok(Some(cipher.clone()));
        }
        match marker::read(&self.around).await? {
            Some(marker) => Ok(Some(self.cipher.get_or_try_init(|| marker.cipher(&self.around, &self.key)).await?.clone())),
            None => {
                marker::refuse_others(&self.around).await?;
                match self.beginning {
                    Beginning::Allowed => Ok(None),
                    Beginning::Never => Err(marker::not_begun(&self.around)),
                }
            }
        }
    }

    /// The cipher of the folder, which is begun if it must be.
    async fn begun(&self) -> Result<Arc<Cipher>, StorageError> {
        if let Some(cipher) = self.opened().await? {
            return Ok(cipher);
        }
        let begin = || async {
            let marker = marker::begin(&self.around, &self.objects, &self.key).await?;
            marker.cipher(&self.around, &self.key).await
        };
        Ok(self.cipher.get_or_try_init(begin).await?.clone())
    }

    fn missing(&self, key: &str) -> StorageError {
        let at = Box::new(Attempt::new(&self.location(""), format!("read {key:?}")));
        StorageError::NotFound { name: key.to_owned(), at }
    }
}

/// With its size as it is inside. One that cannot be whole has some size, and an error when it is read.
fn inside(mut info: ObjectInfo) -> ObjectInfo {
    info.bytes = seal::plain_bytes(info.bytes).unwrap_or(info.bytes.saturating_sub(seal::HEADER_BYTES));
    info
}

#[async_trait]
impl Backend for Encrypted {
    fn location(&self, folder: &str) -> String {
        format!("{} (encrypted)", self.around.within(folder).location())
    }

    fn problem(&self, key: &str) -> Option<String> {
        match self.objects.key(key) {
            Err(StorageError::BadName { reason, .. }) => Some(reason),
            _ => None,
        }
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StorageError> {
        let mut writer = self.writer(key).await?;
        writer.write(bytes).await?;
        writer.finish().await
    }

    async fn writer(&self, key: &str) -> Result<Box<dyn WriteObject>, StorageError> {
        let cipher = self.begun().await?;
        let writer = self.objects.writer(key).await?;
        Ok(Box::new(write::Sealing::new(cipher, key, writer)?))
    }

    async fn open(&self, key: &str, offset: u64) -> Result<Opened, StorageError> {
        let cipher = self.opened().await?.ok_or_else(|| self.missing(key))?;
        let attempt = Attempt::new(&self.location(""), format!("decrypt {key:?}"));
        read::open(&self.objects, &cipher, key, attempt, offset).await
    }

    async fn stat(&self, key: &str) -> Result<ObjectInfo, StorageError> {
        self.opened().await?.ok_or_else(|| self.missing(key))?;
        Ok(inside(self.objects.stat(key).await?))
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        match self.opened().await? {
            Some(_) => Ok(self.objects.list(folder).await?.into_iter().map(inside).collect()),
            None => Ok(Vec::new()),
        }
    }

    async fn list_after(&self, folder: &str, after: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        match self.opened().await? {
            Some(_) => Ok(self.objects.list_after(folder, after).await?.into_iter().map(inside).collect()),
            None => Ok(Vec::new()),
        }
    }

    async fn level(&self, folder: &str) -> Result<Level, StorageError> {
        let Some(_) = self.opened().await? else { return Ok(Level::default()) };
        let mut level = self.objects.level(folder).await?;
        level.objects = level.objects.into_iter().map(inside).collect();
        Ok(level)
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        match self.opened().await? {
            Some(_) => self.objects.delete(key).await,
            None => Ok(()),
        }
    }

    async fn delete_under(&self, folder: &str) -> Result<usize, StorageError> {
        match self.opened().await? {
            Some(_) => self.objects.delete_under(folder).await,
            None => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests;
