//! A cursor whose batches the server sends without being asked.
//!
//! The server runs ahead until the network's buffers are full, so nobody waits for a request to travel. The cursor belongs to a session
//! of the server: when we die it goes with the session, and when it is dropped before its end the session is killed, and the
//! connection, on which the server may still be talking, is closed.

use bson::raw::cstr;
use bson::spec::BinarySubtype;
use bson::{Binary, RawDocument, RawDocumentBuf, rawdoc};

use super::{EXHAUST_ALLOWED, Reading, Wire, WireError, is_ok};
use crate::command::Patience;
use crate::connect::Connection;
use crate::error::MongoError;
use crate::read_batch::{BatchEnd, ReadBatch};

pub(crate) struct WireCursor {
    connection: Connection,
    what: &'static str,
    database: String,
    collection: String,
    session: Vec<u8>,
    /// `None` once it is at its end.
    wire: Option<Wire>,
    reading: Option<Reading>,
    /// The server's number for it; 0 when it has no more.
    id: i64,
    /// More answers come by themselves.
    more: bool,
    end: BatchEnd,
    first: Option<ReadBatch>,
    /// Told after the documents that came before it.
    failed: Option<MongoError>,
}

impl WireCursor {
    /// Opens a cursor with `find` and waits until the server has it open. `None`: take the driver.
    pub(crate) async fn open(
        connection: &Connection,
        what: &'static str,
        database: &str,
        find: &RawDocument,
        end: BatchEnd,
    ) -> Result<Option<Self>, MongoError> {
        let Some(wire) = connection.wire().await else { return Ok(None) };
        let reused = wire.reused;
        match Self::open_on(wire, connection, what, database, find, end).await {
            // It may have been closed while it was idle.
            Err(error) if reused && error.is_transient() && error.code().is_none() => {
                connection.forget_wires();
                let Some(wire) = connection.fresh_wire().await else { return Ok(None) };
                Self::open_on(wire, connection, what, database, find, end).await.map(Some)
            }
            opened => opened.map(Some),
        }
    }

    async fn open_on(
        wire: Wire,
        connection: &Connection,
        what: &'static str,
        database: &str,
        find: &RawDocument,
        end: BatchEnd,
    ) -> Result<Self, MongoError> {
        let mut session = vec![0; 16];
        getrandom::fill(&mut session).map_err(|error| MongoError::Driver { what: what.to_owned(), reason: error.to_string() })?;
        let mut cursor = Self {
            connection: connection.clone(),
            what,
            database: database.to_owned(),
            collection: String::new(),
            session,
            wire: Some(wire),
            reading: None,
            id: 0,
            more: false,
            end,
            first: None,
            failed: None,
        };
        let mut find = find.to_owned();
        find.append(cstr!("lsid"), cursor.lsid());
        // As the driver asks members that may be secondaries.
        find.append(cstr!("$readPreference"), rawdoc! { "mode": "primaryPreferred" });
        find.append(cstr!("$db"), database);
        let sent = match cursor.wire.as_mut() {
            Some(wire) => match wire.send(0, &find, None).await {
                Ok(()) => wire.next_answer().await,
                Err(error) => Err(error),
            },
            None => return Ok(cursor),
        };
        cursor.reading = Some(sent.map_err(|error| cursor.broken(&error))?);
        cursor.first = cursor.next_batch().await?;
        Ok(cursor)
    }

