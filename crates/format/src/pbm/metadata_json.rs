//! `metadata.json`: canonical Extended JSON, indented by two spaces, with the metadata of each collection as JSON within a string.

use bson::{Bson, Document, doc};
use oplogue_domain::Namespace;
use serde_json::Value;

use super::collections::{CollectionKind, MetadataError, SnapshotMetadata, StoredCollection, fold_buckets, parse_uuid, readable_version};
use super::{extjson, go_json};

/// The options of an index that PBM keeps; the others (`hidden`, `prepareUnique`, `clustered`) it loses.
const INDEX_OPTIONS: [&str; 23] = [
    "2dsphereIndexVersion",
    "background",
    "bits",
    "bucketSize",
    "coarsestIndexedLevel",
    "collation",
    "default_language",
    "expireAfterSeconds",
    "finestIndexedLevel",
    "key",
    "language_override",
    "max",
    "min",
    "name",
    "ns",
    "partialFilterExpression",
    "sparse",
    "storageEngine",
    "textIndexVersion",
    "unique",
    "v",
    "weights",
    "wildcardProjection",
];

pub(super) fn read(bytes: &[u8]) -> Result<SnapshotMetadata, MetadataError> {
    let document = extjson::from_value(serde_json::from_slice(bytes)?).map_err(MetadataError::NotBson)?;
    let listed = match document.get("namespaces") {
        Some(Bson::Array(listed)) => listed.as_slice(),
        Some(Bson::Null) => &[],
        _ => return Err(MetadataError::NoList),
    };
    let collections: Result<Vec<_>, _> = listed.iter().enumerate().map(|(entry, value)| read_entry(entry, value)).collect();
    let text = |key: &str| document.get_str(key).unwrap_or_default().to_owned();
    Ok(SnapshotMetadata {
        server_version: text("server_version"),
        tool_version: text("tool_version"),
        fcv: String::new(),
        collections: fold_buckets(collections?),
    })
}

fn read_entry(entry: usize, value: &Bson) -> Result<StoredCollection, MetadataError> {
    let empty = Document::new();
    let fields = value.as_document().unwrap_or(&empty);
    let text = |key: &str| fields.get_str(key).unwrap_or_default();
    let namespace = Namespace::new(text("db"), text("collection"));
    let bad = |what: String| MetadataError::BadEntry { entry, namespace: namespace.to_string(), what };
    if namespace.database.is_empty() || namespace.collection.is_empty() {
        return Err(bad("it needs `db` and `collection`".to_owned()));
    }
    let kind = CollectionKind::from_name(text("type")).ok_or_else(|| bad(format!("its type `{}` is not known", text("type"))))?;
    let metadata = match text("metadata") {
        "" => Document::new(),
        json => {
            let value: Value = serde_json::from_str(json).map_err(|error| bad(format!("its metadata is not JSON: {error}")))?;
            extjson::from_value(value).map_err(|error| bad(format!("its metadata: {error}")))?
        }
    };
    let uuid = match metadata.get_str("uuid").unwrap_or_default() {
        "" => None,
        text => Some(parse_uuid(text).ok_or_else(|| bad(format!("its UUID `{text}` is not 32 hexadecimal digits")))?),
    };
    let crc = integer(fields, "crc").ok_or_else(|| bad("its `crc` is not an integer".to_owned()))?;
    let bytes = integer(fields, "size").and_then(|size| u64::try_from(size).ok()).ok_or_else(|| bad("its `size` is no size".to_owned()))?;
    let indexes = documents(&metadata, "indexes").map_err(&bad)?;
    let options = match metadata.get("options") {
        None | Some(Bson::Null) => Document::new(),
        Some(Bson::Document(options)) => options.clone(),
        Some(other) => return Err(bad(format!("its `options` are {other}"))),
    };
    Ok(StoredCollection { namespace, kind, uuid, buckets_uuid: None, options, indexes, crc64: crc.cast_unsigned(), bytes })
}

/// An integer of any width; a missing one is 0.
pub(super) fn integer(fields: &Document, key: &str) -> Option<i64> {
    match fields.get(key) {
        None | Some(Bson::Null) => Some(0),
        Some(Bson::Int32(number)) => Some((*number).into()),
        Some(Bson::Int64(number)) => Some(*number),
        Some(_) => None,
    }
}

/// An array of documents; a missing one is empty.
pub(super) fn documents(fields: &Document, key: &str) -> Result<Vec<Document>, String> {
    let elements = match fields.get(key) {
        None | Some(Bson::Null) => return Ok(Vec::new()),
        Some(Bson::Array(elements)) => elements,
        Some(other) => return Err(format!("its `{key}` are {other}")),
    };
    let document = |element: &Bson| element.as_document().cloned().ok_or_else(|| format!("its `{key}` hold {element}"));
    elements.iter().map(document).collect()
}

pub(super) fn write(metadata: &SnapshotMetadata) -> Vec<u8> {
    let mut collections: Vec<_> = metadata.collections.iter().collect();
    collections.sort_by(|left, right| left.namespace.cmp(&right.namespace));
    let document = doc! {
        "concurrent_collections": 1_i32,
        "version": "0.1",
        "server_version": readable_version(&metadata.server_version),
        "tool_version": &metadata.tool_version,
        "namespaces": collections.into_iter().map(write_entry).collect::<Vec<_>>(),
    };
    go_json::to_text(&extjson::to_canonical(&document), b"  ")
}

fn write_entry(collection: &StoredCollection) -> Document {
    let mut metadata = Document::new();
    if !collection.options.is_empty() {
        metadata.insert("options", &collection.options);
    }
    let indexes: Vec<Document> = collection.indexes.iter().map(known_options).collect();
    metadata.insert("indexes", indexes);
    if let Some(uuid) = collection.uuid.filter(|_| collection.kind == CollectionKind::Collection) {
        metadata.insert("uuid", hex::encode(uuid));
    }
    metadata.insert("collectionName", &collection.namespace.collection);
    metadata.insert("type", collection.kind.name());
    doc! {
        "db": &collection.namespace.database,
        "collection": &collection.namespace.collection,
        "metadata": extjson::to_canonical(&metadata).to_string(),
        "type": collection.kind.name(),
        "crc": collection.crc64.cast_signed(),
        "size": i64::try_from(collection.bytes).unwrap_or(i64::MAX),
    }
}

fn known_options(index: &Document) -> Document {
    index.iter().filter(|(key, _)| INDEX_OPTIONS.contains(&key.as_str())).map(|(key, value)| (key.clone(), value.clone())).collect()
}
