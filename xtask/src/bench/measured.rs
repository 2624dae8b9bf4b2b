//! What the rounds measured, and which of it stands beside which.

use super::figures::{Figures, Rate, Samples, Usage, Wanted, count};
use super::peers;
use super::prebuilt::{OPERATIONS_MAX, SINGLES_MAX};
use super::process::{Ran, Spent};

/// The reference's own thin clients on a quieter machine of two cores.
const REFERENCE: &str = "For comparison, measured once on two cores beside other work with 1.67 GB: reading 860 MB/s (exhaust) and 350 MB/s (driver, one \
                         collection), inserting 61 MB/s, replaying 11,900 operations/s, mongodump -j 4 244 MB/s, mongorestore 26 MB/s. Compare ratios, not rates.";

/// The samples of all rounds so far.
#[derive(Default)]
pub struct Measured {
    pub backup: Samples,
    pub backup_cpu: Samples,
    pub backup_zstd: Samples,
    pub read_exhaust: Samples,
    pub read_socket: Samples,
    pub read_exhaust_cpu: Samples,
    pub read_driver: Samples,
    pub restore: Samples,
    pub restore_plain: Samples,
    pub restore_seconds: Samples,
    pub restore_load: Samples,
    pub insert: Samples,
    pub replay: Samples,
    pub latest_seconds: Samples,
    pub apply: Samples,
    pub one_by_one_seconds: Samples,
    pub slicing: Samples,
    pub peers: peers::Measured,
    /// Of each kind of process, and of the ceilings.
    pub usage: Vec<Usage>,
    pub stored_bytes: u64,
}

impl Measured {
    /// Keeps what a program used.
    pub fn used(&mut self, command: &'static str, ran: &Ran) {
        self.spent(command, &ran.spent, Some(ran.peak_bytes));
    }

    /// Keeps what some work cost.
    pub fn spent(&mut self, what: &'static str, spent: &Spent, peak_bytes: Option<u64>) {
        if !self.usage.iter().any(|usage| usage.what == what) {
            self.usage.push(Usage { what, ..Usage::default() });
        }
        for usage in self.usage.iter_mut().filter(|usage| usage.what == what) {
            usage.seconds.push(spent.seconds);
            usage.cpu_seconds.push(spent.cpu_seconds);
            usage.server_cpu_seconds.push(spent.server_cpu_seconds);
            peak_bytes.into_iter().for_each(|bytes| usage.peak_bytes.push(bytes as f64));
        }
    }

    /// Puts everything beside what it is compared with.
    pub fn figures(self, conditions: Vec<(&'static str, String)>, entries: u64) -> Figures {
        let dumped = self.peers.dump;
        let whole = Samples::from(vec![100.0]);
        let least = Wanted::AtLeast;
        let most = Wanted::AtMost;
        let rates = [
            ("snapshot, not compressed", self.backup.clone(), "MB/s", "`mongodump -j 4`", dumped, least(2.5)),
            (
                "snapshot, not compressed",
                self.backup.clone(),
                "MB/s",
                "reading: exhaust cursors, thin OP_MSG client, 4 collections at once, bytes thrown away",
                self.read_exhaust,
                least(0.7),
            ),
            (
                "snapshot, not compressed",
                self.backup.clone(),
                "MB/s",
                "the same over the server's socket file, which `oplogue backup` takes on the server's machine",
                self.read_socket,
                Wanted::Anything,
            ),
            (
                "snapshot, not compressed",
                self.backup,
                "MB/s",
                "reading: the driver's raw batch cursors, 4 collections at once, bytes thrown away",
                self.read_driver,
                Wanted::Anything,
            ),
            ("its CPU", self.backup_cpu.clone(), "s", "CPU of `mongodump -j 4`", self.peers.dump_cpu, most(1.0 / 3.0)),
            ("its CPU", self.backup_cpu, "s", "CPU of the exhaust cursors' client", self.read_exhaust_cpu, Wanted::Anything),
            ("snapshot, zstd", self.backup_zstd, "MB/s", "`mongodump -j 4 --gzip`", self.peers.dump_gzip, least(1.5)),
            (
                "restore, uncompressed",
                self.restore_plain,
                "MB/s",
                "`mongorestore -j 4`, 4 workers each, of an uncompressed dump",
                self.peers.restore.clone(),
                least(1.8),
            ),
            (
                "restore, zstd",
                self.restore.clone(),
                "MB/s",
                "`mongorestore -j 4 --gzip`, 4 workers each, of a dump with gzip",
                self.peers.restore_gzip,
                least(1.8),
            ),
            ("restore, zstd", self.restore.clone(), "MB/s", "the same of an uncompressed dump", self.peers.restore, Wanted::Anything),
            (
                "restore, zstd, its loading",
                self.restore_load,
                "MB/s",
                "inserting: prebuilt messages, 4 connections, the same data (2,500 MB of it at most), no indexes",
                self.insert.clone(),
                least(0.85),
            ),
            ("restore, zstd", self.restore, "MB/s", "the same, its indexes and checks included", self.insert, Wanted::Anything),
            (
                "restore to the end of the oplog",
                self.latest_seconds.clone(),
                "s",
                "restore of the snapshot alone",
                self.restore_seconds,
                most(1.25),
            ),
            (
                "restore to the end of the oplog",
                self.latest_seconds,
                "s",
                "the oplog alone, one operation per applyOps, extrapolated from a part",
                self.one_by_one_seconds,
                most(0.05),
            ),
            (
                "replay",
                self.replay,
                "ops/s",
                "prebuilt atomic applyOps, one connection, no secondary indexes",
                self.apply,
                Wanted::Anything,
            ),
            ("slicing at 1,000 writes/s", self.slicing, "% CPU", "one core", whole, most(0.05)),
        ];
        // What was not measured is not shown.
        let rates = rates.into_iter().filter(|rate| rate.1.median().is_some() && rate.4.median().is_some());
        let rates =
            rates.map(|(ours, samples, unit, what, beside, wanted)| Rate { ours: (ours, samples), unit, ceiling: (what, beside), wanted });
        let mut notes = vec![
            "Rates are of uncompressed BSON (10⁶ bytes) over the whole life of the process, except loading and replay, which are the steps the program itself \
             reports. Peak memory is the most of all runs; a backup should stay below 200 MiB, a restore below 400 MiB. Restored documents were \
             equal to the source's by `dbHash` each time."
                .to_owned(),
        ];
        if entries > 0 {
            notes.push(format!(
                "Batches of the applyOps ceiling have {} operations. One per applyOps: measured with {}, one connection, for {} entries.",
                count(OPERATIONS_MAX as f64),
                count(SINGLES_MAX as f64),
                count(entries as f64)
            ));
        }
        notes.push(REFERENCE.to_owned());
        Figures { conditions, rates: rates.collect(), usage: self.usage, notes }
    }
}
