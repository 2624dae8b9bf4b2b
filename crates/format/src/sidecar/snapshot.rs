//! The record of one replica set's part of a backup: its collections in full, and every object with its size and checksum.

use oplogue_domain::{BackupName, Namespace, OplogRange, ReplicaSetName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::{NamespaceJson, RangeJson, checksum, hash_or_none, uuid};
use super::{FORMAT, SidecarError, read, write};
use crate::checksum::ContentHash;
use crate::pbm::collections::{CollectionKind, StoredCollection};
use crate::pbm::extjson;

/// What a snapshot held when it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotRecord {
    pub backup: BackupName,
    pub replica_set: ReplicaSetName,
    /// The oplog of the snapshot; the entry at `after` is in its object, too.
    pub oplog: OplogRange,
    /// Every object of the snapshot: documents, oplog, PBM's metadata. Not this record, nor the backup's `.pbm.json`.
    pub objects: Vec<RecordedObject>,
    pub collections: Vec<RecordedCollection>,
    /// What wrote it, e.g. `oplogue 0.1.0`.
    pub written_by: String,
}

/// One object as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedObject {
    /// Relative to the storage's folder.
    pub name: String,
    /// Stored bytes, and the CRC-64/XZ over them.
    pub bytes: u64,
    pub crc64: u64,
    /// BLAKE3 over the stored bytes. `None` in records of format 1.
    pub hash: Option<ContentHash>,
    /// Documents or oplog entries in it; `None` for metadata, and in records of format 1.
    pub documents: Option<u64>,
}

impl RecordedObject {
    /// Of an object that is no stream of documents.
    pub fn of_text(name: String, bytes: &[u8]) -> Self {
        Self {
            name,
            bytes: bytes.len() as u64,
            crc64: crate::checksum::Crc64::of(bytes),
            hash: Some(ContentHash::of(bytes)),
            documents: None,
        }
    }
}

/// One collection, with all its options and those of its indexes.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedCollection {
    pub collection: StoredCollection,
    /// The object with its documents; `None` when it has none. May be one of ours; PBM's metadata then says it is empty.
    pub object: Option<String>,
    pub documents: u64,
}

#[derive(Serialize, Deserialize)]
struct Json {
    format: u32,
    backup: String,
    replica_set: String,
    oplog: RangeJson,
    objects: Vec<ObjectJson>,
    collections: Vec<CollectionJson>,
    written_by: String,
}

#[derive(Serialize, Deserialize)]
struct ObjectJson {
    name: String,
    bytes: u64,
    #[serde(with = "checksum")]
    crc64: u64,
    #[serde(with = "hash_or_none", default)]
    blake3: Option<ContentHash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    documents: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct CollectionJson {
    namespace: NamespaceJson,
    kind: String,
    #[serde(with = "uuid", default, skip_serializing_if = "Option::is_none")]
    uuid: Option<[u8; 16]>,
    #[serde(with = "uuid", default, skip_serializing_if = "Option::is_none")]
    buckets_uuid: Option<[u8; 16]>,
    options: Value,
    indexes: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    documents: u64,
    bytes: u64,
    #[serde(with = "checksum")]
    crc64: u64,
}

fn malformed(error: impl std::fmt::Display) -> SidecarError {
    SidecarError::Malformed(error.to_string())
}

impl SnapshotRecord {
    pub fn to_json(&self) -> Vec<u8> {
        let object = |object: &RecordedObject| ObjectJson {
            name: object.name.clone(),
            bytes: object.bytes,
            crc64: object.crc64,
            blake3: object.hash,
            documents: object.documents,
        };
        write(&Json {
            format: FORMAT,
            backup: self.backup.to_string(),
            replica_set: self.replica_set.to_string(),
            oplog: self.oplog.into(),
            objects: self.objects.iter().map(object).collect(),
            collections: self.collections.iter().map(CollectionJson::from).collect(),
            written_by: self.written_by.clone(),
        })
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, SidecarError> {
        let json: Json = read(bytes)?;
        let object = |object: ObjectJson| RecordedObject {
            name: object.name,
            bytes: object.bytes,
            crc64: object.crc64,
            hash: object.blake3,
            documents: object.documents,
        };
        let collections: Result<Vec<_>, _> = json.collections.into_iter().map(RecordedCollection::try_from).collect();
        Ok(Self {
            backup: json.backup.parse().map_err(malformed)?,
            replica_set: json.replica_set.parse().map_err(malformed)?,
            oplog: json.oplog.into(),
            objects: json.objects.into_iter().map(object).collect(),
            collections: collections?,
            written_by: json.written_by,
        })
    }

    pub fn object(&self, name: &str) -> Option<&RecordedObject> {
        self.objects.iter().find(|object| object.name == name)
    }

    pub fn collection(&self, namespace: &Namespace) -> Option<&RecordedCollection> {
        self.collections.iter().find(|recorded| recorded.collection.namespace == *namespace)
    }
}

impl From<&RecordedCollection> for CollectionJson {
    fn from(recorded: &RecordedCollection) -> Self {
        let collection = &recorded.collection;
        Self {
            namespace: collection.namespace.clone().into(),
            kind: collection.kind.name().to_owned(),
            uuid: collection.uuid,
            buckets_uuid: collection.buckets_uuid,
            options: extjson::to_exact(&collection.options),
            indexes: collection.indexes.iter().map(extjson::to_exact).collect(),
            object: recorded.object.clone(),
            documents: recorded.documents,
            bytes: collection.bytes,
            crc64: collection.crc64,
        }
    }
}

impl TryFrom<CollectionJson> for RecordedCollection {
    type Error = SidecarError;

    fn try_from(json: CollectionJson) -> Result<Self, SidecarError> {
        let kind = CollectionKind::from_name(&json.kind).ok_or_else(|| malformed(format!("`{}` is no kind of collection", json.kind)))?;
        let indexes: Result<Vec<_>, _> = json.indexes.into_iter().map(extjson::from_exact).collect();
        let collection = StoredCollection {
            namespace: json.namespace.into(),
            kind,
            uuid: json.uuid,
            buckets_uuid: json.buckets_uuid,
            options: extjson::from_exact(json.options).map_err(malformed)?,
            indexes: indexes.map_err(malformed)?,
            crc64: json.crc64,
            bytes: json.bytes,
        };
        Ok(Self { collection, object: json.object, documents: json.documents })
    }
}
