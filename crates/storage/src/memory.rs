//! A storage in memory, for tests: the promises of the others without disk or network.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};

use crate::backend::{Backend, Opened, WriteObject};
use crate::error::{Attempt, StorageError};
use crate::name;
use crate::storage::{Level, ObjectInfo};

type Objects = BTreeMap<String, Bytes>;

#[derive(Default, Clone)]
pub(crate) struct Memory {
    objects: Arc<Mutex<Objects>>,
}

/// Pieces as a real storage would give them, so that readers are tested with more than one.
const PIECE_BYTES: usize = 64 * 1024;

impl Memory {
    fn objects(&self) -> MutexGuard<'_, Objects> {
        // A panic elsewhere cannot leave the map half changed: each change is one call.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missing(&self, key: &str, action: &str) -> StorageError {
        let at = Box::new(Attempt::new(&self.location(""), format!("{action} {key:?}")));
        StorageError::NotFound { name: key.to_owned(), at }
    }

    fn below(folder: &str) -> String {
        if folder.is_empty() { String::new() } else { format!("{folder}/") }
    }
}

#[async_trait]
impl Backend for Memory {
    fn location(&self, folder: &str) -> String {
        format!("memory:{}", name::join("", folder))
    }

    fn problem(&self, _key: &str) -> Option<String> {
        None
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StorageError> {
        self.objects().insert(key.to_owned(), bytes);
        Ok(())
    }

    async fn writer(&self, key: &str) -> Result<Box<dyn WriteObject>, StorageError> {
        Ok(Box::new(Writing { memory: self.clone(), key: key.to_owned(), bytes: BytesMut::new() }))
    }

    async fn open(&self, key: &str, offset: u64) -> Result<Opened, StorageError> {
        let mut bytes = self.objects().get(key).cloned().ok_or_else(|| self.missing(key, "read"))?;
        let length = bytes.len();
        // Beyond the end there is nothing, as after a replacement by something shorter.
        let mut rest = bytes.split_off(usize::try_from(offset).unwrap_or(length).min(length));
        let pieces = std::iter::from_fn(move || match rest.len() {
            0 => None,
            length => Some(Ok(rest.split_to(length.min(PIECE_BYTES)))),
        });
        Ok(Opened { bytes: length as u64, version: None, stream: stream::iter(pieces).boxed() })
    }

    async fn stat(&self, key: &str) -> Result<ObjectInfo, StorageError> {
        let objects = self.objects();
        let bytes = objects.get(key).ok_or_else(|| self.missing(key, "look at"))?.len() as u64;
        Ok(ObjectInfo { name: key.to_owned(), bytes, modified: None })
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        let below = Self::below(folder);
        let info = |(key, bytes): (&String, &Bytes)| ObjectInfo { name: key.clone(), bytes: bytes.len() as u64, modified: None };
        Ok(self.objects().iter().filter(|(key, _)| key.starts_with(&below)).map(info).collect())
    }

    async fn list_after(&self, folder: &str, after: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        let below = Self::below(folder);
        let info = |(key, bytes): (&String, &Bytes)| ObjectInfo { name: key.clone(), bytes: bytes.len() as u64, modified: None };
        let later = (Bound::Excluded(after.max(&below).to_owned()), Bound::Unbounded);
        Ok(self.objects().range::<String, _>(later).take_while(|(key, _)| key.starts_with(&below)).map(info).collect())
    }

    async fn level(&self, folder: &str) -> Result<Level, StorageError> {
        let below = Self::below(folder);
        let mut level = Level::default();
        let objects = self.objects();
        let mut position = below.clone();
        // From one entry of the level to the next: what lies deeper is jumped over.
        while let Some((key, bytes)) = objects.range::<str, _>((Bound::Included(position.as_str()), Bound::Unbounded)).next() {
            let Some(rest) = key.strip_prefix(&below) else { break };
            match rest.split_once('/') {
                None => {
                    level.objects.push(ObjectInfo { name: key.clone(), bytes: bytes.len() as u64, modified: None });
                    position = format!("{key}\0");
                }
                Some((folder, _)) => {
                    level.folders.push(format!("{below}{folder}"));
                    // `0` follows `/`.
                    position = format!("{below}{folder}0");
                }
            }
        }
        Ok(level)
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        self.objects().remove(key);
        Ok(())
    }

    async fn delete_under(&self, folder: &str) -> Result<usize, StorageError> {
        let below = Self::below(folder);
        let mut objects = self.objects();
        let before = objects.len();
        objects.retain(|key, _| !key.starts_with(&below));
        Ok(before - objects.len())
    }
}

struct Writing {
    memory: Memory,
    key: String,
    bytes: BytesMut,
}

#[async_trait]
impl WriteObject for Writing {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), StorageError> {
        let bytes = std::mem::take(&mut self.bytes).freeze();
        self.memory.put(&self.key, bytes).await
    }

    async fn abort(&mut self) -> Result<(), StorageError> {
        self.bytes.clear();
        Ok(())
    }
}
