//! The data set: documents of about 300 B, 1 KB and 10 KB, most of each compressible text, with random ids inside.
//!
//! Every document follows from its collection and its number alone, so that it can be made anywhere, in any order, by any thread.

use bson::oid::ObjectId;
use bson::raw::cstr;
use bson::{DateTime, RawDocumentBuf, doc, rawdoc};
use oplogue_testkit::Dice;

use super::wire::{Wire, message};

/// A collection of the data set.
#[derive(Debug)]
pub struct Collection {
    pub database: &'static str,
    pub name: &'static str,
    /// Bytes of a document, near enough.
    pub document_bytes: usize,
    /// Percent of the whole data.
    share: u64,
    /// Keys of a secondary index, built when the data is there.
    index: Option<&'static [(&'static str, i32)]>,
}

/// Large ones first, so that four readers end at about the same time.
pub const COLLECTIONS: [Collection; 6] = [
    Collection { database: "shop", name: "orders", document_bytes: 1_000, share: 25, index: Some(&[("customer", 1), ("at", -1)]) },
    Collection { database: "shop", name: "events", document_bytes: 300, share: 20, index: None },
    Collection { database: "crm", name: "customers", document_bytes: 1_000, share: 15, index: Some(&[("token", 1)]) },
    Collection { database: "shop", name: "sessions", document_bytes: 300, share: 15, index: None },
    Collection { database: "crm", name: "documents", document_bytes: 10_000, share: 15, index: None },
    Collection { database: "crm", name: "mails", document_bytes: 10_000, share: 10, index: None },
];

pub const DATABASES: [&str; 2] = ["shop", "crm"];

/// Bytes of documents in one insert message.
const MESSAGE_DOCUMENTS_BYTES: usize = 4 << 20;

const WORDS: [&str; 48] = [
    "the",
    "order",
    "was",
    "shipped",
    "yesterday",
    "from",
    "our",
    "warehouse",
    "and",
    "should",
    "arrive",
    "within",
    "three",
    "days",
    "customer",
    "asked",
    "for",
    "a",
    "refund",
    "because",
    "package",
    "never",
    "came",
    "please",
    "confirm",
    "address",
    "before",
    "sending",
    "replacement",
    "thank",
    "you",
    "invoice",
    "number",
    "payment",
    "received",
    "in",
    "full",
    "account",
    "has",
    "been",
    "updated",
    "with",
    "new",
    "details",
    "of",
    "delivery",
    "window",
    "status",
];

impl Collection {
    /// How many documents it has when the whole data set has `size_mb` megabytes.
    pub fn documents(&self, size_mb: u64) -> u64 {
        (size_mb * 1_000_000 * self.share / 100 / self.document_bytes as u64).max(100)
    }

    /// Its place among all, part of every document's seed.
    fn seed(&self) -> u64 {
        COLLECTIONS.iter().position(|one| one.name == self.name).unwrap_or_default() as u64
    }

    /// The `_id` of the document of that number: an ObjectId, growing with the number as it does with time.
    pub fn id(&self, number: u64) -> ObjectId {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&(1_700_000_000 + (number >> 20) as u32).to_be_bytes());
        bytes[4] = self.seed() as u8;
        bytes[5..].copy_from_slice(&number.to_be_bytes()[1..]);
        ObjectId::from_bytes(bytes)
    }

    /// The document of that number.
    pub fn document(&self, number: u64) -> RawDocumentBuf {
        let mut random = Random::new(self.seed() << 56 ^ number);
        let mut document = RawDocumentBuf::new();
        document.append(cstr!("_id"), self.id(number));
        document.append(cstr!("kind"), (random.next() % 12) as i32);
        document.append(cstr!("customer"), (random.next() % 1_000_000) as i64);
        document.append(cstr!("at"), DateTime::from_millis(1_700_000_000_000 + (number * 250) as i64));
        document.append(cstr!("amount"), (random.next() % 100_000) as f64 / 100.0);
        document.append(cstr!("token"), format!("{:016x}{:016x}", random.next(), random.next()));
        // Name, length and end of the text take about 11 bytes.
        document.append(cstr!("text"), random.text(self.document_bytes.saturating_sub(document.as_bytes().len() + 11)));
        document
    }
}

