//! Putting documents into a collection, exactly as they are.

use std::ops::Range;

use bson::raw::cstr;
use bson::{Document, RawArrayBuf, RawDocument, RawDocumentBuf, rawdoc};
use oplogue_domain::Namespace;

use crate::batch::DocumentBatch;
use crate::command::{Patience, decoded, number};
use crate::connect::Connection;
use crate::error::MongoError;
use crate::wire::elements::{Element, top_level};
use crate::wire::is_ok;

/// Bytes of documents in one insert of the driver. Servers take commands of 16 MiB + 16 KiB; one document of 16 MiB must fit with the
/// rest around it.
const DRIVER_BYTES_MAX: usize = 15 * 1024 * 1024;
/// Bytes of documents in one insert of ours, where they stand beside the command. Servers take 48 MB; larger ones are not faster.
const WIRE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Documents in one insert: no server takes more.
const INSERT_DOCUMENTS_MAX: usize = 100_000;
/// The server's error code for an `_id` that is there already.
const DUPLICATE_KEY: i32 = 11000;
/// BSON's type byte of a timestamp.
const TIMESTAMP: u8 = 0x11;

/// A part of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Portion {
    /// Documents for one insert: where their bytes are, and how many they are.
    Insert(Range<usize>, usize),
    /// A document that an insert would change.
    AsIs(Range<usize>),
}

impl Connection {
    /// Inserts documents, unordered, without validation, acknowledged by the primary. Documents are taken as they are: nothing is
    /// added (no `_id`) and nothing replaced. Returns how many. Any number and size of documents may be given; they are sent in as
    /// many commands as needed, in order. A document whose `_id` is there already is left out: a snapshot read while clients write may
    /// hold one twice, when it was deleted and inserted again meanwhile. Dropped half-way, some are in.
    ///
    /// # Errors
    /// [`MongoError::Server`] as the server gives it, for the first document that failed.
    pub async fn insert_documents(&self, namespace: &Namespace, batch: &DocumentBatch) -> Result<usize, MongoError> {
        let primary = self.primary();
        // Between two portions the order is kept: that of a capped collection is part of it.
        for portion in portions(batch, WIRE_BYTES_MAX) {
            match portion {
                Portion::Insert(range, documents) => primary.insert(namespace, &batch.bytes()[range], documents).await?,
                Portion::AsIs(range) => primary.insert_as_is(namespace, &batch.bytes()[range]).await?,
            }
        }
        Ok(batch.documents())
    }

    /// As [`Connection::insert_documents`], of documents that lie each for itself.
    ///
    /// # Errors
    /// The same.
    pub async fn insert_batch(&self, namespace: &Namespace, documents: &[RawDocumentBuf]) -> Result<usize, MongoError> {
        let mut batch = DocumentBatch::default();
        for document in documents {
            if !batch.has_room(document.as_bytes().len(), WIRE_BYTES_MAX) {
                self.insert_documents(namespace, &std::mem::take(&mut batch)).await?;
            }
            batch.push(document);
        }
        self.insert_documents(namespace, &batch).await?;
        Ok(documents.len())
    }

    async fn insert(&self, namespace: &Namespace, bytes: &[u8], documents: usize) -> Result<(), MongoError> {
        let what = format!("insert {documents} documents into `{namespace}`");
        let Some(mut wire) = self.wire().await else { return self.insert_by_driver(&what, namespace, bytes).await };
        let mut command = command(namespace);
        command.append(cstr!("$db"), namespace.database.as_str());
        let limit = self.limit(Patience::Batch);
        let answer = match tokio::time::timeout(limit, wire.run(&command, Some(("documents", bytes)))).await {
            Ok(Ok(answer)) => answer,
            failed => {
                self.forget_wires();
                return Err(match failed {
                    Ok(Err(error)) => self.broken_wire(&what, &error),
                    _ => MongoError::TimedOut { what, limit },
                });
            }
        };
        if !is_ok(&answer) {
            // It may not be the primary any more.
            self.forget_wires();
            return Err(self.refused(&what, &answer));
        }
        self.keep_wire(wire);
        self.inserted(&what, &decoded(&what, &answer)?, documents)
    }

