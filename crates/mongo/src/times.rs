//! What time it is in the oplog.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bson::{Document, RawDocumentBuf, doc};
use oplogue_domain::OplogTime;

use crate::command::{Patience, decoded, oplog_time};
use crate::connect::Connection;
use crate::error::MongoError;

/// What the oplog of the server asked still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OplogWindow {
    pub oldest: OplogTime,
    pub newest: OplogTime,
}

impl OplogWindow {
    pub fn seconds(self) -> u32 {
        self.newest.seconds_since(self.oldest)
    }
}

/// A server's clock beside ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerClock {
    /// Milliseconds since 1970, as the server says.
    pub server_millis: i64,
    /// Server minus ours; positive when the server is ahead. Exact to half of `round_trip`.
    pub skew_millis: i64,
    pub round_trip: Duration,
}

impl Connection {
    /// The newest time the server asked knows to be on a majority of the members: entries up to it are never rolled back.
    ///
    /// # Errors
    /// [`MongoError::Answer`] while the set has no majority commit point yet (just initiated).
    pub async fn majority_time(&self) -> Result<OplogTime, MongoError> {
        self.last_write("majorityOpTime").await
    }

    /// The newest time the server asked has applied, on a majority or not.
    pub async fn last_applied(&self) -> Result<OplogTime, MongoError> {
        self.last_write("opTime").await
    }

    async fn last_write(&self, field: &str) -> Result<OplogTime, MongoError> {
        const WHAT: &str = "read the time of the newest write";
        let reply = self.hello(WHAT).await?;
        let time = reply.get_document("lastWrite").ok().and_then(|last| oplog_time(last.get(field)));
        time.filter(|time| *time > OplogTime::MIN).ok_or_else(|| MongoError::answer(WHAT, format!("`hello` has no lastWrite.{field} yet")))
    }

