//! Entries of an oplog, as they come out of a slice.

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
