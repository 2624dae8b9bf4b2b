//! Entries of an oplog, as they come out of a slice, and what they make of documents.

use oplogue_domain::OplogTime;
use oplogue_format::DocumentReader;
use oplogue_oplog::{Lineage, Transactions};

/// The bytes are entries one after another: what they mean is followed through transactions and through the lives of collections.
pub(crate) fn oplog_entries(bytes: &[u8]) {
    let mut reader = DocumentReader::new(bytes);
    let mut transactions = Transactions::beginning_at(OplogTime::new(1, 1));
    let mut lineage = Lineage::from_snapshot(Vec::new());
    while let Ok(Some(entry)) = reader.next_document() {
        // After an error nothing more is asked of it.
        let Ok(operations) = transactions.push(&entry) else { break };
        for operation in &operations {
            let _ = operation.name();
            // A refusal leaves the state as it was.
            let _ = lineage.push(operation);
        }
    }
    let _ = transactions.unfinished();
    let _ = lineage.outcome();
}

/// The bytes are a document and then updates of it, one after another.
pub(crate) fn update(bytes: &[u8]) {
    let mut reader = DocumentReader::new(bytes);
    let Ok(Some(mut document)) = reader.next_document() else { return };
    while let Ok(Some(change)) = reader.next_document() {
        // What is refused leaves the document as it was.
        let Ok(after) = oplogue_fold::apply::update(&document, &change) else { continue };
        let id = |document: &bson::RawDocument| document.get("_id").ok().flatten().map(|id| format!("{id:?}"));
        assert_eq!(id(&after), id(&document), "the _id of {document:?} after {change:?}");
        document = after;
    }
}
