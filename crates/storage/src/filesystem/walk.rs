//! Finding and removing files below a folder.
//!
//! Symbolic links are followed, as PBM does (a cluster's folder may lie on another disk). Names that are not UTF-8 cannot be objects
//! of ours or PBM's and are passed over, as is what is neither file nor folder.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use super::write::ASIDE_SUFFIX;
use super::{folders_above, path_of};
use crate::name;
use crate::storage::{Level, ObjectInfo};

/// Deeper than any repository; a symbolic link that leads back up would otherwise never end.
const DEPTH_MAX: usize = 64;

/// All files below `root/folder` except unfinished ones, by key.
pub(super) fn objects(root: &Path, folder: &str) -> io::Result<Vec<ObjectInfo>> {
    objects_after(root, folder, "")
}

/// As [`objects`], those whose key is later than `after`. Folders that hold only earlier ones are not entered, earlier files not looked at.
pub(super) fn objects_after(root: &Path, folder: &str, after: &str) -> io::Result<Vec<ObjectInfo>> {
    let mut found = Vec::new();
    visit(root, folder, DEPTH_MAX, after, &mut |key, metadata| {
        if !key.ends_with(ASIDE_SUFFIX) {
            found.push(ObjectInfo { name: key, bytes: metadata.len(), modified: metadata.modified().ok() });
        }
    })?;
    Ok(found)
}

/// The files directly in `root/folder`, and the folders that have a file somewhere below.
pub(super) fn level(root: &Path, folder: &str) -> io::Result<Level> {
    let mut level = Level::default();
    for (key, metadata) in entries(root, folder)? {
        if metadata.is_dir() {
            if has_object(root, &key, DEPTH_MAX)? {
                level.folders.push(key);
            }
        } else if metadata.is_file() && !key.ends_with(ASIDE_SUFFIX) {
            level.objects.push(ObjectInfo { name: key, bytes: metadata.len(), modified: metadata.modified().ok() });
        }
    }
    Ok(level)
}

/// Folders that a crash or another program left empty are no folders on S3 either.
fn has_object(root: &Path, folder: &str, depth: usize) -> io::Result<bool> {
    if depth == 0 {
        return Err(too_deep(folder));
    }
    let mut folders = Vec::new();
    for (key, metadata) in entries(root, folder)? {
        if metadata.is_dir() {
            folders.push(key);
        } else if metadata.is_file() && !key.ends_with(ASIDE_SUFFIX) {
            return Ok(true);
        }
    }
    for folder in folders {
        if has_object(root, &folder, depth - 1)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes one file and the folders it leaves empty.
pub(super) fn delete(root: &Path, key: &str) -> io::Result<()> {
    match fs::remove_file(path_of(root, key)) {
        Ok(()) => {}
        Err(error) if absent(&error) => return Ok(()),
        // A folder of that name: as on S3, then there is no such object. (Linux says EISDIR, others EPERM.)
        Err(_) if path_of(root, key).is_dir() => return Ok(()),
        Err(error) => return Err(error),
    }
    // S3 has no empty folders either. A folder that is not empty stays, which is what ends this.
    for folder in folders_above(key) {
        if fs::remove_dir(path_of(root, folder)).is_err() {
            break;
        }
    }
    Ok(())
}

/// Removes all files below `root/folder`, unfinished ones too, and the folders they leave empty. Counts finished ones.
pub(super) fn delete_under(root: &Path, folder: &str) -> io::Result<usize> {
    let mut keys = Vec::new();
    visit(root, folder, DEPTH_MAX, "", &mut |key, _| keys.push(key))?;
    for key in &keys {
        delete(root, key)?;
    }
    Ok(keys.iter().filter(|key| !key.ends_with(ASIDE_SUFFIX)).count())
}

fn visit(root: &Path, folder: &str, depth: usize, after: &str, file: &mut dyn FnMut(String, Metadata)) -> io::Result<()> {
    if depth == 0 {
        return Err(too_deep(folder));
    }
    let Some(entries) = read_dir(root, folder)? else { return Ok(()) };
    for entry in entries {
        let Some((key, entry)) = keyed(folder, entry?) else { continue };
        // Without asking the filesystem about each: thousands of slices of a day are older than the last known one.
        if entry.file_type().is_ok_and(|kind| kind.is_file()) && key.as_str() <= after {
            continue;
        }
        match look(&entry)? {
            Some(metadata) if metadata.is_dir() => {
                // All that is below begins with `key/`: earlier than `after`, unless `after` itself does.
                let below = format!("{key}/");
                if below.as_str() > after || after.starts_with(&below) {
                    visit(root, &key, depth - 1, after, file)?;
                }
            }
            Some(metadata) if metadata.is_file() && key.as_str() > after => file(key, metadata),
            _ => {}
        }
    }
    Ok(())
}

/// Everything directly in the folder, with what it is.
fn entries(root: &Path, folder: &str) -> io::Result<Vec<(String, Metadata)>> {
    let mut found = Vec::new();
    let Some(entries) = read_dir(root, folder)? else { return Ok(found) };
    for entry in entries {
        let Some((key, entry)) = keyed(folder, entry?) else { continue };
        found.extend(look(&entry)?.map(|metadata| (key, metadata)));
    }
    Ok(found)
}

/// `None` when there is no such folder, also when it was removed since it was seen.
fn read_dir(root: &Path, folder: &str) -> io::Result<Option<fs::ReadDir>> {
    match fs::read_dir(path_of(root, folder)) {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn keyed(folder: &str, entry: fs::DirEntry) -> Option<(String, fs::DirEntry)> {
    let component = entry.file_name().into_string().ok()?;
    Some((name::join(folder, &component), entry))
}

/// Follows links, other than `entry.metadata`. `None`: it is gone.
fn look(entry: &fs::DirEntry) -> io::Result<Option<Metadata>> {
    match fs::metadata(entry.path()) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn too_deep(folder: &str) -> io::Error {
    io::Error::other(format!("folders are nested too deeply at {folder:?}; does a link lead back up?"))
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
