//! The oplog, as it is, between two moments.

use bson::{RawDocument, RawDocumentBuf, doc};
use futures::Stream;
use futures::stream;
use mongodb::raw_batch_cursor::RawBatchCursor;
use oplogue_domain::OplogTime;

use crate::command::{raw, timestamp};
use crate::connect::Connection;
use crate::error::MongoError;
use crate::versions::ServerVersion;

const WHAT: &str = "read the oplog";
/// The server's code for a cursor whose place in a capped collection no longer exists.
const CAPPED_POSITION_LOST: i32 = 136;

/// Where a read of the oplog stands.
enum State {
    Fresh,
    Reading(Box<RawBatchCursor>),
    Done,
}

struct Reader {
    connection: Connection,
    from: OplogTime,
    through: OplogTime,
    /// The last entry handed out.
    newest: Option<OplogTime>,
    state: State,
}

impl Connection {
    /// The entries of the server asked from `from` up to `through`, both inclusive, in order, in batches as the server sends them (at
    /// most about 16 MiB each; single entries may be 16 MiB + 16 KiB). Nothing is filtered or decoded.
    ///
    /// Read concern is local: the caller keeps `through` at or below [`Connection::majority_time`] of the same server.
    /// Whether the entry at `from` itself exists is for the caller to look at in the first batch.
    ///
    /// # Errors
    /// [`MongoError::OplogRolledOver`] when the server has discarded entries later than or at `from`, before or during the read. After
    /// an error the stream ends; what was handed out before it is gapless.
    pub fn read_oplog(
        &self,
        from: OplogTime,
        through: OplogTime,
    ) -> impl Stream<Item = Result<Vec<RawDocumentBuf>, MongoError>> + Send + use<> {
        let reader = Reader { connection: self.clone(), from, through, newest: None, state: State::Fresh };
        stream::unfold(reader, |mut reader| async move {
            match reader.next().await {
                Ok(Some(batch)) => Some((Ok(batch), reader)),
                Ok(None) => None,
                Err(error) => {
                    reader.state = State::Done;
                    Some((Err(error), reader))
                }
            }
        })
    }
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Vec<RawDocumentBuf>>, MongoError> {
        loop {
            match &mut self.state {
                State::Done => return Ok(None),
                State::Fresh => {
                    if self.from > self.through {
                        self.state = State::Done;
                        continue;
                    }
                    let cursor = open(&self.connection, self.from, self.through).await?;
                    self.state = State::Reading(Box::new(cursor));
                }
                State::Reading(cursor) => {
                    let batch = match self.connection.next_batch(WHAT, cursor).await {
                        Ok(Some(batch)) => batch,
                        Ok(None) => {
                            let nothing = self.newest.is_none();
                            self.state = State::Done;
                            if nothing {
                                refuse_if_rolled_over(&self.connection, self.from).await?;
                            }
                            return Ok(None);
                        }
                        Err(error) if error.has_code(&[CAPPED_POSITION_LOST]) => {
                            return Err(rolled_over(&self.connection, self.newest.unwrap_or(self.from)).await?);
                        }
                        Err(error) => return Err(error),
                    };
                    let mut entries = Vec::new();
                    batch.each(WHAT, |entry| entries.push(entry.to_owned()))?;
                    let Some(last) = entries.last() else { continue };
                    let last = entry_time(last)?;
                    if self.newest.is_none() && entry_time(&entries[0])? != self.from {
                        refuse_if_rolled_over(&self.connection, self.from).await?;
                    }
                    self.newest = Some(last);
                    return Ok(Some(entries));
                }
            }
        }
    }
}

async fn open(connection: &Connection, from: OplogTime, through: OplogTime) -> Result<RawBatchCursor, MongoError> {
    let mut command = doc! {
        "find": "oplog.rs",
        "filter": { "ts": { "$gte": timestamp(from), "$lte": timestamp(through) } },
        "noCursorTimeout": true,
        "readConcern": { "level": "local" },
    };
    // Before 4.4 seeking to a time instead of scanning the whole oplog must be asked for.
    if connection.server_version().await? < ServerVersion::new(4, 4, 0) {
        command.insert("oplogReplay", true);
    }
    match connection.cursor(WHAT, "local", raw(WHAT, &command)?).await {
        Err(error) if error.has_code(&[CAPPED_POSITION_LOST]) => Err(rolled_over(connection, from).await?),
        cursor => cursor,
    }
}

/// The entry the cursor stood at was discarded.
async fn rolled_over(connection: &Connection, wanted: OplogTime) -> Result<MongoError, MongoError> {
    Ok(MongoError::OplogRolledOver { wanted, oldest: connection.oplog_end(1).await? })
}

/// The first entry is not the one asked for: either it never existed, or it and maybe others were discarded. The cursor stands
/// already, so an oldest entry not later than `from` proves that nothing is missing.
async fn refuse_if_rolled_over(connection: &Connection, from: OplogTime) -> Result<(), MongoError> {
    let oldest = connection.oplog_end(1).await?;
    if oldest > from { Err(MongoError::OplogRolledOver { wanted: from, oldest }) } else { Ok(()) }
}

fn entry_time(entry: &RawDocument) -> Result<OplogTime, MongoError> {
    let time = entry.get_timestamp("ts").map_err(|error| MongoError::answer(WHAT, error))?;
    Ok(OplogTime::new(time.time, time.increment))
}
