//! The course of the bench: load, then per round read and back up, and at last restore and replay.
//!
//! What is measured is also checked: every restore, and the replaying ceiling too, must end with the documents of the source.

use std::path::Path;

use anyhow::Context;
use bson::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use super::data::{self, COLLECTIONS, DATABASES};
use super::figures::{Figures, Rate, Samples, Usage, count};
use super::prebuilt::{OPERATIONS_MAX, Prebuilt};
use super::process::{self, Ran};
use super::stage::{CACHE_GB, Server};
use super::wire::Wire;
use super::{Options, ceilings, conditions, say, traffic};

/// The reference's own thin clients on a quieter machine of two cores.
const REFERENCE: &str = "For comparison, measured once on two cores beside other work with 1.67 GB: reading 860 MB/s (exhaust) and 350 MB/s (driver, one \
                         collection), inserting 61 MB/s, replaying 11,900 operations/s. Compare ratios, not rates.";

#[derive(Default)]
struct Measured {
    backup: Samples,
    read_exhaust: Samples,
    read_driver: Samples,
    restore: Samples,
    restore_load: Samples,
    insert: Samples,
    replay: Samples,
    apply: Samples,
    /// Of each kind of process.
    usage: Vec<Usage>,
    stored_bytes: u64,
}

/// Where things are, for all steps.
struct Bench<'a> {
    options: Options,
    program: &'a Path,
    folder: TempDir,
    measured: Measured,
}

/// Measures everything.
pub async fn measure(options: Options, program: &Path) -> anyhow::Result<Figures> {
    let machine = conditions::machine();
    let folder = tempfile::Builder::new().prefix("oplogue-bench-").tempdir().context("make a temporary folder")?;
    let mut bench = Bench { options, program, folder, measured: Measured::default() };

    say(&format!("loading {} MB of BSON into a fresh mongod", count(options.size_mb as f64)));
    let source = Server::start().await?;
    let (bytes, documents) = source.with(move |address| ceilings::load(address, options.size_mb)).await?;
    let indexes = source.with(|address| data::build_indexes(&mut Wire::connect(address)?)).await?;
    source.settle().await?;
    // Whoever reads first fills the caches.
    source.with(move |address| ceilings::read_exhaust(address, bytes)).await?;

    let mut base = None;
    for round in 1..=options.runs {
        base = Some(bench.back_up(&source, bytes, round).await?);
    }
    let (name, base) = base.context("at least one round")?;
    let at_base = source.hash().await?;

    say(&format!("writing {} oplog entries", count(options.entries as f64)));
    source.with(move |address| traffic::write(address, options.size_mb, options.entries)).await?;
    let end = source.newest().await?;
    let prebuilt = source.with(move |address| Prebuilt::read(address, base, end, &DATABASES)).await?;
    let prebuilt = std::sync::Arc::new(prebuilt);
    anyhow::ensure!(prebuilt.entries >= options.entries, "the oplog has {} entries, {} were wanted", prebuilt.entries, options.entries);
    let at_end = source.hash().await?;
    source.settle().await?;
    bench.slice(&source, end).await?;

    for round in 1..=options.runs {
        bench.insert(round).await?;
        bench.restore(&name, bytes, &at_base, &prebuilt, &at_end, round).await?;
        bench.restore_latest(&at_end, &prebuilt, round).await?;
    }

    let version = source.set.options().version;
    let stored = bench.measured.stored_bytes;
    let conditions = vec![
        ("machine", machine),
        (
            "server",
            format!("mongod {version}, replica sets of one member, {CACHE_GB} GB cache each, loopback; storage file:// on the local disk"),
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
        (
            "oplog",
            format!(
                "{} entries of {} MB, {} of them transactions; {} operations: inserts, diffs, deletes",
                count(prebuilt.entries as f64),
                count(prebuilt.bytes as f64 / 1e6),
                count(prebuilt.transactions as f64),
                count(prebuilt.operations as f64),
            ),
        ),
        ("runs", format!("{}, medians", options.runs)),
    ];
    Ok(bench.measured.figures(conditions))
}

impl Bench<'_> {
    /// Ceilings of reading, then a backup. Returns its name and the moment it stands for.
    async fn back_up(&mut self, source: &Server, bytes: u64, round: u64) -> anyhow::Result<(String, Timestamp)> {
        say(&format!("round {round}: reading, then `oplogue backup`"));
        let seconds = source.with(move |address| ceilings::read_exhaust(address, bytes)).await?;
        self.measured.read_exhaust.push(megabytes(bytes, seconds));
        let seconds = ceilings::read_driver(&source.set.client().await?, bytes).await?;
        self.measured.read_driver.push(megabytes(bytes, seconds));

        let name = format!("bench-{round}");
        let ran = self.oplogue("backup", source, &["--name", &name, "--json"]).await?;
        self.measured.backup.push(megabytes(bytes, ran.seconds));
        let report = ran.json()?;
        let read = report["document_bytes"].as_u64().context("the report of a backup has `document_bytes`")?;
        anyhow::ensure!(read >= bytes, "the backup holds {read} bytes of documents, {bytes} are there");
        self.measured.stored_bytes = report["stored_bytes"].as_u64().unwrap_or_default();
        Ok((name, time(&report["restores_to"]).context("the report of a backup has `restores_to`")?))
    }

    /// Stores the oplog up to `end` from where the newest backup ends. Once: there is nothing left to slice afterwards.
    async fn slice(&mut self, source: &Server, end: Timestamp) -> anyhow::Result<()> {
        say("`oplogue slice`");
        let until = format!("{},{}", end.time, end.increment);
        // The last slice is cut when it is as old as the span: a short one, so that not much of the time is waiting.
        let ran = self.oplogue("slice --span 1s", source, &["--until", &until, "--json"]).await?;
        let stored = ran.json_lines()?.iter().filter(|event| event["event"] == "stored").count();
        anyhow::ensure!(stored > 0, "`oplogue slice` ended without a slice");
        Ok(())
    }

    /// The ceiling of inserting.
    async fn insert(&mut self, round: u64) -> anyhow::Result<()> {
        say(&format!("round {round}: inserting a quarter of the data"));
        let target = Server::start().await?;
        let size_mb = self.options.size_mb;
        let (bytes, seconds) = target.with(move |address| ceilings::insert(address, size_mb)).await?;
        self.measured.insert.push(megabytes(bytes, seconds));
        Ok(())
    }

    /// A restore of the backup, and on top of it the ceiling of replaying.
    async fn restore(
        &mut self,
        name: &str,
        bytes: u64,
        at_base: &[String],
        prebuilt: &std::sync::Arc<Prebuilt>,
        at_end: &[String],
        round: u64,
    ) -> anyhow::Result<()> {
        say(&format!("round {round}: `oplogue restore --backup`"));
        let target = Server::start().await?;
        let ran = self.oplogue("restore --backup", &target, &[name, "--yes", "--json"]).await?;
        self.measured.restore.push(megabytes(bytes, ran.seconds));
        self.measured.restore_load.push(megabytes(bytes, step(&ran.json()?, "loading documents")?));
        target.must_equal(at_base, "`oplogue restore --backup`").await?;

        say(&format!("round {round}: applying {} operations, prebuilt", count(prebuilt.operations as f64)));
        // A restore builds secondary indexes at its end: here, too, they must not be in the way.
        target.with(|address| data::drop_indexes(&mut Wire::connect(address)?)).await?;
        target.settle().await?;
        let work = prebuilt.clone();
        let seconds = target.with(move |address| work.apply(address)).await?;
        self.measured.apply.push(prebuilt.operations as f64 / seconds);
        target.must_equal(at_end, "the prebuilt operations").await
    }

    /// A restore of everything, snapshot and oplog.
    async fn restore_latest(&mut self, at_end: &[String], prebuilt: &Prebuilt, round: u64) -> anyhow::Result<()> {
        say(&format!("round {round}: `oplogue restore --latest`"));
        let target = Server::start().await?;
        let ran = self.oplogue("restore --latest", &target, &["--yes", "--json"]).await?;
        let report = ran.json()?;
        let operations = report["report"]["operations_applied"].as_u64().context("the report of a restore has `operations_applied`")?;
        anyhow::ensure!(
            operations >= prebuilt.operations,
            "{operations} operations were applied, {} are in the oplog",
            prebuilt.operations
        );
        self.measured.replay.push(operations as f64 / step(&report, "applying the oplog")?);
        target.must_equal(at_end, "`oplogue restore --latest`").await
    }

    /// Runs `oplogue COMMAND` with more `words` against `server`, and keeps what it used.
    async fn oplogue(&mut self, command: &'static str, server: &Server, words: &[&str]) -> anyhow::Result<Ran> {
        let storage = format!("file://{}", self.folder.path().join("storage").display());
        let uri = server.set.uri();
        let words: Vec<&str> = command.split(' ').chain(words.iter().copied()).chain(["--uri", &uri, "--storage", &storage]).collect();
        let ran = process::run(self.program, self.folder.path(), &words).await?;
        self.measured.used(command, &ran);
        Ok(ran)
    }
}

