//! A folder as storage, in PBM's way: an object is a file at the path of its name.
//!
//! Written aside, synced, renamed, and the folder synced: when a write returns, the object survives a power cut; before, there is
//! nothing under its name. Files get mode 0644 and folders 0755 (less the umask), as PBM's, since both may run as different users.
//! A crash leaves at most a `.oplogue-*.tmp` file. All calls run on blocking threads.

mod direct;
mod walk;
mod write;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::Semaphore;

use crate::backend::{Backend, Opened, WriteObject};
use crate::error::{Attempt, StorageError};
use crate::name;
use crate::storage::{Level, ObjectInfo};

/// What is read at once: few enough switches of thread, little enough memory.
const PIECE_BYTES: usize = 256 * 1024;

/// `NAME_MAX` of every common Linux filesystem.
const COMPONENT_BYTES_MAX: usize = 255;

/// Calls under way at once. A mount that hangs holds each of its threads until it comes back: it must not get all of the process's.
const CALLS_AT_ONCE: usize = 6;

pub(crate) struct Filesystem {
    root: PathBuf,
    turns: Arc<Semaphore>,
}

impl Filesystem {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, turns: Arc::new(Semaphore::new(CALLS_AT_ONCE)) }
    }

    fn attempt(&self, action: &str, key: &str) -> Attempt {
        Attempt::new(&self.location(""), format!("{action} {key:?}"))
    }

    /// Runs `work` on a blocking thread and gives its failure the meaning it has for `key`.
    async fn run<T: Send + 'static>(
        &self,
        action: &str,
        key: &str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        // Nobody closes it. Given back when the call has really ended, also when nobody waits for it any more.
        let turn = self.turns.clone().acquire_owned().await.ok();
        let work = move || {
            let result = work();
            drop(turn);
            result
        };
        blocking(&self.attempt(action, key), key, work).await
    }
}

/// See [`Filesystem::run`].
async fn blocking<T: Send + 'static>(
    attempt: &Attempt,
    key: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StorageError> {
    let done = tokio::task::spawn_blocking(work).await;
    let result = done.unwrap_or_else(|broken| Err(io::Error::other(broken)));
    result.map_err(|error| StorageError::from_io(attempt, key, &error))
}

#[async_trait]
impl Backend for Filesystem {
    fn location(&self, folder: &str) -> String {
        format!("file://{}", path_of(&self.root, folder).display())
    }

    fn problem(&self, key: &str) -> Option<String> {
        let long = key.split('/').find(|component| component.len() > COMPONENT_BYTES_MAX)?;
        Some(format!("a component has {} bytes, and filesystems allow {COMPONENT_BYTES_MAX}", long.len()))
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StorageError> {
        let path = self.root.join(key);
        self.run("write", key, move || {
            let mut aside = write::Aside::create(&path)?;
            aside.write_whole(&bytes)?;
            aside.publish()
        })
        .await
    }

    async fn writer(&self, key: &str) -> Result<Box<dyn WriteObject>, StorageError> {
        let path = self.root.join(key);
        let aside = self.run("write", key, move || write::Aside::create(&path)).await?;
        Ok(Box::new(write::Writing::new(aside, self.attempt("write", key), key.to_owned())))
    }

    async fn open(&self, key: &str, offset: u64) -> Result<Opened, StorageError> {
        let path = self.root.join(key);
        let (file, bytes) = self.run("read", key, move || open_file(&path, offset)).await?;
        let state = (file, self.attempt("read", key), key.to_owned());
        let stream = stream::try_unfold(state, |(file, attempt, key)| async move {
            let (file, piece) = blocking(&attempt, &key, move || read_piece(file)).await?;
            Ok((!piece.is_empty()).then_some((piece, (file, attempt, key))))
        });
        Ok(Opened { bytes, version: None, stream: stream.boxed() })
    }

    async fn stat(&self, key: &str) -> Result<ObjectInfo, StorageError> {
        let path = self.root.join(key);
        let metadata = self.run("look at", key, move || regular(fs::metadata(path))).await?;
        Ok(ObjectInfo { name: key.to_owned(), bytes: metadata.len(), modified: metadata.modified().ok() })
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        let root = self.root.clone();
        let below = folder.to_owned();
        self.run("list", folder, move || walk::objects(&root, &below)).await
    }

    async fn list_after(&self, folder: &str, after: &str) -> Result<Vec<ObjectInfo>, StorageError> {
        let (root, below, after) = (self.root.clone(), folder.to_owned(), after.to_owned());
        self.run("list", folder, move || walk::objects_after(&root, &below, &after)).await
    }

    async fn level(&self, folder: &str) -> Result<Level, StorageError> {
        let (root, below) = (self.root.clone(), folder.to_owned());
        self.run("list", folder, move || walk::level(&root, &below)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let (root, key_owned) = (self.root.clone(), key.to_owned());
        self.run("delete", key, move || walk::delete(&root, &key_owned)).await
    }

    async fn delete_under(&self, folder: &str) -> Result<usize, StorageError> {
        let (root, below) = (self.root.clone(), folder.to_owned());
        self.run("delete all below", folder, move || walk::delete_under(&root, &below)).await
    }
}

/// Absent objects and folders in the way look the same as on S3: there is no such object.
fn regular(found: io::Result<fs::Metadata>) -> io::Result<fs::Metadata> {
    match found {
        Ok(metadata) if metadata.is_file() => Ok(metadata),
        Ok(_) => Err(io::Error::new(io::ErrorKind::NotFound, "there is a folder of this name, not a file")),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(io::Error::new(io::ErrorKind::NotFound, error)),
        Err(error) => Err(error),
    }
}

fn open_file(path: &Path, offset: u64) -> io::Result<(File, u64)> {
    // Looked at before opening: opening a named pipe would wait for its writer.
    regular(fs::metadata(path))?;
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    file.seek(SeekFrom::Start(offset))?;
    Ok((file, bytes))
}

fn read_piece(mut file: File) -> io::Result<(File, Bytes)> {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    let limit = PIECE_BYTES as u64;
    (&mut file).take(limit).read_to_end(&mut piece)?;
    Ok((file, piece.into()))
}

/// The folders above `key`, deepest first, not the root itself.
fn folders_above(key: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(key.rsplit_once('/').map(|(above, _)| above), |above| above.rsplit_once('/').map(|(above, _)| above))
}

/// `root/key` for keys that may be empty (the root).
fn path_of(root: &Path, key: &str) -> PathBuf {
    if key.is_empty() { root.to_owned() } else { root.join(name::trim(key)) }
}
