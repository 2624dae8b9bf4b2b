//! Reads every watched folder again and again.
//!
//! Each location has a reader of its own, so that a storage that is slow or away holds up nobody else. In a round it reads what is new, a
//! few folders at a time; now and then a folder is read in full, which finds what was deleted. A folder that cannot be read keeps its view
//! and its error.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{App, AppError, Depth, Key, lock};

/// Folders of one location read at once.
const READS_AT_ONCE: usize = 8;
/// Of a folder's readings: with a round every 10 seconds, one in 20 minutes is full.
const FULL_EVERY: u32 = 120;
/// Folders that nothing of ours writes to are read every so many rounds: requests to a cloud cost money.
const IDLE_EVERY: u32 = 6;
/// Locations are looked through for new repositories every so many rounds.
const DISCOVER_EVERY: u32 = 10;

/// Runs until cancelled.
pub async fn keep_fresh(app: App, cancel: CancellationToken) {
    let mut readers = Readers::default();
    loop {
        readers.begin(&app, false);
        let pause = tokio::time::sleep(app.config.refresh);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                // The readers end with us.
                () = cancel.cancelled() => return,
                () = &mut pause => break,
                () = app.catalogs.hurry.notified() => readers.begin(&app, true),
            }
        }
    }
}

/// What a reader reads.
#[derive(Clone, Copy)]
enum Extent {
    /// Its location's so-many-th round; everything is looked at in round 0.
    Round(u32),
    /// Folders nobody has read yet.
    Newcomers,
}

#[derive(Default)]
struct Readers {
    /// By location.
    running: HashMap<String, AbortOnDropHandle<()>>,
    rounds: HashMap<String, u32>,
}

impl Readers {
    /// Begins a round of each location whose last one has ended.
    fn begin(&mut self, app: &App, newcomers_only: bool) {
        self.running.retain(|_, reader| !reader.is_finished());
        let (locations, busy) = match app.watch_what_is_named() {
            Ok((locations, busy)) => (locations, Arc::new(busy)),
            Err(error) => return tracing::error!(%error, cause = ?error.cause, "could not find out which folders to read"),
        };
        self.rounds.retain(|location_id, _| locations.contains(location_id));
        for location_id in locations {
            if self.running.contains_key(&location_id) {
                continue;
            }
            let extent = if newcomers_only {
                Extent::Newcomers
            } else {
                let round = self.rounds.entry(location_id.clone()).or_default();
                *round = round.wrapping_add(1);
                Extent::Round(*round - 1)
            };
            let (app, id, busy) = (app.clone(), location_id.clone(), busy.clone());
            let reader = tokio::spawn(async move { app.refresh_location(&id, extent, &busy).await });
            self.running.insert(location_id, AbortOnDropHandle::new(reader));
        }
    }
}

impl App {
    /// Everything that there is, once.
    #[cfg(test)]
    pub(super) async fn refresh_all(&self) {
        for location_id in self.location_ids().expect("the database answers") {
            self.refresh_location(&location_id, Extent::Round(0), &BTreeSet::new()).await;
        }
    }

    async fn refresh_location(&self, location_id: &str, extent: Extent, busy: &BTreeSet<Key>) {
        if !matches!(extent, Extent::Round(round) if !round.is_multiple_of(DISCOVER_EVERY)) {
            self.discover_in_time(location_id).await;
        }
        let folders = lock(&self.catalogs.folders).clone();
        let folders = folders.into_iter().filter(|(key, folder)| {
            let due = matches!(extent, Extent::Round(round) if round.is_multiple_of(IDLE_EVERY) || busy.contains(key));
            key.0 == location_id && (due || lock(&folder.view).is_none())
        });
        let reads = folders.map(|((location_id, folder), _)| async move {
            let depth = self.depth_now(&location_id, &folder).await;
            if let Err(error) = self.read_folder(&location_id, &folder, depth).await {
                tracing::warn!(location_id, folder, %error, "could not read a folder of a storage");
            }
        });
        stream::iter(reads).buffer_unordered(READS_AT_ONCE).collect::<()>().await;
    }

    async fn discover_in_time(&self, location_id: &str) {
        match tokio::time::timeout(super::READ_MAX, self.discover(location_id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(location_id, %error, "could not look through a location"),
            Err(_) => tracing::warn!(location_id, seconds = super::READ_MAX.as_secs(), "looking through a location took too long"),
        }
    }

    /// Watches the folders that schedules and backups of ours speak of, and no more those of locations that are gone. Returns the
    /// locations, and the folders that are being written to: by an enabled schedule, or a job that is not over.
    fn watch_what_is_named(&self) -> Result<(BTreeSet<String>, BTreeSet<Key>), AppError> {
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
        Ok((locations, busy))
    }

    async fn depth_now(&self, location_id: &str, folder: &str) -> Depth {
        let entry = self.catalogs.folder(location_id, folder);
        let reading = entry.reading.lock().await;
        // Not all in the same round: the folder's name does for chance.
        let spread = folder.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % (FULL_EVERY / 4);
        if reading.rounds_since_full + spread >= FULL_EVERY { Depth::Full } else { Depth::New }
    }
}
