//! What happens now and then: a backup, retention, compaction. Each with the real functions, in one go, and with a storage that may fail in between.

use bson::{RawDocumentBuf, doc, rawdoc};
use oplogue_domain::compact::{Policy as Compaction, compact};
use oplogue_domain::retention::{Policy as Retention, Scope, retention};
use oplogue_domain::{Namespace, NamespaceSelection, OplogRange, OplogTime};
use oplogue_format::compression::Compression;
use oplogue_repository::{BackupFacts, CollectionKind, Repository, RepositoryError, SnapshotFacts, Spool, WrittenCollection};

use crate::dice::Dice;
use crate::oplog::{ReplicaSet, State};
use crate::world::rs0;

/// What was read of the collection, and the oplog beside it. The documents are each as they were at some moment in between.
pub struct Dump {
    pub range: OplogRange,
    pub documents: State,
    pub entries: Vec<RawDocumentBuf>,
}

impl Dump {
    /// From `after`, which a majority had when the reading began, to what it has now. `None` when the oplog forgot its beginning.
    pub fn read(set: &ReplicaSet, after: OplogTime, dice: &mut Dice) -> Option<Self> {
        let through = set.majority_time();
        let entries = set.read(after, through)?;
        let moments: Vec<OplogTime> =
            set.truth().iter().map(|entry| entry.time).filter(|time| after <= *time && *time <= through).collect();
        let mut documents = State::new();
        for key in 0..=5 {
            if let Some(value) = set.state_at(dice.pick(&moments)).get(&key) {
                documents.insert(key, *value);
            }
        }
        Some(Self { range: OplogRange::new(after, through), documents, entries })
    }

    /// Stores it as a backup of this name.
    pub async fn store(&self, repository: &Repository, name: &str, now: u32) -> Result<(), RepositoryError> {
        let name: oplogue_domain::BackupName = name.parse().expect("a name of the simulation");
        let namespace = Namespace::new("shop", "docs");
        let mut writer = repository.begin_snapshot(name.clone(), rs0(), Compression::None);
        writer.assign([&namespace]);
        let object = writer.object(&namespace)?;
        let mut appender = object.appender();
        let documents: Vec<_> = self.documents.iter().map(|(key, value)| rawdoc! { "_id": *key, "v": *value }).collect();
        appender.write(&documents).await?;
        appender.finish().await?;
        let written = object.finish().await?;
        let collection = WrittenCollection {
            namespace,
            kind: CollectionKind::Collection,
            uuid: Some([7; 16]),
            buckets_uuid: None,
            options: doc! {},
            indexes: vec![doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }],
            bucket_indexes: Vec::new(),
            written,
        };
        let mut spool = Spool::new(Compression::None)?;
        spool.write(&self.entries).await?;
        let facts = SnapshotFacts {
            oplog: self.range,
            node: "model:27017".to_owned(),
            server_version: "6.0.5".to_owned(),
            fcv: "6.0".to_owned(),
            is_config_server: false,
        };
        let snapshot = writer.finish(vec![collection], spool, facts).await?;
        let facts = BackupFacts {
            name,
            selection: NamespaceSelection::Everything,
            users_and_roles: false,
            compression: Compression::None,
            started: self.range.after.seconds,
            finished: now,
            written_by: "simulation".to_owned(),
        };
        repository.finish_backup(&facts, vec![snapshot]).await.map(drop)
    }
}

/// How many backups and slices went.
pub async fn prune(repository: &Repository, policy: &Retention, now: u32) -> Result<(usize, usize), RepositoryError> {
    let catalog = repository.catalog().await?;
    let deletions = retention(&catalog, policy, &Scope::everything(), now).deletions();
    let deleted = repository.delete(&deletions, now, &|_, _| {}).await?;
    Ok((deleted.backups, deleted.slices))
}

/// How many long slices there are now that were not, and how many short ones went.
pub async fn join(
    repository: &Repository,
    policy: &Compaction,
    now: u32,
    compression: Compression,
) -> Result<(usize, usize), RepositoryError> {
    let catalog = repository.catalog().await?;
    let (mut long, mut short) = (0, 0);
    let mut failed = None;
    for merge in compact(&catalog, policy, now) {
        match repository.compact(&merge, compression).await {
            Ok(compacted) => {
                long += 1;
                short += compacted.slices;
            }
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok((long, short)), Err)
}
