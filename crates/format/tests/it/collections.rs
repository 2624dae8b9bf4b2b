//! `metadata.json` and `meta.pbm`: written as PBM writes them, read as leniently as PBM reads them.

use bson::{Document, doc};
use oplogue_domain::Namespace;
use oplogue_format::pbm::collections::{CollectionKind, MetadataError, SnapshotMetadata, StoredCollection};
use oplogue_format::pbm::layout;
use serde_json::Value;

use crate::fixtures::{PITR, SHARDED, SNAPSHOTS};

/// The entries of `metadata.json`, each as one line: what is within the strings, too, in its order.
fn entries(text: &[u8]) -> Vec<String> {
    let mut value: Value = serde_json::from_slice(text).expect("JSON");
    let Value::Array(namespaces) = value["namespaces"].take() else { panic!("no list") };
    let unfold = |mut entry: Value| {
        let mut metadata: Value = serde_json::from_str(entry["metadata"].as_str().expect("a string")).expect("JSON");
        // PBM writes null for a time series without indexes.
        if metadata["indexes"].is_null() {
            metadata["indexes"] = Value::Array(vec![]);
        }
        entry["metadata"] = metadata;
        entry.to_string()
    };
    std::iter::once(value.to_string()).chain(namespaces.into_iter().map(unfold)).collect()
}

#[test]
fn metadata_read_and_written_again_is_what_pbm_wrote() {
    for storage in [&*SNAPSHOTS, &*PITR, &*SHARDED] {
        for (_, backup) in storage.backups() {
            for snapshot in &backup.snapshots {
                let text = storage.get(&layout::metadata_json(&backup.name, &snapshot.replica_set));
                let metadata = SnapshotMetadata::read_json(text).expect("metadata PBM wrote");
                let (ours, pbms) = (entries(&metadata.write_json()), entries(text));
                assert_eq!(ours.len(), pbms.len());
                for (ours, pbms) in ours.iter().zip(&pbms) {
                    assert_eq!(ours, pbms);
                }
            }
        }
    }
}

fn collection(name: &str, kind: CollectionKind) -> StoredCollection {
    StoredCollection {
        namespace: Namespace::new("db", name),
        kind,
        uuid: (kind == CollectionKind::Collection).then_some([7; 16]),
        buckets_uuid: (kind == CollectionKind::TimeSeries).then_some([8; 16]),
        options: doc! {},
        indexes: vec![],
        crc64: 0,
        bytes: 0,
    }
}

fn metadata(collections: Vec<StoredCollection>) -> SnapshotMetadata {
    SnapshotMetadata { server_version: "6.0.5".to_owned(), tool_version: "2.15.0".to_owned(), fcv: "6.0".to_owned(), collections }
}

#[test]
fn bson_metadata_keeps_everything() {
    let hidden = doc! { "v": 2, "key": { "a": 1 }, "name": "a_1", "hidden": true, "prepareUnique": true };
    let written = metadata(vec![
        StoredCollection {
            options: doc! { "capped": true, "size": 4096_i64 },
            indexes: vec![hidden],
            crc64: u64::MAX - 5,
            bytes: 123,
            ..collection("a", CollectionKind::Collection)
        },
        StoredCollection {
            options: doc! { "timeseries": { "timeField": "t" } },
            indexes: vec![doc! { "v": 2, "key": { "m": 1 }, "name": "m_1" }],
            crc64: 5,
            bytes: 6,
            ..collection("ts", CollectionKind::TimeSeries)
        },
        StoredCollection { options: doc! { "viewOn": "a", "pipeline": [] }, ..collection("v", CollectionKind::View) },
    ]);
    let bytes = written.write_bson().expect("keys without NUL");
    assert_eq!(SnapshotMetadata::read_bson(&bytes).expect("what was written"), written);
}

#[test]
fn json_metadata_has_only_the_index_options_pbm_writes() {
    let index = doc! { "v": 2, "key": { "a": 1 }, "name": "a_1", "unique": true, "hidden": true, "clustered": true };
    let written = metadata(vec![StoredCollection { indexes: vec![index], ..collection("a", CollectionKind::Collection) }]);
    let read = SnapshotMetadata::read_json(&written.write_json()).expect("what was written");
    assert_eq!(read.collections[0].indexes, [doc! { "v": 2, "key": { "a": 1 }, "name": "a_1", "unique": true }]);
    assert_eq!(read.collections[0].uuid, Some([7; 16]));
}

#[test]
fn a_checksum_with_its_highest_bit_set_is_negative_in_the_file_and_whole_again_when_read() {
    let written = metadata(vec![StoredCollection { crc64: 1 << 63 | 9, bytes: 4, ..collection("a", CollectionKind::Collection) }]);
    let text = written.write_json();
    assert!(String::from_utf8_lossy(&text).contains("\"-9223372036854775799\""));
    assert_eq!(SnapshotMetadata::read_json(&text).expect("what was written").collections[0].crc64, 1 << 63 | 9);
}

