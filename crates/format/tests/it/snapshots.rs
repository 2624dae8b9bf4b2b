//! Every document of every backup of the fixtures.

use std::collections::BTreeMap;

use bson::{Bson, Document};
use oplogue_domain::{Backup, Namespace};
use oplogue_format::pbm::collections::{CollectionKind, SnapshotMetadata, StoredCollection};
use oplogue_format::pbm::layout;
use serde_json::Value;

use crate::fixtures::{PITR, SHARDED, SNAPSHOTS, Storage, rs, truth};

fn check_every_object(storage: &Storage) {
    for (json, backup) in storage.backups() {
        for snapshot in &backup.snapshots {
            let metadata = storage.metadata(&backup.name, &snapshot.replica_set);
            assert!(!metadata.collections.is_empty());
            for collection in &metadata.collections {
                let compression = json.compression.parse().expect("a compression PBM knows");
                let object = layout::namespace_object(&backup.name, &snapshot.replica_set, &collection.namespace, compression);
                if collection.bytes == 0 {
                    assert!(!storage.objects.contains_key(&object), "{object}");
                    assert_eq!(collection.crc64, 0);
                } else {
                    let read = storage.documents(&object, compression);
                    assert_eq!((read.bytes, read.crc64), (collection.bytes, collection.crc64), "{object}");
                }
            }
        }
    }
}

#[test]
fn size_and_checksum_of_every_object_are_those_of_the_metadata() {
    check_every_object(&SNAPSHOTS);
    check_every_object(&PITR);
    check_every_object(&SHARDED);
}

#[test]
fn every_object_of_a_backup_is_accounted_for() {
    for storage in [&*SNAPSHOTS, &*PITR, &*SHARDED] {
        let mut known: Vec<String> = Vec::new();
        for (json, backup) in storage.backups() {
            let compression = json.compression.parse().expect("a compression PBM knows");
            for snapshot in &backup.snapshots {
                let (name, replica_set) = (&backup.name, &snapshot.replica_set);
                known.extend([layout::metadata_json(name, replica_set), layout::meta_pbm(name, replica_set)]);
                let stored = |collection: StoredCollection| {
                    (collection.bytes > 0).then(|| layout::namespace_object(name, replica_set, &collection.namespace, compression))
                };
                known.extend(storage.metadata(name, replica_set).collections.into_iter().filter_map(stored));
                let (oplog, strangers) = layout::backup_oplog_objects(name, replica_set, storage.names());
                assert!(strangers.is_empty());
                known.extend(oplog.into_iter().map(|oplog| oplog.object));
            }
        }
        known.sort();
        let found: Vec<&str> = storage.names().filter(|name| matches!(layout::locate(name), layout::Located::InBackup { .. })).collect();
        assert_eq!(found, known);
    }
}

/// The true collections of one of the fixtures' truths, without `system.views`, which no backup holds.
fn true_collections(truth: &Value) -> BTreeMap<String, Value> {
    let mut collections = BTreeMap::new();
    for (database, content) in truth["databases"].as_object().expect("databases") {
        for (collection, content) in content["collections"].as_object().expect("collections") {
            if collection != "system.views" {
                collections.insert(format!("{database}.{collection}"), content.clone());
            }
        }
    }
    collections
}

fn check_quiet(backup: &Backup, left_out: &[&str], truths: &BTreeMap<String, Value>) {
    let replica_set = rs("rs0");
    let metadata = SNAPSHOTS.metadata(&backup.name, &replica_set);
    let mut checked = 0;
    for (name, expected) in truths {
        if left_out.contains(&name.as_str()) {
            continue;
        }
        let namespace: Namespace = name.parse().expect("a namespace of the fixtures");
        if namespace.is_buckets() {
            // Their documents lie under the time series.
            let documents = SNAPSHOTS.namespace(backup, &replica_set, &namespace);
            assert_eq!(documents.docset_sha256, expected["docset_sha256"], "{name}");
            continue;
        }
        let stored = metadata.collection(&namespace).unwrap_or_else(|| panic!("{name} is not in the backup"));
        assert_eq!(stored.kind.name(), expected["type"], "{name}");
        assert_eq!(Bson::from(stored.options.clone()).into_canonical_extjson(), expected["options"], "{name}");
        assert_eq!(stored.uuid.map(hex::encode), expected["uuid"].as_str().map(str::to_owned), "{name}");
        if stored.kind == CollectionKind::Collection {
            let documents = if stored.bytes == 0 { None } else { Some(SNAPSHOTS.namespace(backup, &replica_set, &namespace)) };
            assert_eq!(documents.as_ref().map_or(0, |documents| documents.count), expected["count"], "{name}");
            if let Some(documents) = documents {
                assert_eq!(documents.docset_sha256, expected["docset_sha256"], "{name}");
            }
            check_indexes(name, &stored.indexes, &expected["indexes"]);
        }
        checked += 1;
    }
    assert!(checked > 2, "{}", backup.name);
}

