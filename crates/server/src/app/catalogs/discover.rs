//! Which folders of a location are repositories, whoever made them.
//!
//! A folder is one when PBM's mark, the metadata of a backup, or slices lie directly in it. Looked for from the top down to
//! [`DEPTH_MAX`] levels; what belongs to a repository itself (slices, our records, the data of its backups) is not entered.

use std::collections::BTreeSet;

use oplogue_repository::is_repository;
use oplogue_storage::{Level, Storage, StorageError};

use super::{App, AppError, lock};

/// `team/project/cluster`.
const DEPTH_MAX: usize = 3;
/// A bucket shared with others may hold anything.
const LISTINGS_MAX: usize = 2000;

impl App {
    /// Looks through a location for repositories nobody has told of, and watches them.
    ///
    /// # Errors
    /// When there is no such location or it cannot be listed.
    pub(super) async fn discover(&self, location_id: &str) -> Result<(), AppError> {
        let storage = self.storage(location_id)?;
        let known: BTreeSet<String> =
            lock(&self.catalogs.folders).keys().filter(|(location, _)| location == location_id).map(|(_, folder)| folder.clone()).collect();
        let found = repositories(&storage, &known).await.map_err(|error| AppError::unavailable(error.to_string()))?;
        // The location may have been deleted meanwhile.
        self.place(location_id, "")?;
        for folder in found {
            self.catalogs.folder(location_id, &folder);
        }
        Ok(())
    }
}

/// Folders that are repositories; of those `known`, only what lies deeper is looked at.
async fn repositories(storage: &Storage, known: &BTreeSet<String>) -> Result<Vec<String>, StorageError> {
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), 0)];
    let mut listings = 0;
    while let Some((folder, depth)) = waiting.pop() {
        if listings == LISTINGS_MAX {
            tracing::warn!(location = storage.location(), listings, "gave up looking for repositories in a very large location");
            break;
        }
        listings += 1;
        let level = storage.level(&folder).await?;
        if is_repository(names(&level)) && !known.contains(&folder) {
            found.push(folder.clone());
        }
        if depth < DEPTH_MAX {
            let inner = oplogue_repository::foreign_folders(names(&level));
            // Known ones are not looked through again: clusters' folders lie beside each other, not in each other.
            waiting.extend(inner.into_iter().filter(|inner| !known.contains(inner)).map(|inner| (inner, depth + 1)));
        }
    }
    Ok(found)
}

/// Objects as they are, folders with a slash.
fn names(level: &Level) -> Vec<String> {
    let objects = level.objects.iter().map(|object| object.name.clone());
    objects.chain(level.folders.iter().map(|folder| format!("{folder}/"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn repositories_are_found_at_the_top_and_below_whoever_made_them() {
        let storage = Storage::memory();
        for name in [
            ".pbm.init",
            "2026-11-22T10:00:00Z.pbm.json",
            "2026-11-22T10:00:00Z/rs0/metadata.json",
            "pbmPitr/rs0/20261122/20261122100000-1.20261122100010-1.oplog.zst",
            "shop/nightly.pbm.json",
            "shop/nightly/rs0/pbmPitr/x",
            "team/a/pbmPitr/rs0/20261122/20261122100000-1.20261122100010-1.oplog.zst",
            "team/b/c/.pbm.init",
            "too/deep/for/us/.pbm.init",
            "holiday/pictures/1.jpg",
            "oplogue/probe-1",
        ] {
            storage.put(name, "x".into()).await.expect("put works");
        }
        let mut found = repositories(&storage, &BTreeSet::new()).await.expect("listing works");
        found.sort();
        assert_eq!(found, ["", "shop", "team/a", "team/b/c"]);
        let known = found.into_iter().collect();
        assert!(repositories(&storage, &known).await.expect("listing works").is_empty());
    }
}
