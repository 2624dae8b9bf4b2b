//! What lies on the storages, kept fresh.
//!
//! For each folder that is watched there is one [`FolderView`], replaced as a whole whenever its storage was read again; whoever shows it
//! holds on to the one they took. When a storage cannot be read the last view stays, with the error and the time it is of: pages go on
//! saying what was there, and how old that knowledge is.
//!
//! Watched are the folders that a schedule or a backup of ours speaks of, those found on a location (somebody else's repository shows up by
//! itself), and whatever [`App::watch_folder`] was told. Nothing here is kept over a restart: the storage is the truth.

mod discover;
mod fresh;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use oplogue_domain::{Catalog, Timeline, timeline};
use oplogue_repository::{CatalogState, Repository};
use oplogue_storage::Storage;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{App, AppError};

pub use fresh::keep_fresh;

/// Longest reading of a whole folder: a million slices behind a slow line.
const FULL_READ_MAX: Duration = Duration::from_secs(15 * 60);
/// Whole folders of one location read at once. Each holds all its names in memory for a moment, and the threads that read a filesystem keep
/// what they once used.
const FULL_READS_AT_ONCE: usize = 2;
/// Longest reading of what is new.
const READ_MAX: Duration = Duration::from_secs(2 * 60);

/// What is known of one cluster's folder of one location.
#[derive(Debug, Clone)]
pub struct FolderView {
    pub location_id: String,
    /// Empty for the location's own top.
    pub folder: String,
    pub catalog: Arc<Catalog>,
    pub timeline: Timeline,
    /// When the storage was last read; [`Timestamp::UNIX_EPOCH`] when it never could be.
    pub as_of: Timestamp,
    /// Why the last reading failed; everything else is then as of the last one that did not.
    pub error: Option<String>,
    /// Backups and slices together, as stored.
    pub bytes: u64,
}

impl FolderView {
    /// When the storage was last read, if ever.
    pub fn read_at(&self) -> Option<Timestamp> {
        (self.as_of != Timestamp::UNIX_EPOCH).then_some(self.as_of)
    }
}

/// Location and folder.
type Key = (String, String);

#[derive(Default)]
pub struct Catalogs {
    folders: Mutex<BTreeMap<Key, Arc<Folder>>>,
    /// Opened storages by location, with the change of the location they were opened after.
    storages: Mutex<HashMap<String, (String, Storage)>>,
    /// Somebody wants the next round now.
    hurry: tokio::sync::Notify,
    /// By location: a storage that is away must not hold up others.
    full_reads: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl std::fmt::Debug for Catalogs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Catalogs({} folders)", lock(&self.folders).len())
    }
}

#[derive(Default)]
struct Folder {
    view: Mutex<Option<Arc<FolderView>>>,
    /// Held while the storage is read, so that one folder is read once at a time.
    reading: tokio::sync::Mutex<Reading>,
}

#[derive(Default)]
struct Reading {
    state: Option<CatalogState>,
    rounds_since_full: u32,
}

/// Every change under these locks is one assignment: a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Catalogs {
    fn folder(&self, location_id: &str, folder: &str) -> Arc<Folder> {
        lock(&self.folders).entry((location_id.to_owned(), folder.to_owned())).or_default().clone()
    }

    /// Waits for one's turn to read a whole folder.
    async fn full_read(&self, location_id: &str) -> Option<OwnedSemaphorePermit> {
        let turns =
            lock(&self.full_reads).entry(location_id.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(FULL_READS_AT_ONCE))).clone();
        // Nobody closes it.
        turns.acquire_owned().await.ok()
    }

    fn views(&self) -> Vec<Arc<FolderView>> {
        lock(&self.folders).values().filter_map(|folder| lock(&folder.view).clone()).collect()
    }

    /// Forgets everything of a location: it was changed or deleted.
    pub(super) fn forget_location(&self, location_id: &str) {
        lock(&self.folders).retain(|(location, _), _| location != location_id);
        lock(&self.storages).remove(location_id);
        lock(&self.full_reads).remove(location_id);
        self.hurry.notify_one();
    }

    /// The next round begins at once.
    pub(super) fn look_again_soon(&self) {
        self.hurry.notify_one();
    }
}

/// How much is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// What is newer than what is known.
    New,
    /// Everything; finds what was deleted, too.
    Full,
}

impl App {
    /// What is known of a folder, from memory. `None`: it was not read yet, or nobody watches it.
    pub fn folder_view(&self, location_id: &str, folder: &str) -> Option<Arc<FolderView>> {
        let found = lock(&self.catalogs.folders).get(&(location_id.to_owned(), folder.to_owned())).cloned();
        found.and_then(|folder| lock(&folder.view).clone())
    }

