//! `.pbm.json`: read as leniently as PBM reads it, written so that PBM takes it.

use oplogue_domain::{Backup, BackupKind, BackupProblem, NamespaceSelection, OplogRange, OplogTime, Snapshot};
use oplogue_format::pbm::backup_json::{BackupJson, Generation, StoreNote};
use serde_json::{Value, json};

use crate::fixtures::{PITR, SHARDED, SNAPSHOTS, rs, time, truth};

fn parse(value: &Value) -> BackupJson {
    BackupJson::parse(value.to_string().as_bytes()).expect("metadata PBM would take")
}

fn domain(value: &Value) -> Backup {
    parse(value).to_domain().expect("names PBM uses")
}

/// The least PBM restores.
fn minimal() -> Value {
    json!({
        "type": "logical", "name": "mine", "compression": "zstd", "status": "done", "size": 5, "pbm_version": "2.15.0",
        "mongodb_version": "6.0.5", "fcv": "6.0", "first_write_ts": { "T": 10, "I": 1 }, "last_write_ts": { "T": 20, "I": 2 },
        "replsets": [{ "name": "rs0", "backup_name": "mine/rs0/metadata.json", "oplog_name": "mine/rs0/oplog" }]
    })
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut value = minimal();
    change(&mut value);
    value
}

#[test]
fn backups_of_the_fixtures_are_what_the_truth_says() {
    let truth = truth("snapshots.truth.json");
    let told = truth["snapshots"].as_array().expect("snapshots");
    let backups = SNAPSHOTS.backups();
    assert_eq!(backups.len(), told.len());
    for ((json, backup), told) in backups.iter().zip(told) {
        assert_eq!(backup.name.as_str(), told["name"]);
        assert_eq!(backup.compression, told["compression"].as_str().expect("a word"));
        assert_eq!(backup.last_write, time(&told["last_write_ts"]));
        assert_eq!(backup.snapshots[0].oplog, OplogRange::new(time(&told["first_write_ts"]), time(&told["last_write_ts"])));
        assert_eq!(backup.bytes, told["size"]);
        assert_eq!(backup.is_base(), told["kind"] != "selective");
        assert_eq!((backup.problem.clone(), backup.written_by.clone()), (None, None));
        assert_eq!((backup.mongodb_version.as_str(), backup.fcv.as_str(), backup.pbm_version.as_str()), ("6.0.5", "6.0", "2.15.0"));
        assert!(backup.started < backup.finished);
        assert_eq!(json.generation(), Generation::OplogFolder);
        assert!(json.replica_sets[0].dump_done_seconds.is_some());
    }
}

#[test]
fn the_base_of_the_timeline_is_what_the_control_collection_says() {
    let control = truth("control-docs.json");
    let told = &control["pbmBackups"][0];
    let (json, backup) = &PITR.backups()[0];
    assert_eq!(json.opid, told["opid"].as_str().expect("a word"));
    assert_eq!(backup.name.as_str(), told["name"]);
    assert_eq!(backup.last_write, time(&told["last_write_ts"]));
    assert_eq!(backup.snapshots[0].node.as_deref(), told["replsets"][0]["node"].as_str());
    assert_eq!(json.replica_sets[0].metadata_object, told["replsets"][0]["dump_name"].as_str().expect("a word"));
}

#[test]
fn a_sharded_backup_has_all_its_replica_sets() {
    let (json, backup) = &SHARDED.backups()[0];
    let names: Vec<&str> = backup.snapshots.iter().map(|snapshot| snapshot.replica_set.as_str()).collect();
    assert_eq!(names, ["cfg", "shA", "shB"]);
    let config: Vec<bool> = backup.snapshots.iter().map(|snapshot| snapshot.is_config_server).collect();
    assert_eq!(config, [true, false, false]);
    assert_eq!(json.shard_remap.get("shB").map(String::as_str), Some("shBx"));
    // PBM's moment is the minimum over the replica sets and lies before the first; the one that is safe is the maximum.
    assert!(backup.last_write < json.first_write);
    assert_eq!(backup.consistent_at(), OplogTime::new(1_795_391_639, 2));
}

