//! Writing a backup: the objects of each replica set's snapshot, their metadata, and last the document that makes it a backup.

use std::collections::BTreeMap;

use bson::doc;
use bytes::Bytes;
use oplogue_domain::{Backup, BackupKind, BackupName, Namespace, NamespaceSelection, OplogRange, ReplicaSetName, Snapshot};
use oplogue_format::compression::Compression;
use oplogue_format::pbm::assign::{AssignedObject, Unfit, assign_objects};
use oplogue_format::pbm::backup_json::{BackupJson, StoreNote};
use oplogue_format::pbm::collections::{CollectionKind, SnapshotMetadata, StoredCollection};
use oplogue_format::pbm::{PBM_VERSION, layout};
use oplogue_format::sidecar::{self, BackupManifest, RecordedCollection, RecordedObject, SnapshotRecord, Vouched};

use crate::Repository;
use crate::error::RepositoryError;
use crate::frames::{DocumentObject, Packing, Written};
use crate::snapshot::{ROLES, USERS};
use crate::spool::Spool;

/// One replica set's part of a backup, while it is written.
pub struct SnapshotWriter {
    repository: Repository,
    backup: BackupName,
    replica_set: ReplicaSetName,
    compression: Compression,
    /// What all objects share while they are written.
    packing: Packing,
    objects: BTreeMap<Namespace, AssignedObject>,
}

/// A namespace whose documents PBM's layout has no place for. They lie among our own objects; PBM restores it empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownToPbm {
    pub namespace: Namespace,
    pub why: String,
}

/// A collection, view or time series with what was written of it.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenCollection {
    /// The name its users know.
    pub namespace: Namespace,
    pub kind: CollectionKind,
    pub uuid: Option<[u8; 16]>,
    pub buckets_uuid: Option<[u8; 16]>,
    /// As `listCollections` gave them.
    pub options: bson::Document,
    /// As `listIndexes` gave them; for a time series in the form its users know.
    pub indexes: Vec<bson::Document>,
    /// For a time series: the indexes of its buckets.
    pub bucket_indexes: Vec<bson::Document>,
    pub written: Written,
}

/// What is true of the snapshot as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFacts {
    /// Times of the first and the last entry of its oplog.
    pub oplog: OplogRange,
    /// `host:port` that was read.
    pub node: String,
    /// `6.0.5`
    pub server_version: String,
    /// `6.0`
    pub fcv: String,
    pub is_config_server: bool,
}

/// A snapshot whose objects and metadata are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenSnapshot {
    pub replica_set: ReplicaSetName,
    pub facts: SnapshotFacts,
    pub totals: SnapshotTotals,
    /// Its record, as the backup's manifest vouches for it.
    pub(crate) record: Vouched,
    /// How many objects the record speaks of.
    pub(crate) recorded_objects: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotTotals {
    /// Collections, views and time series; without users and roles.
    pub collections: u64,
    pub documents: u64,
    /// Uncompressed bytes of documents.
    pub document_bytes: u64,
    pub oplog_entries: u64,
    /// Stored bytes of all objects.
    pub stored_bytes: u64,
}

/// What is true of the backup as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupFacts {
    pub name: BackupName,
    pub selection: NamespaceSelection,
    pub users_and_roles: bool,
    pub compression: Compression,
    /// Unix seconds.
    pub started: u32,
    pub finished: u32,
    /// Our own version, e.g. `0.1.0`.
    pub written_by: String,
}

/// The copy of `admin.system.users` in a snapshot.
pub fn users_namespace() -> Namespace {
    Namespace::new(USERS.0, USERS.1)
}

/// The copy of `admin.system.roles` in a snapshot.
pub fn roles_namespace() -> Namespace {
    Namespace::new(ROLES.0, ROLES.1)
}

const CLAIM: &[u8] = b"a backup of this name was begun\n";

/// Where those who begin a backup of this name say so.
fn claims_folder(name: &BackupName) -> String {
    format!("{}claims/", sidecar::backup_folder(name))
}

