//! Is a folder a repository, as far as the names directly in it tell?
//!
//! Names are those of one level: objects as they are, folders with a slash at the end; all with the same folders before them.

use std::collections::BTreeSet;

use oplogue_format::pbm::layout::{self, Located};
use oplogue_format::sidecar;

/// PBM's mark, the metadata of a backup, or slices lie there.
pub fn is_repository(names: impl IntoIterator<Item = impl AsRef<str>>) -> bool {
    names.into_iter().any(|name| {
        let last = last(name.as_ref());
        last == layout::SLICES || matches!(layout::locate(last), Located::Init | Located::BackupJson { .. })
    })
}

/// The folders that are no part of a repository there: neither slices, nor our records, nor the data of one of its backups. Without slashes.
pub fn foreign_folders(names: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    let mut backups = BTreeSet::new();
    let mut folders = Vec::new();
    for name in names {
        let name = name.as_ref();
        match (name.strip_suffix('/'), layout::locate(last(name))) {
            (Some(folder), _) if ![layout::SLICES, sidecar::FOLDER].contains(&last(name)) => folders.push(folder.to_owned()),
            (None, Located::BackupJson { stem }) => {
                backups.insert(stem);
            }
            _ => {}
        }
    }
    folders.retain(|folder| {
        let name = last(folder);
        !backups.contains(name) && !name.starts_with('.')
    });
    folders
}

/// The last part of a name, with its slash if it is a folder.
fn last(name: &str) -> &str {
    let end = name.strip_suffix('/').unwrap_or(name).len();
    let start = name[..end].rfind('/').map_or(0, |slash| slash + 1);
    &name[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_known_by_what_lies_directly_in_it() {
        for name in [".pbm.init", "a.pbm.json", "pbmPitr/", "team/shop/pbmPitr/", "team/shop/x.pbm.json"] {
            assert!(is_repository([name]), "{name}");
        }
        for name in ["README", "pbmPitr", "shop/", "oplogue/", ".pbm.json", "x.json"] {
            assert!(!is_repository([name]), "{name}");
        }
    }

    #[test]
    fn the_data_of_backups_is_not_mistaken_for_another_folder() {
        let names = ["t/b.pbm.json", "t/b/", "t/pbmPitr/", "t/oplogue/", "t/.pbm.restore/", "t/shop/"];
        assert_eq!(foreign_folders(names), ["t/shop"]);
    }
}