impl Measured {
    fn used(&mut self, command: &'static str, ran: &Ran) {
        if !self.usage.iter().any(|usage| usage.command == command) {
            self.usage.push(Usage { command, ..Usage::default() });
        }
        for usage in self.usage.iter_mut().filter(|usage| usage.command == command) {
            usage.seconds.push(ran.seconds);
            usage.cpu_seconds.push(ran.cpu_seconds);
            usage.peak_bytes.push(ran.peak_bytes as f64);
        }
    }

    fn figures(self, conditions: Vec<(&'static str, String)>) -> Figures {
        let rate = |ours, samples, unit, what, ceiling| Rate { ours: (ours, samples), unit, ceiling: (what, ceiling) };
        let rates = vec![
            rate(
                "snapshot",
                self.backup.clone(),
                "MB/s",
                "reading: exhaust cursors, thin OP_MSG client, 4 collections at once",
                self.read_exhaust,
            ),
            rate("snapshot", self.backup, "MB/s", "reading: the driver's raw batch cursors, 4 collections at once", self.read_driver),
            rate(
                "restore, all of it",
                self.restore,
                "MB/s",
                "inserting: prebuilt messages, 4 connections, a quarter of the data, no indexes",
                self.insert.clone(),
            ),
            rate("restore, its loading", self.restore_load, "MB/s", "the same", self.insert),
            rate("replay", self.replay, "ops/s", "prebuilt atomic applyOps, one connection, no secondary indexes", self.apply),
        ];
        let notes = vec![
            format!(
                "Rates are of uncompressed BSON (10⁶ bytes) over the whole life of the process, except loading and replay, which are the steps the program itself \
                 reports; batches of the applyOps ceiling have {} operations. Peak memory is the most of all runs. Restored documents were equal to the source's by `dbHash` each time.",
                count(OPERATIONS_MAX as f64)
            ),
            REFERENCE.to_owned(),
        ];
        Figures { conditions, rates, usage: self.usage, notes }
    }
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