/// A stretch of one collection that fits into one insert message.
#[derive(Debug)]
pub struct Stretch {
    pub collection: &'static Collection,
    pub numbers: std::ops::Range<u64>,
}

impl Stretch {
    /// The whole data set, or the first `1/divisor` of each collection, in stretches.
    pub fn all(size_mb: u64, divisor: u64) -> Vec<Stretch> {
        let of = |collection: &'static Collection| {
            let (end, step) = (collection.documents(size_mb) / divisor, (MESSAGE_DOCUMENTS_BYTES / collection.document_bytes) as u64);
            (0..end).step_by(step as usize).map(move |start| Stretch { collection, numbers: start..end.min(start + step) })
        };
        COLLECTIONS.iter().flat_map(of).collect()
    }

    /// The insert of all its documents as a message, and the bytes of the documents.
    pub fn message(&self) -> anyhow::Result<(Vec<u8>, u64)> {
        let mut documents = Vec::with_capacity(MESSAGE_DOCUMENTS_BYTES + (MESSAGE_DOCUMENTS_BYTES >> 3));
        for number in self.numbers.clone() {
            documents.extend_from_slice(self.collection.document(number).as_bytes());
        }
        let command = rawdoc! { "insert": self.collection.name, "$db": self.collection.database, "ordered": false };
        Ok((message(&command, Some(("documents", &documents)), 0)?, documents.len() as u64))
    }
}

/// Builds the secondary indexes. Returns how many.
pub fn build_indexes(wire: &mut Wire) -> anyhow::Result<usize> {
    let mut built = 0;
    for collection in &COLLECTIONS {
        let Some(keys) = collection.index else { continue };
        let key: bson::Document = keys.iter().map(|(field, order)| ((*field).to_owned(), bson::Bson::Int32(*order))).collect();
        let command =
            doc! { "createIndexes": collection.name, "indexes": [{ "key": key, "name": "secondary" }], "$db": collection.database };
        wire.run(&RawDocumentBuf::try_from(&command)?)?;
        built += 1;
    }
    Ok(built)
}

/// Drops what [`build_indexes`] built.
pub fn drop_indexes(wire: &mut Wire) -> anyhow::Result<()> {
    for collection in COLLECTIONS.iter().filter(|collection| collection.index.is_some()) {
        wire.run(&rawdoc! { "dropIndexes": collection.name, "index": "*", "$db": collection.database })?;
    }
    Ok(())
}

/// What documents are made of: the same for the same seed.
pub struct Random(Dice);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(Dice::new(seed))
    }

    pub fn next(&mut self) -> u64 {
        self.0.number()
    }

    fn text(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 128);
        while text.len() < bytes {
            let bits = self.next();
            // Ten words of six bits each, and an id: about as compressible as the reference's data.
            for place in 0..10 {
                text.push_str(WORDS[(bits >> (place * 6)) as usize % WORDS.len()]);
                text.push(' ');
            }
            text.push_str(&format!("{:016x} ", self.next()));
        }
        text.truncate(bytes);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_the_whole() {
        assert_eq!(COLLECTIONS.iter().map(|collection| collection.share).sum::<u64>(), 100);
        assert!(COLLECTIONS.iter().all(|collection| DATABASES.contains(&collection.database)));
    }

    #[test]
    fn documents_have_the_size_they_should_and_are_always_the_same() {
        for collection in &COLLECTIONS {
            let document = collection.document(7);
            assert_eq!(document, collection.document(7));
            assert_ne!(document, collection.document(8));
            assert!(document.as_bytes().len().abs_diff(collection.document_bytes) < 8, "{}", document.as_bytes().len());
            assert!(collection.id(7) < collection.id(8) && collection.id((1 << 20) - 1) < collection.id(1 << 20));
        }
    }

    #[test]
    fn stretches_hold_every_document_once() {
        for divisor in [1, 4] {
            for collection in &COLLECTIONS {
                let stretches = Stretch::all(40, divisor);
                let mut numbers = stretches.iter().filter(|one| one.collection.name == collection.name).flat_map(|one| one.numbers.clone());
                assert!((0..collection.documents(40) / divisor).all(|number| numbers.next() == Some(number)) && numbers.next().is_none());
            }
        }
    }
}
