//! Documents as they come from a collection, on their way into a file.

use std::sync::Arc;

use bytes::Bytes;

use crate::buffers::{Buffer, Buffers};

/// A batch is handed on when it has so many bytes, or when the next document would make it larger. Few enough to stay in a processor's
/// cache on their way from the socket through checksums to the disk; enough to be worth a change of task, and to go to a disk as they
/// are (the local storage takes at least half as much so).
pub(crate) const BATCH_BYTES: usize = 1 << 20;

/// Where the batches of a read end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchEnd {
    /// Behind a document, so that batches of several reads may be mixed.
    Document,
    /// Where they are full: only together, in their order, are they documents. Over a connection of our own all but the last have one
    /// size, and lie in memory where a disk can be written from without another copy.
    Anywhere,
}

/// Bytes of documents, one after another, as in a file of BSON.
#[derive(Debug)]
pub struct ReadBatch {
    buffer: Buffer,
    end: BatchEnd,
    documents: usize,
    /// Bytes up to the end of the last document that ends here.
    whole: usize,
}

impl ReadBatch {
    /// Empty, to be filled into a buffer of these.
    pub(crate) fn new(buffers: &Arc<Buffers>, end: BatchEnd) -> Self {
        let mut buffer = Buffer::of(buffers);
        if end == BatchEnd::Anywhere {
            // It may be filled with a document that began in the batch before.
            buffer.make_room(0, BATCH_BYTES);
        }
        Self { buffer, end, documents: 0, whole: 0 }
    }

    pub fn bytes(&self) -> &[u8] {
        self.buffer.bytes()
    }

    /// Its bytes. The buffer is used again when they are dropped.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self.buffer)
    }

    /// How many documents end here.
    pub fn documents(&self) -> usize {
        self.documents
    }

    /// Whether a document of so many bytes may begin here. One always may.
    pub(crate) fn may_begin(&self, bytes: usize) -> bool {
        let filled = self.bytes().len();
        match self.end {
            BatchEnd::Document => filled == 0 || filled + bytes <= BATCH_BYTES,
            BatchEnd::Anywhere => filled < BATCH_BYTES,
        }
    }

    /// How many bytes of the document begun last may be appended.
    pub(crate) fn room(&self) -> usize {
        match self.end {
            // It would not have begun here otherwise.
            BatchEnd::Document => usize::MAX,
            BatchEnd::Anywhere => BATCH_BYTES - self.bytes().len(),
        }
    }

    /// Documents of so many bytes are about to be appended, in parts.
    pub(crate) fn begin(&mut self, bytes: usize) {
        self.buffer.make_room(bytes, BATCH_BYTES);
    }

    /// A part of the document begun last; `whole`: it is complete now.
    pub(crate) fn append(&mut self, part: &[u8], whole: bool) {
        self.buffer.append(part);
        if whole {
            self.documents += 1;
            self.whole = self.bytes().len();
        }
    }

    /// Without what was begun and will never be complete.
    pub(crate) fn whole_only(mut self) -> Self {
        self.buffer.truncate(self.whole);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(end: BatchEnd) -> ReadBatch {
        ReadBatch::new(&Arc::default(), end)
    }

    #[test]
    fn batches_end_behind_a_document_or_where_they_are_full() {
        let mut documents = batch(BatchEnd::Document);
        assert!(documents.may_begin(BATCH_BYTES * 3));
        documents.begin(BATCH_BYTES - 1);
        documents.append(&vec![1; BATCH_BYTES - 1], true);
        assert!(documents.may_begin(1) && !documents.may_begin(2));
        assert_eq!((documents.room(), documents.documents()), (usize::MAX, 1));
        let mut anywhere = batch(BatchEnd::Anywhere);
        anywhere.begin(BATCH_BYTES * 3);
        assert_eq!(anywhere.room(), BATCH_BYTES);
        anywhere.append(&vec![1; BATCH_BYTES - 1], false);
        assert!(anywhere.may_begin(BATCH_BYTES));
        anywhere.append(&[1], false);
        assert!(!anywhere.may_begin(1));
        assert_eq!((anywhere.room(), anywhere.documents()), (0, 0));
    }

    #[test]
    fn what_was_begun_and_not_completed_can_be_left_out() {
        let mut torn = batch(BatchEnd::Document);
        torn.begin(5);
        torn.append(&[1; 5], true);
        torn.begin(5);
        torn.append(&[2; 4], false);
        assert_eq!(torn.bytes().len(), 9);
        let whole = torn.whole_only();
        assert_eq!((whole.documents(), whole.into_bytes()), (1, Bytes::from_static(&[1; 5])));
        // The middle of a document that began in the batch before.
        let mut middle = batch(BatchEnd::Anywhere);
        middle.append(&[3; 7], false);
        assert_eq!(middle.bytes().len(), 7);
        assert!(middle.whole_only().bytes().is_empty());
    }
}
