//! A storage that fails on purpose, for tests of what must survive it.
//!
//! What it does is switched at run time and holds for every call that comes from then on, and for the pieces of objects under way.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::Storage;
use crate::backend::{Backend, Opened, SharedBackend, WriteObject};
use crate::error::{Attempt, StorageError};
use crate::storage::{Level, ObjectInfo};

/// What the storage does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageFault {
    None,
    /// It cannot be reached.
    Away,
    /// Reading works, writing finds no room.
    Full,
    /// It writes the object, and then cannot be reached to say so.
    AnswerLost,
    /// An object that is finished waits until this is over, and is then published.
    PublishHeld,
}

/// Switches the fault of a storage made by [`faulty`].
#[derive(Debug, Clone)]
pub struct Faults(watch::Sender<StorageFault>);

impl Faults {
    pub fn set(&self, fault: StorageFault) {
        self.0.send_replace(fault);
    }
}

/// The same storage, with faults.
pub fn faulty(storage: &Storage) -> (Storage, Faults) {
    let (sender, fault) = watch::channel(StorageFault::None);
    let backend = Faulty { inner: storage.backend().clone(), gate: Gate { fault } };
    (Storage::over(Arc::new(backend)).within(storage.folder()), Faults(sender))
}

#[derive(Clone)]
struct Gate {
    fault: watch::Receiver<StorageFault>,
}

impl Gate {
    fn now(&self) -> StorageFault {
        *self.fault.borrow()
    }

    fn read(&self, action: &str, key: &str) -> Result<(), StorageError> {
        match self.now() {
            StorageFault::Away => Err(away(action, key)),
            _ => Ok(()),
        }
    }

    fn write(&self, key: &str) -> Result<(), StorageError> {
        let at = || Attempt::new("a faulty storage", format!("write {key:?}")).because("for a test");
        match self.now() {
            StorageFault::Away => Err(away("write", key)),
            StorageFault::Full => Err(StorageError::NoSpace { at: at() }),
            _ => Ok(()),
        }
    }

    /// Around the moment at which an object becomes visible.
    async fn publish(&mut self, key: &str, publish: impl Future<Output = Result<(), StorageError>> + Send) -> Result<(), StorageError> {
        self.write(key)?;
        // A test that is over holds nothing back.
        let _ = self.fault.wait_for(|fault| *fault != StorageFault::PublishHeld).await;
        publish.await?;
        if self.now() == StorageFault::AnswerLost { Err(away("write", key)) } else { Ok(()) }
    }
}

fn away(action: &str, key: &str) -> StorageError {
    StorageError::Unavailable { at: Attempt::new("a faulty storage", format!("{action} {key:?}")).because("for a test") }
}

struct Faulty {
    inner: SharedBackend,
    gate: Gate,
}

#[async_trait]
impl Backend for Faulty {
    fn location(&self, folder: &str) -> String {
        self.inner.location(folder)
    }

    fn problem(&self, key: &str) -> Option<String> {
        self.inner.problem(key)
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StorageError> {
        self.gate.clone().publish(key, self.inner.put(key, bytes)).await
    }

    async fn writer(&self, key: &str) -> Result<Box<dyn WriteObject>, StorageError> {
        self.gate.write(key)?;
        let inner = self.inner.writer(key).await?;
        Ok(Box::new(Writing { inner, gate: self.gate.clone(), key: key.to_owned() }))
    }

    async fn open(&self, key: &str, offset: u64) -> Result<Opened, StorageError> {
        self.gate.read("read", key)?;
        self.inner.open(key, offset).await
    }

    async fn stat(&self, key: &str) -> Result<ObjectInfo, StorageError> {
        self.gate.read("look at", key)?;
        self.inner.stat(key).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        self.gate.read("list", folder)?;
        self.inner.list(folder).await
    }

    async fn list_after(&self, folder: &str, after: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        self.gate.read("list", folder)?;
        self.inner.list_after(folder, after).await
    }

    async fn level(&self, folder: &str) -> Result<Level, StorageError> {
        self.gate.read("list", folder)?;
        self.inner.level(folder).await
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        self.gate.read("delete", key)?;
        self.inner.delete(key).await
    }

    async fn delete_under(&self, folder: &str) -> Result<usize, StorageError> {
        self.gate.read("delete all below", folder)?;
        self.inner.delete_under(folder).await
    }
}

struct Writing {
    inner: Box<dyn WriteObject>,
    gate: Gate,
    key: String,
}

#[async_trait]
impl WriteObject for Writing {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.gate.write(&self.key)?;
        self.inner.write(bytes).await
    }

    async fn finish(&mut self) -> Result<(), StorageError> {
        self.gate.publish(&self.key, self.inner.finish()).await
    }

    async fn abort(&mut self) -> Result<(), StorageError> {
        self.inner.abort().await
    }
}
