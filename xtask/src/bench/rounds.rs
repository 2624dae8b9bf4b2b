//! The course of the bench: load, then per round read and back up, and at last restore and replay.
//!
//! What is measured is also checked: every restore, and the replaying ceiling too, must end with the documents of the source.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use bson::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use super::data::{self, COLLECTIONS, DATABASES};
use super::figures::{Figures, count};
use super::measured::Measured;
use super::peers::{self, Dumps};
use super::prebuilt::Prebuilt;
use super::process::{self, Ran, Spent};
use super::stage::{CACHE_GB, Server};
use super::wire::Wire;
use super::{Options, Peers, ceilings, conditions, large, say, slicing, traffic};

/// Where things are, for all steps.
struct Bench<'a> {
    options: Options,
    peers: Peers,
    program: &'a Path,
    folder: TempDir,
    measured: Measured,
}

/// Measures everything.
pub async fn measure(options: Options, peers: Peers, program: &Path) -> anyhow::Result<Figures> {
    let (machine, load_before) = (conditions::machine(), conditions::load());
    let folder = tempfile::Builder::new().prefix("oplogue-bench-").tempdir().context("make a temporary folder")?;
    let mut bench = Bench { options, peers, program, folder, measured: Measured::default() };

    say(&format!("loading {} MB of BSON into a fresh mongod", count(options.size_mb as f64)));
    let source = Server::start().await?;
    let (bytes, documents) = source.with(move |address| ceilings::load(address, options.size_mb)).await?;
    let indexes = source.with(|address| data::build_indexes(&mut Wire::connect(address)?)).await?;
    source.settle().await?;
    // Whoever reads first fills the caches.
    source.with(move |address| ceilings::read_exhaust(address, bytes)).await?;

    let (mut base, mut dumps) = (None, Dumps::default());
    for round in 1..=options.runs {
        base = Some(bench.back_up(&source, bytes, round, &mut dumps).await?);
    }
    let (name, base) = base.context("at least one round")?;
    let at_base = source.hash().await?;
    let oplog = if options.only_snapshot { None } else { Some(bench.write_oplog(&source, base).await?) };

    for round in 1..=options.runs {
        bench.restore(&name, bytes, &at_base, round).await?;
        bench.restore_by_peer(bytes, &dumps, true, &at_base, round).await?;
        bench.insert(round).await?;
        if let Some((prebuilt, at_end)) = &oplog {
            bench.restore_latest(at_end, prebuilt, round).await?;
        }
        bench.restore_by_peer(bytes, &dumps, false, &at_base, round).await?;
        let target = bench.restore_plain(&name, bytes, &at_base, round).await?;
        if let Some((prebuilt, at_end)) = &oplog {
            // Last: some machines are slower for a while after it.
            bench.apply(target, prebuilt, at_end, round).await?;
        }
    }
    if oplog.is_some() {
        bench.slice_beside_writes(&source).await?;
    }
    bench.large().await?;
    let prebuilt = oplog.as_ref().map(|(prebuilt, _)| prebuilt.as_ref());
    let conditions = bench.conditions(&source, machine, load_before, bytes, documents, indexes, prebuilt);
    Ok(bench.measured.figures(conditions, prebuilt.map_or(0, |prebuilt| prebuilt.entries)))
}