    /// The next documents; `None` at the end.
    pub(crate) async fn next_batch(&mut self) -> Result<Option<ReadBatch>, MongoError> {
        if let Some(batch) = self.first.take() {
            return Ok(Some(batch));
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let limit = self.connection.limit(Patience::Batch);
        let mut batch = ReadBatch::new(&self.connection.inner.pool.buffers, self.end);
        let filled = match tokio::time::timeout(limit, self.fill(&mut batch)).await {
            Ok(filled) => filled,
            Err(_) => Err(MongoError::TimedOut { what: self.what.to_owned(), limit }),
        };
        if let Err(error) = filled {
            self.close();
            let batch = batch.whole_only();
            if batch.bytes().is_empty() {
                return Err(error);
            }
            self.failed = Some(error);
            return Ok(Some(batch));
        }
        Ok((!batch.bytes().is_empty()).then_some(batch))
    }

    /// Until the batch is full or the cursor at its end.
    async fn fill(&mut self, batch: &mut ReadBatch) -> Result<(), MongoError> {
        loop {
            let Some(wire) = self.wire.as_mut() else { return Ok(()) };
            let Some(reading) = self.reading.as_mut() else {
                let asked = if self.more {
                    Ok(())
                } else if self.id == 0 {
                    if let Some(wire) = self.wire.take() {
                        self.connection.keep_wire(wire);
                    }
                    return Ok(());
                } else {
                    let command = get_more(self.id, &self.collection, &self.session, &self.database);
                    wire.send(EXHAUST_ALLOWED, &command, None).await
                };
                let next = match asked {
                    Ok(()) => wire.next_answer().await,
                    Err(error) => Err(error),
                };
                self.reading = Some(next.map_err(|error| self.broken(&error))?);
                continue;
            };
            match wire.read_on(reading, batch).await {
                Ok(false) => return Ok(()),
                Ok(true) => self.answered()?,
                Err(error) => return Err(self.broken(&error)),
            }
        }
    }

    /// Looks at what an answer said beside its documents.
    fn answered(&mut self) -> Result<(), MongoError> {
        let nonsense = || MongoError::answer(self.what, "a cursor's answer without the cursor");
        let Some(Reading { answer, more }) = self.reading.take() else { return Ok(()) };
        let fields = answer.fields().ok_or_else(nonsense)?;
        if !is_ok(&fields) {
            return Err(self.connection.refused(self.what, &fields));
        }
        let cursor = answer.cursor().ok_or_else(nonsense)?;
        self.id = cursor.get_i64("id").map_err(|_| nonsense())?;
        self.more = more;
        if self.collection.is_empty() {
            let namespace = cursor.get_str("ns").map_err(|_| nonsense())?;
            self.collection = namespace.split_once('.').ok_or_else(nonsense)?.1.to_owned();
        }
        Ok(())
    }

    fn broken(&self, error: &WireError) -> MongoError {
        self.connection.broken_wire(self.what, error)
    }

    fn lsid(&self) -> RawDocumentBuf {
        session_id(&self.session)
    }

    /// Ends the server's cursor, if it may still be open.
    fn close(&mut self) {
        let Some(wire) = self.wire.take() else { return };
        let open = self.id != 0 || self.reading.is_some() || self.more;
        if !open {
            self.connection.keep_wire(wire);
            return;
        }
        drop(wire);
        // Outside of a runtime (it is shutting down) the server does it when the session is old.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (connection, lsid) = (self.connection.clone(), self.lsid());
        runtime.spawn(async move {
            let command = rawdoc! { "killSessions": [lsid] };
            if let Err(error) = connection.run("end the session of a cursor", "admin", command, Patience::Short).await {
                tracing::debug!(%error, "a cursor was left to the server");
            }
        });
    }
}

impl Drop for WireCursor {
    fn drop(&mut self) {
        self.close();
    }
}

fn session_id(session: &[u8]) -> RawDocumentBuf {
    rawdoc! { "id": Binary { subtype: BinarySubtype::Uuid, bytes: session.to_vec() } }
}

fn get_more(id: i64, collection: &str, session: &[u8], database: &str) -> RawDocumentBuf {
    rawdoc! { "getMore": id, "collection": collection, "lsid": session_id(session), "$db": database }
}

impl Connection {
    /// Sorts an answer that is an error.
    pub(crate) fn refused(&self, what: &str, answer: &RawDocument) -> MongoError {
        let text = |key: &str| answer.get_str(key).unwrap_or_default();
        self.inner.context.sort_code(what, answer.get_i32("code").unwrap_or_default(), text("codeName"), text("errmsg"))
    }

    /// Sorts what went wrong with a connection of ours.
    pub(crate) fn broken_wire(&self, what: &str, error: &WireError) -> MongoError {
        match error {
            WireError::Io(error) => self.inner.context.sort_network(&error.to_string()),
            WireError::Nonsense(reason) => MongoError::answer(what, reason),
        }
    }
}
