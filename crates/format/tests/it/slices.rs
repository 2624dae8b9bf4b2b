//! Every oplog entry of the fixtures.

use std::collections::BTreeMap;
use std::io::Cursor;

use bson::RawDocumentBuf;
use oplogue_domain::OplogTime;
use oplogue_format::compression::Compression;
use oplogue_format::pbm::layout::{self, Located};
use oplogue_format::{DocumentReader, decoder};
use sha2::{Digest, Sha256};

use crate::fixtures::{PITR, SHARDED, SNAPSHOTS, Storage, lines, rs, time, truth};

fn entries(storage: &Storage, object: &str, compression: Compression) -> Entries {
    let reader = DocumentReader::new(decoder(compression, Box::new(Cursor::new(storage.get(object).to_vec()))));
    let entry = |document: Result<RawDocumentBuf, _>| {
        let document = document.expect("a whole slice");
        let timestamp = document.get_timestamp("ts").expect("an oplog entry");
        (OplogTime::new(timestamp.time, timestamp.increment), document)
    };
    reader.map(entry).collect()
}

type Entries = Vec<(OplogTime, RawDocumentBuf)>;

/// The slices of a storage in order: range, compression, entries.
fn slices(storage: &Storage, replica_set: &str) -> Vec<(oplogue_domain::OplogRange, Compression, Entries)> {
    let mut found: Vec<_> = storage
        .names()
        .filter_map(|name| match layout::locate(name) {
            Located::Slice { replica_set: found, range, compression } if found == rs(replica_set) => {
                assert_eq!(layout::slice(&found, range, compression), name);
                Some((range, compression, entries(storage, name, compression)))
            }
            _ => None,
        })
        .collect();
    found.sort_by_key(|(range, ..)| *range);
    found
}

#[test]
fn slices_hold_exactly_the_entries_the_server_had() {
    let mut expected = BTreeMap::new();
    for line in lines("pitr.ops.jsonl") {
        let part = |index: usize| u32::try_from(line[index].as_u64().expect("a number")).expect("32 bits");
        expected.insert(OplogTime::new(part(0), part(1)), line[5].as_str().expect("a hash").to_owned());
    }
    let slices = slices(&PITR, "rs0");
    let compressions: Vec<Compression> = slices.iter().map(|(_, compression, _)| *compression).collect();
    assert!(compressions.contains(&Compression::S2) && compressions.contains(&Compression::Zstd));
    let mut found = BTreeMap::new();
    for (range, _, entries) in &slices {
        for (time, entry) in entries {
            assert!((range.after..=range.through).contains(time), "{time} outside {range:?}");
            let hash = hex::encode(Sha256::digest(entry.as_bytes()))[..24].to_owned();
            found.insert(*time, hash);
        }
    }
    let (first, last) = (slices[0].0.after, slices.last().expect("slices").0.through);
    let covered: BTreeMap<_, _> = expected.range(first..=last).map(|(time, hash)| (*time, hash.clone())).collect();
    let listed: BTreeMap<_, _> =
        found.iter().filter(|(time, _)| covered.contains_key(time)).map(|(time, hash)| (*time, hash.clone())).collect();
    assert_eq!(listed, covered);
    // What is stored beyond the list is later than the list's end: the list stops at the last point.
    let end = *expected.keys().next_back().expect("entries");
    assert!(found.keys().all(|time| covered.contains_key(time) || *time > end));
}

#[test]
fn neighbours_share_their_boundary_entry() {
    let slices = slices(&PITR, "rs0");
    for pair in slices.windows(2) {
        let [(before, _, earlier), (after, _, later)] = pair else { panic!("windows of two") };
        assert_eq!(before.through, after.after);
        assert_eq!(earlier.last(), later.first());
    }
}

#[test]
fn entries_are_in_order() {
    for (storage, replica_sets) in [(&*PITR, ["rs0"].as_slice()), (&*SHARDED, &["cfg", "shA", "shB"])] {
        for replica_set in replica_sets {
            let slices = slices(storage, replica_set);
            assert!(slices.len() > 2);
            for (_, _, entries) in slices {
                assert!(entries.is_sorted_by(|left, right| left.0 < right.0));
            }
        }
    }
}

#[test]
fn an_entry_may_begin_later_than_its_slice_is_named() {
    // The first slice of a shard starts at a time of the whole cluster, which this shard may never have seen.
    let first = &slices(&SHARDED, "shB")[0];
    assert!(first.2[0].0 >= first.0.after);
}

#[test]
fn the_oplog_of_a_backup_lies_within_the_range_its_metadata_says() {
    for storage in [&*SNAPSHOTS, &*PITR, &*SHARDED] {
        for (_, backup) in storage.backups() {
            for snapshot in &backup.snapshots {
                let (objects, _) = layout::backup_oplog_objects(&backup.name, &snapshot.replica_set, storage.names());
                // A shard on which nothing was written has no oplog at all.
                assert_eq!(objects.len(), usize::from(!snapshot.oplog.is_empty()), "{} {}", backup.name, snapshot.replica_set);
                for object in objects {
                    assert_eq!(object.range, snapshot.oplog);
                    let entries = entries(storage, &object.object, object.compression);
                    assert_eq!(entries.last().map(|(time, _)| *time), Some(object.range.through));
                }
            }
        }
    }
}

#[test]
fn slices_are_those_of_the_control_collection() {
    let control = truth("control-docs.json");
    let mut told: Vec<_> = control["pbmPITRChunks"]
        .as_array()
        .expect("chunks")
        .iter()
        .map(|chunk| {
            let compression: Compression = chunk["compression"].as_str().expect("a word").parse().expect("a compression");
            let range = oplogue_domain::OplogRange::new(time(&chunk["start_ts"]), time(&chunk["end_ts"]));
            assert_eq!(layout::slice(&rs(chunk["rs"].as_str().expect("a name")), range, compression), chunk["fname"]);
            (range, compression)
        })
        .collect();
    told.sort();
    let found: Vec<_> = slices(&PITR, "rs0").into_iter().map(|(range, compression, _)| (range, compression)).collect();
    assert_eq!(found, told);
}
