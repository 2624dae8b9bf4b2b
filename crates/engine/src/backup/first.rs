//! Where a backup's oplog must begin.
//!
//! At the newest entry that every document read later shows, or at the beginning of the oldest transaction that is still open
//! there. The server has no one answer to both, and between two questions a transaction may end: it is looked for in the oplog in
//! between, and if there is one, both are asked again.

use anyhow::{Context, bail};
use bson::RawDocument;
use futures::{StreamExt, pin_mut};
use oplogue_domain::OplogTime;
use oplogue_mongo::Connection;

/// Tries until no transaction ended in between. Each takes a few milliseconds.
const TRIES_MAX: u32 = 100;

/// The time of the first entry that the backup's oplog must have.
pub async fn first_entry(node: &Connection) -> anyhow::Result<OplogTime> {
    for _ in 0..TRIES_MAX {
        let newest = node.majority_time().await.context("ask for the newest entry of the oplog")?;
        let open = node.oldest_open_transaction().await.context("look for open transactions")?;
        let first = open.map_or(newest, |open| open.min(newest));
        if !ended_since(node, newest, first).await? {
            return Ok(first);
        }
    }
    bail!("transactions of several oplog entries end all the time: no beginning was found in {TRIES_MAX} tries")
}

/// True when the oplog later than `newest` ends a transaction that has entries before `first`.
async fn ended_since(node: &Connection, newest: OplogTime, first: OplogTime) -> anyhow::Result<bool> {
    let through = node.last_applied().await.context("ask for the newest entry of the oplog")?;
    let entries = node.read_oplog(newest, through);
    pin_mut!(entries);
    while let Some(batch) = entries.next().await {
        for entry in batch.context("look for transactions in the oplog")? {
            if continues_from(&entry).is_some_and(|before| before < first) && is_later(&entry, newest) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn is_later(entry: &RawDocument, than: OplogTime) -> bool {
    entry.get_timestamp("ts").is_ok_and(|time| OplogTime::new(time.time, time.increment) > than)
}

/// The entry before this one in the same transaction, when it is a later entry of a transaction.
fn continues_from(entry: &RawDocument) -> Option<OplogTime> {
    let is_command = entry.get_str("op").is_ok_and(|op| op == "c");
    let command = entry.get_document("o").ok()?;
    let first_field = command.iter().next()?.ok()?.0;
    let of_transaction =
        matches!(first_field.as_str(), "applyOps" | "commitTransaction") && entry.get("txnNumber").ok().flatten().is_some();
    if !is_command || !of_transaction {
        return None;
    }
    let time = entry.get_document("prevOpTime").ok()?.get_timestamp("ts").ok()?;
    let time = OplogTime::new(time.time, time.increment);
    (time > OplogTime::MIN).then_some(time)
}

#[cfg(test)]
mod tests {
    use bson::{Timestamp, rawdoc};

    use super::*;

    #[test]
    fn only_a_later_entry_of_a_transaction_continues_another() {
        let ts = |time, increment| Timestamp { time, increment };
        let last = rawdoc! { "ts": ts(9, 1), "op": "c", "txnNumber": 1_i64, "o": { "applyOps": [] }, "prevOpTime": { "ts": ts(8, 7), "t": 1_i64 } };
        assert_eq!(continues_from(&last), Some(OplogTime::new(8, 7)));
        let commit = rawdoc! { "ts": ts(9, 1), "op": "c", "txnNumber": 1_i64, "o": { "commitTransaction": 1 }, "prevOpTime": { "ts": ts(8, 7), "t": 1_i64 } };
        assert_eq!(continues_from(&commit), Some(OplogTime::new(8, 7)));
        let single = rawdoc! { "op": "c", "txnNumber": 1_i64, "o": { "applyOps": [] }, "prevOpTime": { "ts": ts(0, 0), "t": -1_i64 } };
        assert_eq!(continues_from(&single), None);
        let retryable = rawdoc! { "op": "i", "txnNumber": 1_i64, "o": { "_id": 1 }, "prevOpTime": { "ts": ts(8, 7), "t": 1_i64 } };
        assert_eq!(continues_from(&retryable), None);
    }
}
