//! The folder that holds all the server knows, and the promise that only one server works in it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Context;

/// Held while the server runs. The system takes it back however the process ends.
#[derive(Debug)]
pub struct DataDir {
    lock: File,
}

const LOCK: &str = "lock";

impl DataDir {
    /// Makes the folder if need be (for its owner only) and locks it.
    ///
    /// # Errors
    /// When another server works in it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("make the data directory {}", path.display()))?;
        let file = path.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&file)
            .with_context(|| format!("open {} in the data directory", file.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { lock }),
            Err(TryLockError::WouldBlock) => {
                let where_to = std::fs::read_to_string(&file).unwrap_or_default();
                anyhow::bail!("another server works in {} already ({})", path.display(), where_to.trim())
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("lock {}", file.display())),
        }
    }

    /// For people and for `oplogue admin`: where the server that works here is reached.
    pub fn note_url(&mut self, url: &str) -> anyhow::Result<()> {
        self.lock.set_len(0).and_then(|()| writeln!(self.lock, "{url}")).context("write the server's address into the data directory")
    }
}

/// Where the server that works in `path`, or did last, is or was reached.
pub fn noted_url(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path.join(LOCK)).ok()?;
    Some(text.trim().to_owned()).filter(|url| !url.is_empty())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn two_servers_never_share_a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a/b");
        let mut first = DataDir::open(&path).expect("free");
        assert_eq!(std::fs::metadata(&path).expect("made").permissions().mode() & 0o777, 0o700);
        first.note_url("http://127.0.0.1:8480").expect("written");
        let refused = DataDir::open(&path).expect_err("taken").to_string();
        assert!(refused.contains("http://127.0.0.1:8480"), "{refused}");
        drop(first);
        DataDir::open(&path).expect("free again");
        assert_eq!(noted_url(&path).as_deref(), Some("http://127.0.0.1:8480"));
    }
}
