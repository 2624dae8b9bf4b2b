//! Our own records: written, read back, and refused when they are not what they should be.

use bson::doc;
use oplogue_domain::{Gap, GapReason, Namespace, OplogRange, OplogTime};
use oplogue_format::checksum::ContentHash;
use oplogue_format::compression::Compression;
use oplogue_format::pbm::collections::{CollectionKind, StoredCollection};
use oplogue_format::pbm::layout;
use oplogue_format::sidecar::{
    self, BackupManifest, GapRecord, Link, LocatedRecord, RecordedCollection, RecordedObject, SidecarError, SliceRecord, SnapshotRecord,
    Vouched, seal_of,
};
use serde_json::{Value, json};

use crate::fixtures::rs;

fn range() -> OplogRange {
    OplogRange::new(OplogTime::new(1_795_390_848, 54), OplogTime::new(1_795_390_852, 32))
}

fn slice() -> SliceRecord {
    SliceRecord {
        replica_set: rs("rs0"),
        range: range(),
        object: layout::slice(&rs("rs0"), range(), Compression::Zstd),
        stored_bytes: 100,
        stored_crc64: u64::MAX - 1,
        stored_hash: Some(ContentHash::of(b"stored")),
        raw_bytes: 900,
        raw_crc64: 7,
        entries: 12,
        no_ops: 3,
        first: Some(range().after),
        last: Some(range().through),
        previous: Some(Link { range: range(), seal: ContentHash::of(b"before") }),
        replaces: vec!["a".to_owned(), "b".to_owned()],
        continues: Some(Link { range: range(), seal: ContentHash::of(b"replaced") }),
        written_by: "oplogue 0.1.0".to_owned(),
    }
}

fn gap(reason: GapReason) -> GapRecord {
    GapRecord { replica_set: rs("rs0"), range: range(), reason, recorded_seconds: 1_795_390_900 }
}

fn snapshot() -> SnapshotRecord {
    let collection = |name: &str, kind, options, indexes| StoredCollection {
        namespace: Namespace::new("weird-ünïcode_db", name),
        kind,
        uuid: (kind == CollectionKind::Collection).then_some([0xab; 16]),
        buckets_uuid: (kind == CollectionKind::TimeSeries).then_some([0xcd; 16]),
        options,
        indexes,
        crc64: 1 << 63,
        bytes: 55,
    };
    let hidden = doc! { "v": 2_i32, "key": { "a": -1.0 }, "name": "a", "hidden": true, "prepareUnique": true, "expireAfterSeconds": 5_i64 };
    let validator = doc! { "validator": { "x": { "$date": "not a date" } }, "size": 4096_i64 };
    SnapshotRecord {
        backup: "2026-11-22T23:40:47Z".parse().expect("a name"),
        replica_set: rs("rs0"),
        oplog: range(),
        objects: vec![RecordedObject {
            name: "a/b\tc".to_owned(),
            bytes: 5,
            crc64: 6,
            hash: Some(ContentHash::of(b"x")),
            documents: Some(7),
        }],
        collections: vec![
            RecordedCollection {
                collection: collection("a//b", CollectionKind::Collection, validator, vec![hidden]),
                object: Some("oplogue/backups/x".to_owned()),
                documents: 3,
            },
            RecordedCollection {
                collection: collection("ts", CollectionKind::TimeSeries, doc! { "timeseries": { "timeField": "t" } }, vec![]),
                object: None,
                documents: 0,
            },
        ],
        written_by: "oplogue 0.1.0".to_owned(),
    }
}

#[test]
fn records_come_back_as_they_were_written() {
    assert_eq!(SliceRecord::parse(&slice().to_json()).expect("a record of ours"), slice());
    assert_eq!(BackupManifest::parse(&manifest().to_json()).expect("a record of ours"), manifest());
    assert_eq!(SnapshotRecord::parse(&snapshot().to_json()).expect("a record of ours"), snapshot());
    for reason in [
        GapReason::OplogRolledOver,
        GapReason::NotSliced,
        GapReason::Damaged("cut".to_owned()),
        GapReason::Other("moved away".to_owned()),
        GapReason::Other(String::new()),
    ] {
        let gap = gap(reason);
        assert_eq!(GapRecord::parse(&gap.to_json()).expect("a record of ours"), gap);
        assert_eq!(gap.to_domain(), Gap { replica_set: gap.replica_set.clone(), range: gap.range, reason: gap.reason.clone() });
    }
}

fn manifest() -> BackupManifest {
    BackupManifest {
        backup: "2026-11-22T23:40:47Z".parse().expect("a name"),
        objects: vec![Vouched::new("2026-11-22T23:40:47Z.pbm.json".to_owned(), b"{}")],
        recorded_objects: 9,
        written_by: "oplogue 0.1.0".to_owned(),
    }
}

