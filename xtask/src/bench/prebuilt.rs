//! The ceiling of replaying: a stretch of oplog as atomic `applyOps` commands that only have to be sent.

use std::time::Instant;

use anyhow::Context;
use bson::raw::cstr;
use bson::{RawArrayBuf, RawDocument, RawDocumentBuf, Timestamp, rawdoc};

use super::wire::{Wire, documents, message};

/// Operations in one `applyOps`.
pub const OPERATIONS_MAX: usize = 5_000;
/// Operations that are sent one by one, to see what that takes.
pub const SINGLES_MAX: usize = 3_000;
/// The server writes an atomic `applyOps` to its own oplog as one entry of at most 16 MiB.
const BYTES_MAX: usize = 12 << 20;

/// The writes of a stretch of oplog, as messages.
#[derive(Debug, Default)]
pub struct Prebuilt {
    /// Entries of the oplog that write; a transaction is one.
    pub entries: u64,
    /// Of them transactions.
    pub transactions: u64,
    /// Bytes of those entries.
    pub bytes: u64,
    /// Operations; a transaction has many.
    pub operations: u64,
    /// The first operations, each for itself, and all that follow, in batches.
    singles: Vec<Vec<u8>>,
    messages: Vec<Vec<u8>>,
    /// What the next message will hold, and its bytes.
    batch: Vec<RawDocumentBuf>,
    batch_bytes: usize,
}

impl Prebuilt {
    /// From the oplog of the server at `address`, entries later than `after`, up to and including `through`. Blocks.
    pub fn read(address: &str, after: Timestamp, through: Timestamp, databases: &[&str]) -> anyhow::Result<Prebuilt> {
        let mut built = Prebuilt::default();
        let find = rawdoc! { "find": "oplog.rs", "filter": { "ts": { "$gt": after, "$lte": through }, "op": { "$ne": "n" } } };
        Wire::connect(address)?.exhaust("local", find, |reply| {
            for entry in documents(reply)? {
                built.take(entry?, databases)?;
            }
            Ok(())
        })?;
        built.flush()?;
        Ok(built)
    }

    fn take(&mut self, entry: &RawDocument, databases: &[&str]) -> anyhow::Result<()> {
        let namespace = entry.get_str("ns").context("an entry without `ns`")?;
        let operation = entry.get_document("o").context("an entry without `o`")?;
        let before = self.operations;
        if namespace == "admin.$cmd"
            && let Ok(operations) = operation.get_array("applyOps")
        {
            for inner in operations {
                self.operation(inner?.as_document().context("an operation of a transaction")?, databases)?;
            }
            self.transactions += u64::from(self.operations > before);
        } else {
            self.operation(entry, databases)?;
        }
        if self.operations > before {
            self.entries += 1;
            self.bytes += entry.as_bytes().len() as u64;
        }
        Ok(())
    }

    fn operation(&mut self, operation: &RawDocument, databases: &[&str]) -> anyhow::Result<()> {
        let namespace = operation.get_str("ns").context("an operation without `ns`")?;
        if !databases.iter().any(|database| namespace.strip_prefix(database).is_some_and(|rest| rest.starts_with('.'))) {
            return Ok(());
        }
        let kind = operation.get_str("op").context("an operation without `op`")?;
        anyhow::ensure!(matches!(kind, "i" | "u" | "d"), "the bench writes documents only, and the oplog has {operation:?}");
        let mut write = rawdoc! { "op": kind, "ns": namespace };
        write.append(cstr!("o"), operation.get_document("o").context("an operation without `o`")?.to_owned());
        if let Ok(query) = operation.get_document("o2") {
            write.append(cstr!("o2"), query.to_owned());
        }
        self.operations += 1;
        if self.singles.len() < SINGLES_MAX {
            self.singles.push(apply_ops([write])?);
            return Ok(());
        }
        let bytes = write.as_bytes().len();
        if self.batch.len() >= OPERATIONS_MAX || self.batch_bytes + bytes > BYTES_MAX {
            self.flush()?;
        }
        self.batch_bytes += bytes;
        self.batch.push(write);
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.batch_bytes = 0;
        self.messages.push(apply_ops(self.batch.drain(..))?);
        Ok(())
    }

    /// Sends the first operations one by one over one connection. Returns how many, and the seconds. Blocks.
    pub fn apply_singles(&self, address: &str) -> anyhow::Result<(u64, f64)> {
        let mut wire = Wire::connect(address)?;
        let begun = Instant::now();
        for message in &self.singles {
            wire.send(message)?;
        }
        Ok((self.singles.len() as u64, begun.elapsed().as_secs_f64()))
    }

    /// Sends the rest, in order, over one connection. Blocks.
    pub fn apply(&self, address: &str) -> anyhow::Result<f64> {
        let mut wire = Wire::connect(address)?;
        let begun = Instant::now();
        for message in &self.messages {
            wire.send(message)?;
        }
        Ok(begun.elapsed().as_secs_f64())
    }
}

fn apply_ops(operations: impl IntoIterator<Item = RawDocumentBuf>) -> anyhow::Result<Vec<u8>> {
    let mut array = RawArrayBuf::new();
    operations.into_iter().for_each(|operation| array.push(operation));
    let command = rawdoc! { "applyOps": array, "alwaysUpsert": false, "bypassDocumentValidation": true, "$db": "admin" };
    message(&command, None, 0)
}