#[test]
fn missing_null_unknown_and_differently_cased_keys_are_fine() {
    let plain = domain(&minimal());
    let odd = with(|value| {
        value["x_ours"] = json!({ "any": [1, 2] });
        value["nss"] = Value::Null;
        value["error"] = Value::Null;
        value["hb"] = Value::Null;
        let name = value.as_object_mut().and_then(|map| map.remove("name")).expect("a name");
        value["NAME"] = name;
        let last = value.as_object_mut().and_then(|map| map.remove("last_write_ts")).expect("a time");
        value["Last_Write_TS"] = json!({ "t": last["T"], "i": last["I"] });
    });
    assert_eq!(domain(&odd), plain);
    assert_eq!(plain.problem, None);
    assert_eq!(plain.snapshots[0].oplog, OplogRange::new(OplogTime::new(10, 1), OplogTime::new(20, 2)));
    assert_eq!((plain.started, plain.snapshots[0].node.clone()), (0, None));
}

#[test]
fn the_exact_key_wins_over_one_in_another_case() {
    assert_eq!(domain(&with(|value| value["SIZE"] = json!(9))).bytes, 5);
}

#[test]
fn what_cannot_be_restored_says_why() {
    type Change = fn(&mut Value);
    let cases: [(Change, Option<BackupProblem>); 9] = [
        (|_| {}, None),
        (|value| value["type"] = json!("physical"), Some(BackupProblem::Unsupported("`physical`".to_owned()))),
        (|value| value["type"] = json!("incremental"), Some(BackupProblem::Unsupported("`incremental`".to_owned()))),
        (|value| value["type"] = Value::Null, Some(BackupProblem::Unsupported("of no known kind".to_owned()))),
        (|value| value["status"] = json!("canceled"), Some(BackupProblem::NotDone("canceled".to_owned()))),
        (|value| value["pbm_version"] = json!("1.8.1"), Some(BackupProblem::LegacyArchive("PBM 1.8.1".to_owned()))),
        (|value| value["pbm_version"] = json!("newest"), Some(BackupProblem::LegacyArchive("PBM newest".to_owned()))),
        (|value| value["pbm_version"] = Value::Null, Some(BackupProblem::LegacyArchive("an unknown version".to_owned()))),
        (|value| value["replsets"] = Value::Null, Some(BackupProblem::Unreadable("it names no replica sets".to_owned()))),
    ];
    for (change, expected) in cases {
        let backup = domain(&with(change));
        assert_eq!(backup.problem, expected);
        assert_eq!(backup.is_base(), expected.is_none());
        assert_eq!(backup.kind == BackupKind::Logical, !matches!(expected, Some(BackupProblem::Unsupported(_))));
    }
}

#[test]
fn the_generation_follows_from_the_version() {
    for (version, expected) in [
        ("1.0.0", Generation::Archive),
        ("1.99.9", Generation::Archive),
        ("2.0.0", Generation::SingleOplog),
        ("v2.3.1", Generation::SingleOplog),
        ("2.4.0", Generation::OplogFolder),
        ("2.4.0-rc1", Generation::OplogFolder),
        ("2.15.0", Generation::OplogFolder),
        ("3.0", Generation::OplogFolder),
        ("2", Generation::SingleOplog),
        ("2.x", Generation::Archive),
        ("", Generation::Archive),
    ] {
        assert_eq!(Generation::of(version), expected, "{version}");
    }
}

#[test]
fn indexes_of_2_8_0_are_known_to_be_incomplete() {
    assert!(parse(&with(|value| value["pbm_version"] = json!("2.8.0"))).lost_index_options());
    assert!(!parse(&with(|value| value["pbm_version"] = json!("2.8.1"))).lost_index_options());
}