#[test]
fn no_byte_of_a_record_changes_unnoticed() {
    fn check<T: std::fmt::Debug>(record: &[u8], parse: impl Fn(&[u8]) -> Result<T, SidecarError>) {
        assert!(seal_of(record).is_some() && parse(record).is_ok());
        for (at, flip) in (0..record.len()).flat_map(|at| [1, 2, 0x20, 0x80, 0xff].map(|flip| (at, flip))) {
            let mut changed = record.to_vec();
            changed[at] ^= flip;
            assert!(parse(&changed).is_err(), "byte {at} ^ {flip:02x}: {}", String::from_utf8_lossy(&changed));
        }
        for cut in 0..record.len() {
            assert!(parse(&record[..cut]).is_err(), "cut after {cut}");
        }
    }
    check(&slice().to_json(), SliceRecord::parse);
    check(&snapshot().to_json(), SnapshotRecord::parse);
    check(&gap(GapReason::OplogRolledOver).to_json(), GapRecord::parse);
    check(&manifest().to_json(), BackupManifest::parse);
}

#[test]
fn a_record_of_format_1_knows_no_hashes_and_is_read() {
    let record = changed(&slice().to_json(), |value| {
        for key in ["stored_blake3", "first", "last", "previous", "replaces", "continues"] {
            value.as_object_mut().expect("an object").remove(key);
        }
    });
    let read = SliceRecord::parse(&record).expect("a record of ours");
    let expected = SliceRecord { stored_hash: None, first: None, last: None, previous: None, replaces: vec![], continues: None, ..slice() };
    assert_eq!(read, expected);
    assert_eq!(seal_of(&record), None);
    let record = changed(&snapshot().to_json(), |value| {
        value["objects"][0] = json!({ "name": "a/b\tc", "bytes": 5, "crc64": "0000000000000006" });
    });
    let read = SnapshotRecord::parse(&record).expect("a record of ours");
    assert_eq!(read.objects, [RecordedObject { name: "a/b\tc".to_owned(), bytes: 5, crc64: 6, hash: None, documents: None }]);
}

#[test]
fn a_moment_in_a_record_is_readable_for_people_and_exact() {
    let value: Value = serde_json::from_slice(&slice().to_json()).expect("JSON");
    assert_eq!(value["range"]["after"], json!({ "t": 1_795_390_848, "i": 54, "at": "2026-11-22T23:40:48Z" }));
    assert_eq!(value["stored_crc64"], "fffffffffffffffe");
    assert_eq!(value["format"], 2);
}

#[test]
fn collections_in_a_record_are_found_by_name() {
    let snapshot = snapshot();
    assert!(snapshot.collection(&Namespace::new("weird-ünïcode_db", "a//b")).is_some());
    assert!(snapshot.collection(&Namespace::new("weird-ünïcode_db", "a/b")).is_none());
    assert_eq!(snapshot.object("a/b\tc").map(|object| object.bytes), Some(5));
}

/// As a record of format 1, which has no seal, with a change.
fn changed(record: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(record).expect("JSON");
    value["format"] = json!(1);
    value.as_object_mut().expect("an object").remove("seal");
    change(&mut value);
    value.to_string().into_bytes()
}

#[test]
fn a_record_of_a_newer_format_is_refused_and_says_what_to_do() {
    // Whatever else is in it: a newer format may look different altogether.
    for record in [json!({ "format": 3 }).to_string().into_bytes(), changed(&slice().to_json(), |value| value["format"] = json!(99))] {
        let error = SliceRecord::parse(&record).expect_err("a newer format");
        assert!(matches!(error, SidecarError::TooNew { .. }));
        assert!(error.to_string().ends_with("knows formats up to 2: use a newer version to read it"), "{error}");
    }
    assert!(matches!(SnapshotRecord::parse(b"{\"format\": 3}"), Err(SidecarError::TooNew { found: 3 })));
    assert!(matches!(GapRecord::parse(b"{\"format\": 3}"), Err(SidecarError::TooNew { found: 3 })));
}

#[test]
fn unknown_fields_of_the_same_format_are_ignored() {
    let record = changed(&slice().to_json(), |value| value["later"] = json!([1]));
    assert_eq!(SliceRecord::parse(&record).expect("a record of ours"), slice());
}

#[test]
fn a_reason_this_version_does_not_know_is_kept_as_words() {
    let record = changed(&gap(GapReason::NotSliced).to_json(), |value| value["reason"] = json!({ "kind": "paused", "text": "by root" }));
    assert_eq!(GapRecord::parse(&record).expect("a record of ours").reason, GapReason::Other("paused: by root".to_owned()));
}

