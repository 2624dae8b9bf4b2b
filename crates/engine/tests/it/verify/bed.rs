//! Repositories to be damaged: one of ours, and what PBM wrote. Each is a map from names to bytes, so that a damaged copy costs nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bson::{RawDocumentBuf, Timestamp, doc, rawdoc};
use bytes::Bytes;
use oplogue_domain::{BackupName, Gap, GapReason, Namespace, NamespaceSelection, OplogRange, OplogTime, ReplicaSetName};
use oplogue_format::compression::Compression;
use oplogue_format::pbm::layout::{self, Located};
use oplogue_format::sidecar::{self, LocatedRecord};
use oplogue_repository::{
    BackupFacts, CollectionKind, Repository, SliceBuilder, SnapshotFacts, Spool, WrittenCollection, roles_namespace, users_namespace,
};
use oplogue_storage::Storage;
use oplogue_testkit::unpack;

pub type Objects = BTreeMap<String, Bytes>;

pub const BACKUP: &str = "2026-11-22T10:00:05Z";

pub fn rs0() -> ReplicaSetName {
    "rs0".parse().expect("a name of the tests")
}

pub fn at(ordinal: u32) -> OplogTime {
    OplogTime::new(1_795_390_848, ordinal)
}

fn entry(time: OplogTime, version: &str) -> RawDocumentBuf {
    // Boundary entries are the same in every version: they come from the same server.
    let text = if time.ordinal.is_multiple_of(10) { "boundary" } else { version };
    let ts = Timestamp { time: time.seconds, increment: time.ordinal };
    rawdoc! { "ts": ts, "op": "i", "ns": "shop.orders", "o": { "_id": i64::from(time.ordinal), "text": text } }
}

/// A backup with three collections, users and roles, through 20; four slices from there through 60, one of them by a second slicer; and a
/// recorded gap long before. `version` is in the documents of the slices.
pub async fn ours(compression: Compression, version: &str) -> anyhow::Result<Objects> {
    let storage = Storage::memory();
    write(&Repository::new(storage.clone()), compression, version).await?;
    objects(&storage).await
}

pub async fn write(repository: &Repository, compression: Compression, version: &str) -> anyhow::Result<()> {
    let gap = OplogRange::new(OplogTime::new(100, 1), OplogTime::new(200, 1));
    repository.record_gap(&Gap { replica_set: rs0(), range: gap, reason: GapReason::OplogRolledOver }, 300).await?;
    let name: BackupName = BACKUP.parse()?;
    repository.claim_name(&name, "token").await?;
    let mut writer = repository.begin_snapshot(name.clone(), rs0(), compression);
    // The name of the third means another place: its documents lie below `oplogue/`.
    let names = [Namespace::new("shop", "articles"), Namespace::new("shop", "orders"), Namespace::new("shop", "a/../b")];
    writer.assign(&names);
    let mut written = Vec::new();
    for (number, namespace) in names.iter().cloned().chain([users_namespace(), roles_namespace()]).enumerate() {
        let documents: Vec<_> =
            (0..40 + number as i64).map(|id| rawdoc! { "_id": id, "of": namespace.to_string(), "text": "x".repeat(50) }).collect();
        let object = writer.object(&namespace)?;
        let mut appender = object.appender();
        appender.write(&documents).await?;
        appender.finish().await?;
        let amount = object.finish().await?;
        written.push(WrittenCollection {
            namespace,
            kind: CollectionKind::Collection,
            uuid: Some([number as u8; 16]),
            buckets_uuid: None,
            options: doc! {},
            indexes: vec![doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }],
            bucket_indexes: Vec::new(),
            written: amount,
        });
    }
    let mut oplog = Spool::new(compression)?;
    oplog.write(&(10..=20).map(|ordinal| entry(at(ordinal), "backup")).collect::<Vec<_>>()).await?;
    let facts = SnapshotFacts {
        oplog: OplogRange::new(at(10), at(20)),
        node: "db1:27017".to_owned(),
        server_version: "6.0.5".to_owned(),
        fcv: "6.0".to_owned(),
        is_config_server: false,
    };
    let snapshot = writer.finish(written, oplog, facts).await?;
    let facts = BackupFacts {
        name,
        selection: NamespaceSelection::Everything,
        users_and_roles: true,
        compression,
        started: at(0).seconds,
        finished: at(0).seconds + 1,
        written_by: "0.1.0".to_owned(),
    };
    repository.finish_backup(&facts, vec![snapshot]).await?;
    slices(repository, compression, version, &[20, 30, 40, 50]).await?;
    // Another process, which finds the record of the slice before on the storage.
    slices(repository, compression, version, &[50, 60]).await
}

/// Slices between the moments `ends`.
pub async fn slices(repository: &Repository, compression: Compression, version: &str, ends: &[u32]) -> anyhow::Result<()> {
    let mut builder = SliceBuilder::new(rs0(), at(ends[0]), compression);
    for pair in ends.windows(2) {
        for ordinal in pair[0]..=pair[1] {
            builder.push(&entry(at(ordinal), version)).await?;
        }
        let next = builder.following(builder.compression()).await?;
        repository.write_slice(std::mem::replace(&mut builder, next)).await?;
    }
    Ok(())
}

/// A folder of a fixture, with the objects that `keep` chooses.
pub fn of_pbm(fixture: &str, folder: &str, keep: impl Fn(&str) -> bool) -> anyhow::Result<Objects> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/pbm").join(fixture);
    let unpacked = unpack(&path)?;
    let root = unpacked.path().join(folder);
    let mut found = Objects::new();
    read_folder(&root, &root, &mut found)?;
    found.retain(|name, _| keep(name));
    Ok(found)
}

fn read_folder(root: &Path, folder: &Path, found: &mut Objects) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_folder(root, &path, found)?;
        } else {
            let name = path.strip_prefix(root)?.to_str().context("a name in UTF-8")?.to_owned();
            found.insert(name, std::fs::read(&path)?.into());
        }
    }
    Ok(())
}

pub async fn objects(storage: &Storage) -> anyhow::Result<Objects> {
    let mut found = Objects::new();
    for object in storage.list("").await? {
        let bytes = storage.get(&object.name).await?;
        found.insert(object.name, bytes);
    }
    Ok(found)
}

pub async fn storage_of(objects: &Objects) -> anyhow::Result<Storage> {
    let storage = Storage::memory();
    for (name, bytes) in objects {
        storage.put(name, bytes.clone()).await?;
    }
    Ok(storage)
}

/// What kind of object a name is of.
pub fn kind(name: &str) -> &'static str {
    match layout::locate(name) {
        Located::Init => "marker",
        Located::BackupJson { .. } => "backup metadata",
        Located::Slice { .. } => "slice",
        Located::InBackup { backup, replica_set, path } => {
            let oplog = layout::backup_oplog_folder(&backup, &replica_set);
            match path.as_str() {
                _ if name == layout::metadata_json(&backup, &replica_set) => "collections (JSON)",
                _ if name == layout::meta_pbm(&backup, &replica_set) => "collections (BSON)",
                _ if name.starts_with(&oplog) => "backup oplog",
                _ => "documents",
            }
        }
        Located::Ours => match sidecar::locate(name) {
            LocatedRecord::Manifest { .. } => "manifest",
            LocatedRecord::Snapshot { .. } => "snapshot record",
            LocatedRecord::Data { .. } => "documents (ours)",
            LocatedRecord::Slice { .. } => "slice record",
            LocatedRecord::Gap { .. } => "gap record",
            LocatedRecord::Unknown => "unknown",
        },
        Located::Unknown => "unknown",
    }
}
