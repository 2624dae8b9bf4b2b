//! The agent's own folder: small JSON files that only their owner can read.
//!
//! A file is written aside, synced and renamed, so that after a crash it is the old or the new one, never half of one. A lock keeps a
//! second agent out: two that share a journal would both work on what is in it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub struct DataDir {
    path: PathBuf,
    /// Held for as long as this lives; the kernel releases it when the process dies.
    _lock: File,
}

impl DataDir {
    /// Opens the folder, making it when it is not there.
    ///
    /// # Errors
    /// When somebody else has it open, or it cannot be written.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let attempt = || format!("open the data directory {}", path.display());
        make_folder(path).with_context(attempt)?;
        let lock_path = path.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path).with_context(attempt)?;
        give_to_owner_of(path, &lock_path).with_context(attempt)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => {
                anyhow::bail!(
                    "the data directory {} is in use by another agent: stop it, or give this one its own with --data-dir",
                    path.display()
                )
            }
            Err(fs::TryLockError::Error(error)) => Err(error).with_context(attempt),
        }
    }

    /// The files directly in `folder` (`""`: in the data directory itself) whose names end in `.json`, without that ending.
    pub fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            if let Some(name) = entry?.file_name().to_str().and_then(|name| name.strip_suffix(".json")) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// `None` when there is no such file.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<Option<T>> {
        let path = self.file(name);
        let attempt = || format!("read {}", path.display());
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).with_context(attempt),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(attempt),
        }
    }

    /// Replaces a file as a whole; when this returns it is on the disk.
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> anyhow::Result<()> {
        let path = self.file(name);
        let bytes = serde_json::to_vec_pretty(value).context("values of ours can be written as JSON")?;
        self.replace(&path, &bytes).with_context(|| format!("write {}", path.display()))
    }

    /// A file that is not there is fine.
    pub fn remove(&self, name: &str) -> anyhow::Result<()> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error).with_context(|| format!("remove {}", path.display())),
            _ => Ok(()),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.json"))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.path);
        if folder != self.path && !folder.is_dir() {
            make_folder(folder)?;
            give_to_owner_of(&self.path, folder)?;
        }
        let aside = path.with_extension("tmp");
        let mut file = private(File::options().create(true).truncate(true).write(true)).open(&aside)?;
        give_to_owner_of(&self.path, &aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        // The rename itself lies in the folder.
        File::open(folder)?.sync_all()
    }
}

#[cfg(unix)]
fn private(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    options
}

#[cfg(unix)]
fn make_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// An administrator who enrols as root writes for the agent's own user, to whom the folder belongs.
#[cfg(unix)]
fn give_to_owner_of(folder: &Path, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    let (owner, ours) = (fs::metadata(folder)?, fs::metadata(path)?);
    if owner.uid() == ours.uid() { Ok(()) } else { chown(path, Some(owner.uid()), Some(owner.gid())) }
}

#[cfg(not(unix))]
fn give_to_owner_of(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_agent_is_kept_out_until_the_first_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = DataDir::open(folder.path()).expect("free");
        let error = DataDir::open(folder.path()).err().expect("taken").to_string();
        assert!(error.contains("in use by another agent"), "{error}");
        drop(first);
        DataDir::open(folder.path()).expect("free again");
    }

    #[test]
    fn files_are_replaced_whole_and_nobody_else_reads_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("not/there/yet");
        let dir = DataDir::open(&path).expect("made");
        assert_eq!(dir.read::<u32>("a").expect("readable"), None);
        dir.write("a", &1).expect("written");
        dir.write("a", &2).expect("written");
        dir.write("sub/b", &3).expect("written");
        assert_eq!((dir.read("a").expect("readable"), dir.names("sub").expect("listed")), (Some(2), vec!["b".to_owned()]));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(&path.join("a.json"))), (0o700, 0o600));
        }
        dir.remove("a").expect("removed");
        dir.remove("a").expect("gone already");
        assert!(dir.names("").expect("listed").is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn what_root_writes_belongs_to_the_owner_of_the_folder() {
        use std::os::unix::fs::{MetadataExt, chown};
        let folder = tempfile::tempdir().expect("a folder");
        // Only root can give files away; nobody else needs to.
        if chown(folder.path(), Some(12_345), Some(12_345)).is_err() {
            return;
        }
        let dir = DataDir::open(folder.path()).expect("free");
        dir.write("sub/a", &1).expect("written");
        for name in ["lock", "sub", "sub/a.json"] {
            assert_eq!(fs::metadata(folder.path().join(name)).expect("there").uid(), 12_345, "{name}");
        }
    }

    #[test]
    fn a_broken_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(folder.path()).expect("free");
        fs::write(folder.path().join("a.json"), "{").expect("written");
        let error = dir.read::<u32>("a").expect_err("broken");
        assert!(format!("{error:#}").contains("a.json"), "{error:#}");
    }
}
