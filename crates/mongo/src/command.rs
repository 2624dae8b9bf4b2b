//! Running commands: one place for time limits, for sorting errors, and for the errors a server hides in an answer of `ok: 1`.

use std::time::Duration;

use bson::{Document, RawDocumentBuf};
use mongodb::raw_batch_cursor::RawBatchCursor;

use crate::connect::Connection;
use crate::error::MongoError;

/// How long a command may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Answers at once.
    Short,
    /// Moves a batch of data or waits for locks.
    Batch,
    /// Works as long as it works: index builds.
    Endless,
}

/// Attempts of a command that may be repeated.
const ATTEMPTS_MAX: u32 = 4;

impl Connection {
    pub(crate) fn limit(&self, patience: Patience) -> Duration {
        let options = &self.inner.options;
        match patience {
            Patience::Short => options.command_timeout,
            Patience::Batch => options.batch_timeout,
            // Tokio's timers end somewhere: a year.
            Patience::Endless => Duration::from_secs(365 * 24 * 3600),
        }
    }

    /// Runs one command, once. `what` continues "failed to …". Write errors and write concern errors in the answer are errors.
    pub(crate) async fn run(
        &self,
        what: &str,
        database: &str,
        command: RawDocumentBuf,
        patience: Patience,
    ) -> Result<Document, MongoError> {
        let reply = self.run_for_answer(what, database, command, patience).await?;
        self.check_answer(what, &reply)?;
        Ok(reply)
    }

    /// As [`Connection::run`], without a look into the answer.
    pub(crate) async fn run_for_answer(
        &self,
        what: &str,
        database: &str,
        command: RawDocumentBuf,
        patience: Patience,
    ) -> Result<Document, MongoError> {
        let limit = self.limit(patience);
        let database = self.inner.client.database(database);
        match tokio::time::timeout(limit, async { database.run_raw_command(command).await }).await {
            Err(_) => Err(MongoError::TimedOut { what: what.to_owned(), limit }),
            Ok(Err(error)) => Err(self.inner.context.sort(what, &error)),
            Ok(Ok(reply)) => Ok(reply),
        }
    }

