//! What a kind of storage has to be able to do; everything else is built on it in [`crate::Storage`].
//!
//! Keys given to a backend have passed [`crate::name::problem`].

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::error::StorageError;
use crate::storage::{Level, ObjectInfo};

/// A shared backend.
pub(crate) type SharedBackend = Arc<dyn Backend>;

/// The part of an object that [`Backend::open`] gives: all bytes from the offset asked for.
pub(crate) struct Opened {
    /// Size of the whole object.
    pub(crate) bytes: u64,
    /// What identifies this version of the object, when the storage knows: an object replaced meanwhile has another one.
    pub(crate) version: Option<String>,
    /// The bytes from the offset on.
    pub(crate) stream: BoxStream<'static, Result<Bytes, StorageError>>,
}

#[async_trait]
pub(crate) trait Backend: Send + Sync + 'static {
    /// For people, without secrets; `folder` is the part of the key that this view is within.
    fn location(&self, folder: &str) -> String;

    /// Why this storage cannot hold `key`, beyond the common rules.
    fn problem(&self, key: &str) -> Option<String>;

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StorageError>;
    async fn writer(&self, key: &str) -> Result<Box<dyn WriteObject>, StorageError>;
    async fn open(&self, key: &str, offset: u64) -> Result<Opened, StorageError>;
    async fn stat(&self, key: &str) -> Result<ObjectInfo, StorageError>;

    /// All objects below `folder` (empty: all), by full key, in any order.
    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>, StorageError>;

    /// As [`Backend::list`], but only objects whose key is later than `after`, compared byte by byte. May give earlier ones too.
    async fn list_after(&self, folder: &str, after: &str) -> Result<Vec<ObjectInfo>, StorageError>;

    /// What lies directly in `folder`, by full key: objects, and folders with something in them.
    async fn level(&self, folder: &str) -> Result<Level, StorageError>;

    /// Absent is fine.
    async fn delete(&self, key: &str) -> Result<(), StorageError>;

    /// Deletes all objects below `folder`, and whatever the storage itself left there. Returns how many objects went.
    async fn delete_under(&self, folder: &str) -> Result<usize, StorageError>;
}

/// One object on its way; invisible until [`WriteObject::finish`]. Dropping it removes what was written.
#[async_trait]
pub(crate) trait WriteObject: Send {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError>;
    async fn finish(&mut self) -> Result<(), StorageError>;
    async fn abort(&mut self) -> Result<(), StorageError>;
}
