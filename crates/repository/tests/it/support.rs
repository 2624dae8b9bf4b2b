//! Documents, entries and small backups for these tests.

use std::path::PathBuf;

use bson::{Document, RawDocumentBuf, Timestamp, doc, rawdoc};
use oplogue_domain::{Backup, BackupName, Namespace, NamespaceSelection, OplogRange, OplogTime, ReplicaSetName};
use oplogue_format::compression::Compression;
use oplogue_repository::{
    BackupFacts, BatchStream, CollectionKind, EntryStream, Repository, RepositoryError, SliceBuilder, SnapshotFacts, SnapshotWriter, Spool,
    StoredSlice, Written, WrittenCollection,
};
use oplogue_storage::Storage;

pub type Checked = Result<(), Box<dyn std::error::Error>>;

pub fn memory() -> Repository {
    Repository::new(Storage::memory())
}

pub fn at(seconds: u32, ordinal: u32) -> OplogTime {
    OplogTime::new(seconds, ordinal)
}

pub fn rs0() -> ReplicaSetName {
    "rs0".parse().expect("a name of the tests")
}

pub fn name(text: &str) -> BackupName {
    text.parse().expect("a name of the tests")
}

/// An oplog entry; every third is a no-op.
pub fn entry(time: OplogTime) -> RawDocumentBuf {
    let op = if time.ordinal.is_multiple_of(3) { "n" } else { "i" };
    let (time, increment) = (time.seconds, time.ordinal);
    rawdoc! { "ts": Timestamp { time, increment }, "op": op, "ns": "shop.orders", "o": { "_id": i64::from(time) * 1000 + i64::from(increment) } }
}

pub fn time_of(entry: &RawDocumentBuf) -> OplogTime {
    let time = entry.get_timestamp("ts").expect("an entry of the tests");
    OplogTime::new(time.time, time.increment)
}

pub fn documents(count: i64) -> Vec<RawDocumentBuf> {
    (0..count).map(|n| rawdoc! { "_id": n, "text": format!("document number {n}, {}", "x".repeat((n % 97) as usize)) }).collect()
}

pub async fn all<T>(mut stream: BatchStream<Vec<T>>) -> Result<Vec<T>, RepositoryError> {
    let mut all = Vec::new();
    while let Some(batch) = stream.next_batch().await? {
        assert!(!batch.is_empty(), "no batch is empty");
        all.extend(batch);
    }
    Ok(all)
}

pub async fn entries(stream: EntryStream) -> Result<Vec<RawDocumentBuf>, RepositoryError> {
    Ok(all(stream).await?.into_iter().map(|(_, entry)| entry).collect())
}

pub async fn slice(repository: &Repository, times: &[OplogTime], compression: Compression) -> Result<StoredSlice, RepositoryError> {
    let mut builder = SliceBuilder::new(rs0(), times[0], compression);
    for time in times {
        builder.push(&entry(*time)).await?;
    }
    repository.write_slice(builder).await
}

pub fn collection(namespace: &Namespace, written: Written) -> WrittenCollection {
    WrittenCollection {
        namespace: namespace.clone(),
        kind: CollectionKind::Collection,
        uuid: Some([7; 16]),
        buckets_uuid: None,
        options: doc! {},
        indexes: vec![id_index(), doc! { "v": 2, "key": { "text": 1 }, "name": "text_1", "hidden": true }],
        bucket_indexes: Vec::new(),
        written,
    }
}

pub fn id_index() -> Document {
    doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }
}

pub fn facts(oplog: OplogRange) -> SnapshotFacts {
    SnapshotFacts {
        oplog,
        node: "localhost:27017".to_owned(),
        server_version: "6.0.5".to_owned(),
        fcv: "6.0".to_owned(),
        is_config_server: false,
    }
}

pub async fn write(writer: &SnapshotWriter, namespace: &Namespace, documents: &[RawDocumentBuf]) -> Result<Written, RepositoryError> {
    let object = writer.object(namespace)?;
    let mut appender = object.appender();
    appender.write(documents).await?;
    appender.finish().await?;
    object.finish().await
}

/// A whole backup with these collections and the oplog from 100,1 to 100,5.
pub async fn backup(
    repository: &Repository,
    named: &str,
    collections: &[(Namespace, Vec<RawDocumentBuf>)],
    compression: Compression,
) -> Result<Backup, RepositoryError> {
    let mut writer = repository.begin_snapshot(name(named), rs0(), compression);
    writer.assign(collections.iter().map(|(namespace, _)| namespace));
    let mut written = Vec::new();
    for (namespace, documents) in collections {
        written.push(collection(namespace, write(&writer, namespace, documents).await?));
    }
    let mut spool = Spool::new(compression)?;
    spool.write(&(1..=5).map(|ordinal| entry(at(100, ordinal))).collect::<Vec<_>>()).await?;
    let snapshot = writer.finish(written, spool, facts(OplogRange::new(at(100, 1), at(100, 5)))).await?;
    repository.finish_backup(&backup_facts(named, compression), vec![snapshot]).await
}

pub fn backup_facts(named: &str, compression: Compression) -> BackupFacts {
    BackupFacts {
        name: name(named),
        selection: NamespaceSelection::Everything,
        users_and_roles: false,
        compression,
        started: 90,
        finished: 101,
        written_by: "0.0.1".to_owned(),
    }
}

pub fn fixture(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/pbm").join(file)
}
