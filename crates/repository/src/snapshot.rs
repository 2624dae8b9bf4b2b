//! Opening one replica set's part of a backup: which collections it holds, and where their documents are.
//!
//! Our own record is read where there is one, because it has what PBM's metadata has no room for; otherwise `metadata.json`, with
//! the UUIDs of buckets from `meta.pbm`.

use std::collections::BTreeMap;

use bson::Document;
use oplogue_domain::{Backup, BackupName, Namespace, OplogSource, ReplicaSetName};
use oplogue_format::compression::Compression;
use oplogue_format::pbm::collections::{CollectionKind, SnapshotMetadata, StoredCollection};
use oplogue_format::pbm::layout::{self, WholeObject};
use oplogue_format::sidecar::{self, RecordedCollection, RecordedObject, SnapshotRecord};

use crate::Repository;
use crate::documents::{ByteStream, DocumentStream, EntryStream, ReadSummary};
use crate::error::RepositoryError;
use crate::object::ObjectRef;

/// Where users are in a snapshot: a copy of `admin.system.users`, under the name PBM gives it.
pub const USERS: (&str, &str) = ("admin", "pbmRUsers");
/// Where roles are in a snapshot.
pub const ROLES: (&str, &str) = ("admin", "pbmRRoles");

/// What one replica set's part of a backup holds.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotContents {
    /// Sorted by namespace; without the server's and PBM's own.
    pub collections: Vec<SnapshotCollection>,
    /// Documents of `admin.system.users`.
    pub users: Option<SnapshotCollection>,
    /// Documents of `admin.system.roles`.
    pub roles: Option<SnapshotCollection>,
    /// Of the server that was read, e.g. `6.0.5`; empty when unknown.
    pub server_version: String,
    /// What is in it and not for restoring: PBM's control collections, the server's own, the state of a sharded cluster.
    pub left_out: Vec<Namespace>,
    /// The same with their objects, for who wants to read everything back.
    pub not_restored: Vec<SnapshotCollection>,
    /// What a person should know before restoring from it.
    pub warnings: Vec<String>,
}

/// A collection, view or time series of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotCollection {
    /// The name its users know.
    pub namespace: Namespace,
    pub kind: CollectionKind,
    /// `None` for views and time series, and where the metadata does not say.
    pub uuid: Option<[u8; 16]>,
    /// Of a time series' bucket collection, where known.
    pub buckets_uuid: Option<[u8; 16]>,
    /// As `listCollections` gave them.
    pub options: Document,
    /// As `listIndexes` gave them, for a time series in the form its users know. Complete only in backups of ours
    /// ([`SnapshotContents::warnings`] says what PBM may have left out).
    pub indexes: Vec<Document>,
    /// For a time series: the indexes of its buckets, where known.
    pub bucket_indexes: Option<Vec<Document>>,
    /// CRC-64/XZ of the uncompressed documents; 0 without any.
    pub crc64: u64,
    /// Uncompressed bytes of the documents.
    pub bytes: u64,
    /// `None`: no documents.
    pub object: Option<ObjectRef>,
    /// How many, where known.
    pub documents: Option<u64>,
}

impl SnapshotCollection {
    /// Compares what was read with what was written.
    pub fn compare(&self, read: ReadSummary) -> Result<(), RepositoryError> {
        let object = self.object.as_ref().map_or_else(|| self.namespace.to_string(), |object| object.name.clone());
        let damaged = |why| Err(RepositoryError::Damaged { object: object.clone(), at: read.bytes, why });
        if read.bytes != self.bytes {
            return damaged(format!("it holds {} bytes of documents instead of {}", read.bytes, self.bytes));
        }
        if read.crc64 != self.crc64 {
            return damaged(format!("its documents have checksum {:016x} instead of {:016x}", read.crc64, self.crc64));
        }
        match self.documents.filter(|documents| *documents != read.documents) {
            Some(documents) => damaged(format!("it holds {} documents instead of {documents}", read.documents)),
            None => Ok(()),
        }
    }
}

