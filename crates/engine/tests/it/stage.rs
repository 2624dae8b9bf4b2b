//! A replica set with a repository: where the stories about restores take place.
//!
//! Most of them restore in place, onto the set the backup was taken of, with a recorded [`State`] for the moment and one for what
//! lives there now. What must come out is a mix of the two, and [`Stage::must_be`] tells every line that is different.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bson::{Document, doc};
use mongodb::Client;
use oplogue_domain::plan::Moment;
use oplogue_domain::{BackupName, NamespaceSelection, OplogTime};
use oplogue_engine::backup;
use oplogue_engine::failure::{Ending, advice, ending};
use oplogue_engine::progress::Silent;
use oplogue_engine::restore::{self, FoldLimits, PreparedRestore, Replay, RestoreReport, RestoreRequest};
use oplogue_repository::Repository;
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, State, capture, differences};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::setup::{self, Slicing};

/// A slicer that has no backup to begin with would wait for ever.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Stage {
    pub set: ReplicaSet,
    pub client: Client,
    pub repository: Repository,
    pub folder: TempDir,
    slicing: Option<Slicing>,
}

/// What was there at an exact time.
pub struct Recorded {
    pub time: OplogTime,
    pub state: State,
}

impl Stage {
    pub async fn open(options: ReplicaSetOptions) -> anyhow::Result<Self> {
        let set = ReplicaSet::start(options).await?;
        let folder = tempfile::tempdir()?;
        Ok(Self { client: set.client().await?, repository: setup::repository(folder.path())?, set, folder, slicing: None })
    }

    /// Of the default version, and nothing expires.
    pub async fn usual() -> anyhow::Result<Self> {
        Self::open(ReplicaSetOptions::default().set_parameter("ttlMonitorEnabled", false)).await
    }

    /// Takes a backup and begins to slice.
    pub async fn base(&mut self) -> anyhow::Result<BackupName> {
        let name = self.backup_named("base").await?;
        self.slice().await?;
        Ok(name)
    }

    pub async fn backup_named(&self, name: &str) -> anyhow::Result<BackupName> {
        let mut request = setup::backup_request(&self.set, &self.repository).await?;
        request.name = Some(name.parse()?);
        Ok(backup::run(request, Arc::new(Silent), CancellationToken::new()).await.context("backup")?.name)
    }

    pub async fn slice(&mut self) -> anyhow::Result<()> {
        self.slicing = Some(Slicing::start(&self.set, &self.repository).await?);
        Ok(())
    }

    /// The state now, and its time. Nobody else may be writing.
    pub async fn record(&self) -> anyhow::Result<Recorded> {
        Ok(Recorded { time: self.now().await?, state: self.state().await? })
    }

    pub async fn now(&self) -> anyhow::Result<OplogTime> {
        setup::newest_entry(&self.client).await
    }

    pub async fn state(&self) -> anyhow::Result<State> {
        capture(&self.client).await
    }

    /// Waits until everything up to now is on the storage.
    pub async fn sliced(&mut self) -> anyhow::Result<()> {
        let now = self.now().await?;
        let slicing = self.slicing.as_mut().context("slicing was begun")?;
        tokio::time::timeout(PATIENCE, slicing.reaches(now)).await.context("the slicer did not come so far")?
    }

    /// Ends slicing once everything up to now is on the storage.
    pub async fn end_slicing(&mut self) -> anyhow::Result<()> {
        let now = self.now().await?;
        let slicing = self.slicing.take().context("slicing was begun")?;
        tokio::time::timeout(PATIENCE, slicing.stop_after(now)).await.context("the slicer did not come so far")??;
        // Whatever a story stored can be read back and fits together.
        let report = crate::verify::verified(self.repository.storage().clone()).await?;
        anyhow::ensure!(report.is_whole(), "{}", crate::verify::told(&report));
        Ok(())
    }

