//! A storage that counts what it is asked for, for tests that promise to ask for little.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use crate::Storage;
use crate::backend::{Backend, Opened, SharedBackend, WriteObject};
use crate::error::StorageError;
use crate::storage::{Level, ObjectInfo};

/// What S3 gives in one answer.
const PAGE: usize = 1000;

/// Cheap to clone; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    requests: AtomicU64,
    listed: AtomicU64,
}

impl Counts {
    /// Requests that S3 would have had to answer; a listing is one per thousand entries.
    pub fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// Objects and folders that listings gave.
    pub fn listed(&self) -> u64 {
        self.0.listed.load(Ordering::Relaxed)
    }

    pub fn reset(&self) {
        self.0.requests.store(0, Ordering::Relaxed);
        self.0.listed.store(0, Ordering::Relaxed);
    }

    fn request(&self) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
    }

    fn listing(&self, entries: usize) {
        self.0.requests.fetch_add(entries.div_ceil(PAGE).max(1) as u64, Ordering::Relaxed);
        self.0.listed.fetch_add(entries as u64, Ordering::Relaxed);
    }
}

/// The same storage, with what is asked of it counted.
pub fn counted(storage: &Storage) -> (Storage, Counts) {
    let counts = Counts::default();
    let counting = Counting { inner: storage.backend().clone(), counts: counts.clone() };
    (Storage::over(Arc::new(counting)).within(storage.folder()), counts)
}

struct Counting {
    inner: SharedBackend,
    counts: Counts,
}

#[async_trait]
impl Backend for Counting {
    fn location(&self, folder: &str) -> String {
        self.inner.location(folder)
    }

    fn problem(&self, key: &str) -> Option<String> {
        self.inner.problem(key)
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StorageError> {
        self.counts.request();
        self.inner.put(key, bytes).await
    }

    async fn writer(&self, key: &str) -> Result<Box<dyn WriteObject>, StorageError> {
        self.counts.request();
        self.inner.writer(key).await
    }

    async fn open(&self, key: &str, offset: u64) -> Result<Opened, StorageError> {
        self.counts.request();
        self.inner.open(key, offset).await
    }

    async fn stat(&self, key: &str) -> Result<ObjectInfo, StorageError> {
        self.counts.request();
        self.inner.stat(key).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        let found = self.inner.list(folder).await?;
        self.counts.listing(found.len());
        Ok(found)
    }

    async fn list_after(&self, folder: &str, after: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        let found = self.inner.list_after(folder, after).await?;
        self.counts.listing(found.len());
        Ok(found)
    }

    async fn level(&self, folder: &str) -> Result<Level, StorageError> {
        let level = self.inner.level(folder).await?;
        self.counts.listing(level.objects.len() + level.folders.len());
        Ok(level)
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        self.counts.request();
        self.inner.delete(key).await
    }

    async fn delete_under(&self, folder: &str) -> Result<usize, StorageError> {
        self.counts.request();
        self.inner.delete_under(folder).await
    }
}