impl Repository {
    /// What a backup holds of one replica set.
    ///
    /// # Errors
    /// [`RepositoryError::Missing`] or `Unreadable` for its metadata. Data objects are not opened: a missing one is told when read.
    pub async fn snapshot(&self, backup: &Backup, replica_set: &ReplicaSetName) -> Result<SnapshotContents, RepositoryError> {
        let name = &backup.name;
        let objects = self.storage.list(&layout::snapshot_folder(name, replica_set)).await?;
        let listed = layout::join_parts(objects.iter().map(|object| (object.name.as_str(), object.bytes)));
        let mut warnings = Vec::new();
        let (_, strangers) = layout::backup_oplog_objects(name, replica_set, listed.keys().copied());
        warnings
            .extend(strangers.into_iter().map(|stranger| format!("`{stranger}` lies among the oplog and is not oplog: it is not read")));

        let (collections, server_version) = match self.snapshot_record(name, replica_set).await? {
            Some(record) => (from_record(record, backup, &listed), backup.mongodb_version.clone()),
            None => {
                let metadata = self.pbm_metadata(name, replica_set, &listed).await?;
                let compression = backup.compression.parse().unwrap_or(Compression::None);
                if backup.pbm_version.trim_start_matches('v').split(['-', '+']).next() == Some("2.8.0") {
                    warnings.push(
                        "PBM 2.8.0 stored indexes without most of their options (partial filters, collations, text and geo options)"
                            .to_owned(),
                    );
                } else {
                    warnings.push("PBM does not store whether an index is hidden, prepared to be unique, or clustered".to_owned());
                }
                let object = |stored: &StoredCollection| layout::namespace_object(name, replica_set, &stored.namespace, compression);
                let collections = metadata.collections.into_iter().map(|stored| {
                    let object = (stored.bytes > 0).then(|| listed_object(object(&stored), compression, &listed));
                    SnapshotCollection::new(stored, object, None)
                });
                (collections.collect(), metadata.server_version)
            }
        };
        Ok(sorted_out(collections, server_version, warnings))
    }

    /// Reads an object as it is stored and compares it with what is known of it, the hash above all. Tells `told` of the bytes as they come.
    ///
    /// # Errors
    /// [`RepositoryError::Missing`] and `Damaged`; `Damaged`, too, for an object of which no hash is known: only its documents can be checked.
    pub async fn check_stored(&self, object: &ObjectRef, mut told: impl FnMut(u64)) -> Result<(), RepositoryError> {
        if object.stored_hash.is_none() {
            return Err(RepositoryError::Damaged { object: object.name.clone(), at: 0, why: "no hash of it is known".to_owned() });
        }
        let take = |chunk: bytes::Bytes| {
            told(chunk.len() as u64);
            std::future::ready(true)
        };
        crate::object::pump(&self.storage, object, take).await
    }

    /// The documents of one object.
    pub fn read_documents(&self, object: &ObjectRef) -> DocumentStream {
        DocumentStream::of_documents(self.storage.clone(), object.clone())
    }

    /// The documents of one object, as bytes to be passed on.
    pub fn read_document_bytes(&self, object: &ObjectRef) -> ByteStream {
        ByteStream::of_bytes(self.storage.clone(), object.clone())
    }

    /// Reads all documents of a collection and compares them with what was written.
    ///
    /// # Errors
    /// [`RepositoryError::Missing`] or `Damaged`.
    pub async fn verify_documents(&self, collection: &SnapshotCollection) -> Result<ReadSummary, RepositoryError> {
        let Some(object) = &collection.object else {
            return Ok(ReadSummary::default());
        };
        let summary = self.read_document_bytes(object).drain().await?;
        collection.compare(summary)?;
        Ok(summary)
    }

