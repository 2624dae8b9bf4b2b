//! [`Storage`]: one place for objects, or a folder of it.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;

use crate::backend::{Backend, Opened, SharedBackend};
use crate::encrypted::{Beginning, Encrypted, EncryptionKey};
use crate::error::{Attempt, StorageError};
use crate::memory::Memory;
use crate::name;
use crate::options::StorageOptions;
use crate::reader::ObjectReader;
use crate::writer::ObjectWriter;

/// A place for named objects, or a folder of such a place. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Storage {
    backend: SharedBackend,
    /// The folder this view is within, without slashes around it; empty for the whole.
    folder: String,
}

/// What a listing tells of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectInfo {
    /// Relative to the storage it was asked of.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// When it was last written, by the storage's clock; `None` where that is not known (memory).
    pub modified: Option<SystemTime>,
}

/// What lies directly in a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Level {
    /// Sorted by name.
    pub objects: Vec<ObjectInfo>,
    /// Folders with at least one object below them, sorted, without a slash at the end.
    pub folders: Vec<String>,
}

impl Storage {
    /// Opens the storage that `url` names. Nothing is contacted yet: see [`Storage::probe`].
    ///
    /// - `file:///absolute/folder`; the folder is made by the first write.
    /// - `s3://bucket/prefix?endpoint=URL&region=NAME&path-style=true|false`. All three are optional. `region` falls back to
    ///   `AWS_REGION`, `AWS_DEFAULT_REGION`, `us-east-1`; `endpoint` to `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, then Amazon's; path style
    ///   is the default whenever there is an endpoint, or the bucket's name has a dot.
    /// - `gs://bucket/prefix`; `?endpoint=URL` for emulators.
    /// - `az://container/prefix?account=NAME`; `account` falls back to `AZURE_STORAGE_ACCOUNT_NAME`; `endpoint=URL` for emulators and
    ///   private clouds.
    ///
    /// Characters that mean something in URLs (`%`, `#`, `?`, space) are written percent-encoded. Credentials do not belong there.
    pub fn open(url: &str, options: &StorageOptions) -> Result<Self, StorageError> {
        crate::url::open(url, options)
    }

    /// An empty storage in memory, for tests. Clones share it.
    pub fn memory() -> Self {
        Self::over(Arc::new(Memory::default()))
    }

    /// The same folder, with every object encrypted before it goes there and decrypted when it comes back; see [`crate::encrypted`].
    ///
    /// Nothing is contacted yet: a wrong key is told by the first call that needs it.
    pub fn encrypted(&self, key: EncryptionKey, beginning: Beginning) -> Self {
        Self::over(Arc::new(Encrypted::new(self.clone(), key, beginning)))
    }

    /// Whether an object may have this name here. Asks nobody: it is a matter of the kind of storage.
    pub fn holds(&self, name: &str) -> bool {
        self.key(name).is_ok()
    }

    #[cfg(feature = "testing")]
    pub(crate) fn backend(&self) -> &SharedBackend {
        &self.backend
    }

    #[cfg(feature = "testing")]
    pub(crate) fn folder(&self) -> &str {
        &self.folder
    }

    pub(crate) fn over(backend: Arc<dyn Backend>) -> Self {
        Self { backend, folder: String::new() }
    }

    /// The folder `folder` as a storage of its own; names are then relative to it. `""` gives the same storage.
    ///
    /// A folder that cannot be is told by the first call that uses it ([`StorageError::BadName`]).
    pub fn within(&self, folder: &str) -> Self {
        Self { backend: self.backend.clone(), folder: name::join(&self.folder, name::trim(folder)) }
    }

    /// Where this is, for people: without secrets, e.g. `s3://bucket/prefix (http://127.0.0.1:9000)`.
    pub fn location(&self) -> String {
        self.backend.location(&self.folder)
    }

