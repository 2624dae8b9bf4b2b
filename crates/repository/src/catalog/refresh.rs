//! Bringing a catalog up to date without listing what is known.
//!
//! What may have changed is looked at in few requests: the folder's own level (metadata of backups), the folder of gaps, and of each replica
//! set's slices those whose name is not much earlier than the newest known one, since names sort by time. Not noticed are changes among
//! older slices and within backups (deletions by hand, a compaction): whoever relies on those asks for everything
//! ([`Repository::state`]) from time to time.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use oplogue_domain::{Catalog, ReplicaSetName, Slice, SliceName};
use oplogue_format::pbm::layout::{self, Located};
use oplogue_format::sidecar;
use oplogue_storage::ObjectInfo;

use super::{CatalogState, Content, add_slice, add_small, is_small, sort};
use crate::Repository;
use crate::error::RepositoryError;

/// A slice may arrive so much later than one that begins after it: an upload that was tried again and again by a slicer that has lost its
/// lease. Storages give up after ten minutes.
const LATE_SECONDS: u32 = 30 * 60;

/// Replica sets listed at once.
const LISTINGS_AT_ONCE: usize = 4;

impl Repository {
    /// What `known` has become. Sees every backup that came or went, every recorded gap, and new slices.
    ///
    /// # Errors
    /// Only when the storage cannot be listed or read.
    pub async fn refresh(&self, known: &CatalogState) -> Result<CatalogState, RepositoryError> {
        let mut state = CatalogState { catalog: known.catalog.clone(), small: known.small.clone() };
        let mut catalog = Catalog::clone(&known.catalog);
        self.refresh_small(&mut catalog, &mut state.small).await?;
        self.refresh_slices(&mut catalog).await?;
        sort(&mut catalog);
        if catalog != *known.catalog {
            state.catalog = Arc::new(catalog);
        }
        Ok(state)
    }

    async fn refresh_small(&self, catalog: &mut Catalog, small: &mut BTreeMap<String, super::Small>) -> Result<(), RepositoryError> {
        let mut objects = self.storage.level("").await?.objects;
        objects.extend(self.storage.list(sidecar::GAPS.trim_end_matches('/')).await?);
        objects.retain(|object| is_small(&object.name));
        let listed: BTreeMap<&str, &ObjectInfo> = objects.iter().map(|object| (object.name.as_str(), object)).collect();

        let outdated = small.extract_if(.., |name, small| listed.get(name.as_str()).is_none_or(|object| !small.is_as_listed(object)));
        let mut outdated: Vec<_> = outdated.collect();
        // Two copies of one metadata go, and are read again, together: the catalog knows them by the name inside.
        let backups: Vec<_> = outdated.iter().filter_map(|(_, small)| small.backup().cloned()).collect();
        outdated.extend(small.extract_if(.., |_, small| small.backup().is_some_and(|backup| backups.contains(backup))));
        for (name, small) in outdated {
            match small.content {
                Content::Backup(backup) => catalog.backups.retain(|known| known.name != backup),
                Content::Gap(gap) => {
                    let gaps = catalog.recorded_gaps.entry(gap.replica_set.clone()).or_default();
                    gaps.retain(|known| *known != gap);
                    if gaps.is_empty() {
                        catalog.recorded_gaps.remove(&gap.replica_set);
                    }
                }
                Content::Unreadable => catalog.unreadable.retain(|(known, _)| *known != name),
            }
        }

        let new: Vec<_> = objects.iter().filter(|object| !small.contains_key(&object.name)).cloned().collect();
        for (object, bytes) in self.fetch_all(new).await? {
            let below = match (layout::locate(&object.name), &bytes) {
                (Located::BackupJson { .. }, Ok(bytes)) => self.objects_of_backup(bytes).await?,
                _ => Vec::new(),
            };
            let below = layout::join_parts(below.iter().map(|object| (object.name.as_str(), object.bytes)));
            add_small(catalog, small, &object, bytes, &below);
        }
        Ok(())
    }

    /// What lies in the folder of the backup whose metadata these are. Nothing when they cannot be read, which is then told.
    async fn objects_of_backup(&self, metadata: &[u8]) -> Result<Vec<ObjectInfo>, RepositoryError> {
        match super::BackupJson::parse(metadata) {
            Ok(json) => Ok(self.storage.list(layout::backup_folder(&json.name).trim_end_matches('/')).await?),
            Err(_) => Ok(Vec::new()),
        }
    }

    async fn refresh_slices(&self, catalog: &mut Catalog) -> Result<(), RepositoryError> {
        let folders = self.storage.folders(layout::SLICES.trim_end_matches('/')).await?;
        let is_there = |replica_set: &ReplicaSetName| {
            let folder = layout::slices_folder(replica_set);
            folders.iter().any(|found| *found == folder.trim_end_matches('/'))
        };
        catalog.slices.retain(|replica_set, _| is_there(replica_set));
        catalog.unreadable.retain(|(name, _)| !name.starts_with(layout::SLICES) || folders.iter().any(|folder| is_below(name, folder)));

        let listings = folders.into_iter().map(|folder: String| {
            let known = folder.strip_prefix(layout::SLICES).and_then(|name| name.parse().ok()).and_then(|name| catalog.newest_slice(&name));
            let from = known.map(Beginning::new);
            async move {
                let objects = match &from {
                    Some(from) => self.storage.list_after(&folder, &from.name).await?,
                    None => self.storage.list(&folder).await?,
                };
                Ok::<_, RepositoryError>((folder, from, objects))
            }
        });
        let listings: Vec<_> = stream::iter(listings).buffered(LISTINGS_AT_ONCE).try_collect().await?;

        for (folder, from, objects) in listings {
            // What was listed anew replaces what was known of that part.
            if let Some(slices) = folder.strip_prefix(layout::SLICES).and_then(|name| catalog.slices.get_mut(&name.parse().ok()?)) {
                slices.retain(|slice| from.as_ref().is_some_and(|from| !from.includes(slice)));
            }
            catalog.unreadable.retain(|(name, _)| !is_below(name, &folder) || from.as_ref().is_some_and(|from| *name <= from.name));
            for (name, whole) in layout::join_parts(objects.iter().map(|object| (object.name.as_str(), object.bytes))) {
                add_slice(catalog, name, &whole);
            }
        }
        catalog.slices.retain(|_, slices| !slices.is_empty());
        Ok(())
    }
}

/// Where a listing begins.
struct Beginning {
    seconds: u32,
    name: String,
}

impl Beginning {
    fn new(newest: &Slice) -> Self {
        let seconds = newest.range.after.seconds.saturating_sub(LATE_SECONDS);
        Self { seconds, name: layout::slices_from(&newest.replica_set, seconds) }
    }

    /// Whether such a listing gives `slice`. Without spelling the names of all that are known.
    fn includes(&self, slice: &Slice) -> bool {
        match &slice.name {
            SliceName::ByRule(_) => slice.range.after.seconds >= self.seconds,
            SliceName::Given(name) => **name > *self.name,
        }
    }
}

fn is_below(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
