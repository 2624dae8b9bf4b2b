//! A replica set, a folder for backups, a server of the tests, and the agent.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use bson::{Document, doc};
use mongodb::Client;
use oplogue_agent::{AgentConfig, Rhythm};
use oplogue_api::agent::{Attempt, AttemptId, Place, SlicingWish, Work};
use oplogue_api::client::Trust;
use oplogue_api::locations::{LocationKind, LocationSecrets, LocationSettings};
use oplogue_api::restores::{RestoreInput, RestoreMoment};
use oplogue_domain::{Catalog, OplogTime};
use oplogue_repository::Repository;
use oplogue_testkit::{FaultProxy, ReplicaSet, ReplicaSetOptions, wait};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fake_server::{FakeServer, TOKEN};

pub struct Stage {
    pub set: ReplicaSet,
    pub client: Client,
    pub server: FakeServer,
    /// Between agents and server.
    pub wire: FaultProxy,
    pub backups: TempDir,
    data: TempDir,
}

impl Stage {
    pub async fn open() -> anyhow::Result<Self> {
        Self::open_with(ReplicaSetOptions::default()).await
    }

    pub async fn open_with(options: ReplicaSetOptions) -> anyhow::Result<Self> {
        let set = ReplicaSet::start(options).await?;
        let client = set.client().await?;
        let server = FakeServer::start().await?;
        let wire = FaultProxy::start(server.address()).await?;
        let orders = client.database("shop").collection::<Document>("orders");
        orders.insert_many((0..500).map(|id| doc! {"_id": id, "paid": false, "note": "x".repeat(200)})).await?;
        Ok(Self { set, client, server, wire, backups: tempfile::tempdir()?, data: tempfile::tempdir()? })
    }

    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    pub fn config(&self) -> AgentConfig {
        self.config_beside(0)
    }

    pub fn config_beside(&self, member: usize) -> AgentConfig {
        AgentConfig {
            uri: self.set.uri_of(member),
            server: format!("http://{}", self.wire.address()),
            trust: Trust::System,
            token: Some(TOKEN.to_owned()),
            cluster: Some("shop".to_owned()),
            service_name: None,
            data_dir: self.data.path().to_owned(),
            rhythm: Rhythm {
                sync_wait_seconds: 2,
                report_pause: Duration::from_millis(200),
                facts_pause: Duration::from_millis(500),
                retry_first: Duration::from_millis(100),
                retry_longest: Duration::from_secs(1),
                lease_ttl: Duration::from_secs(6),
                ..Rhythm::default()
            },
        }
    }

    pub fn place(&self) -> Place {
        Place {
            location_id: "loc_1".to_owned(),
            kind: LocationKind::Local,
            settings: LocationSettings { path: self.backups.path().display().to_string(), ..LocationSettings::default() },
            secrets: LocationSecrets::default(),
            folder: "shop".to_owned(),
        }
    }

    pub fn backup(&self, job: &str) -> Attempt {
        let work = Work::Backup { place: self.place(), name: job.to_owned(), compression: "zstd".to_owned(), namespaces: Vec::new() };
        attempt(job, work)
    }

    pub fn slicing(&self) -> SlicingWish {
        SlicingWish { schedule_id: "sch_1".to_owned(), place: self.place(), span_seconds: 1, compression: "zstd".to_owned() }
    }

    pub fn restore_input(&self, moment: RestoreMoment) -> RestoreInput {
        RestoreInput {
            service_id: "svc_1".to_owned(),
            location_id: "loc_1".to_owned(),
            folder: "shop".to_owned(),
            moment,
            namespaces: Vec::new(),
            renames: Vec::new(),
            users_and_roles: false,
            source_replica_set: None,
        }
    }

    pub async fn catalog(&self) -> anyhow::Result<Catalog> {
        let storage = oplogue_api::place::storage(&self.place())?;
        Ok(Repository::new(storage).catalog().await?)
    }