#[test]
fn the_server_version_is_written_so_that_pbm_can_read_it() {
    for (version, expected) in [("6.0.5", "6.0.5"), ("8.0.4-2", "8.0.4-2"), ("7.0", "7.0.0"), ("", "0.0.0"), ("v5.0.1.9", "0.1.9")] {
        let written = SnapshotMetadata { server_version: version.to_owned(), ..metadata(vec![]) };
        let read = SnapshotMetadata::read_json(&written.write_json()).expect("what was written");
        assert_eq!(read.server_version, expected, "{version}");
    }
}

#[test]
fn relaxed_tab_indented_metadata_without_uuid_and_kind_is_read() {
    let text = r#"{
	"server_version": "4.4.2",
	"namespaces": [
		{"db": "a", "collection": "b", "crc": -1, "size": 29,
		 "metadata": "{\"options\":{\"capped\":true,\"size\":4096},\"indexes\":[{\"v\":2,\"key\":{\"_id\":1},\"name\":\"_id_\"}]}"},
		{"db": "a", "collection": "c", "type": "collection", "metadata": "", "unknown": {"x": 1}},
		{"db": "a", "collection": "v", "type": "view", "metadata": "{\"options\":{\"viewOn\":\"b\",\"pipeline\":[]},\"indexes\":null,\"uuid\":\"\"}"}
	]
}"#;
    let read = SnapshotMetadata::read_json(text.as_bytes()).expect("relaxed JSON");
    assert_eq!(read.collections.len(), 3);
    assert_eq!((read.collections[0].crc64, read.collections[0].bytes), (u64::MAX, 29));
    assert_eq!(read.collections[0].options, doc! { "capped": true, "size": 4096 });
    assert_eq!(read.collections[0].uuid, None);
    assert_eq!(read.collections[2].kind, CollectionKind::View);
}

#[test]
fn damaged_metadata_says_which_entry_is_wrong() {
    for (namespaces, expected) in [
        (r#"[{"db":"a"}]"#, "its entry 0 (a.): it needs `db` and `collection`"),
        (r#"[7]"#, "its entry 0 (.): it needs `db` and `collection`"),
        (r#"[{"db":"a","collection":"b","type":"odd"}]"#, "its entry 0 (a.b): its type `odd` is not known"),
        (r#"[{"db":"a","collection":"b","crc":"x"}]"#, "its entry 0 (a.b): its `crc` is not an integer"),
        (r#"[{"db":"a","collection":"b","size":-4}]"#, "its entry 0 (a.b): its `size` is no size"),
        (
            r#"[{"db":"a","collection":"b","metadata":"{\"uuid\":\"12\"}"}]"#,
            "its entry 0 (a.b): its UUID `12` is not 32 hexadecimal digits",
        ),
        (r#"[{"db":"a","collection":"b","metadata":"{\"indexes\":[1]}"}]"#, "its entry 0 (a.b): its `indexes` hold 1"),
    ] {
        let error = SnapshotMetadata::read_json(format!(r#"{{"namespaces":{namespaces}}}"#).as_bytes()).expect_err(namespaces);
        assert_eq!(error.to_string(), expected);
    }
    assert!(matches!(SnapshotMetadata::read_json(b"{}"), Err(MetadataError::NoList)));
    assert!(matches!(SnapshotMetadata::read_json(b"{"), Err(MetadataError::NotJson(_))));
    assert!(matches!(SnapshotMetadata::read_bson(b"\x05\0\0\0"), Err(MetadataError::NotBson(_))));
    assert!(matches!(SnapshotMetadata::read_bson(b"\x05\0\0\0\0"), Err(MetadataError::NoList)));
}

#[test]
fn no_part_of_real_metadata_makes_the_readers_panic() {
    let backup = "2026-11-23T01:38:11Z/rs0";
    let json = PITR.get(&format!("{backup}/metadata.json"));
    let bson = PITR.get(&format!("{backup}/meta.pbm"));
    for cut in (0..json.len()).step_by(997) {
        assert!(SnapshotMetadata::read_json(&json[..cut]).is_err());
    }
    for cut in (0..bson.len()).step_by(101) {
        assert!(SnapshotMetadata::read_bson(&bson[..cut]).is_err());
        let mut damaged = bson.to_vec();
        damaged[cut] ^= 0x55;
        // May still be BSON; must not panic.
        let _: Result<_, MetadataError> = SnapshotMetadata::read_bson(&damaged);
    }
}

#[test]
fn buckets_whose_time_series_is_not_listed_are_kept() {
    let document: Document =
        doc! { "specifications": [{ "db": "a", "name": "system.buckets.x", "type": "collection", "crc": 3_i64, "size": 4_i64 }] };
    let read = SnapshotMetadata::read_bson(&document.to_vec().expect("BSON")).expect("metadata");
    assert_eq!(read.collections[0].namespace, Namespace::new("a", "system.buckets.x"));
}