impl Repository {
    /// Fails when a backup of this name, or anything of one, is there; and where everything is encrypted, which this view is not.
    pub async fn refuse_taken_name(&self, name: &BackupName) -> Result<(), RepositoryError> {
        self.refuse_encrypted().await?;
        let metadata = layout::backup_json(name);
        let mut taken = match self.storage.stat(&metadata).await {
            Ok(info) => Some(info.name),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error.into()),
        };
        for folder in [layout::backup_folder(name), sidecar::backup_folder(name)] {
            if taken.is_none() {
                taken = self.storage.list(&folder).await?.into_iter().next().map(|object| object.name);
            }
        }
        match taken {
            Some(example) => Err(RepositoryError::NameTaken { name: name.clone(), location: self.storage.location(), example }),
            None => Ok(()),
        }
    }

    /// Takes the name for a backup that is about to begin. Two that begin at the same time are both told that it is taken, or one
    /// is; never none. `token` is unlike that of any other attempt. A crash leaves the name taken.
    pub async fn claim_name(&self, name: &BackupName, token: &str) -> Result<(), RepositoryError> {
        self.refuse_taken_name(name).await?;
        let folder = claims_folder(name);
        let ours = format!("{folder}{token}");
        self.storage.put(&ours, Bytes::from_static(CLAIM)).await?;
        let rival = self.storage.list(&folder).await?.into_iter().find(|claim| claim.name != ours);
        match rival {
            None => Ok(()),
            Some(rival) => {
                self.storage.delete(&ours).await?;
                Err(RepositoryError::NameTaken { name: name.clone(), location: self.storage.location(), example: rival.name })
            }
        }
    }

    /// Writes the claim of [`Repository::claim_name`] again: a sign of life, for a backup may show nothing else for a day.
    pub async fn renew_claim(&self, name: &BackupName, token: &str) -> Result<(), RepositoryError> {
        Ok(self.storage.put(&format!("{}{token}", claims_folder(name)), Bytes::from_static(CLAIM)).await?)
    }

    /// Begins one replica set's part of a backup. Nothing is stored yet.
    pub fn begin_snapshot(&self, backup: BackupName, replica_set: ReplicaSetName, compression: Compression) -> SnapshotWriter {
        SnapshotWriter {
            repository: self.clone(),
            backup,
            replica_set,
            compression,
            packing: Packing::new(compression),
            objects: BTreeMap::new(),
        }
    }

    /// Makes the snapshots a backup: from here on it is listed. Also marks the folder as one that PBM can use.
    pub async fn finish_backup(&self, facts: &BackupFacts, mut snapshots: Vec<WrittenSnapshot>) -> Result<Backup, RepositoryError> {
        snapshots.sort_by(|left, right| left.replica_set.cmp(&right.replica_set));
        let domain = |snapshot: &WrittenSnapshot| Snapshot {
            replica_set: snapshot.replica_set.clone(),
            oplog: snapshot.facts.oplog,
            node: Some(snapshot.facts.node.clone()),
            is_config_server: snapshot.facts.is_config_server,
        };
        let one = snapshots.first().map(|snapshot| snapshot.facts.clone());
        let backup = Backup {
            name: facts.name.clone(),
            kind: BackupKind::Logical,
            snapshots: snapshots.iter().map(domain).collect(),
            selection: facts.selection.clone(),
            users_and_roles: facts.users_and_roles || facts.selection.is_everything(),
            compression: facts.compression.to_string(),
            // PBM takes a backup of size 0 for one of an old kind.
            bytes: snapshots.iter().map(|snapshot| snapshot.totals.stored_bytes).sum::<u64>().max(1),
            mongodb_version: one.as_ref().map(|one| one.server_version.clone()).unwrap_or_default(),
            fcv: one.map(|one| one.fcv).unwrap_or_default(),
            pbm_version: PBM_VERSION.to_owned(),
            written_by: Some(facts.written_by.clone()),
            started: facts.started,
            finished: facts.finished,
            last_write: snapshots.iter().map(|snapshot| snapshot.facts.oplog.through).max().unwrap_or_default(),
            problem: None,
        };
        self.mark_for_pbm().await?;
        self.storage.delete_under(&claims_folder(&backup.name)).await?;
        let json = BackupJson::from_domain(&backup).to_json(&self.store_note());
        let mut vouched = vec![Vouched::new(layout::backup_json(&backup.name), &json)];
        let recorded_objects = snapshots.iter().map(|snapshot| snapshot.recorded_objects).sum();
        vouched.extend(snapshots.into_iter().map(|snapshot| snapshot.record));
        let manifest = BackupManifest { backup: backup.name.clone(), objects: vouched, recorded_objects, written_by: crate::written_by() };
        self.storage.put(&sidecar::backup_manifest(&backup.name), manifest.to_json().into()).await?;
        self.storage.put(&layout::backup_json(&backup.name), json.into()).await?;
        Ok(backup)
    }

    /// Removes everything of a backup, its metadata first, so that a crash in between leaves nothing that is listed. Says how many
    /// objects there were.
    pub async fn discard_backup(&self, name: &BackupName) -> Result<usize, RepositoryError> {
        self.storage.delete(&layout::backup_json(name)).await?;
        let data = self.storage.delete_under(&layout::backup_folder(name)).await?;
        let ours = self.storage.delete_under(&sidecar::backup_folder(name)).await?;
        Ok(data + ours)
    }

    /// For PBM's listings. PBM replaces it by its own configuration when it reads the file.
    fn store_note(&self) -> StoreNote {
        let location = self.storage.location();
        let place = location.split(" (").next().unwrap_or(&location);
        let (scheme, path) = place.split_once("://").unwrap_or(("", place));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
        match scheme {
            "s3" => StoreNote::S3 { bucket, prefix, region: String::new(), endpoint: String::new() },
            "gs" => StoreNote::Gcs { bucket, prefix },
            "az" => StoreNote::Azure { container: bucket, prefix },
            _ => StoreNote::Filesystem { path: path.to_owned() },
        }
    }
}

