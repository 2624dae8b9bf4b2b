//! Locations, their tests, what lies in them, and what retention would do.

use oplogue_api::locations::{Location, LocationFolder, LocationKind, LocationSettings, LocationTest, TestedFrom};
use oplogue_api::retention::{RetentionItem, RetentionItemKind, RetentionPreview};

use super::{ago, long_name, moment_ago, range_ago, reach};

/// Every kind; well, unwell and untested.
pub fn locations() -> Vec<Location> {
    let main = Location {
        id: "loc-main".to_owned(),
        name: "s3-main".to_owned(),
        description: "Versioned bucket, another region.".to_owned(),
        kind: LocationKind::S3,
        url: "s3://backups/mongodb?endpoint=https%3A%2F%2Fs3.example.org&region=eu-central-1".to_owned(),
        settings: LocationSettings {
            endpoint: "https://s3.example.org".to_owned(),
            bucket: "backups".to_owned(),
            region: "eu-central-1".to_owned(),
            prefix: "mongodb".to_owned(),
            path_style: Some(true),
            storage_class: "STANDARD".to_owned(),
            server_side_encryption: "aws:kms".to_owned(),
            kms_key_id: "alias/backups".to_owned(),
            ..LocationSettings::default()
        },
        has_secret: true,
        server_reach: Some(reach("loc-main", "s3-main", None)),
        schedules: 3,
        backups: 41,
        stored_bytes: 1_932_735_283_200,
        created_at: ago(40 * 86_400),
        updated_at: ago(2 * 86_400),
    };
    let nas = Location {
        id: "loc-nas".to_owned(),
        name: "nas".to_owned(),
        description: String::new(),
        kind: LocationKind::Local,
        url: "file:///srv/backups".to_owned(),
        settings: LocationSettings { path: "/srv/backups".to_owned(), ..LocationSettings::default() },
        has_secret: false,
        server_reach: Some(reach("loc-nas", "nas", Some(("write", "create /srv/backups/.oplogue-probe: permission denied")))),
        schedules: 0,
        backups: 2,
        stored_bytes: 10_737_418_240,
        ..main.clone()
    };
    let gcs = Location {
        id: "loc-gcs".to_owned(),
        name: "gcs-archive".to_owned(),
        kind: LocationKind::Gcs,
        url: "gs://archive".to_owned(),
        settings: LocationSettings { bucket: "archive".to_owned(), ..LocationSettings::default() },
        server_reach: None,
        schedules: 0,
        backups: 0,
        stored_bytes: 0,
        ..main.clone()
    };
    let long = Location {
        id: "loc-long".to_owned(),
        name: long_name("location-"),
        kind: LocationKind::Azure,
        url: format!("az://{}", long_name("container-")),
        settings: LocationSettings { bucket: long_name("container-"), account: "backups".to_owned(), ..LocationSettings::default() },
        ..main.clone()
    };
    vec![main, nas, gcs, long]
}

/// A good test, and one that went wrong in every way.
pub fn location_tests() -> (LocationTest, LocationTest) {
    let place = |from: &str, problem| {
        let reach = reach("loc-main", "s3-main", problem);
        TestedFrom { from: from.to_owned(), ok: reach.ok, steps: reach.steps, problem: None }
    };
    let good = LocationTest { ok: true, places: vec![place("server", None), place("shop-1", None), place("shop-2", None)] };
    let bad = LocationTest {
        ok: false,
        places: vec![
            place("server", None),
            place("shop-1", Some(("delete", "AccessDenied: the key may not DeleteObject in bucket backups"))),
            TestedFrom {
                from: "billing-1".to_owned(),
                ok: false,
                steps: Vec::new(),
                problem: Some("its agent was not heard of for 1 h 30 m".to_owned()),
            },
        ],
    };
    (good, bad)
}

/// One of ours, one of somebody else's, one at the very top.
pub fn location_folders() -> Vec<LocationFolder> {
    vec![
        LocationFolder { folder: "shop".to_owned(), backups: 31, replica_sets: vec!["rs0".to_owned()], cluster: Some("shop".to_owned()) },
        LocationFolder {
            folder: "pbm/legacy".to_owned(),
            backups: 12,
            replica_sets: vec!["rsA".to_owned(), "rsB".to_owned(), "cfg".to_owned()],
            cluster: None,
        },
        LocationFolder { folder: String::new(), backups: 1, replica_sets: vec!["rs0".to_owned()], cluster: None },
    ]
}

/// Some stay, some go, and a stretch of time with them.
pub fn retention_preview() -> RetentionPreview {
    let item = |kind, name: &str, bytes, keep, reasons: &[&str]| RetentionItem {
        kind,
        name: name.to_owned(),
        replica_set: (kind == RetentionItemKind::Slice).then(|| "rs0".to_owned()),
        bytes,
        keep,
        reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
    };
    use RetentionItemKind::{Backup, Orphan, Slice};
    RetentionPreview {
        items: vec![
            item(Backup, "nightly_2026-11-25T03:00:00Z", 48_318_382_080, true, &["one of the newest 7", "the newest of 2026-11"]),
            item(Backup, "nightly_2026-11-13T03:00:00Z", 47_318_382_080, true, &["the promised window of 336 h starts from it"]),
            item(Backup, "nightly_2026-11-12T03:00:00Z", 46_318_382_080, false, &["older than the newest 7, and no other rule keeps it"]),
            item(Slice, "20261112/20261112030305-1.20261112031305-9.oplog.zst", 9_411_220, false, &["ends before the oldest kept backup"]),
            item(Slice, "20261125/20261125105840-2.20261125105850-1.oplog.zst", 411_220, true, &["within the promised window"]),
            item(Orphan, "nightly_2026-11-02T03:00:00Z/rs0/oplog", 5_100, false, &["nothing refers to it, and it is older than a day"]),
        ],
        lost: vec![range_ago(13 * 86_400, 12 * 86_400)],
        deleted_bytes: 46_327_798_400,
        oldest_after: Some(moment_ago(12 * 86_400)),
    }
}
