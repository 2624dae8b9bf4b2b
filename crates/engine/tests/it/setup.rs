//! What most stories need: a repository in a folder, a backup, a slicer in the background, a restore request.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bson::doc;
use mongodb::Client;
use oplogue_domain::plan::Moment;
use oplogue_domain::{BackupName, NamespaceSelection, OplogTime};
use oplogue_engine::backup::{self, BackupRequest};
use oplogue_engine::progress::Silent;
use oplogue_engine::restore::{Replay, RestoreRequest};
use oplogue_engine::slice::{self, SliceEvent, SliceRequest};
use oplogue_engine::throttle::Limits;
use oplogue_format::compression::Compression;
use oplogue_mongo::{ConnectOptions, Connection};
use oplogue_repository::Repository;
use oplogue_storage::{Storage, StorageOptions};
use oplogue_testkit::ReplicaSet;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub fn repository(folder: &Path) -> anyhow::Result<Repository> {
    let storage = Storage::open(&format!("file://{}", folder.display()), &StorageOptions::default())?;
    Ok(Repository::new(storage))
}

pub async fn connection(set: &ReplicaSet) -> anyhow::Result<Connection> {
    Ok(Connection::open(&set.uri(), &ConnectOptions::default()).await?)
}

pub async fn backup_request(set: &ReplicaSet, repository: &Repository) -> anyhow::Result<BackupRequest> {
    Ok(BackupRequest {
        connection: connection(set).await?,
        repository: repository.clone(),
        name: None,
        selection: NamespaceSelection::Everything,
        users_and_roles: false,
        compression: Compression::Zstd,
        parallel: 2,
        part_bytes: 256 << 20,
        limits: Limits::default(),
    })
}

pub async fn backup(set: &ReplicaSet, repository: &Repository) -> anyhow::Result<BackupName> {
    let request = backup_request(set, repository).await?;
    let report = backup::run(request, Arc::new(Silent), CancellationToken::new()).await.context("backup")?;
    Ok(report.name)
}

pub async fn restore_request(set: &ReplicaSet, repository: &Repository, moment: Moment) -> anyhow::Result<RestoreRequest> {
    restore_request_on(connection(set).await?, repository, moment)
}

pub fn restore_request_on(connection: Connection, repository: &Repository, moment: Moment) -> anyhow::Result<RestoreRequest> {
    Ok(RestoreRequest {
        connection,
        repository: repository.clone(),
        moment,
        selection: NamespaceSelection::Everything,
        renames: Vec::new(),
        users_and_roles: false,
        replica_set_mapping: Vec::new(),
        parallel: 2,
        replay: Replay::default(),
        from_scratch: false,
        limits: Limits::default(),
    })
}

/// The time of the newest entry, after a note that a majority has got.
pub async fn newest_entry(client: &Client) -> anyhow::Result<OplogTime> {
    let note = doc! {"appendOplogNote": 1, "data": {"test": "moment"}, "writeConcern": {"w": "majority"}};
    let answer = client.database("admin").run_command(note).await?;
    let time = answer.get_timestamp("operationTime").context("operationTime of the note")?;
    Ok(OplogTime::new(time.time, time.increment))
}

/// A slicer in the background.
pub struct Slicing {
    task: JoinHandle<anyhow::Result<()>>,
    cancel: CancellationToken,
    newest: watch::Receiver<OplogTime>,
}

impl Slicing {
    pub async fn start(set: &ReplicaSet, repository: &Repository) -> anyhow::Result<Self> {
        let (sender, newest) = watch::channel(OplogTime::MIN);
        let cancel = CancellationToken::new();
        let request = SliceRequest {
            connection: connection(set).await?,
            repository: repository.clone(),
            compression: Compression::Zstd,
            span: Duration::from_secs(1),
            bytes_max: 64 << 20,
            holder: "test".to_owned(),
            lease_ttl: Duration::from_secs(20),
            wait_for_lease: false,
            until: None,
        };
        let stop = cancel.clone();
        let task = tokio::spawn(async move {
            let tell = move |event: SliceEvent| {
                if let SliceEvent::Stored { slice, .. } = event {
                    sender.send_replace(slice.range.through);
                }
            };
            slice::run(request, &tell, stop).await
        });
        Ok(Self { task, cancel, newest })
    }

    /// Waits until everything up to `moment` is on the storage.
    pub async fn reaches(&mut self, moment: OplogTime) -> anyhow::Result<()> {
        self.newest.wait_for(|newest| *newest >= moment).await.map(|_| ()).with_context(|| format!("the slicer ended before {moment}"))
    }

    /// Waits until everything up to `moment` is on the storage, then ends the slicer.
    pub async fn stop_after(mut self, moment: OplogTime) -> anyhow::Result<()> {
        let reached = self.newest.wait_for(|newest| *newest >= moment).await.map(|_| ());
        self.cancel.cancel();
        self.task.await??;
        reached.with_context(|| format!("the slicer ended before {moment}"))
    }
}
