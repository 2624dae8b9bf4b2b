//! A server with a database for one test, spoken to in raw BSON.

use std::collections::BTreeMap;

use bson::raw::cstr;
use bson::{Document, RawArrayBuf, RawDocument, RawDocumentBuf, Timestamp, doc, rawdoc};
use mongodb::Client;
use oplogue_testkit::Version;

/// The `_id` field as it lies in a document.
pub type Id = Vec<u8>;

/// Text that becomes invalid UTF-8 of the same length on its way to the server.
const MARK: &[u8] = b"BAD";
const INVALID: &[u8] = b"\xFF\xC0\x80";

pub struct Bench {
    client: Client,
    database: &'static str,
}

impl Bench {
    pub async fn new(version: Version, database: &'static str) -> Self {
        Self { client: crate::shared(version).await.client().await.expect("the driver connects"), database }
    }

    /// Makes a collection of documents, and returns what the server made of them.
    pub async fn fill(&self, collection: &str, documents: Vec<Document>) -> BTreeMap<Id, RawDocumentBuf> {
        self.run(self.database, raw(&doc! { "create": collection })).await.expect("a new collection");
        let count = documents.len();
        self.insert(collection, documents).await;
        let documents = self.documents(collection).await;
        assert_eq!(documents.len(), count, "each document is there");
        documents
    }

    pub async fn create_time_series(&self, collection: &str) {
        let command = doc! { "create": collection, "timeseries": { "timeField": "at", "metaField": "sensor" } };
        self.run(self.database, raw(&command)).await.expect("a new collection");
    }

    pub async fn insert(&self, collection: &str, documents: Vec<Document>) {
        let command = doc! { "insert": collection, "documents": documents };
        self.run(self.database, raw(&command)).await.expect("the documents are inserted");
    }

    /// All inserts (`i`) and updates (`u`) of a collection, in order: kind, document, `o`.
    pub async fn log(&self, collection: &str) -> Vec<(String, Id, RawDocumentBuf)> {
        let filter = doc! { "op": { "$in": ["i", "u"] }, "ns": format!("{}.{collection}", self.database) };
        let entries = self.read("local", "oplog.rs", filter).await;
        let read = |entry: &RawDocumentBuf| {
            let part = |name: &str| entry.get_document(name).map(ToOwned::to_owned).ok();
            let o = part("o").expect("each has it");
            let kind = entry.get_str("op").expect("each has it").to_owned();
            // Since 6.0 inserts have an o2 as well.
            let id = if kind == "u" { id_of(&part("o2").expect("an update has it")) } else { id_of(&o) };
            (kind, id, o)
        };
        entries.iter().map(read).collect()
    }

    /// Runs updates of `{q, u, …}`, one a document, and returns the entries they left in the oplog.
    pub async fn update(&self, collection: &str, updates: Vec<Document>) -> Vec<(Id, RawDocumentBuf)> {
        let from = self.newest().await;
        // What the server does not like is not in the oplog. That is all we need to know.
        self.run(self.database, raw(&doc! { "update": collection, "updates": updates, "ordered": false }))
            .await
            .expect("the command is run");
        let namespace = format!("{}.{collection}", self.database);
        let filter = doc! { "ts": { "$gt": from }, "op": "u", "ns": namespace };
        let entries = self.read("local", "oplog.rs", filter).await;
        let part = |entry: &RawDocumentBuf, name: &str| entry.get_document(name).expect("an update has it").to_owned();
        entries.iter().map(|entry| (id_of(&part(entry, "o2")), part(entry, "o"))).collect()
    }

    /// Applies entries one by one, and returns why the server refused which.
    pub async fn apply(&self, collection: &str, entries: &[(Id, RawDocumentBuf)]) -> BTreeMap<usize, String> {
        let namespace = format!("{}.{collection}", self.database);
        let mut refused = BTreeMap::new();
        let mut start = 0;
        while start < entries.len() {
            let mut operations = RawArrayBuf::new();
            for (id, entry) in &entries[start..] {
                operations.push(rawdoc! { "op": "u", "ns": namespace.as_str(), "o": entry.clone(), "o2": with_id(id) });
            }
            let mut command = rawdoc! {};
            command.append(cstr!("applyOps"), operations);
            command.append(cstr!("alwaysUpsert"), false);
            command.append(cstr!("allowAtomic"), false);
            match self.run("admin", command).await {
                Ok(_) => break,
                Err(error) => {
                    let response = error.server_response().unwrap_or_else(|| panic!("no answer to applyOps: {error}"));
                    // One `true` or `false` for each that was tried. After some errors the server goes on, after others it ends.
                    let results = response.get_array("results").unwrap_or_else(|_| panic!("applyOps as a whole: {error}"));
                    for result in results {
                        if !result.expect("a server's answer").as_bool().expect("a yes or no") {
                            refused.insert(start, error.to_string());
                        }
                        start += 1;
                    }
                }
            }
        }
        refused
    }

    pub async fn documents(&self, collection: &str) -> BTreeMap<Id, RawDocumentBuf> {
        self.read(self.database, collection, doc! {}).await.into_iter().map(|document| (id_of(&document), document)).collect()
    }

    async fn newest(&self) -> Timestamp {
        let oplog = self.client.database("local").collection::<RawDocumentBuf>("oplog.rs");
        let newest = oplog.find_one(doc! {}).sort(doc! { "$natural": -1 }).projection(doc! { "ts": 1 }).await;
        newest.expect("the oplog is readable").expect("it has entries").get_timestamp("ts").expect("an entry has a time")
    }

    async fn read(&self, database: &str, collection: &str, filter: Document) -> Vec<RawDocumentBuf> {
        let collection = self.client.database(database).collection::<RawDocumentBuf>(collection);
        let mut cursor = collection.find(filter).batch_size(1000).await.expect("the collection is readable");
        let mut documents = Vec::new();
        while cursor.advance().await.expect("the next batch") {
            documents.push(cursor.current().to_owned());
        }
        documents
    }

    async fn run(&self, database: &str, command: RawDocumentBuf) -> mongodb::error::Result<()> {
        match self.client.database(database).run_raw_command(command).await {
            // A server that quotes invalid text in an answer makes the answer invalid.
            Err(error) if error.server_response().is_some_and(|answer| answer.get_f64("ok").is_ok_and(|ok| ok == 1.0)) => Ok(()),
            result => result.map(drop),
        }
    }
}

/// Encodes, and makes marked text invalid.
pub fn raw(document: &Document) -> RawDocumentBuf {
    let bytes = RawDocumentBuf::try_from(document).expect("a document of the test").into_bytes();
    RawDocumentBuf::from_bytes(exchange(bytes, MARK, INVALID)).expect("of the same length")
}

/// Decodes, with marks in the place of invalid text.
pub fn clean(document: &RawDocument) -> Document {
    let bytes = exchange(document.as_bytes().to_vec(), INVALID, MARK);
    Document::try_from(&*RawDocumentBuf::from_bytes(bytes).expect("of the same length")).expect("a server's document")
}

fn exchange(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    for at in 0..bytes.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}

pub fn id_of(document: &RawDocument) -> Id {
    let first = document.iter_elements().next().expect("a field").expect("a server's document");
    assert_eq!(first.key().as_str(), "_id");
    document.as_bytes()[4..4 + 5 + first.size()].to_vec()
}

fn with_id(id: &Id) -> RawDocumentBuf {
    let length = u32::try_from(id.len() + 5).expect("short").to_le_bytes();
    RawDocumentBuf::from_bytes([&length[..], id, &[0]].concat()).expect("a document")
}