    /// Waits until the server asked knows everything up to `time` to be on a majority; returns its majority time then.
    ///
    /// # Errors
    /// [`MongoError::NoMajority`] when that takes longer than `limit`.
    pub async fn wait_for_majority(&self, time: OplogTime, limit: Duration) -> Result<OplogTime, MongoError> {
        let waiting = async {
            loop {
                let majority = self.majority_time().await?;
                if majority >= time {
                    return Ok(majority);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(limit, waiting).await.unwrap_or_else(|_| {
            let reason = format!("the majority did not reach {time} within {} s", limit.as_secs_f32());
            Err(MongoError::NoMajority { what: "wait for the majority".to_owned(), reason })
        })
    }

    pub(crate) async fn hello(&self, what: &str) -> Result<Document, MongoError> {
        match self.run_again(what, "admin", doc! { "hello": 1 }, Patience::Short).await {
            // 4.2 and the first 4.4s know only the old word.
            Err(error) if error.has_code(&[59]) => self.run_again(what, "admin", doc! { "isMaster": 1 }, Patience::Short).await,
            reply => reply,
        }
    }

    /// The first and the last entry of the oplog of the server asked.
    pub async fn oplog_window(&self) -> Result<OplogWindow, MongoError> {
        Ok(OplogWindow { oldest: self.oplog_end(1).await?, newest: self.oplog_end(-1).await? })
    }

    pub(crate) async fn oplog_end(&self, direction: i32) -> Result<OplogTime, MongoError> {
        const WHAT: &str = "read the ends of the oplog";
        let command = doc! {
            "find": "oplog.rs", "sort": { "$natural": direction }, "limit": 1, "projection": { "ts": 1 }, "singleBatch": true,
            "readConcern": { "level": "local" },
        };
        let mut attempts = 0;
        let found = loop {
            match self.collect(WHAT, "local", command.clone()).await {
                // CappedPositionLost: the oldest entry went while it was being looked at.
                Err(error) if error.has_code(&[136]) && attempts < 20 => attempts += 1,
                found => break found?,
            }
        };
        let entry = found.first().ok_or_else(|| MongoError::answer(WHAT, "the oplog is empty"))?;
        oplog_time(decoded(WHAT, entry)?.get("ts")).ok_or_else(|| MongoError::answer(WHAT, "an entry without `ts`"))
    }

    /// The entry of exactly this time in the oplog of the server asked. `None` for a time that was rolled back; another history may have another
    /// entry at the same time.
    pub async fn oplog_entry(&self, time: OplogTime) -> Result<Option<RawDocumentBuf>, MongoError> {
        let command = doc! {
            "find": "oplog.rs", "filter": { "ts": crate::command::timestamp(time) }, "limit": 1, "singleBatch": true,
            "readConcern": { "level": "local" },
        };
        Ok(self.collect("look for an entry in the oplog", "local", command).await?.into_iter().next())
    }

    /// When the oldest transaction began that is neither committed nor aborted, if it has written to the oplog: a snapshot's oplog
    /// must begin there. Transactions that only live in memory need nothing: all their entries come later.
    pub async fn oldest_open_transaction(&self) -> Result<Option<OplogTime>, MongoError> {
        const WHAT: &str = "look for open transactions";
        let command = doc! {
            "find": "transactions", "filter": { "state": { "$in": ["prepared", "inProgress"] } }, "projection": { "startOpTime": 1 },
            "readConcern": { "level": "local" },
        };
        let found = self.collect(WHAT, "config", command).await?;
        let mut oldest: Option<OplogTime> = None;
        for session in &found {
            if let Some(time) = oplog_time(decoded(WHAT, session)?.get("startOpTime")) {
                oldest = Some(oldest.map_or(time, |oldest| oldest.min(time)));
            }
        }
        Ok(oldest)
    }

    /// The server's clock beside ours.
    pub async fn clock(&self) -> Result<ServerClock, MongoError> {
        const WHAT: &str = "read the server's clock";
        let before = SystemTime::now();
        let reply = self.hello(WHAT).await?;
        let round_trip = before.elapsed().unwrap_or_default();
        let server = reply.get_datetime("localTime").map_err(|error| MongoError::answer(WHAT, error))?.timestamp_millis();
        let middle = (before + round_trip / 2).duration_since(UNIX_EPOCH).unwrap_or_default();
        let ours = i64::try_from(middle.as_millis()).unwrap_or(i64::MAX);
        Ok(ServerClock { server_millis: server, skew_millis: server - ours, round_trip })
    }

    /// Writes a no-op with this text into the oplog, waits for a majority, and returns its time or a later one. Keeps an idle set's
    /// oplog moving.
    ///
    /// # Errors
    /// [`MongoError::Unauthorized`] without the action `appendOplogNote` (role `backup`).
    pub async fn append_note(&self, text: &str) -> Result<OplogTime, MongoError> {
        const WHAT: &str = "append a note to the oplog";
        let command = doc! {
            "appendOplogNote": 1, "data": { "msg": text }, "writeConcern": { "w": "majority", "wtimeout": self.majority_millis() },
        };
        let begun = Instant::now();
        let reply = loop {
            match self.primary().run_again(WHAT, "admin", command.clone(), Patience::Batch).await {
                // LockFailed: this command does not queue for its lock, and a busy server never gives it at once.
                Err(error) if error.has_code(&[107]) && begun.elapsed() < self.inner.options.command_timeout => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                reply => break reply?,
            }
        };
        oplog_time(reply.get("operationTime")).ok_or_else(|| MongoError::answer(WHAT, "no operationTime"))
    }

    /// Waits until everything written so far through this connection is on a majority of the members.
    pub async fn majority_barrier(&self) -> Result<OplogTime, MongoError> {
        self.append_note("oplogue: majority barrier").await
    }

    /// `wtimeout` for majority writes.
    pub(crate) fn majority_millis(&self) -> i64 {
        i64::try_from(self.inner.options.command_timeout.as_millis()).unwrap_or(i64::MAX)
    }
}
