//! An encrypted folder, command by command, and copies out of it and into it; at the end everything is restored from the copy.

use std::path::Path;

use bson::{Binary, Document, doc, spec::BinarySubtype};
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, capture, differences};

use crate::program::{Told, command, finish, oplogue};
use crate::stage::{newest_moment, typed};

const WORDS: &str = "correct horse battery staple";

/// With the passphrase in the environment.
async fn with_words(words: &[&str]) -> Told {
    let mut command = command(words);
    command.env("OPLOGUE_PASSPHRASE", WORDS);
    finish(command).await
}

fn all_bytes(folder: &Path) -> Vec<u8> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        if entry.path().is_dir() {
            found.extend(all_bytes(&entry.path()));
        } else {
            found.extend(std::fs::read(entry.path()).expect("readable"));
        }
    }
    found
}

#[tokio::test]
async fn every_command_works_on_an_encrypted_folder_and_none_without_its_key() {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("a replica set starts");
    let client = set.client().await.expect("it answers");
    let orders = client.database("shop").collection::<Document>("orders");
    orders.insert_many((0..200).map(|id| doc! {"_id": id, "note": "of-a-customer"})).await.expect("inserted");
    // The largest documents there are.
    let blob = |id: i32| doc! {"_id": id, "data": Binary { subtype: BinarySubtype::Generic, bytes: vec![id as u8; (16 << 20) - 100] }};
    let blobs = client.database("shop").collection::<Document>("blobs");
    for id in 0..3 {
        blobs.insert_one(blob(id)).await.expect("inserted");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (uri, storage) = (set.uri(), format!("file://{}/encrypted", folder.path().display()));
    let place = ["--storage", storage.as_str()];
    let live = ["--uri", uri.as_str(), "--storage", storage.as_str()];

    // The key alone does not begin to encrypt: the folder might be the wrong one.
    with_words(&[&["backup"], &live[..]].concat()).await.ended(1, &["--encrypt"]);
    let begin = ["--encrypt", "--compression", "none", "--name", "base"];
    with_words(&[&["backup"], &live[..], &begin[..]].concat()).await.done();
    orders.delete_one(doc! {"_id": 7}).await.expect("deleted");
    let moment = typed(newest_moment(&client, "shop.orders").await);
    with_words(&[&["slice"], &live[..], &["--span", "500ms", "--until", &moment, "--compression", "none"]].concat()).await.done();
    let state = capture(&client).await.expect("captured");

    let stored = all_bytes(folder.path());
    assert!(stored.len() > 48 << 20 && !stored.windows(13).any(|window| window == b"of-a-customer"));
    let listed = with_words(&[&["list", "--json"], &place[..]].concat()).await.done().json();
    assert_eq!(listed["backups"][0]["name"], "base");
    assert!(with_words(&[&["timeline"], &place[..]].concat()).await.done().stdout.contains("CAN BE RESTORED"));
    assert!(with_words(&[&["describe", "base"], &place[..]].concat()).await.done().stdout.contains("shop.orders"));
    let verified = with_words(&[&["verify", "--json"], &place[..]].concat()).await.done().json();
    assert_eq!((&verified["whole"], &verified["findings"]), (&serde_json::json!(true), &serde_json::json!([])));
    let pruned = with_words(&[&["prune", "--keep-count", "1", "--dry-run", "--json"], &place[..]].concat()).await.done().json();
    assert!(pruned["items"].as_array().is_some_and(|items| items.iter().all(|item| item["keep"] == true)), "{pruned}");
    with_words(&[&["delete", "base"], &place[..]].concat()).await.ended(3, &["--lose-range"]);

    let file = folder.path().join("words");
    for words in ["correct horse battery stable", "some other words"] {
        std::fs::write(&file, words).expect("written");
        let with_file = ["--passphrase-file", file.to_str().expect("text")];
        for verb in [&["list"][..], &["verify"], &["describe", "base"], &["delete", "base", "--yes"]] {
            let told = oplogue(&[verb, &place[..], &with_file[..]].concat()).await.ended(1, &["the passphrase is not the one"]);
            assert!(!told.stderr.contains(words), "{told:?}");
        }
    }
    for verb in [&["list"][..], &["verify"], &["timeline"], &["prune", "--keep-count", "1", "--yes"]] {
        oplogue(&[verb, &place[..]].concat()).await.ended(1, &["is encrypted", "--key-file"]);
    }
    for verb in [&["backup"][..], &["slice"], &["restore", "--latest", "--yes"]] {
        oplogue(&[verb, &live[..]].concat()).await.ended(1, &["is encrypted", "--key-file"]);
    }

    // Out of it into a plain folder, and from there into one with another key.
    let (plain, second) = (format!("file://{}/plain", folder.path().display()), format!("file://{}/second", folder.path().display()));
    let (from, to) = (folder.path().join("from.yaml"), folder.path().join("to.yaml"));
    std::fs::write(&from, format!("passphrase: {WORDS}\n")).expect("written");
    let key = folder.path().join("key");
    std::fs::write(&key, "ab".repeat(32)).expect("written");
    std::fs::write(&to, format!("encrypt: true\nkey-file: {}\n", key.display())).expect("written");
    let (from, to) = (from.to_str().expect("text"), to.to_str().expect("text"));
    let whole = ["--all", "--with-slices", "--json"];
    let copied = oplogue(&[&["copy", "--from", &storage, "--to", &plain, "--from-options", from], &whole[..]].concat()).await.done().json();
    assert_eq!((&copied["backups"], &copied["skipped_objects"]), (&serde_json::json!(["base"]), &serde_json::json!(0)));
    let words = [&["copy", "--from", &plain, "--to", &second, "--to-options", to], &whole[..]].concat();
    oplogue(&words).await.done();
    assert_eq!(oplogue(&words).await.done().json()["copied_objects"], 0);
    assert!(oplogue(&["verify", "--storage", &plain]).await.done().stdout.contains("nothing is damaged"));

    client.database("shop").drop().await.expect("dropped");
    let key = key.to_str().expect("text");
    oplogue(&["restore", "--uri", &uri, "--storage", &second, "--key-file", key, "--time", &moment, "--yes"]).await.done();
    let after = capture(&client).await.expect("captured");
    assert_eq!(differences(&state, &after), Vec::<String>::new());
    client.database("shop").drop().await.expect("dropped");
    with_words(&["restore", "--uri", &uri, "--storage", &storage, "--time", &moment, "--yes"]).await.done();
    let after = capture(&client).await.expect("captured");
    assert_eq!(differences(&state, &after), Vec::<String>::new());
}