impl SnapshotWriter {
    /// Gives every namespace its object. To be called once, with all that will be written; users and roles have theirs anyway.
    pub fn assign<'a>(&mut self, namespaces: impl IntoIterator<Item = &'a Namespace>) -> Vec<UnknownToPbm> {
        let mut all = vec![users_namespace(), roles_namespace()];
        all.extend(
            namespaces.into_iter().filter(|namespace| **namespace != users_namespace() && **namespace != roles_namespace()).cloned(),
        );
        let mut assigned = assign_objects(&self.backup, &self.replica_set, &all, self.compression);
        // Clouds have rules of their own: Azure holds no backslash, Google no line break.
        let storage = &self.repository.storage;
        for (index, one) in assigned.iter_mut().enumerate().filter(|(_, one)| !storage.holds(&one.object)) {
            one.object = sidecar::data_object(&self.backup, &self.replica_set, index, &one.namespace, self.compression);
            one.unknown_to_pbm = Some(Unfit::NotHere);
        }
        let unknown = |assigned: &AssignedObject| {
            let why = assigned.unknown_to_pbm?.to_string();
            Some(UnknownToPbm { namespace: assigned.namespace.clone(), why })
        };
        let told = assigned.iter().filter_map(unknown).collect();
        self.objects = assigned.into_iter().map(|assigned| (assigned.namespace.clone(), assigned)).collect();
        told
    }

    /// The object for the documents of a namespace, empty so far.
    pub fn object(&self, namespace: &Namespace) -> Result<DocumentObject, RepositoryError> {
        let assigned = self.assigned(namespace)?;
        Ok(DocumentObject::new(self.repository.storage.clone(), assigned.object.clone(), self.compression, self.packing.clone()))
    }

    fn assigned(&self, namespace: &Namespace) -> Result<&AssignedObject, RepositoryError> {
        let unassigned = || RepositoryError::Unwritable { object: namespace.to_string(), why: "it was not announced".to_owned() };
        self.objects.get(namespace).ok_or_else(unassigned)
    }

    /// Stores oplog and metadata, after all documents. The snapshot is complete then, and no backup yet.
    pub async fn finish(
        self,
        collections: Vec<WrittenCollection>,
        oplog: Spool,
        facts: SnapshotFacts,
    ) -> Result<WrittenSnapshot, RepositoryError> {
        let storage = &self.repository.storage;
        let mut objects = Vec::new();
        let mut totals = SnapshotTotals::default();
        for collection in &collections {
            let is_users = [users_namespace(), roles_namespace()].contains(&collection.namespace);
            if !is_users {
                totals.collections += 1;
                totals.documents += collection.written.documents;
                totals.document_bytes += collection.written.bytes;
            }
            if collection.written.stored_bytes > 0 {
                objects.push(recorded_object(self.assigned(&collection.namespace)?.object.clone(), &collection.written));
            }
        }
        let name = layout::backup_oplog(&self.backup, &self.replica_set, facts.oplog, self.compression);
        let written = oplog.publish(storage, &name).await?;
        totals.oplog_entries = written.documents;
        objects.push(recorded_object(name, &written));

        let metadata = self.metadata(&collections, &facts)?;
        let mut texts = vec![(layout::metadata_json(&self.backup, &self.replica_set), metadata.write_json())];
        // PBM's restore never reads this one, and it is one BSON document: what does not fit is left out.
        texts.extend(metadata.write_bson().ok().map(|bytes| (layout::meta_pbm(&self.backup, &self.replica_set), bytes)));
        for (name, bytes) in texts {
            objects.push(RecordedObject::of_text(name.clone(), &bytes));
            storage.put(&name, bytes.into()).await?;
        }
        totals.stored_bytes = objects.iter().map(|object| object.bytes).sum();
        let recorded_objects = objects.len() as u64;
        let record = SnapshotRecord {
            backup: self.backup.clone(),
            replica_set: self.replica_set.clone(),
            oplog: facts.oplog,
            objects,
            collections: self.recorded(&collections)?,
            written_by: crate::written_by(),
        };
        let text = record.to_json();
        let record = Vouched::new(sidecar::snapshot_record(&self.backup, &self.replica_set), &text);
        storage.put(&record.name, text.into()).await?;
        Ok(WrittenSnapshot { replica_set: self.replica_set, facts, totals, record, recorded_objects })
    }

    /// What PBM is told. Documents it cannot find by its own rules are not there for it.
    fn metadata(&self, collections: &[WrittenCollection], facts: &SnapshotFacts) -> Result<SnapshotMetadata, RepositoryError> {
        let mut stored = Vec::new();
        for collection in collections {
            let known = self.assigned(&collection.namespace)?.unknown_to_pbm.is_none();
            let whole = collection.stored();
            stored.push(if known { whole } else { StoredCollection { crc64: 0, bytes: 0, ..whole } });
        }
        stored.sort_by(|left, right| left.namespace.cmp(&right.namespace));
        Ok(SnapshotMetadata {
            server_version: facts.server_version.clone(),
            tool_version: PBM_VERSION.to_owned(),
            fcv: facts.fcv.clone(),
            collections: stored,
        })
    }

    fn recorded(&self, collections: &[WrittenCollection]) -> Result<Vec<RecordedCollection>, RepositoryError> {
        let mut recorded = Vec::new();
        for collection in collections {
            let object = (collection.written.stored_bytes > 0).then(|| self.assigned(&collection.namespace)).transpose()?;
            recorded.push(RecordedCollection {
                collection: collection.stored(),
                object: object.map(|assigned| assigned.object.clone()),
                documents: collection.written.documents,
            });
            if collection.kind == CollectionKind::TimeSeries {
                recorded.push(RecordedCollection { collection: collection.buckets(), object: None, documents: 0 });
            }
        }
        recorded.sort_by(|left, right| left.collection.namespace.cmp(&right.collection.namespace));
        Ok(recorded)
    }
}

