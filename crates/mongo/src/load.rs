//! Putting documents into a collection, exactly as they are.

use bson::raw::cstr;
use bson::{RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use oplogue_domain::Namespace;

use crate::command::Patience;
use crate::connect::Connection;
use crate::error::MongoError;

/// Bytes of documents in one insert. Servers take commands of 16 MiB + 16 KiB; one document of 16 MiB must fit with the rest around it.
const INSERT_BYTES_MAX: usize = 15 * 1024 * 1024;
/// The server's error code for an `_id` that is there already.
const DUPLICATE_KEY: i32 = 11000;
/// Documents in one insert.
const INSERT_DOCUMENTS_MAX: usize = 100_000;

impl Connection {
    /// Inserts documents, unordered, without validation, acknowledged by the primary. Documents are taken as they are: nothing is
    /// added (no `_id`) and nothing replaced. Returns how many. Any number and size of documents may be given; they are sent in as
    /// many commands as needed, in order. A document whose `_id` is there already is left out: a snapshot read while clients write may
    /// hold one twice, when it was deleted and inserted again meanwhile. Dropped half-way, some are in.
    ///
    /// # Errors
    /// [`MongoError::Server`] as the server gives it, for the first document that failed.
    pub async fn insert_batch(&self, namespace: &Namespace, documents: &[RawDocumentBuf]) -> Result<usize, MongoError> {
        let primary = self.primary();
        let mut batch = Batch::default();
        for document in documents {
            if server_would_change(document) {
                // The order of a capped collection is part of it.
                if batch.count > 0 {
                    primary.insert(namespace, std::mem::take(&mut batch)).await?;
                }
                primary.insert_as_is(namespace, document).await?;
                continue;
            }
            let bytes = document.as_bytes().len();
            if batch.count > 0 && (batch.bytes + bytes > INSERT_BYTES_MAX || batch.count >= INSERT_DOCUMENTS_MAX) {
                primary.insert(namespace, std::mem::take(&mut batch)).await?;
            }
            batch.documents.push(document.as_ref());
            // The type and the index as a key around every element of the array.
            batch.bytes += bytes + 8;
            batch.count += 1;
        }
        if batch.count > 0 {
            primary.insert(namespace, batch).await?;
        }
        Ok(documents.len())
    }

    async fn insert(&self, namespace: &Namespace, batch: Batch) -> Result<(), MongoError> {
        let documents = batch.documents;
        match self.insert_documents(namespace, batch.count, documents.clone()).await {
            // The others of the command may be in or not: each is tried by itself.
            Err(error) if error.has_code(&[DUPLICATE_KEY]) => self.insert_those_missing(namespace, &documents).await,
            result => result,
        }
    }

    async fn insert_documents(&self, namespace: &Namespace, count: usize, documents: RawArrayBuf) -> Result<(), MongoError> {
        let what = format!("insert {count} documents into `{namespace}`");
        let command = rawdoc! {
            "insert": namespace.collection.as_str(),
            "ordered": false,
            "bypassDocumentValidation": true,
            "documents": documents,
        };
        self.run(&what, &namespace.database, command, Patience::Batch).await.map(|_| ())
    }

    async fn insert_those_missing(&self, namespace: &Namespace, documents: &RawArrayBuf) -> Result<(), MongoError> {
        for document in documents {
            let document = document.map_err(|error| MongoError::answer("insert documents again one by one", error))?;
            let mut one = RawArrayBuf::new();
            one.push(document);
            match self.insert_documents(namespace, 1, one).await {
                Err(error) if error.has_code(&[DUPLICATE_KEY]) => {}
                result => result?,
            }
        }
        Ok(())
    }

    /// Through an applyOps that is not atomic, the one way in on which the server leaves a document alone.
    async fn insert_as_is(&self, namespace: &Namespace, document: &RawDocumentBuf) -> Result<(), MongoError> {
        let operation = rawdoc! { "op": "i", "ns": namespace.to_string(), "o": document.clone() };
        self.apply_batch(&[operation]).await.map(|_| ())
    }
}

#[derive(Default)]
struct Batch {
    documents: RawArrayBuf,
    bytes: usize,
    count: usize,
}

/// A server replaces an empty timestamp in a top-level field of an inserted document (except `_id`) by its own time.
pub(crate) fn server_would_change(document: &RawDocument) -> bool {
    // Cheap first: an element of type 0x11 with 8 zero bytes.
    document.iter_elements().any(|element| match element {
        Ok(element) if element.element_type() == bson::spec::ElementType::Timestamp => {
            element.key() != cstr!("_id")
                && matches!(element.value(), Ok(RawBsonRef::Timestamp(time)) if time.time == 0 && time.increment == 0)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use bson::Timestamp;

    use super::*;

    #[test]
    fn only_empty_timestamps_at_the_top_are_replaced_by_servers() {
        let empty = Timestamp { time: 0, increment: 0 };
        let full = Timestamp { time: 0, increment: 1 };
        assert!(server_would_change(&rawdoc! { "_id": 1, "t": empty }));
        assert!(!server_would_change(&rawdoc! { "_id": 1, "t": full }));
        assert!(!server_would_change(&rawdoc! { "_id": empty }));
        assert!(!server_would_change(&rawdoc! { "_id": 1, "a": { "t": empty } }));
    }
}