#[test]
fn damaged_records_are_errors() {
    for record in [
        b"".to_vec(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        b"{\"format\": -1}".to_vec(),
        changed(&slice().to_json(), |value| value["stored_crc64"] = json!("xyz")),
        changed(&slice().to_json(), |value| value["replica_set"] = json!("a/b")),
        changed(&slice().to_json(), |value| value["range"]["after"] = json!(5)),
        changed(&slice().to_json(), |value| value["entries"] = json!(-5)),
    ] {
        assert!(matches!(SliceRecord::parse(&record), Err(SidecarError::Malformed(_))), "{}", String::from_utf8_lossy(&record));
    }
    for change in
        [json!({ "kind": "odd" }), json!({ "uuid": "12" }), json!({ "options": 5 }), json!({ "indexes": [{ "$oplogueBson": "zz" }] })]
    {
        let record = changed(&snapshot().to_json(), |value| {
            for (key, new) in change.as_object().expect("a change") {
                value["collections"][0][key] = new.clone();
            }
        });
        assert!(matches!(SnapshotRecord::parse(&record), Err(SidecarError::Malformed(_))), "{change}");
    }
    let whole = snapshot().to_json();
    for cut in (0..whole.len() - 2).step_by(13) {
        assert!(SnapshotRecord::parse(&whole[..cut]).is_err());
    }
}

#[test]
fn names_of_records_go_both_ways() {
    let (backup, replica_set) = (snapshot().backup, rs("rs0"));
    let namespace = Namespace::new("db", "a//b");
    let data = sidecar::data_object(&backup, &replica_set, 7, &namespace, Compression::Zstd);
    assert_eq!(data, "oplogue/backups/2026-11-22T23:40:47Z/rs0/data/00007-db.a__b.zst");
    for (name, expected) in [
        (
            sidecar::snapshot_record(&backup, &replica_set),
            LocatedRecord::Snapshot { backup: backup.clone(), replica_set: replica_set.clone() },
        ),
        (data, LocatedRecord::Data { backup: backup.clone(), replica_set: replica_set.clone() }),
        (sidecar::backup_manifest(&backup), LocatedRecord::Manifest { backup: backup.clone() }),
        (sidecar::slice_record(&replica_set, range()), LocatedRecord::Slice { replica_set: replica_set.clone(), range: range() }),
        (sidecar::gap_record(&replica_set, range()), LocatedRecord::Gap { replica_set: replica_set.clone(), range: range() }),
        ("oplogue/probe-1".to_owned(), LocatedRecord::Unknown),
        ("oplogue/slices/rs0/x.json".to_owned(), LocatedRecord::Unknown),
        ("oplogue/backups/b/rs0/other".to_owned(), LocatedRecord::Unknown),
        ("elsewhere".to_owned(), LocatedRecord::Unknown),
    ] {
        assert_eq!(sidecar::locate(&name), expected, "{name}");
    }
    assert_eq!(sidecar::slice_record(&replica_set, range()), "oplogue/slices/rs0/20261122/20261122234048-54.20261122234052-32.json");
    assert_eq!(sidecar::gap_record(&replica_set, range()), "oplogue/gaps/rs0/20261122234048-54.20261122234052-32.json");
}

#[test]
fn pbm_takes_none_of_our_objects_for_its_own() {
    // Any object that ends so is a backup for PBM, wherever it lies; so even a replica set with such a name must not lead to one.
    let (backup, replica_set) = ("b.pbm.json".parse().expect("a name"), rs("x.pbm"));
    for name in [
        sidecar::snapshot_record(&backup, &replica_set),
        sidecar::data_object(&backup, &replica_set, 0, &Namespace::new("x", "pbm.json"), Compression::None),
        sidecar::slice_record(&replica_set, range()),
        sidecar::gap_record(&replica_set, range()),
    ] {
        assert!(!name.ends_with(".pbm.json"), "{name}");
        assert_eq!(layout::locate(&name), layout::Located::Ours);
    }
}

#[test]
fn what_a_long_slice_replaces_is_recorded_and_nothing_is_said_of_it_elsewhere() {
    let plain = SliceRecord { replaces: Vec::new(), continues: None, ..slice() };
    let plain = String::from_utf8(plain.to_json()).expect("JSON is text");
    assert!(!plain.contains("replaces") && !plain.contains("continues"), "{plain}");
    let long = SliceRecord { replaces: vec!["pbmPitr/rs0/a".to_owned(), "pbmPitr/rs0/b".to_owned()], ..slice() };
    assert_eq!(SliceRecord::parse(&long.to_json()).expect("its own record"), long);
}
