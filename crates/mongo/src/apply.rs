//! Applying operations of an oplog.
//!
//! A batch is one atomic `applyOps`: all of it or nothing. When the server refuses a batch, its operations are sent one by one.
//! Updates never create what they do not find (`alwaysUpsert: false`), unless the
//! operation itself is an upsert (`b: true`): an update of a document that is not there is reported, not invented.

use bson::raw::cstr;
use bson::{Bson, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, Timestamp, rawdoc};

use crate::command::Patience;
use crate::connect::Connection;
use crate::error::MongoError;
use crate::load::server_would_change;

/// Bytes of operations in one atomic command: the server writes it to its own oplog as one entry of at most 16 MiB.
const ATOMIC_BYTES_MAX: usize = 12 * 1024 * 1024;
/// UpdateOperationFailed and NoMatchingDocument: the document to update is not there. A command that is not atomic says 8 for
/// everything.
const MISSING_CODES: [i32; 2] = [218, 47];

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyReport {
    /// Operations that were applied.
    pub applied: usize,
    /// Indexes, in the batch given, of updates whose document is not there. Expected while a snapshot catches up to its end (the document
    /// was deleted before it was read), a sign of damage after that.
    pub missing: Vec<usize>,
}

impl Connection {
    /// Applies operations (`{op, ns, o, o2?, b?}`) in order, on the primary, without validation.
    ///
    /// # Errors
    /// [`MongoError::ApplyFailed`] with the index of the operation the server refused; those before it are applied, those after it are not.
    /// After other errors, and when dropped half-way, all or nothing of each 12 MiB is applied, in order.
    pub async fn apply_batch(&self, operations: &[RawDocumentBuf]) -> Result<ApplyReport, MongoError> {
        let primary = self.primary();
        let mut report = ApplyReport::default();
        let (mut start, mut bytes) = (0, 0);
        for (index, operation) in operations.iter().enumerate() {
            let size = operation.as_bytes().len() + 8;
            if bytes + size > ATOMIC_BYTES_MAX || is_delicate(operation) {
                primary.apply_chunk(&operations[start..index], start, &mut report).await?;
                (start, bytes) = (index, 0);
            }
            if is_delicate(operation) {
                primary.apply_singly(&operations[index..=index], index, &mut report).await?;
                (start, bytes) = (index + 1, 0);
            } else {
                bytes += size;
            }
        }
        primary.apply_chunk(&operations[start..], start, &mut report).await?;
        Ok(report)
    }

    async fn apply_chunk(&self, chunk: &[RawDocumentBuf], start: usize, report: &mut ApplyReport) -> Result<(), MongoError> {
        if chunk.len() > 1 {
            let what = format!("apply {} operations", chunk.len());
            match self.run(&what, "admin", command(chunk, true), Patience::Batch).await {
                Ok(_) => {
                    report.applied += chunk.len();
                    return Ok(());
                }
                Err(error @ (MongoError::Server { .. } | MongoError::Answer { .. })) if !error.is_transient() => {}
                Err(error) => return Err(error),
            }
        }
        self.apply_singly(chunk, start, report).await
    }

