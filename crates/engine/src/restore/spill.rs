//! The temporary file of a fold: made when it is needed, without a name, gone with the process however that ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use oplogue_fold::Spill;

pub(super) struct TemporaryFile {
    folder: PathBuf,
    file: OnceLock<File>,
    end: AtomicU64,
}

impl TemporaryFile {
    /// In `folder`, or where the system keeps temporary files.
    pub(super) fn within(folder: Option<&Path>) -> Self {
        let folder = folder.map_or_else(tempfile::env::temp_dir, Path::to_owned);
        Self { folder, file: OnceLock::new(), end: AtomicU64::new(0) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes that can still be written into the folder.
    pub(super) fn free_bytes(&self) -> io::Result<u64> {
        let found = rustix::fs::statvfs(&self.folder)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn file(&self) -> io::Result<&File> {
        match self.file.get() {
            Some(file) => Ok(file),
            // Whoever comes second makes one that is gone at once.
            None => {
                let made = tempfile::tempfile_in(&self.folder)?;
                Ok(self.file.get_or_init(|| made))
            }
        }
    }
}

impl Spill for TemporaryFile {
    fn write(&self, block: &[u8]) -> io::Result<u64> {
        let file = self.file()?;
        let at = self.end.fetch_add(block.len() as u64, Ordering::Relaxed);
        file.write_all_at(block, at)?;
        Ok(at)
    }

    fn read(&self, at: u64, block: &mut [u8]) -> io::Result<()> {
        self.file()?.read_exact_at(block, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back_and_the_folder_stays_empty() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = TemporaryFile::within(Some(folder.path()));
        let places = [b"first".as_slice(), b"second", b""].map(|block| (block, file.write(block)));
        for (block, place) in places {
            let mut read = vec![0; block.len()];
            file.read(place?, &mut read)?;
            assert_eq!(read, block);
        }
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
        assert!(file.free_bytes()? > 0);
        Ok(())
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_by_the_first_write() {
        let file = TemporaryFile::within(Some(Path::new("/no/such/folder")));
        assert!(file.write(b"block").is_err() && file.free_bytes().is_err());
    }
}
