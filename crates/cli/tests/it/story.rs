//! The main job, by the program alone: back up, slice while clients write, lose a collection, get everything back.

use bson::{Document, doc};
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, capture, differences};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::program::{command, oplogue};
use crate::stage::{newest, newest_moment, typed};

#[tokio::test]
async fn a_dropped_collection_comes_back_as_it_was_right_before() {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("a replica set starts");
    let client = set.client().await.expect("it answers");
    let shop = client.database("shop");
    let orders = shop.collection::<Document>("orders");
    orders.insert_many((0..500).map(|id| doc! {"_id": id, "paid": false})).await.expect("inserted");
    shop.collection::<Document>("articles").insert_one(doc! {"_id": 1, "stock": 7}).await.expect("inserted");
    shop.run_command(doc! {"createIndexes": "orders", "indexes": [{"key": {"paid": 1}, "name": "paid_1"}]}).await.expect("indexed");
    let folder = tempfile::tempdir().expect("a folder");
    let (uri, storage) = (set.uri(), format!("file://{}", folder.path().display()));
    let place = ["--uri", uri.as_str(), "--storage", storage.as_str()];
    let with = |verb: &'static str, more: &[&str]| {
        [&[verb], &place[..], more].concat().into_iter().map(ToOwned::to_owned).collect::<Vec<String>>()
    };

    let report = run(&with("backup", &["--json"])).await.done().json();
    assert_eq!(report["documents"], 501);
    let name = report["name"].as_str().expect("a name").to_owned();

    let mut slicer = command(&words(&with("slice", &["--span", "500ms", "--json"]))).spawn().expect("it starts");
    orders.update_many(doc! {"_id": {"$lt": 100}}, doc! {"$set": {"paid": true}}).await.expect("updated");
    orders.delete_one(doc! {"_id": 499}).await.expect("deleted");
    let before = capture(&client).await.expect("captured");
    orders.drop().await.expect("dropped");
    let dropped = newest(&client, doc! {"op": "c", "o.drop": "orders"}).await;
    shop.collection::<Document>("articles").update_one(doc! {"_id": 1}, doc! {"$set": {"stock": 0}}).await.expect("updated");
    shop.collection::<Document>("later").insert_one(doc! {"_id": 1}).await.expect("inserted");
    let later = newest_moment(&client, "shop.later").await;
    stop_once_stored(&mut slicer, later).await;

    let listed = oplogue(&["list", "--storage", &storage, "--json"]).await.done().json();
    assert_eq!(listed["backups"][0]["name"], name.as_str());
    assert_eq!(listed["gaps"], serde_json::json!([]));
    let through = &listed["restorable"][0]["through"];
    assert!((through["t"].as_u64(), through["i"].as_u64()) >= (Some(later.time.into()), Some(later.increment.into())), "{listed}");
    assert!(oplogue(&["timeline", "--storage", &storage]).await.done().stdout.contains("CAN BE RESTORED"));
    let described = oplogue(&["describe", &name, "--storage", &storage, "--json"]).await.done().json();
    assert!(
        described["collections"].as_array().is_some_and(|list| list.iter().any(|one| one["namespace"] == "shop.orders")),
        "{described}"
    );
    let status = run(&with("status", &["--json"])).await.done().json();
    assert_eq!(status["slicer"], serde_json::Value::Null, "the lease was given back: {status}");
    assert!(run(&with("status", &[])).await.done().stdout.contains("PRIMARY"));

    let moment = typed(dropped);
    let plan = run(&with("restore", &["--before", &moment, "--plan", "--json"])).await.done().json();
    assert!(plan["writes_after"]["counted"].as_u64() >= Some(1), "{plan}");
    assert!(plan["drops"].as_array().is_some_and(|drops| drops.iter().any(|drop| drop["namespace"] == "shop.later")), "{plan}");
    assert!(!capture(&client).await.expect("captured").collections.contains_key("shop.orders"), "a plan touches nothing");

    let report = run(&with("restore", &["--before", &moment, "--yes", "--json"])).await.done().json();
    assert!(report["report"]["operations_applied"].as_u64() >= Some(101), "{report}");
    let after = capture(&client).await.expect("captured");
    assert_eq!(differences(&before, &after), Vec::<String>::new());

    // Again, beside the live one this time.
    let rename = ["--before", &moment, "--ns", "shop.orders", "--rename", "shop.orders=shop.orders_before"];
    let text = run(&with("restore", &rename)).await.done().stdout;
    assert!(text.contains("shop.orders_before"), "{text}");
    let both = capture(&client).await.expect("captured");
    assert_eq!(both.collections["shop.orders_before"].hash, before.collections["shop.orders"].hash);
    assert_eq!(both.collections["shop.orders"].hash, before.collections["shop.orders"].hash);
}

#[tokio::test]
async fn ctrl_c_ends_a_backup_cleanly_and_leaves_none() {
    let set = ReplicaSet::start(ReplicaSetOptions::default().test_commands(true)).await.expect("a replica set starts");
    let client = set.client().await.expect("it answers");
    client.database("shop").collection::<Document>("orders").insert_one(doc! {"_id": 1}).await.expect("inserted");
    // The server begins to read the collection and never comes back with documents.
    let stuck = doc! {"configureFailPoint": "waitInFindBeforeMakingBatch", "mode": "alwaysOn", "data": {"nss": "shop.orders"}};
    client.database("admin").run_command(stuck).await.expect("the fail point is set");
    let folder = tempfile::tempdir().expect("a folder");
    let storage = format!("file://{}", folder.path().display());
    let mut backup = command(&["backup", "--uri", &set.uri(), "--storage", &storage, "--name", "b"]).spawn().expect("it starts");
    let mut said = BufReader::new(backup.stderr.take().expect("what it says is read")).lines();
    while said.next_line().await.expect("read").expect("it reads documents before it ends") != "reading documents" {}
    interrupt(&backup).await;
    let mut rest = String::new();
    while let Some(line) = said.next_line().await.expect("read") {
        rest.push_str(&line);
    }
    assert_eq!(backup.wait().await.expect("it ends").code(), Some(1), "{rest}");
    assert!(rest.contains("cancelled") && rest.contains("backup b"), "{rest}");
    let listed = oplogue(&["list", "--storage", &storage, "--json"]).await.done().json();
    assert_eq!(listed["backups"], serde_json::json!([]));
}

async fn interrupt(child: &Child) {
    let id = child.id().expect("it still runs").to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.expect("kill runs").success());
}

async fn run(line: &[String]) -> crate::program::Told {
    oplogue(&words(line)).await
}

fn words(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

/// Waits until `moment` is on the storage, then asks the slicer to stop as Ctrl-C does; it ends well.
async fn stop_once_stored(slicer: &mut Child, moment: bson::Timestamp) {
    let mut lines = BufReader::new(slicer.stdout.take().expect("its output is read")).lines();
    while let Some(line) = lines.next_line().await.expect("its output is read") {
        let event: serde_json::Value = serde_json::from_str(&line).expect("each line is JSON");
        let through = &event["range"]["through"];
        if event["event"] == "stored"
            && (through["t"].as_u64(), through["i"].as_u64()) >= (Some(moment.time.into()), Some(moment.increment.into()))
        {
            break;
        }
    }
    interrupt(slicer).await;
    while lines.next_line().await.expect("its output is read").is_some() {}
    assert!(slicer.wait().await.expect("it ends").success());
}