    /// The oplog entries of a slice or of a backup's own oplog, by time, each once. What lies outside the range one needs is for
    /// the caller to skip.
    ///
    /// # Errors
    /// When the storage cannot be listed. Damage is told while reading.
    pub async fn read_oplog(&self, replica_set: &ReplicaSetName, source: &OplogSource) -> Result<EntryStream, RepositoryError> {
        let objects = match source {
            OplogSource::Slice(slice) => {
                let facts = self.slice_facts(slice).await?.filter(|facts| facts.object == slice.object());
                let stored_crc64 = facts.as_ref().map(|facts| facts.stored_crc64);
                let stored_hash = facts.and_then(|facts| facts.stored_hash);
                vec![ObjectRef { stored_bytes: Some(slice.bytes), stored_crc64, stored_hash, ..ObjectRef::named(slice.object()) }]
            }
            OplogSource::BackupOplog { backup } => self.backup_oplog(backup, replica_set).await?,
        };
        if objects.is_empty() {
            return Ok(EntryStream::empty());
        }
        Ok(EntryStream::of_entries(self.storage.clone(), objects))
    }

    /// The objects of a backup's own oplog, in the order in which they must be read. Empty for a backup without any.
    pub async fn backup_oplog(&self, backup: &BackupName, replica_set: &ReplicaSetName) -> Result<Vec<ObjectRef>, RepositoryError> {
        let record = self.snapshot_record(backup, replica_set).await?;
        let objects = self.storage.list(&layout::snapshot_folder(backup, replica_set)).await?;
        let listed = layout::join_parts(objects.iter().map(|object| (object.name.as_str(), object.bytes)));
        let (found, _) = layout::backup_oplog_objects(backup, replica_set, listed.keys().copied());
        let mut names: Vec<(String, Compression)> = found.into_iter().map(|found| (found.object, found.compression)).collect();
        if names.is_empty() {
            let old = Compression::ALL.map(|compression| (layout::old_backup_oplog(backup, replica_set, compression), compression));
            names.extend(old.into_iter().filter(|(name, _)| listed.contains_key(name.as_str())).take(1));
        }
        let refer = |(name, compression)| known_object(name, compression, &listed, record.as_ref());
        Ok(names.into_iter().map(refer).collect())
    }

    /// Our record of a snapshot; `None` where PBM, or nobody, wrote it.
    pub async fn snapshot_record(
        &self,
        backup: &BackupName,
        replica_set: &ReplicaSetName,
    ) -> Result<Option<SnapshotRecord>, RepositoryError> {
        let name = sidecar::snapshot_record(backup, replica_set);
        let Some(bytes) = self.get_if_there(&name).await? else {
            return Ok(None);
        };
        let record = SnapshotRecord::parse(&bytes);
        record.map(Some).map_err(|error| RepositoryError::Unreadable { object: name, why: error.to_string() })
    }

    async fn pbm_metadata(
        &self,
        backup: &BackupName,
        replica_set: &ReplicaSetName,
        listed: &BTreeMap<&str, WholeObject>,
    ) -> Result<SnapshotMetadata, RepositoryError> {
        let name = layout::metadata_json(backup, replica_set);
        let bytes = self.get(&name).await?;
        let mut metadata =
            SnapshotMetadata::read_json(&bytes).map_err(|error| RepositoryError::Unreadable { object: name, why: error.to_string() })?;
        let second = layout::meta_pbm(backup, replica_set);
        let has_series = metadata.collections.iter().any(|collection| collection.kind == CollectionKind::TimeSeries);
        if has_series && listed.contains_key(second.as_str()) {
            // It only adds: when it cannot be read, PBM's restore would not miss it either.
            let detailed = SnapshotMetadata::read_bson(&self.get(&second).await?);
            for collection in &mut metadata.collections {
                let known = detailed.as_ref().ok().and_then(|detailed| detailed.collection(&collection.namespace));
                collection.buckets_uuid = known.and_then(|known| known.buckets_uuid);
            }
        }
        Ok(metadata)
    }
}

impl SnapshotCollection {
    fn new(stored: StoredCollection, object: Option<ObjectRef>, documents: Option<u64>) -> Self {
        Self {
            namespace: stored.namespace,
            kind: stored.kind,
            uuid: stored.uuid,
            buckets_uuid: stored.buckets_uuid,
            options: stored.options,
            indexes: stored.indexes,
            bucket_indexes: None,
            crc64: stored.crc64,
            bytes: stored.bytes,
            object,
            documents,
        }
    }
}

