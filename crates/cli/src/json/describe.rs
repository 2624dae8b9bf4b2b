//! Everything about one backup.

use oplogue_domain::{Backup, ReplicaSetName};
use oplogue_format::pbm::collections::CollectionKind;
use oplogue_repository::SnapshotCollection;
use serde::Serialize;

use super::catalog::BackupJson;

#[derive(Serialize)]
pub struct DescribeJson {
    #[serde(flatten)]
    backup: BackupJson,
    collections: Vec<CollectionJson>,
    warnings: Vec<String>,
}

impl DescribeJson {
    pub fn new(backup: &Backup, collections: Vec<CollectionJson>, warnings: Vec<String>) -> Self {
        Self { backup: backup.into(), collections, warnings }
    }
}

#[derive(Clone, Serialize)]
pub struct CollectionJson {
    pub replica_set: String,
    pub namespace: String,
    /// `collection`, `view` or `time series`.
    pub kind: &'static str,
    /// Uncompressed bytes of documents.
    pub bytes: u64,
    pub documents: Option<u64>,
    /// Names.
    pub indexes: Vec<String>,
    /// In hexadecimal, where the backup knows it.
    pub uuid: Option<String>,
}

impl CollectionJson {
    pub fn new(replica_set: &ReplicaSetName, found: &SnapshotCollection) -> Self {
        let kind = match found.kind {
            CollectionKind::Collection => "collection",
            CollectionKind::View => "view",
            CollectionKind::TimeSeries => "time series",
        };
        let indexes = found.indexes.iter().map(|index| index.get_str("name").unwrap_or("(unnamed)").to_owned());
        let uuid = found.uuid.or(found.buckets_uuid);
        Self {
            replica_set: replica_set.to_string(),
            namespace: found.namespace.to_string(),
            kind,
            bytes: found.bytes,
            documents: found.documents,
            indexes: indexes.collect(),
            uuid: uuid.map(|uuid| uuid.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }
}
