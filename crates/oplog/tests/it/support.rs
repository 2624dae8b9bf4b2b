//! Builds oplog entries as servers write them.

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, RawDocumentBuf, Timestamp, doc};
use oplogue_domain::{Namespace, NamespacePattern, NamespaceSelection, OplogTime, Rename};
use oplogue_oplog::{CollectionKind, CollectionSpec, Lineage, Operation, OplogError, Outcome, Resolved, Survivor, Transactions};

/// A UUID of the test: sixteen times `byte`.
pub fn uuid(byte: u8) -> [u8; 16] {
    [byte; 16]
}

pub fn uuid_bson(byte: u8) -> Bson {
    Bson::Binary(Binary { subtype: BinarySubtype::Uuid, bytes: uuid(byte).to_vec() })
}

pub fn namespace(text: &str) -> Namespace {
    text.parse().expect("a namespace of the test")
}

pub fn time(ordinal: u32) -> OplogTime {
    OplogTime::new(1000, ordinal)
}

pub fn raw(document: Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(&document).expect("a document of the test")
}

/// An entry at (1000, `ordinal`).
pub fn entry(ordinal: u32, fields: Document) -> RawDocumentBuf {
    let mut entry = doc! { "op": "n", "ns": "", "o": {} };
    entry.extend(fields);
    entry.extend(doc! { "ts": Timestamp { time: 1000, increment: ordinal }, "t": 1_i64, "v": 2_i64 });
    raw(entry)
}

pub fn insert(ns: &str, ui: u8, o: Document) -> Document {
    doc! { "op": "i", "ns": ns, "ui": uuid_bson(ui), "o": o }
}

pub fn update(ns: &str, ui: u8, id: i32, o: Document) -> Document {
    doc! { "op": "u", "ns": ns, "ui": uuid_bson(ui), "o": o, "o2": { "_id": id } }
}

pub fn delete(ns: &str, ui: u8, id: i32) -> Document {
    doc! { "op": "d", "ns": ns, "ui": uuid_bson(ui), "o": { "_id": id } }
}

/// A command on a collection, in `database.$cmd`.
pub fn command(database: &str, ui: u8, o: Document) -> Document {
    doc! { "op": "c", "ns": format!("{database}.$cmd"), "ui": uuid_bson(ui), "o": o }
}

pub fn create(database: &str, ui: u8, name: &str) -> Document {
    command(database, ui, doc! { "create": name, "idIndex": { "v": 2, "key": { "_id": 1 }, "name": "_id_" } })
}

pub fn rename(ui: u8, from: &str, to: &str, drop_target: Option<u8>) -> Document {
    let mut o = doc! { "renameCollection": from, "to": to, "stayTemp": false };
    if let Some(target) = drop_target {
        o.insert("dropTarget", uuid_bson(target));
    }
    let database = namespace(from).database;
    command(&database, ui, o)
}

pub fn index(name: &str, key: Document) -> Document {
    doc! { "v": 2, "key": key, "name": name }
}

pub fn id_index() -> Document {
    index("_id_", doc! { "_id": 1 })
}

/// A session; `number` is its transaction number.
pub fn session(id: u8, number: i64) -> Document {
    doc! { "lsid": { "id": uuid_bson(id), "uid": ObjectId::from_bytes([id; 12]) }, "txnNumber": number }
}

/// `prevOpTime`: of the entry at (1000, `ordinal`), or null.
pub fn previous(ordinal: Option<u32>) -> Document {
    let (time, increment, term) = ordinal.map_or((0, 0, -1_i64), |ordinal| (1000, ordinal, 1));
    doc! { "prevOpTime": { "ts": Timestamp { time, increment }, "t": term } }
}

pub fn merged(parts: impl IntoIterator<Item = Document>) -> Document {
    parts.into_iter().flatten().collect()
}

pub fn spec(name: &str, ui: Option<u8>) -> CollectionSpec {
    CollectionSpec {
        namespace: namespace(name),
        kind: CollectionKind::Collection,
        uuid: ui.map(uuid),
        buckets_uuid: None,
        options: Document::new(),
        indexes: vec![id_index()],
        capped_last_id: None,
    }
}

/// Runs entries through [`Transactions`] and a lineage, at (1000, 1), (1000, 2), …
pub struct Run {
    pub transactions: Transactions,
    pub lineage: Lineage,
    next: u32,
}

impl Run {
    pub fn new(specs: Vec<CollectionSpec>) -> Self {
        Self { transactions: Transactions::new(), lineage: Lineage::from_snapshot(specs), next: 1 }
    }

    pub fn try_push(&mut self, fields: Document) -> Result<Vec<Resolved>, OplogError> {
        let document = entry(self.next, fields);
        self.next += 1;
        let operations = self.transactions.push(&document)?;
        operations.iter().map(|operation| self.lineage.push(operation)).collect()
    }

    pub fn push(&mut self, fields: Document) -> &mut Self {
        self.try_push(fields).expect("an operation that can be applied");
        self
    }

    pub fn all(specs: Vec<CollectionSpec>, entries: impl IntoIterator<Item = Document>) -> Outcome {
        let mut run = Self::new(specs);
        for entry in entries {
            run.push(entry);
        }
        run.lineage.outcome()
    }
}

pub fn operations(entries: impl IntoIterator<Item = Document>) -> Vec<Operation> {
    let mut transactions = Transactions::new();
    let documents = entries.into_iter().enumerate();
    documents
        .flat_map(|(index, fields)| {
            let ordinal = u32::try_from(index).expect("few entries") + 1;
            transactions.push(&entry(ordinal, fields)).expect("entries that can be read")
        })
        .collect()
}

/// The only operation of an entry.
pub fn operation(fields: Document) -> Operation {
    operations([fields]).pop().expect("an entry with one operation")
}

pub fn names(outcome: &Outcome) -> Vec<String> {
    outcome.collections.iter().map(|survivor| survivor.namespace.to_string()).collect()
}

pub fn survivor<'a>(outcome: &'a Outcome, name: &str) -> &'a Survivor {
    outcome.collections.iter().find(|survivor| survivor.namespace == namespace(name)).expect("a collection that exists")
}

pub fn index_names(survivor: &Survivor) -> Vec<String> {
    survivor.indexes.iter().filter_map(|index| index.get_str("name").ok().map(str::to_owned)).collect()
}

pub fn only(patterns: &[&str]) -> NamespaceSelection {
    let patterns = patterns.iter().map(|text| text.parse::<NamespacePattern>().expect("a pattern of the test"));
    NamespaceSelection::from_patterns(patterns.collect())
}

pub fn renames(texts: &[&str]) -> Vec<Rename> {
    texts.iter().map(|text| text.parse().expect("a rename of the test")).collect()
}