#[test]
fn a_star_is_the_whole_cluster_and_other_selections_are_kept() {
    assert!(domain(&with(|value| value["nss"] = json!(["*"]))).is_base());
    assert!(domain(&with(|value| value["nss"] = json!(["*.*"]))).is_base());
    let selective = domain(&with(|value| value["nss"] = json!(["shop.*", "app.orders"])));
    assert!(!selective.is_base() && !selective.users_and_roles);
    let with_users = domain(&with(|value| {
        value["nss"] = json!(["shop.*"]);
        value["sel_users_and_roles"] = json!(true);
    }));
    assert!(with_users.users_and_roles);
    assert!(domain(&minimal()).users_and_roles);
}

#[test]
fn a_replica_sets_own_times_win_over_the_clusters() {
    let backup = domain(&with(|value| {
        value["replsets"][0]["first_write_ts"] = json!({ "T": 11, "I": 3 });
        value["replsets"][0]["last_write_ts"] = json!({ "T": 25, "I": 4 });
    }));
    assert_eq!(backup.snapshots[0].oplog, OplogRange::new(OplogTime::new(11, 3), OplogTime::new(25, 4)));
    let reversed = domain(&with(|value| value["first_write_ts"] = json!({ "T": 30, "I": 3 })));
    assert_eq!(reversed.snapshots[0].oplog, OplogRange::new(OplogTime::new(20, 2), OplogTime::new(20, 2)));
}

#[test]
fn wrong_types_are_errors_that_name_the_field() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 8] = [
        (|value| value["name"] = json!(7), "`name` should be a string, and is 7"),
        (|value| value["size"] = json!("x"), "`size` should be an integer, and is \"x\""),
        (|value| value["replsets"] = json!({}), "`replsets` should be an array, and is {}"),
        (|value| value["replsets"] = json!([1]), "`replsets[0]` should be an object, and is 1"),
        (|value| value["replsets"][0]["last_write_ts"] = json!(5), "`replsets[0].last_write_ts` should be an object, and is 5"),
        (|value| value["last_write_ts"]["T"] = json!(-5), "`last_write_ts.T` should be an unsigned 32-bit integer, and is -5"),
        (|value| value["nss"] = json!([1]), "`nss[0]` should be a string, and is 1"),
        (
            |value| value["name"] = json!("a/b"),
            "`a/b` cannot name a backup: it must be 1 to 200 characters without `/`, control characters or a leading dot",
        ),
    ];
    for (change, expected) in cases {
        let error = BackupJson::parse(with(change).to_string().as_bytes()).expect_err(expected);
        assert_eq!(error.to_string(), expected);
    }
    assert!(BackupJson::parse(b"[]").is_err());
    assert!(BackupJson::parse(b"{\"type\":").is_err());
    assert!(BackupJson::parse(b"").is_err());
}

fn ours() -> Backup {
    let snapshot = |name: &str, is_config_server: bool, first: u32| Snapshot {
        replica_set: rs(name),
        oplog: OplogRange::new(OplogTime::new(first, 3), OplogTime::new(1_795_390_860, 9)),
        node: Some("db1.example:27017".to_owned()),
        is_config_server,
    };
    Backup {
        name: "2026-11-22T23:40:47Z".parse().expect("a name"),
        kind: BackupKind::Logical,
        snapshots: vec![snapshot("cfg", true, 1_795_390_850), snapshot("shA", false, 1_795_390_849)],
        selection: NamespaceSelection::Everything,
        users_and_roles: true,
        compression: "zstd".to_owned(),
        bytes: 12_345,
        mongodb_version: "6.0.5".to_owned(),
        fcv: "6.0".to_owned(),
        pbm_version: "2.15.0".to_owned(),
        written_by: Some("oplogue 0.1.0".to_owned()),
        started: 1_795_390_847,
        finished: 1_795_390_861,
        last_write: OplogTime::new(1_795_390_860, 9),
        problem: None,
    }
}

