//! Documents on their way to a collection.

use bson::{RawBson, RawDocument};

use crate::wire::elements;

/// Complete documents, one after another, as in a file of BSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentBatch {
    bytes: Vec<u8>,
    documents: usize,
    /// Where the last one begins.
    last: usize,
}

impl DocumentBatch {
    /// From `bytes` that hold whole documents and nothing else. `None` when they do not: their lengths and last bytes are looked at.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let (mut at, mut last, mut documents) = (0, 0, 0);
        while at < bytes.len() {
            last = at;
            at += elements::document_bytes(&bytes[at..]).ok()?;
            documents += 1;
            if bytes.get(at - 1) != Some(&0) {
                return None;
            }
        }
        Some(Self { bytes, documents, last })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many.
    pub fn documents(&self) -> usize {
        self.documents
    }

    /// The bytes of each.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (document, after) = rest.split_at_checked(elements::document_bytes(rest).ok()?)?;
            rest = after;
            Some(document)
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = &RawDocument> {
        self.slices().map_while(|document| RawDocument::from_bytes(document).ok())
    }

    /// The `_id` of the last document, if it has one.
    pub fn last_id(&self) -> Option<RawBson> {
        let document = RawDocument::from_bytes(self.bytes.get(self.last..)?).ok()?;
        document.get("_id").ok().flatten().map(Into::into)
    }

    pub fn push(&mut self, document: &RawDocument) {
        self.last = self.bytes.len();
        self.bytes.extend_from_slice(document.as_bytes());
        self.documents += 1;
    }

    /// Empty, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Whether a document of so many bytes fits, when a batch should not exceed `bytes_max`. One always does.
    pub(crate) fn has_room(&self, bytes: usize, bytes_max: usize) -> bool {
        self.bytes.is_empty() || self.bytes.len() + bytes <= bytes_max
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn only_whole_documents_make_a_batch() {
        let documents = [rawdoc! { "_id": 1 }, rawdoc! { "_id": "two" }];
        let bytes = documents.iter().flat_map(|document| document.as_bytes().to_vec()).collect::<Vec<_>>();
        let batch = DocumentBatch::from_bytes(bytes.clone()).expect("whole");
        assert_eq!((batch.documents(), batch.last_id()), (2, Some(RawBson::String("two".to_owned()))));
        assert_eq!(batch.iter().map(ToOwned::to_owned).collect::<Vec<_>>(), documents);
        let mut pushed = DocumentBatch::default();
        documents.iter().for_each(|document| pushed.push(document));
        assert_eq!(pushed, batch);
        let first = documents[0].as_bytes().len();
        for cut in (1..bytes.len()).filter(|cut| *cut != first) {
            assert_eq!(DocumentBatch::from_bytes(bytes[..cut].to_vec()), None, "{cut}");
        }
        assert_eq!(DocumentBatch::from_bytes(Vec::new()), Some(DocumentBatch::default()));
    }
}