    /// Documents within the command, as the driver sends them: it is copied and looked at on the way.
    async fn insert_by_driver(&self, what: &str, namespace: &Namespace, bytes: &[u8]) -> Result<(), MongoError> {
        let nonsense = || MongoError::Driver { what: what.to_owned(), reason: "a document is no BSON".to_owned() };
        let batch = DocumentBatch::from_bytes(bytes.to_vec()).ok_or_else(nonsense)?;
        let mut documents = batch.iter().peekable();
        while documents.peek().is_some() {
            let (mut array, mut size, mut count) = (RawArrayBuf::new(), 0, 0);
            while let Some(document) = documents.next_if(|document| count == 0 || size + document.as_bytes().len() <= DRIVER_BYTES_MAX) {
                // The type and the index as a key around every element of the array.
                size += document.as_bytes().len() + 8;
                count += 1;
                array.push(document);
            }
            let mut command = command(namespace);
            command.append(cstr!("documents"), array);
            let answer = self.run_for_answer(what, &namespace.database, command, Patience::Batch).await?;
            self.inserted(what, &answer, count)?;
        }
        Ok(())
    }

    /// Looks whether all documents of an insert are in. An unordered insert tries each, so those that are not are all told, and one that
    /// was there already is none that is missing.
    fn inserted(&self, what: &str, answer: &Document, documents: usize) -> Result<(), MongoError> {
        let errors = answer.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
        let code = |error: &bson::Bson| error.as_document().and_then(|error| number(error, "code"));
        let missing = errors.iter().filter(|error| code(error) != Some(i64::from(DUPLICATE_KEY))).count();
        let inserted = number(answer, "n").and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        if missing == 0 && inserted + errors.len() == documents {
            return self.check_answer(what, &with_write_errors(answer, Vec::new()));
        }
        let first = errors.iter().find(|error| code(error) != Some(i64::from(DUPLICATE_KEY)));
        self.check_answer(what, &with_write_errors(answer, first.into_iter().cloned().collect()))?;
        Err(MongoError::answer(what, format!("{inserted} of {documents} documents were inserted, and no reason was given")))
    }

    /// Through an applyOps that is not atomic, the one way in on which the server leaves a document alone.
    async fn insert_as_is(&self, namespace: &Namespace, document: &[u8]) -> Result<(), MongoError> {
        let document = RawDocument::from_bytes(document).map_err(|error| MongoError::answer("insert a document as it is", error))?;
        let operation = rawdoc! { "op": "i", "ns": namespace.to_string(), "o": document.to_owned() };
        self.apply_batch(&[operation]).await.map(|_| ())
    }
}

fn command(namespace: &Namespace) -> RawDocumentBuf {
    rawdoc! { "insert": namespace.collection.as_str(), "ordered": false, "bypassDocumentValidation": true }
}

fn with_write_errors(answer: &Document, errors: Vec<bson::Bson>) -> Document {
    let mut answer = answer.clone();
    answer.insert("writeErrors", errors);
    answer
}

/// Cuts a batch into what is sent at once. Pure.
fn portions(batch: &DocumentBatch, bytes_max: usize) -> Vec<Portion> {
    let mut portions = Vec::new();
    let (mut start, mut end, mut documents) = (0, 0, 0);
    for document in batch.slices() {
        let next = end + document.len();
        let as_is = server_would_change(document);
        if documents > 0 && (as_is || next - start > bytes_max || documents == INSERT_DOCUMENTS_MAX) {
            portions.push(Portion::Insert(start..end, documents));
            (start, documents) = (end, 0);
        }
        if as_is {
            portions.push(Portion::AsIs(end..next));
            start = next;
        } else {
            documents += 1;
        }
        end = next;
    }
    if documents > 0 {
        portions.push(Portion::Insert(start..end, documents));
    }
    portions
}

