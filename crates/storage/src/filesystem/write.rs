//! Write aside, sync, rename, sync the folder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::blocking;
use super::direct::Direct;
use crate::backend::WriteObject;
use crate::error::{Attempt, StorageError};

/// How files written aside begin and end. The end makes PBM's listings, too, leave them out.
pub(super) const ASIDE_PREFIX: &str = ".oplogue-";
pub(super) const ASIDE_SUFFIX: &str = ".tmp";

/// Numbers the files this process writes aside.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A folder may be removed (`delete` tidies empty ones) between making it and creating a file in it; then both are done again.
const CREATE_TRIES: usize = 50;

/// A file on its way: beside its final place, under another name. Dropped before [`Aside::publish`], it is removed.
pub(super) struct Aside {
    file: File,
    direct: Direct,
    aside: PathBuf,
    /// `None` once published.
    path: Option<PathBuf>,
}

impl Aside {
    /// Makes the folders above `path` and the file aside.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let folder = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
        // Told now, not after hours of writing.
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut tries = 0;
        loop {
            tries += 1;
            match make_folder(folder).and_then(|()| create_new(folder)) {
                Ok((file, aside)) => {
                    let path = Some(path.to_owned());
                    return Ok(Self { file, direct: Direct::default(), aside, path });
                }
                // Left by an earlier process with our id (or by another machine on a shared filesystem), or the folder went.
                Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) && tries < CREATE_TRIES => {}
                // Not "no such object", which this would otherwise be taken for.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(io::Error::other(format!("the folder cannot be made there: {error}")));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes the only bytes of a small object.
    pub(super) fn write_whole(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Appends `bytes` if that needs no call of the system.
    fn stage(&mut self, bytes: &[u8]) -> bool {
        self.direct.stage(bytes)
    }

    /// Appends `bytes`.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.direct.write(&self.file, bytes)
    }

    /// Makes the file durable and visible under its own name.
    pub(super) fn publish(mut self) -> io::Result<()> {
        self.direct.finish(&self.file)?;
        self.file.sync_all()?;
        let Some(path) = self.path.take() else {
            return Ok(());
        };
        if let Err(error) = fs::rename(&self.aside, &path) {
            self.path = Some(path);
            return Err(error);
        }
        path.parent().map_or(Ok(()), sync_folder)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if self.path.is_some() {
            // Best effort: what stays is never listed.
            let _ = fs::remove_file(&self.aside);
        }
    }
}

fn create_new(folder: &Path) -> io::Result<(File, PathBuf)> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let aside = folder.join(format!("{ASIDE_PREFIX}{}-{number}{ASIDE_SUFFIX}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&aside)?;
    Ok((file, aside))
}

/// Makes `folder` and those above it, each made durable in the one above.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_folder(above)?;
    }
    match DirBuilder::new().mode(0o755).create(folder) {
        Ok(()) => folder.parent().map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match fs::metadata(folder) {
            Ok(found) if found.is_dir() => Ok(()),
            // A file lies where the folder should be.
            Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
            // It went again, or it is a link that leads nowhere.
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network filesystems cannot sync a folder, and need not.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// [`Aside`] for async callers.
pub(super) struct Writing {
    /// `None` while a blocking thread has it, so also after a call was cancelled: what was written then is uncertain.
    aside: Option<Aside>,
    attempt: Attempt,
    key: String,
}

impl Writing {
    pub(super) fn new(aside: Aside, attempt: Attempt, key: String) -> Self {
        Self { aside: Some(aside), attempt, key }
    }

    fn take(&mut self) -> Result<Aside, StorageError> {
        let broken = "an earlier write of this object failed or was cancelled";
        self.aside.take().ok_or_else(|| StorageError::Other { at: self.attempt.because(broken) })
    }
}

#[async_trait]
impl WriteObject for Writing {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        // A copy in memory is not worth another thread.
        if self.aside.as_mut().is_some_and(|aside| aside.stage(&bytes)) {
            return Ok(());
        }
        let mut aside = self.take()?;
        let written = move || aside.write(&bytes).map(|()| aside);
        self.aside = Some(blocking(&self.attempt, &self.key, written).await?);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), StorageError> {
        let aside = self.take()?;
        blocking(&self.attempt, &self.key, move || aside.publish()).await
    }

    async fn abort(&mut self) -> Result<(), StorageError> {
        let aside = self.aside.take();
        let removed = move || {
            drop(aside);
            Ok(())
        };
        blocking(&self.attempt, &self.key, removed).await
    }
}
