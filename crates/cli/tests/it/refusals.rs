//! Bad input: a clear error, the right exit code, and nothing touched.

use std::time::Duration;

use bson::{Document, Timestamp, doc};
use oplogue_testkit::{FakeMongos, ReplicaSet, ReplicaSetOptions, S3Server, Standalone, Version, capture, differences};

use crate::program::{command, oplogue};
use crate::stage::{Copied, Stage, typed};

/// Restores from `storage` to `moment` and demands a refusal that says each of `texts` and leaves the target as it is.
async fn refused(storage: &str, moment: &[&str], code: i32, texts: &[&str]) {
    let stage = Stage::shared().await;
    let client = stage.client().await;
    let before = capture(&client).await.expect("the target can be looked at");
    let uri = stage.uri();
    let words = [&["restore", "--uri", &uri, "--storage", storage], moment].concat();
    oplogue(&words).await.ended(code, texts);
    let after = capture(&client).await.expect("the target can be looked at");
    assert_eq!(differences(&before, &after), Vec::<String>::new());
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let stage = Stage::shared().await;
    let uri = stage.set.uri_as("root", "hunter2");
    for verb in ["backup", "slice", "status"] {
        let told = oplogue(&[verb, "--uri", &uri, "--storage", &stage.storage()]).await.ended(1, &["login", "root"]);
        assert!(!told.stderr.contains("hunter2"), "{told:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() {
    let uri = "mongodb://127.0.0.1:9/?replicaSet=rs0&serverSelectionTimeoutMS=1000";
    oplogue(&["backup", "--uri", uri, "--storage", "file:///b"]).await.ended(1, &["127.0.0.1:9"]);
}

#[tokio::test]
async fn a_standalone_server_is_refused_with_what_to_do() {
    let standalone = Standalone::start(Version::default()).await.expect("a standalone starts");
    oplogue(&["backup", "--uri", &standalone.uri(), "--storage", "file:///b"]).await.ended(3, &["standalone", "rs.initiate()"]);
}

#[tokio::test]
async fn a_mongos_is_refused_with_what_to_do() {
    let mongos = FakeMongos::start().await.expect("a mongos starts");
    oplogue(&["backup", "--uri", &mongos.uri(), "--storage", "file:///b"]).await.ended(3, &["mongos", "shard"]);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_and_keys_that_are_wrong_are_told_apart() {
    let server = S3Server::shared().await.expect("an S3 server");
    let stage = Stage::shared().await;
    let uri = stage.uri();
    let bucket = server.bucket("there-is-no-such-bucket");
    let words = ["--uri", &uri, "--s3-access-key", &bucket.access_key, "--s3-secret-key", &bucket.secret_key, "--storage-retries", "0"];
    oplogue(&[&["backup", "--storage", &bucket.url()], &words[..]].concat()).await.ended(1, &["bucket", "there-is-no-such-bucket"]);

    let bucket = server.new_bucket().await.expect("a bucket");
    let words = ["--uri", &uri, "--s3-access-key", &bucket.access_key, "--s3-secret-key", "hunter2", "--storage-retries", "0"];
    let told = oplogue(&[&["backup", "--storage", &bucket.url()], &words[..]].concat()).await.ended(1, &["credentials"]);
    assert!(!told.stderr.contains("hunter2"), "{told:?}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    // A file where a folder must be: that stops even root, whom permissions do not.
    let in_the_way = folder.path().join("backups");
    std::fs::write(&in_the_way, "").expect("written");
    let stage = Stage::shared().await;
    let storage = format!("file://{}/inside", in_the_way.display());
    oplogue(&["backup", "--uri", &stage.uri(), "--storage", &storage]).await.ended(1, &["backups/inside"]);
}

#[tokio::test]
async fn a_moment_out_of_range_names_the_nearest_good_one() {
    let stage = Stage::shared().await;
    refused(&stage.storage(), &["--time", "100,1"], 3, &["oldest moment that can be restored"]).await;
    refused(&stage.storage(), &["--time", "2099-01-01T00:00:00Z"], 3, &["newest moment that can be restored"]).await;
    refused(&stage.storage(), &["--backup", "unheard-of"], 3, &["unheard-of", "base"]).await;
}

#[tokio::test]
async fn a_moment_in_a_hole_names_the_moments_around_it() {
    let stage = Stage::shared().await;
    let copied = stage.copied_storage();
    let slices = slices(&copied);
    assert!(slices.len() >= 3, "{slices:?}");
    std::fs::remove_file(&slices[1]).expect("removed");
    refused(&copied.storage(), &["--time", &typed(stage.moments[1])], 3, &["missing", "nearest moment"]).await;
    // Beyond the hole it is the same hole that is in the way.
    refused(&copied.storage(), &["--time", &typed(stage.moments[2])], 3, &["missing"]).await;
    // Before it, all is well.
    let moment = typed(stage.moments[0]);
    oplogue(&["restore", "--uri", &stage.uri(), "--storage", &copied.storage(), "--time", &moment, "--plan"]).await.done();
    let drawn = oplogue(&["timeline", "--storage", &copied.storage()]).await.done().stdout;
    assert!(drawn.contains("GAP"), "{drawn}");
}

fn slices(copied: &Copied) -> Vec<std::path::PathBuf> {
    copied.files(&["Pitr/", ".oplog."])
}

#[tokio::test]
async fn damage_is_found_before_anything_is_touched() {
    let stage = Stage::shared().await;
    let newest = typed(*stage.moments.last().expect("three moments"));
    let moment = ["--time", newest.as_str(), "--yes"];

    let copied = stage.copied_storage();
    let data = copied.files(&["/base/", "shop.orders"]).remove(0);
    std::fs::remove_file(&data).expect("removed");
    refused(&copied.storage(), &moment, 3, &["shop.orders"]).await;

    let copied = stage.copied_storage();
    let data = copied.files(&["/base/", "shop.orders"]).remove(0);
    let bytes = std::fs::read(&data).expect("read");
    std::fs::write(&data, &bytes[..bytes.len() / 2]).expect("written");
    refused(&copied.storage(), &moment, 3, &["shop.orders"]).await;

    let copied = stage.copied_storage();
    let data = copied.files(&["/base/", "shop.orders"]).remove(0);
    let mut bytes = std::fs::read(&data).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&data, bytes).expect("written");
    refused(&copied.storage(), &moment, 3, &["shop.orders"]).await;

    let copied = stage.copied_storage();
    let slice = slices(&copied).remove(0);
    let mut bytes = std::fs::read(&slice).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&slice, bytes).expect("written");
    refused(&copied.storage(), &moment, 3, &["Pitr/"]).await;
}

#[tokio::test]
async fn a_restore_over_something_asks_for_yes_and_names_it() {
    let stage = Stage::shared().await;
    refused(&stage.storage(), &["--latest"], 3, &["shop.orders", "--yes", "hint: "]).await;
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_refused() {
    let stage = Stage::shared().await;
    refused(&stage.storage(), &["--latest", "--ns", "shop.unheard_of"], 3, &["shop.unheard_of"]).await;
}

#[tokio::test]
async fn a_second_slicer_is_refused_with_the_name_of_the_first() {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("a replica set starts");
    let client = set.client().await.expect("it answers");
    client.database("shop").collection::<Document>("orders").insert_one(doc! {"_id": 1}).await.expect("inserted");
    let folder = tempfile::tempdir().expect("a folder");
    let (uri, storage) = (set.uri(), format!("file://{}", folder.path().display()));
    oplogue(&["backup", "--uri", &uri, "--storage", &storage]).await.done();
    let mut first = command(&["slice", "--uri", &uri, "--storage", &storage, "--json"]).spawn().expect("it starts");
    let leases = client.database("config").collection::<Document>("oplogueLeases");
    let held = async {
        while leases.find_one(doc! {"holder": {"$exists": true}}).await.expect("leases can be read").is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), held).await.expect("the first slicer takes the lease");
    oplogue(&["slice", "--uri", &uri, "--storage", &storage]).await.ended(3, &["slic"]);
    first.kill().await.expect("ended");
}

#[tokio::test]
async fn doctor_finds_danger_and_says_so_with_its_code() {
    let stage = Stage::shared().await;
    let told = oplogue(&["doctor", "--uri", &stage.uri(), "--storage", &stage.storage()]).await;
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.stdout.contains("0 danger"), "{told:?}");

    let uri = stage.set.uri_without_credentials();
    let told = oplogue(&["doctor", "--uri", &uri, "--json"]).await;
    assert_eq!(told.code, 3, "{told:?}");
    let findings = told.json();
    let dangers = findings.as_array().expect("a list").iter().filter(|finding| finding["level"] == "danger");
    assert!(dangers.count() > 0, "{findings}");
}

#[tokio::test]
async fn a_moment_is_restored_to_the_operation() {
    let stage = Stage::shared().await;
    let planned = |moment: Timestamp, option: &'static str| async move {
        let moment = typed(moment);
        let words = ["restore", "--uri", &stage.uri(), "--storage", &stage.storage(), option, &moment, "--plan", "--json"];
        let plan = oplogue(&words).await.done().json();
        (plan["through"]["t"].as_u64(), plan["through"]["i"].as_u64(), plan["operations"].as_u64())
    };
    let moment = stage.moments[1];
    let (seconds, ordinal, operations) = planned(moment, "--time").await;
    assert_eq!((seconds, ordinal), (Some(u64::from(moment.time)), Some(u64::from(moment.increment))));
    let (.., before) = planned(moment, "--before").await;
    assert_eq!(before.map(|count| count + 1), operations, "--before leaves out exactly that operation");
}