    /// All of them, by location and folder.
    pub fn folder_views(&self) -> Vec<Arc<FolderView>> {
        self.catalogs.views()
    }

    /// From now on this folder is read again and again.
    pub fn watch_folder(&self, location_id: &str, folder: &str) {
        let known = lock(&self.catalogs.folders).contains_key(&(location_id.to_owned(), folder.to_owned()));
        if !known {
            self.catalogs.folder(location_id, folder);
            self.catalogs.look_again_soon();
        }
    }

    /// Reads the whole folder now, also what was deleted from it, and watches it from now on.
    ///
    /// # Errors
    /// When the storage cannot be read. What was known stays, with the error.
    pub async fn refresh_folder(&self, location_id: &str, folder: &str) -> Result<Arc<FolderView>, AppError> {
        self.read_folder(location_id, folder, Depth::Full).await
    }

    /// As [`App::refresh_folder`], but only what is new: backups that came or went, slices that came.
    ///
    /// # Errors
    /// When the storage cannot be read.
    pub async fn look_for_news(&self, location_id: &str, folder: &str) -> Result<Arc<FolderView>, AppError> {
        self.read_folder(location_id, folder, Depth::New).await
    }

    /// The repository in a folder of a location. Nothing is contacted yet.
    ///
    /// # Errors
    /// When there is no such location, or its settings cannot be used.
    pub fn repository(&self, location_id: &str, folder: &str) -> Result<Repository, AppError> {
        Ok(Repository::new(self.storage(location_id)?.within(folder)))
    }

    /// The location's whole storage.
    pub(super) fn storage(&self, location_id: &str) -> Result<Storage, AppError> {
        let (place, changed) = self.place_and_change(location_id, "")?;
        if let Some((opened_after, storage)) = lock(&self.catalogs.storages).get(location_id)
            && *opened_after == changed
        {
            return Ok(storage.clone());
        }
        let storage = oplogue_api::place::storage(&place).map_err(|error| AppError::unavailable(error.to_string()))?;
        lock(&self.catalogs.storages).insert(location_id.to_owned(), (changed, storage.clone()));
        Ok(storage)
    }

    async fn read_folder(&self, location_id: &str, folder: &str, depth: Depth) -> Result<Arc<FolderView>, AppError> {
        let repository = self.repository(location_id, folder)?;
        let entry = self.catalogs.folder(location_id, folder);
        let mut reading = entry.reading.lock().await;
        let known = reading.state.take();
        let full = depth == Depth::Full || known.is_none();
        let patience = if full { FULL_READ_MAX } else { READ_MAX };
        let turn = if full { Some(self.catalogs.full_read(location_id).await) } else { None };
        let read = async {
            match &known {
                Some(known) if !full => repository.refresh(known).await,
                _ => repository.state().await,
            }
        };
        let outcome = match tokio::time::timeout(patience, read).await {
            Ok(Ok(state)) => Ok(state),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("reading {} took longer than {} s", repository.storage().location(), patience.as_secs())),
        };
        drop(turn);
        let previous = lock(&entry.view).clone();
        let (view, failure) = match outcome {
            Ok(state) => {
                let unchanged = previous.as_ref().filter(|view| view.read_at().is_some() && Arc::ptr_eq(&view.catalog, state.catalog()));
                let view = match unchanged {
                    Some(view) => FolderView { as_of: self.clock.now(), error: None, ..FolderView::clone(view) },
                    None => view_of(location_id, folder, state.catalog(), self.clock.now()),
                };
                reading.state = Some(state);
                reading.rounds_since_full = if full { 0 } else { reading.rounds_since_full.saturating_add(1) };
                (view, None)
            }
            Err(error) => {
                reading.state = known;
                let view = match &previous {
                    Some(view) => FolderView { error: Some(error.clone()), ..FolderView::clone(view) },
                    None => FolderView { error: Some(error.clone()), ..never_read(location_id, folder) },
                };
                (view, Some(error))
            }
        };
        let view = Arc::new(view);
        *lock(&entry.view) = Some(view.clone());
        match failure {
            None => Ok(view),
            Some(error) => Err(AppError::unavailable(error)),
        }
    }
}

fn view_of(location_id: &str, folder: &str, catalog: &Arc<Catalog>, now: Timestamp) -> FolderView {
    let slices: u64 = catalog.slices.values().flatten().map(|slice| slice.bytes).sum();
    let backups: u64 = catalog.backups.iter().map(|backup| backup.bytes).sum();
    FolderView {
        location_id: location_id.to_owned(),
        folder: folder.to_owned(),
        timeline: timeline(catalog),
        catalog: catalog.clone(),
        as_of: now,
        error: None,
        bytes: slices.saturating_add(backups),
    }
}

fn never_read(location_id: &str, folder: &str) -> FolderView {
    view_of(location_id, folder, &Arc::default(), Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
