//! The documents of one collection, whatever happens to it meanwhile.
//!
//! The collection is read by its UUID, so a namesake can never slip in. When it is dropped during the read, the reader is told and
//! keeps what it has: the `drop` stands in the oplog. When the server kills the cursor for another reason (a rename, a capped
//! collection that overtook the cursor, an election), reading starts again from the beginning, and the reader is told to throw
//! away what it has. Users who may not read by UUID are served by name, with the UUID checked behind the open cursor.

use std::time::Duration;

use bson::{Document, RawDocumentBuf, doc};
use futures::Stream;
use futures::stream;
use mongodb::raw_batch_cursor::RawBatchCursor;
use oplogue_domain::Namespace;

use crate::command::{raw, uuid_binary};
use crate::connect::Connection;
use crate::error::MongoError;
use crate::read_batch::{BatchEnd, ReadBatch};
use crate::snapshot_list::ListedCollection;
use crate::split::IdRange;
use crate::wire::cursor::WireCursor;

const WHAT: &str = "read a collection";
/// Beginnings of one read. A capped collection can overtake its reader again and again.
const BEGINNINGS_MAX: u32 = 20;

/// What a read of a collection tells.
#[derive(Debug)]
pub enum ReadEvent {
    Batch(ReadBatch),
    /// Everything handed out so far is void; reading starts again, now under this name.
    Restarted {
        namespace: Namespace,
    },
    /// The collection was dropped. What was handed out stays valid; nothing follows.
    Dropped,
}

/// An open cursor: on a connection of our own, or the driver's.
enum Cursor {
    Ours(Box<WireCursor>),
    Driver(Box<RawBatchCursor>),
}

struct Reader {
    connection: Connection,
    namespace: Namespace,
    uuid: Option<[u8; 16]>,
    range: IdRange,
    end: BatchEnd,
    by_name: bool,
    local: bool,
    beginnings: u32,
    /// The last range has been read; what is left is the document whose `_id` is MaxKey.
    at_max_key: bool,
    cursor: Option<Cursor>,
    done: bool,
}

impl Connection {
    /// The documents of `collection` (for a time series: its buckets; a view has none), or those of one range of `_id`s. Without a
    /// range they come in natural order. Majority read concern, where the server has it. Dropping the stream ends the server's cursor.
    ///
    /// # Errors
    /// The stream ends after an error.
    pub fn read_collection(
        &self,
        collection: &ListedCollection,
        range: Option<IdRange>,
        end: BatchEnd,
    ) -> impl Stream<Item = Result<ReadEvent, MongoError>> + Send + use<> {
        let reader = Reader {
            connection: self.clone(),
            namespace: collection.data_namespace().unwrap_or_else(|| collection.spec.namespace.clone()),
            uuid: collection.data_uuid(),
            range: range.unwrap_or_default(),
            end,
            by_name: collection.data_uuid().is_none(),
            local: false,
            beginnings: 0,
            at_max_key: false,
            cursor: None,
            done: collection.data_namespace().is_none(),
        };
        stream::unfold(reader, |mut reader| async move {
            if reader.done {
                return None;
            }
            match reader.next().await {
                Ok(Some(event)) => {
                    reader.done = matches!(event, ReadEvent::Dropped);
                    Some((Ok(event), reader))
                }
                Ok(None) => None,
                Err(error) => {
                    reader.done = true;
                    Some((Err(error), reader))
                }
            }
        })
    }
}

