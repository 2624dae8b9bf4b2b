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
use crate::storage::ObjectInfo;

/// Deeper than any repository; a symbolic link that leads back up would otherwise never end.
const DEPTH_MAX: usize = 64;

/// All files below `root/folder` except unfinished ones, by key.
pub(super) fn objects(root: &Path, folder: &str) -> io::Result<Vec<ObjectInfo>> {
    let mut found = Vec::new();
    visit(root, folder, DEPTH_MAX, &mut |key, metadata| {
        if !key.ends_with(ASIDE_SUFFIX) {
            found.push(ObjectInfo { name: key, bytes: metadata.len(), modified: metadata.modified().ok() });
        }
    })?;
    Ok(found)
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
    visit(root, folder, DEPTH_MAX, &mut |key, _| keys.push(key))?;
    for key in &keys {
        delete(root, key)?;
    }
    Ok(keys.iter().filter(|key| !key.ends_with(ASIDE_SUFFIX)).count())
}

fn visit(root: &Path, folder: &str, depth: usize, file: &mut dyn FnMut(String, Metadata)) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other(format!("folders are nested too deeply at {folder:?}; does a link lead back up?")));
    }
    let entries = match fs::read_dir(path_of(root, folder)) {
        Ok(entries) => entries,
        // Also when it was removed since it was seen.
        Err(error) if absent(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Ok(component) = entry.file_name().into_string() else {
            continue;
        };
        let key = name::join(folder, &component);
        // Follows links, other than `entry.metadata`.
        match fs::metadata(entry.path()) {
            Ok(metadata) if metadata.is_dir() => visit(root, &key, depth - 1, file)?,
            Ok(metadata) if metadata.is_file() => file(key, metadata),
            Ok(_) => {}
            Err(error) if absent(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