/// An object with the size the listing gives it. An object that is not listed is told when it is read.
fn listed_object(name: String, compression: Compression, listed: &BTreeMap<&str, WholeObject>) -> ObjectRef {
    let stored_bytes = listed.get(name.as_str()).map(|whole| whole.bytes);
    ObjectRef { name, compression, stored_bytes, stored_crc64: None, stored_hash: None }
}

/// The same with what our record says of it, which is what it must be.
fn known_object(
    name: String,
    compression: Compression,
    listed: &BTreeMap<&str, WholeObject>,
    record: Option<&SnapshotRecord>,
) -> ObjectRef {
    let object = listed_object(name, compression, listed);
    match record.and_then(|record| record.object(&object.name)) {
        Some(recorded) => {
            ObjectRef { stored_bytes: Some(recorded.bytes), stored_crc64: Some(recorded.crc64), stored_hash: recorded.hash, ..object }
        }
        None => object,
    }
}

fn from_record(record: SnapshotRecord, backup: &Backup, listed: &BTreeMap<&str, WholeObject>) -> Vec<SnapshotCollection> {
    let compression = backup.compression.parse().unwrap_or(Compression::None);
    // A search per collection in the list of objects would be quadratic.
    let objects: BTreeMap<&str, &RecordedObject> = record.objects.iter().map(|object| (object.name.as_str(), object)).collect();
    let (buckets, collections): (Vec<&RecordedCollection>, Vec<_>) =
        record.collections.iter().partition(|recorded| recorded.collection.namespace.is_buckets());
    let bucket_indexes: BTreeMap<Namespace, &Vec<Document>> =
        buckets.iter().map(|recorded| (recorded.collection.namespace.logical(), &recorded.collection.indexes)).collect();
    let open = |recorded: &RecordedCollection| {
        let object = recorded.object.clone().map(|name| {
            let known = objects.get(name.as_str());
            let object = listed_object(name, compression, listed);
            ObjectRef {
                stored_bytes: known.map(|known| known.bytes).or(object.stored_bytes),
                stored_crc64: known.map(|known| known.crc64),
                stored_hash: known.and_then(|known| known.hash),
                ..object
            }
        });
        let bucket_indexes = bucket_indexes.get(&recorded.collection.namespace).map(|indexes| (*indexes).clone());
        SnapshotCollection { bucket_indexes, ..SnapshotCollection::new(recorded.collection.clone(), object, Some(recorded.documents)) }
    };
    collections.into_iter().map(open).collect()
}

/// Takes users and roles out, and what nobody restores.
fn sorted_out(collections: Vec<SnapshotCollection>, server_version: String, warnings: Vec<String>) -> SnapshotContents {
    let mut contents = SnapshotContents {
        collections: Vec::new(),
        users: None,
        roles: None,
        server_version,
        left_out: Vec::new(),
        not_restored: Vec::new(),
        warnings,
    };
    for collection in collections {
        let name = (collection.namespace.database.as_str(), collection.namespace.collection.as_str());
        if name == USERS {
            contents.users = Some(collection);
        } else if name == ROLES {
            contents.roles = Some(collection);
        } else if is_nobodys(&collection.namespace) {
            contents.left_out.push(collection.namespace.clone());
            contents.not_restored.push(collection);
        } else {
            contents.collections.push(collection);
        }
    }
    contents.collections.sort_by(|left, right| left.namespace.cmp(&right.namespace));
    contents
}

/// True for what is in PBM's backups and not a user's: PBM's control collections (and ours), and what belongs to the server.
fn is_nobodys(namespace: &Namespace) -> bool {
    match namespace.database.as_str() {
        "admin" => ["pbm", "oplogue", "system."].iter().any(|prefix| namespace.collection.starts_with(prefix)),
        "config" | "local" => true,
        _ => false,
    }
}