impl Reader {
    async fn next(&mut self) -> Result<Option<ReadEvent>, MongoError> {
        loop {
            let error = match self.step().await {
                Ok(event) => return Ok(event),
                Err(error) => error,
            };
            // After an error a cursor has no more to tell, which is not to be taken for its end. Other ways to ask are for opening one.
            let opening = self.cursor.take().is_none();
            match error {
                // ReadConcernMajorityNotEnabled: 4.x with the majority snapshot switched off.
                error if opening && !self.local && error.has_code(&[148]) => self.local = true,
                // The server keeps reading by UUID to the privilege `useUUID`.
                MongoError::Unauthorized { .. } if opening && !self.by_name => self.by_name = true,
                error => {
                    if let Some(event) = self.recover(error).await? {
                        return Ok(Some(event));
                    }
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Option<ReadEvent>, MongoError> {
        if self.cursor.is_none() {
            self.cursor = Some(self.open().await?);
        }
        match self.cursor.as_mut() {
            Some(Cursor::Ours(cursor)) => {
                if let Some(documents) = cursor.next_batch().await? {
                    return Ok(Some(ReadEvent::Batch(documents)));
                }
            }
            Some(Cursor::Driver(cursor)) => {
                while let Some(batch) = self.connection.next_batch(WHAT, cursor).await? {
                    let mut documents = ReadBatch::new(&self.connection.inner.pool.buffers, BatchEnd::Document);
                    documents.begin(batch.bytes());
                    batch.each(WHAT, |document| documents.append(document.as_bytes(), true))?;
                    if documents.documents() > 0 {
                        return Ok(Some(ReadEvent::Batch(documents)));
                    }
                }
            }
            None => return Ok(None),
        }
        // An upper bound of an index is always exclusive, even the one beyond which there is nothing.
        if !self.at_max_key && self.range.min.is_some() && self.range.max.is_none() {
            self.at_max_key = true;
            self.cursor = None;
            return Box::pin(self.step()).await;
        }
        Ok(None)
    }

    async fn open(&mut self) -> Result<Cursor, MongoError> {
        self.beginnings += 1;
        let command = self.command()?;
        let cursor = match WireCursor::open(&self.connection, WHAT, &self.namespace.database, &command, self.end).await? {
            Some(cursor) => Cursor::Ours(Box::new(cursor)),
            None => Cursor::Driver(Box::new(self.connection.cursor(WHAT, &self.namespace.database, command).await?)),
        };
        if self.by_name
            && let Some(uuid) = self.uuid
            && self.connection.uuid_at(&self.namespace).await? != Some(uuid)
        {
            // Another collection has the name now: sorted out as if the server had said so.
            return Err(MongoError::Server {
                what: WHAT.to_owned(),
                code: 26,
                name: "NamespaceNotFound".to_owned(),
                reason: "renamed".to_owned(),
            });
        }
        Ok(cursor)
    }

    fn command(&self) -> Result<RawDocumentBuf, MongoError> {
        let mut command = Document::new();
        match self.uuid {
            Some(uuid) if !self.by_name => command.insert("find", uuid_binary(uuid)),
            _ => command.insert("find", &self.namespace.collection),
        };
        command.extend(doc! { "noCursorTimeout": true, "readConcern": { "level": if self.local { "local" } else { "majority" } } });
        if self.at_max_key {
            command.insert("filter", doc! { "_id": bson::Bson::MaxKey });
            return raw(WHAT, &command);
        }
        let mut command = raw(WHAT, &command)?;
        self.range.append_to(&mut command);
        Ok(command)
    }

    /// After an error: `Some` event to tell, `None` to just try again.
    async fn recover(&mut self, error: MongoError) -> Result<Option<ReadEvent>, MongoError> {
        // NamespaceNotFound, CursorNotFound, CappedPositionLost, QueryPlanKilled, CursorKilled, Interrupted.
        let killed = error.has_code(&[26, 43, 136, 175, 237, 11601]);
        if (!killed && !error.is_transient()) || self.beginnings >= BEGINNINGS_MAX {
            return Err(error);
        }
        if error.is_transient() {
            tokio::time::sleep(Duration::from_millis(100) * self.beginnings).await;
        }
        if killed {
            let name = match self.uuid {
                Some(uuid) => self.connection.name_of(&self.namespace.database, uuid).await?,
                // Without a UUID the name is all there is.
                None => (!error.has_code(&[26])).then(|| self.namespace.clone()),
            };
            match name {
                None => return Ok(Some(ReadEvent::Dropped)),
                Some(name) => self.namespace = name,
            }
        }
        self.at_max_key = false;
        Ok(Some(ReadEvent::Restarted { namespace: self.namespace.clone() }))
    }
}