/// A server replaces an empty timestamp in a top-level field of an inserted document (except `_id`) by its own time.
pub(crate) fn server_would_change(document: &[u8]) -> bool {
    let empty = |(element, bytes): (Element, &[u8])| {
        element.kind == TIMESTAMP && bytes[element.value..] == [0; 8] && &bytes[1..element.value] != b"_id\0"
    };
    // Eight zero bytes are rare, and found sooner than the fields are walked through.
    has_eight_zeros(document) && top_level(document).any(empty)
}

/// Whether eight zero bytes stand together. Then of the bytes at every eighth place one is zero, and has seven more around it.
fn has_eight_zeros(bytes: &[u8]) -> bool {
    let mut at = 7;
    while at < bytes.len() {
        if bytes[at] == 0 {
            let before = bytes[at - 7..at].iter().rev().take_while(|byte| **byte == 0).count();
            let after = bytes[at + 1..].iter().take(7).take_while(|byte| **byte == 0).count();
            if before + after >= 7 {
                return true;
            }
        }
        at += 8;
    }
    false
}

#[cfg(test)]
mod tests {
    use bson::Timestamp;

    use super::*;

    const EMPTY: Timestamp = Timestamp { time: 0, increment: 0 };

    #[test]
    fn only_empty_timestamps_at_the_top_are_replaced_by_servers() {
        let changed = |document: &RawDocumentBuf| server_would_change(document.as_bytes());
        let full = Timestamp { time: 0, increment: 1 };
        assert!(changed(&rawdoc! { "_id": 1, "t": EMPTY }));
        assert!(changed(&rawdoc! { "_id": 1, "text": "x", "a": { "t": EMPTY }, "some name": EMPTY, "more": 1.5 }));
        assert!(!changed(&rawdoc! { "_id": 1, "t": full }));
        assert!(!changed(&rawdoc! { "_id": EMPTY }));
        assert!(!changed(&rawdoc! { "_id": 1, "a": { "t": EMPTY } }));
        assert!(!changed(&rawdoc! { "_id": 1, "zeros": 0_i64, "more": 0.0 }));
    }

    #[test]
    fn eight_zeros_are_found_wherever_they_stand() {
        for length in 8..40 {
            for at in 0..=length - 8 {
                let mut bytes = vec![1; length];
                bytes[at..at + 7].fill(0);
                assert!(!has_eight_zeros(&bytes), "seven at {at} of {length}");
                bytes[at + 7] = 0;
                assert!(has_eight_zeros(&bytes), "eight at {at} of {length}");
            }
        }
        assert!(!has_eight_zeros(&[0; 7]) && !has_eight_zeros(&[]));
    }

    #[test]
    fn a_batch_is_cut_by_size_and_around_what_an_insert_would_change() {
        let plain = rawdoc! { "_id": 1, "text": "x" };
        let odd = rawdoc! { "_id": 2, "t": EMPTY };
        let size = plain.as_bytes().len();
        let odd_size = odd.as_bytes().len();
        let mut batch = DocumentBatch::default();
        for document in [&plain, &plain, &plain, &odd, &odd, &plain] {
            batch.push(document);
        }
        let after = 3 * size + 2 * odd_size;
        let cut = |bytes_max| portions(&batch, bytes_max);
        assert_eq!(
            cut(1_000),
            [
                Portion::Insert(0..3 * size, 3),
                Portion::AsIs(3 * size..3 * size + odd_size),
                Portion::AsIs(3 * size + odd_size..after),
                Portion::Insert(after..after + size, 1),
            ]
        );
        assert_eq!(cut(2 * size)[..2], [Portion::Insert(0..2 * size, 2), Portion::Insert(2 * size..3 * size, 1)]);
        // One that is larger than what is sent at once still goes.
        assert_eq!(cut(1)[0], Portion::Insert(0..size, 1));
        assert_eq!(portions(&DocumentBatch::default(), 1), []);
    }
}