    /// Takes a backup through the agent that runs, and waits for its outcome.
    pub async fn base(&self) -> anyhow::Result<()> {
        self.server.wish(|wishes| wishes.attempts.push(self.backup("base")));
        let outcome = self.server.outcome("base").await?;
        anyhow::ensure!(matches!(outcome, oplogue_api::agent::Outcome::BackedUp { .. }), "{outcome:?}");
        self.server.until_nothing_is_untold().await
    }

    /// One write, and its time.
    pub async fn write(&self, id: i64) -> anyhow::Result<OplogTime> {
        self.client.database("shop").collection::<Document>("orders").insert_one(doc! {"_id": 10_000 + id}).await?;
        newest_entry(&self.client).await
    }

    /// Waits until a slice on the storage reaches `time`.
    pub async fn sliced_through(&self, time: OplogTime) -> anyhow::Result<()> {
        let rs0 = "rs0".parse().context("a name of the test")?;
        wait::until(&format!("a slice up to {time}"), || async {
            let newest = self.catalog().await?.newest_slice(&rs0).map(|slice| slice.range.through);
            Ok(newest.filter(|newest| *newest >= time).map(|_| ()))
        })
        .await
    }

    /// Commands `command` of agents hang from now on for `millis`, the next ones that come.
    pub async fn hang(&self, command: &str, millis: i32) -> anyhow::Result<()> {
        self.fail_point(
            doc! {"failCommands": [command], "blockConnection": true, "blockTimeMS": millis, "appName": "oplogue agent"},
            "alwaysOn",
        )
        .await
    }

    /// Nothing that comes from now on hangs. Waits for what hangs already.
    pub async fn let_go(&self) -> anyhow::Result<()> {
        self.fail_point(doc! {}, "off").await
    }

    async fn fail_point(&self, data: Document, mode: &str) -> anyhow::Result<()> {
        self.client.database("admin").run_command(doc! {"configureFailPoint": "failCommand", "mode": mode, "data": data}).await?;
        Ok(())
    }
}

/// Long enough for a test to do something meanwhile. The server does not end it sooner, whoever has gone.
pub const LONG: i32 = 20_000;

pub fn attempt(job: &str, work: Work) -> Attempt {
    Attempt { id: AttemptId { job_id: job.to_owned(), attempt: 1 }, work }
}

/// The time of the newest entry, after a note that a majority has got.
pub async fn newest_entry(client: &Client) -> anyhow::Result<OplogTime> {
    let note = doc! {"appendOplogNote": 1, "data": {"test": "moment"}, "writeConcern": {"w": "majority"}};
    let answer = client.database("admin").run_command(note).await?;
    let time = answer.get_timestamp("operationTime").context("operationTime of the note")?;
    Ok(OplogTime::new(time.time, time.increment))
}

/// An agent in the background.
pub struct Running {
    task: JoinHandle<anyhow::Result<()>>,
    cancel: CancellationToken,
    lock: PathBuf,
}

impl Running {
    pub fn start(config: AgentConfig) -> Self {
        let cancel = CancellationToken::new();
        let lock = config.data_dir.join("lock");
        let task = tokio::spawn(oplogue_agent::run(config, cancel.clone()));
        Self { task, cancel, lock }
    }

    /// As SIGTERM does.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.cancel.cancel();
        tokio::time::timeout(wait::PATIENCE, self.task).await.context("the agent does not stop")??
    }

    /// As SIGKILL does, as far as one can within a process.
    pub async fn crash(self) {
        self.task.abort();
        let _ = self.task.await;
        // A process that is killed takes all its threads along; one of ours may still be about to notice.
        let free = || async { Ok(File::options().write(true).open(&self.lock)?.try_lock().is_ok().then_some(())) };
        wait::until("the crashed agent's folder to be free", free).await.expect("it is given up");
    }

    /// Waits for an end that nobody asked for.
    pub async fn end(self) -> anyhow::Result<()> {
        tokio::time::timeout(wait::PATIENCE, self.task).await.context("the agent goes on")??
    }
}
