//! The servers of the bench: a source that is backed up, and fresh targets that things are restored to.

use anyhow::Context;
use bson::{Timestamp, rawdoc};
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions};

use super::data::DATABASES;
use super::wire::Wire;

/// As for the figures of the reference.
pub const CACHE_GB: f64 = 2.0;
/// Holds everything that a run writes; nothing rolls over.
const OPLOG_MB: u32 = 8 << 10;

/// A replica set of one, for us alone.
pub struct Server {
    pub set: ReplicaSet,
    /// `host:port`
    pub address: String,
}

impl Server {
    pub async fn start() -> anyhow::Result<Server> {
        let options = ReplicaSetOptions::default().cache_gb(CACHE_GB).oplog_mb(OPLOG_MB).socket_files(true);
        let set = ReplicaSet::start(options).await.context("start a server")?;
        let address = set.hosts().into_iter().next().context("a set has a member")?;
        Ok(Server { set, address })
    }

    /// Where it is reached without TCP.
    pub fn socket_file(&self) -> String {
        self.set.socket_file(0).display().to_string()
    }

    pub fn process(&self) -> anyhow::Result<u32> {
        self.set.pid(0).context("the server does not run")
    }

    /// Does blocking work with this server's address on a thread of its own.
    pub async fn with<T: Send + 'static>(&self, work: impl FnOnce(&str) -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
        let address = self.address.clone();
        tokio::task::spawn_blocking(move || work(&address)).await.context("a thread of the bench panicked")?
    }

    /// Writes a checkpoint, so that the next measurement does not pay for the writes before it.
    pub async fn settle(&self) -> anyhow::Result<()> {
        self.with(|address| Wire::connect(address)?.run(&rawdoc! { "fsync": 1, "$db": "admin" }).map(|_| ()).context("write a checkpoint"))
            .await
    }

    /// The newest entry that a majority has.
    pub async fn newest(&self) -> anyhow::Result<Timestamp> {
        self.with(|address| {
            let mut wire = Wire::connect(address)?;
            let reply = wire.run(&rawdoc! { "hello": 1, "$db": "admin" })?;
            let time = reply.get_document("lastWrite").and_then(|write| write.get_document("majorityOpTime"));
            time.and_then(|time| time.get_timestamp("ts")).context("`hello` without the time of the newest entry")
        })
        .await
    }

    /// The server's own hash over all documents of the data set's databases.
    pub async fn hash(&self) -> anyhow::Result<Vec<String>> {
        self.with(|address| {
            let mut wire = Wire::connect(address)?;
            let mut hash = |database: &str| {
                let reply = wire.run(&rawdoc! { "dbHash": 1, "$db": database })?;
                anyhow::Ok(reply.get_str("md5").context("`dbHash` without a hash")?.to_owned())
            };
            DATABASES.iter().map(|database| hash(database)).collect()
        })
        .await
    }

    /// Fails when this server's documents are not those of `expected`, as [`hash`](Self::hash) gave it.
    pub async fn must_equal(&self, expected: &[String], what: &str) -> anyhow::Result<()> {
        let hash = self.hash().await?;
        anyhow::ensure!(hash == expected, "{what}: the documents are not those of the source (`dbHash` of {DATABASES:?} differs)");
        Ok(())
    }
}