    /// Writes a whole object. It is durable and visible when this returns, and never half visible.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<(), StorageError> {
        self.backend.put(&self.key(name)?, bytes).await.map_err(|e| self.named(e, name))
    }

    /// Begins an object that is written piece by piece.
    pub async fn writer(&self, name: &str) -> Result<ObjectWriter, StorageError> {
        let writer = self.backend.writer(&self.key(name)?).await.map_err(|e| self.named(e, name))?;
        Ok(ObjectWriter::new(writer))
    }

    /// Reads a whole object into memory. For objects that are known to be small.
    pub async fn get(&self, name: &str) -> Result<Bytes, StorageError> {
        let mut reader = self.reader(name).await?;
        // The announced size only bounds what is reserved at once: it came from outside.
        let mut whole = BytesMut::with_capacity(reader.bytes().min(1 << 20) as usize);
        while let Some(piece) = reader.try_next().await.map_err(|e| self.unwrapped(e, name))? {
            if whole.is_empty() && piece.len() as u64 == reader.bytes() {
                return Ok(piece);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// Reads an object piece by piece, in bounded memory, resuming after broken connections.
    pub async fn reader(&self, name: &str) -> Result<ObjectReader, StorageError> {
        let key = self.key(name)?;
        let opened = self.backend.open(&key, 0).await.map_err(|e| self.named(e, name))?;
        let attempt = Attempt::new(&self.location(), format!("read {name:?}"));
        Ok(ObjectReader::new(self.backend.clone(), key, attempt, opened))
    }

    /// The bytes of an object from `offset` on, as the backend gives them.
    pub(crate) async fn open_at(&self, name: &str, offset: u64) -> Result<Opened, StorageError> {
        self.backend.open(&self.key(name)?, offset).await.map_err(|e| self.named(e, name))
    }

    /// Size and time of an object.
    pub async fn stat(&self, name: &str) -> Result<ObjectInfo, StorageError> {
        let info = self.backend.stat(&self.key(name)?).await.map_err(|e| self.named(e, name))?;
        Ok(ObjectInfo { name: name.to_owned(), ..info })
    }

    /// All objects below the folder `prefix` (`""`: all), at any depth, sorted by name. A folder that does not exist is empty.
    ///
    /// `prefix` is a folder, not the beginning of a name: `a` finds `a/b`, neither `a` nor `ab`. Names are relative to the storage, so
    /// they include `prefix`. On filesystems, files whose name ends in `.tmp` are left out, as PBM does: they are unfinished.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        let folder = self.folder_key(prefix)?;
        let mut objects = self.backend.list(&folder).await?;
        for object in &mut objects {
            self.relative(&mut object.name);
        }
        objects.sort();
        Ok(objects)
    }

    /// As [`Storage::list`], but only objects whose name is later than `start_after`, compared byte by byte; it need not be the name of
    /// an object. On S3 earlier ones are not even looked at, on filesystems folders of earlier ones are not entered.
    pub async fn list_after(&self, prefix: &str, start_after: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        let folder = self.folder_key(prefix)?;
        let after = self.key(start_after)?;
        let objects = self.backend.list_after(&folder, &after).await?;
        // Some look-alikes of S3 do not know `start-after`.
        let mut objects: Vec<_> = objects.into_iter().filter(|object| object.name > after).collect();
        for object in &mut objects {
            self.relative(&mut object.name);
        }
        objects.sort();
        Ok(objects)
    }

    /// What lies directly in the folder `prefix` (`""`: the storage itself): one request for up to a thousand entries, however much lies
    /// deeper. Names are relative to the storage, so they include `prefix`.
    pub async fn level(&self, prefix: &str) -> Result<Level, StorageError> {
        let mut level = self.backend.level(&self.folder_key(prefix)?).await?;
        level.objects.iter_mut().for_each(|object| self.relative(&mut object.name));
        level.folders.iter_mut().for_each(|folder| self.relative(folder));
        level.objects.sort();
        level.folders.sort();
        level.folders.dedup();
        Ok(level)
    }

    /// The folders directly in the folder `prefix`; see [`Storage::level`].
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.level(prefix).await?.folders)
    }

    /// Deletes an object; an absent one is fine.
    pub async fn delete(&self, name: &str) -> Result<(), StorageError> {
        self.backend.delete(&self.key(name)?).await.map_err(|e| self.named(e, name))
    }

    /// Deletes all objects below the folder `prefix` and returns how many there were. `""` deletes everything.
    ///
    /// Not one action: after an error or a crash some may be gone and others not; calling again finishes.
    pub async fn delete_under(&self, prefix: &str) -> Result<usize, StorageError> {
        let folder = self.folder_key(prefix)?;
        self.backend.delete_under(&folder).await
    }

    /// From a full key of something below our folder to its name.
    fn relative(&self, key: &mut String) {
        let above = if self.folder.is_empty() { 0 } else { self.folder.len() + 1 };
        key.drain(..above);
    }

    pub(crate) fn key(&self, name: &str) -> Result<String, StorageError> {
        let problem = name::problem(name).map(|reason| (name.to_owned(), reason));
        let key = name::join(&self.folder, name);
        // The folder came from outside too (`within`).
        let problem = problem
            .or_else(|| name::problem(&key).map(|reason| (key.clone(), reason)))
            .or_else(|| self.backend.problem(&key).map(|reason| (name.to_owned(), reason)));
        match problem {
            None => Ok(key),
            Some((name, reason)) => Err(StorageError::BadName { location: self.location(), name, reason }),
        }
    }

    fn folder_key(&self, prefix: &str) -> Result<String, StorageError> {
        match name::trim(prefix) {
            "" if self.folder.is_empty() => Ok(String::new()),
            "" => {
                let whole = Self { backend: self.backend.clone(), folder: String::new() };
                whole.key(&self.folder)
            }
            prefix => self.key(prefix),
        }
    }

    /// Errors name objects as the caller did, not by their full key.
    fn named(&self, error: StorageError, name: &str) -> StorageError {
        match error {
            StorageError::NotFound { at, .. } => StorageError::NotFound { name: name.to_owned(), at },
            StorageError::Damaged { at, .. } => StorageError::Damaged { name: name.to_owned(), at },
            StorageError::BadName { location, reason, .. } => StorageError::BadName { location, name: name.to_owned(), reason },
            other => other,
        }
    }

    /// The storage's error that a reader's stream had to wrap.
    fn unwrapped(&self, error: std::io::Error, name: &str) -> StorageError {
        match error.downcast::<StorageError>() {
            Ok(error) => self.named(error, name),
            Err(error) => {
                let attempt = Attempt::new(&self.location(), format!("read {name:?}"));
                StorageError::Other { at: attempt.because(error) }
            }
        }
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Storage").field(&self.location()).finish()
    }
}