impl Bench<'_> {
    #[allow(clippy::too_many_arguments, reason = "what is told at the end was learned all along the way")]
    fn conditions(
        &self,
        source: &Server,
        machine: String,
        load_before: f64,
        bytes: u64,
        documents: u64,
        indexes: usize,
        prebuilt: Option<&Prebuilt>,
    ) -> Vec<(&'static str, String)> {
        let version = source.set.options().version;
        let stored = self.measured.stored_bytes;
        let mut conditions = vec![
            ("machine", machine),
            (
                "server",
                format!(
                    "mongod {version}, replica sets of one member, {CACHE_GB} GB cache each, loopback; storage file:// on the local disk"
                ),
            ),
            (
                "data",
                format!(
                    "{} MB of BSON, {} documents of 300 B, 1 KB and 10 KB in {} collections, {indexes} secondary indexes; stored as {} MB (zstd, {:.2} : 1)",
                    count(bytes as f64 / 1e6),
                    count(documents as f64),
                    COLLECTIONS.len(),
                    count(stored as f64 / 1e6),
                    bytes as f64 / stored.max(1) as f64,
                ),
            ),
        ];
        conditions.extend(prebuilt.map(|prebuilt| {
            (
                "oplog",
                format!(
                    "{} entries of {} MB, {} of them transactions; {} operations: inserts, diffs, deletes",
                    count(prebuilt.entries as f64),
                    count(prebuilt.bytes as f64 / 1e6),
                    count(prebuilt.transactions as f64),
                    count(prebuilt.operations as f64),
                ),
            )
        }));
        conditions.push((
            "runs",
            format!("{}, medians; load average {load_before:.1} before, {:.1} after", self.options.runs, conditions::load()),
        ));
        conditions
    }

    /// Ceilings of reading, the peer, and our backups. Returns the name of the compressed one and the moment it stands for.
    async fn back_up(&mut self, source: &Server, bytes: u64, round: u64, dumps: &mut Dumps) -> anyhow::Result<(String, Timestamp)> {
        say(&format!("round {round}: reading, then `oplogue backup` and `mongodump` (load average {:.1})", conditions::load()));
        conditions::settle_disk().await?;
        let reading = source.with(move |address| ceilings::read_exhaust(address, bytes));
        let spent = self.ceiling("reading, bytes thrown away", source, reading).await?;
        self.measured.read_exhaust_cpu.push(spent.cpu_seconds);
        self.measured.read_exhaust.push(megabytes(bytes, spent.seconds));
        let file = source.socket_file();
        let reading = source.with(move |_| ceilings::read_exhaust(&file, bytes));
        let spent = self.ceiling("the same over the socket file", source, reading).await?;
        self.measured.read_socket.push(megabytes(bytes, spent.seconds));
        let seconds = ceilings::read_driver(&source.set.client().await?, bytes).await?;
        self.measured.read_driver.push(megabytes(bytes, seconds));

        let name = format!("bench-{round}");
        // Of the last round it is restored.
        if round > 1 {
            peers::remove(&self.folder.path().join("plain"))?;
        }
        let ran = self.oplogue("backup --compression none", source, "plain", &["--name", &name, "--json"]).await?;
        self.measured.backup.push(megabytes(bytes, ran.spent.seconds));
        self.measured.backup_cpu.push(ran.spent.cpu_seconds);
        read_all(&ran.json()?, bytes)?;

        let folder = self.folder.path().to_owned();
        if let Some((ran, into)) = peers::dump(&self.peers, source, &folder, &format!("dump-{round}"), false).await? {
            self.measured.peers.dump.push(megabytes(bytes, ran.spent.seconds));
            self.measured.peers.dump_cpu.push(ran.spent.cpu_seconds);
            self.measured.used("mongodump -j 4", &ran);
            peers::keep(&mut dumps.plain, into)?;
        }

        let ran = self.oplogue("backup", source, "storage", &["--name", &name, "--json"]).await?;
        self.measured.backup_zstd.push(megabytes(bytes, ran.spent.seconds));
        let report = ran.json()?;
        read_all(&report, bytes)?;
        self.measured.stored_bytes = report["stored_bytes"].as_u64().unwrap_or_default();
        if let Some((ran, into)) = peers::dump(&self.peers, source, &folder, &format!("dump-gzip-{round}"), true).await? {
            self.measured.peers.dump_gzip.push(megabytes(bytes, ran.spent.seconds));
            self.measured.used("mongodump -j 4 --gzip", &ran);
            peers::keep(&mut dumps.gzip, into)?;
        }
        Ok((name, time(&report["restores_to"]).context("the report of a backup has `restores_to`")?))
    }

    /// Fills the oplog behind `base` and stores it. Returns its operations, and the hashes of the documents that it leads to.
    async fn write_oplog(&mut self, source: &Server, base: Timestamp) -> anyhow::Result<(Arc<Prebuilt>, Vec<String>)> {
        let Options { size_mb, entries, .. } = self.options;
        say(&format!("writing {} oplog entries", count(entries as f64)));
        source.with(move |address| traffic::write(address, size_mb, entries)).await?;
        let end = source.newest().await?;
        let prebuilt = source.with(move |address| Prebuilt::read(address, base, end, &DATABASES)).await?;
        anyhow::ensure!(prebuilt.entries >= entries, "the oplog has {} entries, {entries} were wanted", prebuilt.entries);
        let at_end = source.hash().await?;
        source.settle().await?;
        self.slice(source, end).await?;
        Ok((Arc::new(prebuilt), at_end))
    }

    /// Stores the oplog up to `end` from where the newest backup ends. Once: there is nothing left to slice afterwards.
    async fn slice(&mut self, source: &Server, end: Timestamp) -> anyhow::Result<()> {
        say("`oplogue slice`");
        let until = format!("{},{}", end.time, end.increment);
        // The last slice is cut when it is as old as the span: a short one, so that not much of the time is waiting.
        let ran = self.oplogue("slice --span 1s", source, "storage", &["--until", &until, "--json"]).await?;
        let stored = ran.json_lines()?.iter().filter(|event| event["event"] == "stored").count();
        anyhow::ensure!(stored > 0, "`oplogue slice` ended without a slice");
        Ok(())
    }

    /// What slicing costs while somebody writes.
    async fn slice_beside_writes(&mut self, source: &Server) -> anyhow::Result<()> {
        say(&format!("`oplogue slice` beside {} writes a second, {} s", slicing::WRITES_PER_SECOND, slicing::SECONDS));
        let (storage, uri) = (self.storage("storage"), source.set.uri());
        let words = ["slice", "--uri", &uri, "--storage", &storage];
        let work = slicing::write_steadily(&source.address);
        let seconds = process::cpu_beside(self.program, self.folder.path(), &words, work).await?;
        self.measured.slicing.push(100.0 * seconds / slicing::SECONDS as f64);
        Ok(())
    }

    /// The ceiling of inserting.
    async fn insert(&mut self, round: u64) -> anyhow::Result<()> {
        say(&format!("round {round}: inserting, prebuilt (load average {:.1})", conditions::load()));
        let target = Server::start().await?;
        let size_mb = self.options.size_mb;
        conditions::settle_disk().await?;
        let inserts = ceilings::inserts(size_mb)?;
        let bytes = inserts.iter().map(|(_, bytes)| bytes).sum();
        let inserting = target.with(move |address| ceilings::insert(address, &inserts));
        let spent = self.ceiling("inserting, prebuilt", &target, inserting).await?;
        self.measured.insert.push(megabytes(bytes, spent.seconds));
        Ok(())
    }

    /// A restore of the compressed backup.
    async fn restore(&mut self, name: &str, bytes: u64, at_base: &[String], round: u64) -> anyhow::Result<()> {
        say(&format!("round {round}: `oplogue restore --backup`"));
        let target = Server::start().await?;
        let ran = self.oplogue("restore --backup", &target, "storage", &[name, "--yes", "--json"]).await?;
        self.measured.restore.push(megabytes(bytes, ran.spent.seconds));
        self.measured.restore_seconds.push(ran.spent.seconds);
        self.measured.restore_load.push(megabytes(bytes, step(&ran.json()?, "loading documents")?));
        target.must_equal(at_base, "`oplogue restore --backup`").await
    }

    /// The same of the uncompressed one. Returns the server it went to.
    async fn restore_plain(&mut self, name: &str, bytes: u64, at_base: &[String], round: u64) -> anyhow::Result<Server> {
        say(&format!("round {round}: `oplogue restore --backup`, uncompressed"));
        let target = Server::start().await?;
        let ran = self.oplogue("restore --backup (uncompressed)", &target, "plain", &[name, "--yes", "--json"]).await?;
        self.measured.restore_plain.push(megabytes(bytes, ran.spent.seconds));
        target.must_equal(at_base, "`oplogue restore --backup`").await?;
        Ok(target)
    }

    /// The same by `mongorestore`, of a plain dump or of one with gzip.
    async fn restore_by_peer(&mut self, bytes: u64, dumps: &Dumps, gzip: bool, at_base: &[String], round: u64) -> anyhow::Result<()> {
        let (dump, command) = if gzip { (&dumps.gzip, "mongorestore --gzip") } else { (&dumps.plain, "mongorestore") };
        let (Some(mongorestore), Some(dump)) = (&self.peers.mongorestore, dump) else { return Ok(()) };
        say(&format!("round {round}: `{command}`"));
        let target = Server::start().await?;
        let ran = peers::restore(mongorestore, &target, self.folder.path(), dump, gzip).await?;
        let samples = if gzip { &mut self.measured.peers.restore_gzip } else { &mut self.measured.peers.restore };
        samples.push(megabytes(bytes, ran.spent.seconds));
        self.measured.used(command, &ran);
        target.must_equal(at_base, command).await
    }

    /// On top of a restored backup: some operations one by one, then the ceiling of replaying.
    async fn apply(&mut self, target: Server, prebuilt: &Arc<Prebuilt>, at_end: &[String], round: u64) -> anyhow::Result<()> {
        say(&format!("round {round}: applying {} operations, prebuilt", count(prebuilt.operations as f64)));
        // A restore builds secondary indexes at its end: here, too, they must not be in the way.
        target.with(|address| data::drop_indexes(&mut Wire::connect(address)?)).await?;
        target.settle().await?;
        let work = prebuilt.clone();
        let (singles, seconds) = target.with(move |address| work.apply_singles(address)).await?;
        self.measured.one_by_one_seconds.push(seconds / singles as f64 * prebuilt.operations as f64);
        let work = prebuilt.clone();
        let seconds = target.with(move |address| work.apply(address)).await?;
        self.measured.apply.push((prebuilt.operations - singles) as f64 / seconds);
        target.must_equal(at_end, "the prebuilt operations").await
    }

    /// A restore of everything, snapshot and oplog.
    async fn restore_latest(&mut self, at_end: &[String], prebuilt: &Prebuilt, round: u64) -> anyhow::Result<()> {
        say(&format!("round {round}: `oplogue restore --latest`"));
        let target = Server::start().await?;
        let ran = self.oplogue("restore --latest", &target, "storage", &["--yes", "--json"]).await?;
        self.measured.latest_seconds.push(ran.spent.seconds);
        // Where operations are folded into the documents there is no such step.
        if let Ok(seconds) = step(&ran.json()?, "applying the oplog")
            && seconds > 1.0
        {
            self.measured.replay.push(prebuilt.operations as f64 / seconds);
        }
        target.must_equal(at_end, "`oplogue restore --latest`").await
    }

    /// Backups and a restore of documents of 16 MiB, for their memory.
    async fn large(&mut self) -> anyhow::Result<()> {
        say("documents of 16 MiB");
        let source = Server::start().await?;
        let bytes = source.with(large::load).await?;
        for (command, storage) in [("backup --compression none (16 MiB)", "large-plain"), ("backup (16 MiB)", "large")] {
            let ran = self.oplogue(command, &source, storage, &["--name", "large", "--json"]).await?;
            read_all(&ran.json()?, bytes)?;
        }
        peers::remove(&self.folder.path().join("large-plain"))?;
        let target = Server::start().await?;
        self.oplogue("restore --backup (16 MiB)", &target, "large", &["--yes", "--json", "large"]).await?;
        peers::remove(&self.folder.path().join("large"))
    }

    fn storage(&self, name: &str) -> String {
        format!("file://{}", self.folder.path().join(name).display())
    }

    /// Runs `oplogue COMMAND` with more `words` against `server`, and keeps what it used. What stands in parentheses is for the reader.
    async fn oplogue(&mut self, command: &'static str, server: &Server, storage: &str, words: &[&str]) -> anyhow::Result<Ran> {
        let (storage, uri) = (self.storage(storage), server.set.uri());
        let typed = command.split(" (").next().unwrap_or(command).split(' ');
        let rest = ["--uri", &uri, "--storage", &storage];
        // An option's value stands right behind it.
        let words: Vec<&str> = if command.contains(" --backup") {
            let name = words.iter().find(|word| !word.starts_with('-')).copied();
            typed.chain(name).chain(words.iter().copied().filter(|word| word.starts_with('-'))).chain(rest).collect()
        } else {
            typed.chain(words.iter().copied()).chain(rest).collect()
        };
        let ran = process::run(self.program, self.folder.path(), server.process()?, &words).await?;
        self.measured.used(command, &ran);
        Ok(ran)
    }

    /// Does `work` against `server`, which says how many seconds it took, and keeps what that cost both.
    async fn ceiling(
        &mut self,
        what: &'static str,
        server: &Server,
        work: impl Future<Output = anyhow::Result<f64>>,
    ) -> anyhow::Result<Spent> {
        let spent = process::spend(server.process()?, work).await?;
        self.measured.spent(what, &spent, None);
        Ok(spent)
    }
}

/// Fails when a backup holds less than what is there.
fn read_all(report: &Value, bytes: u64) -> anyhow::Result<()> {
    let read = report["document_bytes"].as_u64().context("the report of a backup has `document_bytes`")?;
    anyhow::ensure!(read >= bytes, "the backup holds {read} bytes of documents, {bytes} are there");
    Ok(())
}

fn megabytes(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 / 1e6 / seconds
}

/// `{"t": seconds, "i": ordinal, …}`
fn time(value: &Value) -> Option<Timestamp> {
    let number = |name: &str| value[name].as_u64().and_then(|number| u32::try_from(number).ok());
    Some(Timestamp { time: number("t")?, increment: number("i")? })
}

/// Seconds of one step of a restore.
fn step(report: &Value, name: &str) -> anyhow::Result<f64> {
    let steps = report["report"]["steps"].as_array().context("the report of a restore has `steps`")?;
    let step = steps.iter().find(|step| step["step"] == name).and_then(|step| step["seconds"].as_f64());
    step.with_context(|| format!("the report of the restore has no step {name:?}: {steps:?}"))
}
