//! `meta.pbm`: one BSON document. Unlike `metadata.json` it lists the bucket collections of time series, with their sizes.

use bson::{Bson, Document, doc};
use oplogue_domain::Namespace;

use super::collections::{CollectionKind, MetadataError, SnapshotMetadata, StoredCollection, fold_buckets, parse_uuid};
use super::metadata_json::{documents, integer};

pub(super) fn read(bytes: &[u8]) -> Result<SnapshotMetadata, MetadataError> {
    let document = Document::from_reader(bytes).map_err(|error| MetadataError::NotBson(error.to_string()))?;
    let listed = match document.get("specifications") {
        Some(Bson::Array(listed)) => listed.as_slice(),
        Some(Bson::Null) => &[],
        _ => return Err(MetadataError::NoList),
    };
    let collections: Result<Vec<_>, _> = listed.iter().enumerate().map(|(entry, value)| read_entry(entry, value)).collect();
    let text = |key: &str| document.get_str(key).unwrap_or_default().to_owned();
    Ok(SnapshotMetadata {
        server_version: text("serverVersion"),
        tool_version: text("version"),
        fcv: text("fcv"),
        collections: fold_buckets(collections?),
    })
}

fn read_entry(entry: usize, value: &Bson) -> Result<StoredCollection, MetadataError> {
    let empty = Document::new();
    let fields = value.as_document().unwrap_or(&empty);
    let text = |key: &str| fields.get_str(key).unwrap_or_default();
    let namespace = Namespace::new(text("db"), text("name"));
    let bad = |what: String| MetadataError::BadEntry { entry, namespace: namespace.to_string(), what };
    if namespace.database.is_empty() || namespace.collection.is_empty() {
        return Err(bad("it needs `db` and `name`".to_owned()));
    }
    let kind = CollectionKind::from_name(text("type")).ok_or_else(|| bad(format!("its type `{}` is not known", text("type"))))?;
    let uuid = match text("uuid") {
        "" => None,
        text => Some(parse_uuid(text).ok_or_else(|| bad(format!("its UUID `{text}` is not 32 hexadecimal digits")))?),
    };
    let crc = integer(fields, "crc").ok_or_else(|| bad("its `crc` is not an integer".to_owned()))?;
    let bytes = integer(fields, "size").and_then(|size| u64::try_from(size).ok()).ok_or_else(|| bad("its `size` is no size".to_owned()))?;
    let indexes = documents(fields, "indexes").map_err(&bad)?;
    let options = fields.get_document("options").cloned().unwrap_or_default();
    Ok(StoredCollection { namespace, kind, uuid, buckets_uuid: None, options, indexes, crc64: crc.cast_unsigned(), bytes })
}

pub(super) fn write(metadata: &SnapshotMetadata) -> Result<Vec<u8>, MetadataError> {
    let mut specifications = Vec::new();
    let mut collections: Vec<_> = metadata.collections.iter().collect();
    collections.sort_by(|left, right| left.namespace.cmp(&right.namespace));
    for collection in collections {
        if collection.kind == CollectionKind::TimeSeries {
            specifications.push(specification(&StoredCollection { uuid: None, crc64: 0, bytes: 0, ..collection.clone() }));
            specifications.push(specification(&StoredCollection {
                namespace: collection.namespace.buckets(),
                kind: CollectionKind::Collection,
                uuid: collection.buckets_uuid,
                options: Document::new(),
                indexes: Vec::new(),
                ..collection.clone()
            }));
        } else {
            specifications.push(specification(collection));
        }
    }
    let document = doc! {
        "version": &metadata.tool_version,
        "serverVersion": &metadata.server_version,
        "fcv": &metadata.fcv,
        "specifications": specifications,
    };
    document.to_vec().map_err(|error| MetadataError::NotBson(error.to_string()))
}

fn specification(collection: &StoredCollection) -> Document {
    let mut fields = doc! {
        "db": &collection.namespace.database,
        "name": &collection.namespace.collection,
        "type": collection.kind.name(),
    };
    if let Some(uuid) = collection.uuid {
        fields.insert("uuid", hex::encode(uuid));
    }
    if !collection.options.is_empty() {
        fields.insert("options", &collection.options);
    }
    fields.insert("indexes", collection.indexes.clone());
    fields.insert("crc", collection.crc64.cast_signed());
    fields.insert("size", i64::try_from(collection.bytes).unwrap_or(i64::MAX));
    fields
}