fn note() -> StoreNote {
    StoreNote::S3 { bucket: "b".to_owned(), prefix: "/p/".to_owned(), region: "r".to_owned(), endpoint: "https://s3.example".to_owned() }
}

#[test]
fn what_we_write_we_read_back() {
    let selection = NamespaceSelection::from_patterns(vec!["shop.*".parse().expect("a pattern"), "a.b".parse().expect("a pattern")]);
    for backup in [ours(), Backup { selection, users_and_roles: false, written_by: None, ..ours() }] {
        let text = BackupJson::from_domain(&backup).to_json(&note());
        let read = BackupJson::parse(&text).expect("what was written");
        assert_eq!(read, BackupJson::from_domain(&backup));
        assert_eq!(read.to_domain().expect("what was written"), backup);
    }
}

/// The keys and kinds of values of a document, without the values.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), shape(value))).collect::<serde_json::Map<_, _>>().into(),
        Value::Array(elements) => elements.iter().map(shape).collect(),
        Value::String(_) => json!("text"),
        Value::Number(_) => json!("number"),
        other => other.clone(),
    }
}

#[test]
fn what_we_write_has_the_very_shape_of_what_pbm_writes() {
    let name = "2026-11-23T01:38:11Z.pbm.json";
    let pbm: Value = serde_json::from_slice(PITR.get(name)).expect("JSON");
    let (_, backup) = &PITR.backups()[0];
    let text = BackupJson::from_domain(backup).to_json(&StoreNote::Filesystem { path: "/data/pbm-fixture-a/pitr".to_owned() });
    let ours: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(shape(&ours), shape(&pbm));
    for key in [
        "type",
        "name",
        "compression",
        "store",
        "size",
        "mongodb_version",
        "fcv",
        "first_write_ts",
        "last_write_ts",
        "status",
        "pbm_version",
        "n",
    ] {
        assert_eq!(ours[key], pbm[key], "{key}");
    }
    // The same order, too, and the same indentation.
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&ours), keys(&pbm));
    assert_eq!(keys(&ours["replsets"][0]), keys(&pbm["replsets"][0]));
    assert!(text.starts_with(b"{\n\t\"type\": \"logical\",\n\t\"opid\": \""));
}

#[test]
fn a_sharded_backup_names_its_config_server_and_our_mark_is_beside_pbms_fields() {
    let value: Value = serde_json::from_slice(&BackupJson::from_domain(&ours()).to_json(&note())).expect("JSON");
    assert_eq!(value["replsets"][0]["iscs"], json!(true));
    assert_eq!(value["replsets"][1].get("iscs"), None);
    assert_eq!(value["x_oplogue"], json!({ "version": "oplogue 0.1.0" }));
    assert_eq!(
        value["store"],
        json!({ "type": "s3", "s3": { "region": "r", "endpointUrl": "https://s3.example", "bucket": "b", "prefix": "p" } })
    );
    assert_eq!(value["first_write_ts"], json!({ "T": 1_795_390_850, "I": 3 }));
    assert_eq!(value.get("nss"), None);
    assert_eq!(value["opid"].as_str().map(str::len), Some(24));
}

#[test]
fn no_part_of_real_metadata_makes_the_reader_panic() {
    let text = SHARDED.get("2026-11-22T23:53:53Z.pbm.json");
    for cut in 0..text.len() {
        assert!(BackupJson::parse(&text[..cut]).is_err(), "{cut}");
        let mut damaged = text.to_vec();
        damaged[cut] = b'9';
        // May still be metadata; must not panic.
        if let Ok(json) = BackupJson::parse(&damaged) {
            let _: Result<Backup, _> = json.to_domain();
        }
    }
}

#[test]
fn a_backup_of_no_bytes_is_not_written_as_one() {
    // PBM takes size 0 for a damaged backup.
    let value: Value = serde_json::from_slice(&BackupJson::from_domain(&Backup { bytes: 0, ..ours() }).to_json(&note())).expect("JSON");
    assert_eq!(value["size"], json!(1));
}