/// PBM's metadata keeps all options of an index but those it loses.
fn check_indexes(name: &str, stored: &[Document], expected: &Value) {
    let mut stored: Vec<Value> = stored.iter().map(|index| Bson::from(index.clone()).into_canonical_extjson()).collect();
    stored.sort_by_key(|index| index["name"].as_str().map(str::to_owned));
    let mut expected = expected.as_array().expect("indexes").clone();
    for index in &mut expected {
        let index = index.as_object_mut().expect("an index");
        index.remove("hidden");
        index.remove("clustered");
    }
    assert_eq!(Value::from(stored), Value::from(expected), "{name}");
}

#[test]
fn all_six_compressions_give_the_documents_that_were_in_the_database() {
    let truths = truth("snapshots.truth.json");
    let mut compressions = Vec::new();
    for told in truths["snapshots"].as_array().expect("snapshots") {
        let kind = told["kind"].as_str().expect("a kind");
        if kind == "live" {
            continue;
        }
        let backups = SNAPSHOTS.backups();
        let (_, backup) = backups.iter().find(|(_, backup)| backup.name.as_str() == told["name"]).expect("a backup of the fixtures");
        let left_out: Vec<&str> = told["left_out"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
        let mut collections = true_collections(&truths["truths"][told["truth"].as_str().unwrap_or("S2")]["truth"]);
        collections.retain(|name, _| backup.selection.matches(&name.parse().expect("a namespace of the fixtures")));
        check_quiet(backup, &left_out, &collections);
        if kind == "quiet" {
            compressions.push(backup.compression.clone());
        }
    }
    compressions.sort();
    assert_eq!(compressions, ["gzip", "lz4", "none", "s2", "snappy", "zstd"]);
}

#[test]
fn a_selective_backup_holds_what_was_selected_and_nothing_else() {
    let backups = SNAPSHOTS.backups();
    let (_, backup) = backups.iter().find(|(_, backup)| !backup.selection.is_everything()).expect("a selective backup");
    assert!(!backup.is_base());
    let namespaces: Vec<String> =
        SNAPSHOTS.metadata(&backup.name, &rs("rs0")).collections.iter().map(|collection| collection.namespace.to_string()).collect();
    assert_eq!(namespaces, ["app1.orders", "files.fs.chunks", "files.fs.files"]);
}

#[test]
fn the_two_kinds_of_metadata_say_the_same() {
    for storage in [&*SNAPSHOTS, &*PITR, &*SHARDED] {
        for (_, backup) in storage.backups() {
            for snapshot in &backup.snapshots {
                let json = storage.metadata(&backup.name, &snapshot.replica_set);
                let bytes = storage.get(&layout::meta_pbm(&backup.name, &snapshot.replica_set));
                let mut bson = SnapshotMetadata::read_bson(bytes).expect("metadata PBM wrote");
                assert_eq!((bson.fcv.as_str(), bson.server_version.as_str()), ("6.0", "6.0.5"));
                bson.fcv.clear();
                for collection in &mut bson.collections {
                    let has = collection.buckets_uuid.take().is_some();
                    assert_eq!(has, collection.kind == CollectionKind::TimeSeries, "{}", collection.namespace);
                }
                assert_eq!(json, bson);
            }
        }
    }
}