fn recorded_object(name: String, written: &Written) -> RecordedObject {
    RecordedObject {
        name,
        bytes: written.stored_bytes,
        crc64: written.stored_crc64,
        hash: Some(written.stored_hash),
        documents: Some(written.documents),
    }
}

impl WrittenCollection {
    /// A copy of users or roles.
    pub fn principals(namespace: Namespace, written: Written) -> Self {
        Self {
            namespace,
            kind: CollectionKind::Collection,
            uuid: None,
            buckets_uuid: None,
            options: doc! {},
            indexes: vec![doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }],
            bucket_indexes: Vec::new(),
            written,
        }
    }

    fn stored(&self) -> StoredCollection {
        StoredCollection {
            namespace: self.namespace.clone(),
            kind: self.kind,
            uuid: self.uuid,
            buckets_uuid: self.buckets_uuid,
            options: self.options.clone(),
            indexes: self.indexes.clone(),
            crc64: self.written.crc64,
            bytes: self.written.bytes,
        }
    }

    /// The buckets of a time series, as an entry of our record: their indexes as the server has them.
    fn buckets(&self) -> StoredCollection {
        StoredCollection {
            namespace: self.namespace.buckets(),
            kind: CollectionKind::Collection,
            uuid: self.buckets_uuid,
            buckets_uuid: None,
            options: doc! {},
            indexes: self.bucket_indexes.clone(),
            crc64: 0,
            bytes: 0,
        }
    }
}