    pub async fn request(&self, time: OplogTime) -> anyhow::Result<RestoreRequest> {
        setup::restore_request(&self.set, &self.repository, Moment::At(time)).await
    }

    pub async fn must_be(&self, expected: &State) -> anyhow::Result<()> {
        let wrong = differences(expected, &self.state().await?);
        anyhow::ensure!(wrong.is_empty(), "not as expected:\n    {}", wrong.join("\n    "));
        Ok(())
    }
}

pub async fn prepare(request: RestoreRequest) -> anyhow::Result<PreparedRestore> {
    restore::prepare(request, Arc::new(Silent), CancellationToken::new()).await
}

pub async fn restore(request: RestoreRequest) -> anyhow::Result<RestoreReport> {
    let prepared = prepare(request).await.context("prepare")?;
    restore::carry_out(prepared, Arc::new(Silent), CancellationToken::new()).await.context("carry out")
}

/// A fold with hardly any memory: everything goes by way of a temporary file in `folder`.
pub fn tiny_fold(folder: &Path) -> Replay {
    Replay::Fold(FoldLimits { memory_bytes_max: 4096, folder: Some(folder.to_owned()) })
}

/// What a refusal says, its advice included. Anything else is an error.
pub async fn refusal(request: RestoreRequest) -> anyhow::Result<String> {
    match prepare(request).await {
        Ok(prepared) => anyhow::bail!("this should have been refused: a restore from {} to {}", prepared.plan.base, prepared.plan.through),
        Err(error) if ending(&error) == Ending::Refused => Ok(format!("{error:#}; {}", advice(&error).unwrap_or_default())),
        Err(error) => Err(error.context("a refusal was expected")),
    }
}

pub fn only(patterns: &[&str]) -> anyhow::Result<NamespaceSelection> {
    let patterns = patterns.iter().map(|pattern| Ok(pattern.parse()?)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(NamespaceSelection::from_patterns(patterns))
}

/// `live` with what `chosen` accepts as it is in `then`, and without what is not there.
pub fn mix(live: &State, then: &State, chosen: impl Fn(&str) -> bool) -> State {
    let mut mixed = live.clone().only(|name| !chosen(name));
    mixed.collections.extend(then.clone().only(chosen).collections);
    mixed
}

pub async fn run(client: &Client, database: &str, command: Document) -> anyhow::Result<Document> {
    let what = command.keys().next().cloned().unwrap_or_default();
    client.database(database).run_command(command).await.with_context(|| format!("{what} on {database}"))
}

/// `count` documents `{_id, n, name}` with `_id`s from `first` on.
pub async fn fill(client: &Client, database: &str, collection: &str, first: i64, count: i64) -> anyhow::Result<()> {
    let documents = (first..first + count).map(|n| doc! {"_id": n, "n": n, "name": format!("name {}", n % 7)});
    client.database(database).collection(collection).insert_many(documents).await?;
    Ok(())
}

/// Readings of a time series with the fields `at`, `room` and `value`, ten seconds apart.
pub async fn measure(client: &Client, database: &str, collection: &str, first: i64, count: i64) -> anyhow::Result<()> {
    let readings =
        (first..first + count).map(|n| doc! {"at": bson::DateTime::from_millis(1_700_000_000_000 + n * 10_000), "room": n % 3, "value": n});
    client.database(database).collection(collection).insert_many(readings).await?;
    Ok(())
}

/// A copy of a folder with everything in it, for a test that damages it.
pub fn copy_folder(from: &Path) -> anyhow::Result<TempDir> {
    let copy = tempfile::tempdir()?;
    let mut folders = vec![(from.to_owned(), copy.path().to_owned())];
    while let Some((from, to)) = folders.pop() {
        std::fs::create_dir_all(&to)?;
        for entry in std::fs::read_dir(&from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push((entry.path(), target));
            } else {
                std::fs::copy(entry.path(), target)?;
            }
        }
    }
    Ok(copy)
}