    /// Runs a command that does the same when it runs twice, again after errors that pass.
    pub(crate) async fn run_again(
        &self,
        what: &str,
        database: &str,
        command: Document,
        patience: Patience,
    ) -> Result<Document, MongoError> {
        let command = raw(what, &command)?;
        let mut attempt = 1;
        loop {
            match self.run(what, database, command.clone(), patience).await {
                Err(error) if error.is_transient() && attempt < ATTEMPTS_MAX && !matches!(error, MongoError::TimedOut { .. }) => {
                    tokio::time::sleep(Duration::from_millis(150) * attempt).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// Opens a cursor whose batches come raw.
    pub(crate) async fn cursor(&self, what: &str, database: &str, command: RawDocumentBuf) -> Result<RawBatchCursor, MongoError> {
        let limit = self.limit(Patience::Batch);
        let database = self.inner.client.database(database);
        match tokio::time::timeout(limit, database.run_raw_cursor_command(command).batch()).await {
            Err(_) => Err(MongoError::TimedOut { what: what.to_owned(), limit }),
            Ok(Err(error)) => Err(self.inner.context.sort(what, &error)),
            Ok(Ok(cursor)) => Ok(cursor),
        }
    }

    /// The next batch of a cursor; `None` at its end.
    pub(crate) async fn next_batch(&self, what: &str, cursor: &mut RawBatchCursor) -> Result<Option<RawBatch>, MongoError> {
        let limit = self.limit(Patience::Batch);
        match tokio::time::timeout(limit, futures::StreamExt::next(cursor)).await {
            Err(_) => Err(MongoError::TimedOut { what: what.to_owned(), limit }),
            Ok(None) => Ok(None),
            Ok(Some(Err(error))) => Err(self.inner.context.sort(what, &error)),
            Ok(Some(Ok(batch))) => Ok(Some(RawBatch(batch))),
        }
    }

    /// All documents of a cursor command that has few. Repeats the whole after errors that pass.
    pub(crate) async fn collect(&self, what: &str, database: &str, command: Document) -> Result<Vec<RawDocumentBuf>, MongoError> {
        let command = raw(what, &command)?;
        let mut attempt = 1;
        loop {
            match self.collect_once(what, database, command.clone()).await {
                Err(error) if error.is_transient() && attempt < ATTEMPTS_MAX && !matches!(error, MongoError::TimedOut { .. }) => {
                    tokio::time::sleep(Duration::from_millis(150) * attempt).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn collect_once(&self, what: &str, database: &str, command: RawDocumentBuf) -> Result<Vec<RawDocumentBuf>, MongoError> {
        let mut cursor = self.cursor(what, database, command).await?;
        let mut documents = Vec::new();
        while let Some(batch) = self.next_batch(what, &mut cursor).await? {
            batch.each(what, |document| documents.push(document.to_owned()))?;
        }
        Ok(documents)
    }

    pub(crate) fn check_answer(&self, what: &str, reply: &Document) -> Result<(), MongoError> {
        let text = |document: &Document, key: &str| document.get_str(key).unwrap_or_default().to_owned();
        if let Some(first) = reply.get_array("writeErrors").ok().and_then(|errors| errors.first()).and_then(|error| error.as_document()) {
            let code = number(first, "code").unwrap_or_default();
            return Err(self.inner.context.sort_code(what, i32::try_from(code).unwrap_or_default(), "write error", &text(first, "errmsg")));
        }
        if let Ok(error) = reply.get_document("writeConcernError") {
            return Err(MongoError::NoMajority { what: what.to_owned(), reason: text(error, "errmsg") });
        }
        Ok(())
    }
}

/// One batch of a cursor.
pub(crate) struct RawBatch(mongodb::raw_batch_cursor::RawBatch);

impl RawBatch {
    pub(crate) fn each(&self, what: &str, mut visit: impl FnMut(&bson::RawDocument)) -> Result<(), MongoError> {
        let documents = self.0.doc_slices().map_err(|error| MongoError::answer(what, error))?;
        for element in documents {
            let element = element.map_err(|error| MongoError::answer(what, error))?;
            visit(element.as_document().ok_or_else(|| MongoError::answer(what, "a batch holds something that is no document"))?);
        }
        Ok(())
    }

    /// Bytes of the whole answer: an upper bound of its documents' bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.as_raw_document().as_bytes().len()
    }
}

pub(crate) fn raw(what: &str, command: &Document) -> Result<RawDocumentBuf, MongoError> {
    RawDocumentBuf::try_from(command).map_err(|error| MongoError::Driver { what: what.to_owned(), reason: error.to_string() })
}

pub(crate) fn decoded(what: &str, document: &bson::RawDocument) -> Result<Document, MongoError> {
    Document::try_from(document).map_err(|error| MongoError::answer(what, error))
}

/// A number, of whichever numeric type.
pub(crate) fn number(document: &Document, key: &str) -> Option<i64> {
    match document.get(key)? {
        bson::Bson::Int32(value) => Some(i64::from(*value)),
        bson::Bson::Int64(value) => Some(*value),
        #[allow(clippy::cast_possible_truncation, reason = "servers send counts as doubles")]
        bson::Bson::Double(value) => Some(*value as i64),
        _ => None,
    }
}

pub(crate) fn uuid_of(value: Option<&bson::Bson>) -> Option<[u8; 16]> {
    match value? {
        bson::Bson::Binary(binary) if binary.subtype == bson::spec::BinarySubtype::Uuid => binary.bytes.as_slice().try_into().ok(),
        _ => None,
    }
}

pub(crate) fn uuid_binary(uuid: [u8; 16]) -> bson::Binary {
    bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: uuid.to_vec() }
}

pub(crate) fn oplog_time(value: Option<&bson::Bson>) -> Option<oplogue_domain::OplogTime> {
    match value? {
        bson::Bson::Timestamp(time) => Some(oplogue_domain::OplogTime::new(time.time, time.increment)),
        // An `optime`: {ts, t}.
        bson::Bson::Document(optime) => oplog_time(optime.get("ts")),
        _ => None,
    }
}

pub(crate) fn timestamp(time: oplogue_domain::OplogTime) -> bson::Timestamp {
    bson::Timestamp { time: time.seconds, increment: time.ordinal }
}
