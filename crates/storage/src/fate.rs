//! A storage of which a test decides what becomes of each single action.
//!
//! What it never does is what no storage of ours does: show half an object, or forget what it has acknowledged. It fails with and
//! without having done what it was asked for, does it when nobody waits any more, breaks connections, and stores other bytes than it was given.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};

use crate::Storage;
use crate::backend::{Backend, Opened, SharedBackend, WriteObject};
use crate::error::{Attempt, StorageError};
use crate::storage::{Level, ObjectInfo};

/// What is asked of the storage. Keys are full: folder and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'a> {
    Put(&'a str),
    /// A piece of an object on its way.
    Write(&'a str),
    Delete(&'a str),
    Read(&'a str),
    Stat(&'a str),
    List(&'a str),
}

/// What becomes of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Done,
    /// Nothing is done, and the caller hears that the storage is away.
    Failed,
    /// Of a put or a piece: nothing is done, and the caller hears that there is no room.
    Full,
    /// It is done, and the caller hears that the storage is away. Of a read: the connection breaks in the middle.
    Unheard,
    /// Of a put: nothing is done yet, and the caller hears that the storage is away. See [`Fates::later`].
    Late,
    /// Of a put: one bit is another, and the caller hears nothing.
    Corrupted,
}

/// A put that will be done although its caller was told otherwise.
#[derive(Debug, Clone)]
pub struct Landing {
    pub key: String,
    pub bytes: Bytes,
}

/// Decides, and is told what it brought about.
#[async_trait]
pub trait Fates: Send + Sync + 'static {
    fn fate(&self, action: Action<'_>) -> Fate;

    /// Waited for before a put is decided: whoever holds objects back does it here.
    async fn before_put(&self) {}

    /// A put that was [`Fate::Late`]. To be put by whoever decides when, or never.
    fn later(&self, landing: Landing) {
        drop(landing);
    }
}

/// The same storage, at the mercy of `faults`.
pub fn fated(storage: &Storage, faults: Arc<dyn Fates>) -> Storage {
    let fated = Fated { inner: storage.backend().clone(), faults };
    Storage::over(Arc::new(fated)).within(storage.folder())
}

#[derive(Clone)]
struct Fated {
    inner: SharedBackend,
    faults: Arc<dyn Fates>,
}

impl Fated {
    fn away(&self, action: Action<'_>) -> StorageError {
        StorageError::Unavailable { at: Attempt::new(&self.inner.location(""), format!("{action:?}")).because("a fault of the test") }
    }

    fn full(&self, action: Action<'_>) -> StorageError {
        StorageError::NoSpace { at: Attempt::new(&self.inner.location(""), format!("{action:?}")).because("a fault of the test") }
    }

    /// For what is done or not done.
    fn decide(&self, action: Action<'_>) -> Result<(), StorageError> {
        match self.faults.fate(action) {
            Fate::Done => Ok(()),
            Fate::Full => Err(self.full(action)),
            _ => Err(self.away(action)),
        }
    }
}

#[async_trait]
impl Backend for Fated {
    fn location(&self, folder: &str) -> String {
        self.inner.location(folder)
    }

    fn problem(&self, key: &str) -> Option<String> {
        self.inner.problem(key)
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StorageError> {
        let action = Action::Put(key);
        self.faults.before_put().await;
        match self.faults.fate(action) {
            Fate::Done => self.inner.put(key, bytes).await,
            Fate::Failed => Err(self.away(action)),
            Fate::Full => Err(self.full(action)),
            Fate::Unheard => {
                self.inner.put(key, bytes).await?;
                Err(self.away(action))
            }
            Fate::Late => {
                self.faults.later(Landing { key: key.to_owned(), bytes });
                Err(self.away(action))
            }
            Fate::Corrupted => {
                let mut other = bytes.to_vec();
                let middle = other.len() / 2;
                if let Some(byte) = other.get_mut(middle) {
                    *byte ^= 1;
                }
                self.inner.put(key, other.into()).await
            }
        }
    }

    async fn writer(&self, key: &str) -> Result<Box<dyn WriteObject>, StorageError> {
        Ok(Box::new(Writing { fated: self.clone(), key: key.to_owned(), bytes: BytesMut::new() }))
    }

    async fn open(&self, key: &str, offset: u64) -> Result<Opened, StorageError> {
        let action = Action::Read(key);
        match self.faults.fate(action) {
            Fate::Done => self.inner.open(key, offset).await,
            Fate::Unheard => {
                let opened = self.inner.open(key, offset).await?;
                let broken = stream::iter([Err(self.away(action))]);
                Ok(Opened { stream: opened.stream.take(1).chain(broken).boxed(), ..opened })
            }
            _ => Err(self.away(action)),
        }
    }

    async fn stat(&self, key: &str) -> Result<ObjectInfo, StorageError> {
        self.decide(Action::Stat(key))?;
        self.inner.stat(key).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        self.decide(Action::List(folder))?;
        self.inner.list(folder).await
    }

    async fn list_after(&self, folder: &str, after: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        self.decide(Action::List(folder))?;
        self.inner.list_after(folder, after).await
    }

    async fn level(&self, folder: &str) -> Result<Level, StorageError> {
        self.decide(Action::List(folder))?;
        self.inner.level(folder).await
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let action = Action::Delete(key);
        match self.faults.fate(action) {
            Fate::Done => self.inner.delete(key).await,
            Fate::Unheard => {
                self.inner.delete(key).await?;
                Err(self.away(action))
            }
            _ => Err(self.away(action)),
        }
    }

    async fn delete_under(&self, folder: &str) -> Result<usize, StorageError> {
        let objects = self.list(folder).await?;
        for object in &objects {
            self.delete(&object.name).await?;
        }
        Ok(objects.len())
    }
}

/// Kept together until it is whole: tests write little.
struct Writing {
    fated: Fated,
    key: String,
    bytes: BytesMut,
}

#[async_trait]
impl WriteObject for Writing {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.fated.decide(Action::Write(&self.key))?;
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), StorageError> {
        let bytes = std::mem::take(&mut self.bytes).freeze();
        self.fated.put(&self.key, bytes).await
    }

    async fn abort(&mut self) -> Result<(), StorageError> {
        self.bytes.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Scripted {
        fates: Mutex<Vec<Fate>>,
        landings: Mutex<Vec<Landing>>,
    }

    impl Fates for Scripted {
        fn fate(&self, _action: Action<'_>) -> Fate {
            self.fates.lock().expect("one thread").pop().unwrap_or(Fate::Done)
        }

        fn later(&self, landing: Landing) {
            self.landings.lock().expect("one thread").push(landing);
        }
    }

    #[tokio::test]
    async fn each_fate_does_what_it_says() {
        let inner = Storage::memory().within("shop");
        let faults = Arc::new(Scripted { fates: Mutex::new(Vec::new()), landings: Mutex::new(Vec::new()) });
        let storage = fated(&inner, faults.clone());
        let next = |fate| faults.fates.lock().expect("one thread").push(fate);
        let bytes = Bytes::from_static(b"hello");

        next(Fate::Failed);
        assert!(storage.put("a", bytes.clone()).await.is_err_and(|error| error.is_temporary()));
        assert!(inner.get("a").await.is_err());
        next(Fate::Unheard);
        assert!(storage.put("a", bytes.clone()).await.is_err() && inner.get("a").await.is_ok());
        next(Fate::Late);
        assert!(storage.put("b", bytes.clone()).await.is_err() && inner.get("b").await.is_err());
        assert_eq!(faults.landings.lock().expect("one thread")[0].key, "shop/b");
        next(Fate::Corrupted);
        assert!(storage.put("c", bytes.clone()).await.is_ok());
        assert_eq!(inner.get("c").await.ok().as_deref(), Some(&b"hemlo"[..]));
        // A broken connection is taken up again.
        next(Fate::Unheard);
        assert_eq!(storage.get("a").await.ok(), Some(bytes));
        next(Fate::Unheard);
        assert!(storage.delete("a").await.is_err() && inner.get("a").await.is_err());
        next(Fate::Failed);
        assert!(storage.list("").await.is_err());
        assert_eq!(storage.list("").await.map(|objects| objects.len()).ok(), Some(1));
    }
}
