//! Reads every watched folder again and again.
//!
//! Each round reads what is new, a few folders at a time; every [`FULL_EVERY`]th round of a folder reads all of it, and finds what
//! was deleted. A folder that cannot be read keeps its view and its error, and holds nobody up for longer than its time limit.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::{App, AppError, Depth, Key, lock};

/// Folders read at once.
const READS_AT_ONCE: usize = 8;
/// Of a folder's readings: with a round every 10 seconds, one in 20 minutes is full.
const FULL_EVERY: u32 = 120;
/// Folders that nothing of ours writes to are read every so many rounds: requests to a cloud cost money.
const IDLE_EVERY: u32 = 6;
/// Locations are looked through for new repositories every so many rounds.
const DISCOVER_EVERY: u32 = 10;

/// Runs until cancelled.
pub async fn keep_fresh(app: App, cancel: CancellationToken) {
    let mut round: u32 = 0;
    loop {
        let reading = async {
            app.refresh_all(round).await;
        };
        tokio::select! {
            () = cancel.cancelled() => return,
            () = reading => {}
        }
        round = round.wrapping_add(1);
        let pause = tokio::time::sleep(app.config.refresh);
        let newcomers = async {
            loop {
                app.catalogs.hurry.notified().await;
                app.discover_all().await;
                app.refresh_newcomers().await;
            }
        };
        tokio::select! {
            () = cancel.cancelled() => return,
            () = pause => {}
            () = newcomers => {}
        }
    }
}

impl App {
    /// One round. Everything is looked at in round 0.
    pub(crate) async fn refresh_all(&self, round: u32) {
        if round.is_multiple_of(DISCOVER_EVERY) {
            self.discover_all().await;
        }
        let busy = match self.watch_what_is_named() {
            Ok(busy) => busy,
            Err(error) => return tracing::error!(%error, cause = ?error.cause, "could not find out which folders to read"),
        };
        let mut folders: Vec<Key> = lock(&self.catalogs.folders).keys().cloned().collect();
        if !round.is_multiple_of(IDLE_EVERY) {
            folders.retain(|folder| busy.contains(folder));
        }
        self.refresh_these(folders).await;
    }

    /// Folders that nobody has read yet.
    async fn refresh_newcomers(&self) {
        let folders =
            lock(&self.catalogs.folders).iter().filter(|(_, folder)| lock(&folder.view).is_none()).map(|(key, _)| key.clone()).collect();
        self.refresh_these(folders).await;
    }

    async fn refresh_these(&self, folders: Vec<Key>) {
        let reads = folders.into_iter().map(|(location_id, folder)| async move {
            let depth = self.depth_now(&location_id, &folder).await;
            if let Err(error) = self.read_folder(&location_id, &folder, depth).await {
                tracing::warn!(location_id, folder, %error, "could not read a folder of a storage");
            }
        });
        stream::iter(reads).buffer_unordered(READS_AT_ONCE).collect::<()>().await;
    }

    async fn discover_all(&self) {
        let ids = match self.location_ids() {
            Ok(ids) => ids,
            Err(error) => return tracing::error!(%error, cause = ?error.cause, "could not read the list of locations"),
        };
        let searches = ids.into_iter().map(|id| async move {
            let found = tokio::time::timeout(super::READ_MAX, self.discover(&id)).await;
            match found {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(location_id = id, %error, "could not look through a location"),
                Err(_) => tracing::warn!(location_id = id, seconds = super::READ_MAX.as_secs(), "looking through a location took too long"),
            }
        });
        stream::iter(searches).buffer_unordered(READS_AT_ONCE).collect::<()>().await;
    }

    /// Watches the folders that schedules and backups of ours speak of, and no more those of locations that are gone. Returns those that
    /// are being written to: by an enabled schedule, or a job that is not over.
    fn watch_what_is_named(&self) -> Result<BTreeSet<Key>, AppError> {
        let locations: BTreeSet<String> = self.location_ids()?.into_iter().collect();
        let named: Vec<(Key, bool)> = self.db.read(|tx| -> Result<_, AppError> {
            let sql = "SELECT location_id, folder, MAX(busy) FROM (
                           SELECT location_id, folder, enabled AS busy FROM schedules
                           UNION ALL SELECT location_id, folder, state NOT IN ('done', 'failed', 'cancelled') FROM jobs
                       ) WHERE location_id IS NOT NULL AND folder IS NOT NULL GROUP BY location_id, folder";
            let mut statement = tx.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        let named = named.into_iter().filter(|((location_id, _), _)| locations.contains(location_id));
        let mut busy = BTreeSet::new();
        for (folder, is_busy) in named {
            self.catalogs.folder(&folder.0, &folder.1);
            if is_busy {
                busy.insert(folder);
            }
        }
        lock(&self.catalogs.folders).retain(|(location_id, _), _| locations.contains(location_id));
        Ok(busy)
    }

    async fn depth_now(&self, location_id: &str, folder: &str) -> Depth {
        let entry = self.catalogs.folder(location_id, folder);
        let reading = entry.reading.lock().await;
        // Not all in the same round: the folder's place in the alphabet does for chance.
        let spread = folder.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % (FULL_EVERY / 4);
        if reading.rounds_since_full + spread >= FULL_EVERY { Depth::Full } else { Depth::New }
    }
}
