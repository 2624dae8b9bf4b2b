//! What PBM itself wrote, against what the source database held.

use std::collections::BTreeMap;

use bson::RawDocumentBuf;
use oplogue_domain::{OplogSource, timeline};
use oplogue_repository::Repository;
use oplogue_storage::{Storage, StorageOptions};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{Checked, all, entries, fixture, rs0, time_of};

/// A storage of PBM's, unpacked into a folder that goes with the value.
pub struct Unpacked {
    _folder: tempfile::TempDir,
    pub repository: Repository,
}

pub fn unpack(file: &str, folder: &str) -> Result<Unpacked, Box<dyn std::error::Error>> {
    let unpacked = tempfile::tempdir()?;
    tar::Archive::new(std::fs::File::open(fixture(file))?).unpack(unpacked.path())?;
    let storage = Storage::open(&format!("file://{}", unpacked.path().join(folder).display()), &StorageOptions::default())?;
    Ok(Unpacked { _folder: unpacked, repository: Repository::new(storage) })
}

fn truth(file: &str) -> Result<Value, Box<dyn std::error::Error>> {
    Ok(serde_json::from_slice(&std::fs::read(fixture(file))?)?)
}

/// As the README of the fixtures defines it.
fn docset(documents: &[RawDocumentBuf]) -> String {
    let mut hashes: Vec<String> = documents.iter().map(|document| hex::encode(Sha256::digest(document.as_bytes()))).collect();
    hashes.sort();
    hex::encode(Sha256::digest(hashes.join("\n").as_bytes()))
}

#[tokio::test]
async fn every_snapshot_holds_the_documents_of_its_source() -> Checked {
    let unpacked = unpack("storage-snapshots.tar", "snapshots")?;
    let truth = truth("snapshots.truth.json")?;
    let catalog = unpacked.repository.catalog().await?;
    assert_eq!(catalog.unreadable, []);
    let listed = truth["snapshots"].as_array().ok_or("no list of snapshots")?;
    assert_eq!(catalog.backups.len(), listed.len());
    let mut compared = 0;
    for told in listed {
        let named = told["name"].as_str().ok_or("a snapshot without a name")?;
        let backup = catalog.backup(&named.parse()?).ok_or("a backup is missing")?;
        assert_eq!(backup.problem, None, "{named}");
        assert_eq!(told["compression"].as_str(), Some(backup.compression.as_str()));
        let contents = unpacked.repository.snapshot(backup, &rs0()).await?;
        assert!(contents.collections.iter().all(|collection| collection.namespace.database != "admin"), "control collections are left out");
        assert_eq!(contents.users.is_some() && contents.roles.is_some(), told["kind"] != "selective", "{named}");
        let left_out: Vec<&str> = told["left_out"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let databases = &truth["truths"][told["truth"].as_str().unwrap_or_default()]["truth"]["databases"];
        for collection in &contents.collections {
            let namespace = collection.namespace.to_string();
            if left_out.contains(&namespace.as_str()) {
                continue;
            }
            let summary = unpacked.repository.verify_documents(collection).await?;
            let data = if collection.buckets_uuid.is_some() { collection.namespace.buckets() } else { collection.namespace.clone() };
            let expected = &databases[&data.database]["collections"][&data.collection];
            // Documents that were written while the snapshot was read need its oplog first.
            if told["kind"] != "quiet" || expected["docset_sha256"].is_null() {
                continue;
            }
            let documents = match &collection.object {
                Some(object) => all(unpacked.repository.read_documents(object)).await?,
                None => Vec::new(),
            };
            assert_eq!(Some(summary.documents), expected["count"].as_u64(), "{named} {namespace}");
            assert_eq!(Some(docset(&documents).as_str()), expected["docset_sha256"].as_str(), "{named} {namespace}");
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} collections were compared");
    Ok(())
}

#[tokio::test]
async fn the_slices_hold_every_entry_of_the_source_and_join_without_a_gap() -> Checked {
    let unpacked = unpack("storage-pitr.tar", "pitr")?;
    let catalog = unpacked.repository.catalog().await?;
    let mut expected: BTreeMap<(u64, u64), String> = BTreeMap::new();
    for line in std::fs::read_to_string(fixture("pitr.ops.jsonl"))?.lines() {
        let line: Value = serde_json::from_str(line)?;
        let number = |at: usize| line[at].as_u64().ok_or("a number is missing");
        expected.insert((number(0)?, number(1)?), line[5].as_str().ok_or("a hash is missing")?.to_owned());
    }
    let (mut known, slices) = (0, catalog.slices_of(&rs0()));
    for pair in slices.windows(2) {
        assert_eq!(pair[0].range.through, pair[1].range.after);
    }
    let base = catalog.backups.first().ok_or("no base")?;
    let sources = slices.iter().cloned().map(OplogSource::Slice).chain([OplogSource::BackupOplog { backup: base.name.clone() }]);
    for source in sources {
        for entry in entries(unpacked.repository.read_oplog(&rs0(), &source).await?).await? {
            let time = time_of(&entry);
            if let Some(hash) = expected.get(&(u64::from(time.seconds), u64::from(time.ordinal))) {
                assert_eq!(hex::encode(Sha256::digest(entry.as_bytes()))[..24], *hash, "{time:?}");
                known += 1;
            }
        }
    }
    assert!(known >= expected.len(), "{known} of {}", expected.len());
    let restorable = &timeline(&catalog).cluster;
    assert!(!restorable.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_sharded_cluster_is_listed_with_all_its_replica_sets() -> Checked {
    let unpacked = unpack("storage-sharded.tar", "sharded")?;
    let catalog = unpacked.repository.catalog().await?;
    let names: Vec<String> = catalog.replica_sets().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["cfg", "shA", "shB"]);
    let backup = catalog.backups.first().ok_or("no backup")?;
    for snapshot in &backup.snapshots {
        let contents = unpacked.repository.snapshot(backup, &snapshot.replica_set).await?;
        for collection in &contents.collections {
            unpacked.repository.verify_documents(collection).await?;
        }
        assert_eq!(snapshot.is_config_server, snapshot.replica_set.as_str() == "cfg");
    }
    Ok(())
}