    /// One operation per command: only then the server gives the reason for each.
    async fn apply_singly(&self, chunk: &[RawDocumentBuf], start: usize, report: &mut ApplyReport) -> Result<(), MongoError> {
        for (next, operation) in chunk.iter().enumerate() {
            // A large one would not fit into the oplog entry that wraps an atomic command. Any other is atomic, because only then the
            // answer has the reason.
            let atomic = operation.as_bytes().len() <= ATOMIC_BYTES_MAX && !is_delicate(operation);
            let what = format!("apply an operation on `{}`", operation.get_str("ns").unwrap_or("?"));
            let steps = in_two_steps(operation);
            let (sent, atomic) = match &steps {
                Some(steps) => (steps.as_slice(), operation.as_bytes().len() <= ATOMIC_BYTES_MAX),
                None => (std::slice::from_ref(operation), atomic),
            };
            match self.run(&what, "admin", command(sent, atomic), Patience::Batch).await {
                Ok(_) => report.applied += 1,
                Err(MongoError::Server { code, reason, .. }) => {
                    if self.is_missing(operation, code).await? {
                        report.missing.push(start + next);
                        continue;
                    }
                    return Err(MongoError::ApplyFailed { index: start + next, operation: summary(operation), code, reason });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether an update failed because its document is not there.
    async fn is_missing(&self, operation: &RawDocument, code: i32) -> Result<bool, MongoError> {
        if !operation.get_str("op").is_ok_and(|op| op == "u") {
            return Ok(false);
        }
        if MISSING_CODES.contains(&code) {
            return Ok(true);
        }
        let (Ok(namespace), Ok(Some(id))) = (operation.get_str("ns"), operation.get_document("o2").and_then(|o2| o2.get("_id"))) else {
            return Ok(false);
        };
        let (8, Some((database, collection))) = (code, namespace.split_once('.')) else {
            return Ok(false);
        };
        let mut filter = RawDocumentBuf::new();
        filter.append(cstr!("_id"), id);
        let find = rawdoc! { "find": collection, "filter": filter, "projection": { "_id": 1 }, "limit": 1, "singleBatch": true };
        let reply = self.run("look for a document", database, find, Patience::Batch).await?;
        let found = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
        Ok(found.is_ok_and(|found| found.is_empty()))
    }
}

/// An atomic `applyOps` replaces an empty timestamp in a document by its own time, as an insert does; one that is not atomic
/// leaves it alone.
fn is_delicate(operation: &RawDocument) -> bool {
    operation.get_str("op").is_ok_and(|op| op == "i" || op == "u")
        && operation.get_document("o").is_ok_and(|document| server_would_change(document.as_bytes()))
}

/// A replacement of a whole document loses its empty timestamps in any `applyOps` (seen on 6.0.5), and so does an insert of a document
/// that is there already, which the server makes a replacement (4.2.6). So each goes in two steps: with another timestamp in the place
/// of each empty one, which keeps the order of the fields, then with these set to what they must be.
fn in_two_steps(operation: &RawDocument) -> Option<[RawDocumentBuf; 2]> {
    if !is_delicate(operation) {
        return None;
    }
    let (mut filled, mut emptied) = (RawDocumentBuf::new(), RawDocumentBuf::new());
    for field in operation.get_document("o").ok()? {
        let (key, value) = field.ok()?;
        // What `$set` would take for a path stays as it is.
        let settable = !key.as_str().contains('.') && !key.as_str().starts_with('$') && key.as_str() != "_id";
        match value {
            RawBsonRef::Timestamp(Timestamp { time: 0, increment: 0 }) if settable => {
                filled.append(key, Timestamp { time: 0, increment: 1 });
                emptied.append(key, Timestamp { time: 0, increment: 0 });
            }
            value => filled.append(key, value),
        }
    }
    if emptied.is_empty() {
        return None;
    }
    let first = with_object(operation, &filled)?;
    let empty = rawdoc! { "$v": 1, "$set": emptied };
    let second = if operation.get_str("op").is_ok_and(|op| op == "u") {
        with_object(operation, &empty)?
    } else {
        let mut of = RawDocumentBuf::new();
        of.append(cstr!("_id"), filled.get("_id").ok()??);
        rawdoc! { "op": "u", "ns": operation.get_str("ns").ok()?, "o2": of, "o": empty }
    };
    Some([first, second])
}

/// The operation with another `o`.
fn with_object(operation: &RawDocument, object: &RawDocument) -> Option<RawDocumentBuf> {
    let mut changed = RawDocumentBuf::new();
    for field in operation {
        let (key, value) = field.ok()?;
        match key.as_str() {
            "o" => changed.append(key, object),
            _ => changed.append(key, value),
        }
    }
    Some(changed)
}

fn command(operations: &[RawDocumentBuf], atomic: bool) -> RawDocumentBuf {
    let mut array = RawArrayBuf::new();
    for operation in operations {
        array.push(operation.as_ref());
    }
    let mut command = RawDocumentBuf::new();
    command.append(cstr!("applyOps"), array);
    command.append(cstr!("alwaysUpsert"), false);
    command.append(cstr!("bypassDocumentValidation"), true);
    if !atomic {
        command.append(cstr!("allowAtomic"), false);
    }
    command
}

/// `update on shop.orders, _id 5`: for messages.
fn summary(operation: &RawDocument) -> String {
    let kind = match operation.get_str("op") {
        Ok("i") => "insert into",
        Ok("u") => "update of",
        Ok("d") => "delete from",
        Ok("c") => "command on",
        _ => "operation on",
    };
    let id =
        operation.get_document("o2").or_else(|_| operation.get_document("o")).ok().and_then(|document| document.get("_id").ok().flatten());
    let id = id.and_then(|id| Bson::try_from(id).ok()).map(|id| format!(", _id {id}")).unwrap_or_default();
    format!("{kind} {}{id}", operation.get_str("ns").unwrap_or("?"))
}
