//! A captured state holds everything a restore must bring back, on every version.

use bson::{Document, doc};
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, State, Version, capture, differences};

async fn run(set: &ReplicaSet, database: &str, command: Document) {
    let client = set.client().await.expect("a client");
    client.database(database).run_command(command.clone()).await.unwrap_or_else(|e| panic!("{command}: {e}"));
}

async fn state(set: &ReplicaSet) -> State {
    capture(&set.client().await.expect("a client")).await.expect("a state")
}

async fn everything_is_captured_on(version: Version) {
    let set = ReplicaSet::start(ReplicaSetOptions::default().version(version).auth(true)).await.expect("starts");
    let empty = state(&set).await;
    assert_eq!(empty.names(), Vec::<&str>::new());
    let insert = |name: &str, documents: Vec<Document>| doc! {"insert": name, "documents": documents};
    run(&set, "shop", insert("items", vec![doc! {"_id": 1, "n": 1}, doc! {"_id": 2}])).await;
    run(&set, "shop", doc! {"createIndexes": "items", "indexes": [{"key": {"n": 1}, "name": "n", "sparse": true}]}).await;
    run(&set, "shop", doc! {"create": "log", "capped": true, "size": 4096}).await;
    run(&set, "shop", insert("log", vec![doc! {"_id": 2}, doc! {"_id": 1}])).await;
    run(&set, "shop", doc! {"create": "cheap", "viewOn": "items", "pipeline": [{"$match": {"n": 1}}]}).await;
    run(&set, "shop", insert("system.js", vec![doc! {"_id": "f", "value": "x"}])).await;
    run(&set, "admin", insert("mine", vec![doc! {"_id": 1}])).await;
    run(&set, "admin", insert("pbmLock", vec![doc! {"_id": 1}])).await;
    run(&set, "shop", doc! {"createRole": "r", "privileges": [], "roles": ["read"]}).await;
    run(&set, "shop", doc! {"createUser": "anna", "pwd": "p", "roles": ["r"]}).await;
    let mut names = vec!["admin.mine", "shop.cheap", "shop.items", "shop.log", "shop.system.js"];
    if version.series() >= (5, 0) {
        run(&set, "shop", doc! {"create": "temperatures", "timeseries": {"timeField": "at"}}).await;
        run(&set, "shop", insert("temperatures", vec![doc! {"at": bson::DateTime::from_millis(1_000), "c": 20}])).await;
        names.push("shop.temperatures");
    }
    if version.series() >= (6, 0) {
        let clustered = doc! {"key": {"_id": 1}, "unique": true};
        run(&set, "shop", doc! {"create": "clustered", "clusteredIndex": clustered}).await;
        run(&set, "shop", insert("clustered", vec![doc! {"_id": 1}])).await;
        names.insert(2, "shop.clustered");
    }
    let full = state(&set).await;
    assert_eq!(full.names(), names);
    assert_eq!(full.users.keys().collect::<Vec<_>>(), ["admin.root", "shop.anna"]);
    assert_eq!(full.roles.keys().collect::<Vec<_>>(), ["shop.r"]);
    assert_eq!(full.collections["shop.items"].indexes.keys().collect::<Vec<_>>(), ["_id_", "n"]);
    assert_eq!(full.collections["shop.items"].documents, 2);
    assert_eq!(full.collections["shop.cheap"].options.get_str("viewOn").ok(), Some("items"));
    assert!(full.collections["shop.log"].natural_order_hash.is_some());
    for (name, collection) in &full.collections {
        assert_eq!(collection.hash.is_some(), collection.kind != "view", "{name}");
        assert_eq!(collection.uuid.is_some(), collection.kind != "view", "{name}");
    }
    if let Some(series) = full.collections.get("shop.temperatures") {
        assert_eq!((series.kind.as_str(), series.documents), ("timeseries", 1));
        assert!(series.buckets_hash.is_some());
    }
    assert_eq!(differences(&full, &state(&set).await), Vec::<String>::new());

    run(&set, "shop", doc! {"update": "items", "updates": [{"q": {"_id": 1}, "u": {"$set": {"n": 2}}}]}).await;
    run(&set, "shop", doc! {"dropIndexes": "items", "index": "n"}).await;
    run(&set, "shop", doc! {"grantRolesToUser": "anna", "roles": ["readWrite"]}).await;
    run(&set, "admin", doc! {"drop": "mine"}).await;
    let mut expected = vec!["shop.items: hash", "index n is missing", "user shop.anna: definition", "admin.mine is missing"];
    if version.series() >= (6, 0) {
        let update = doc! {"q": {"_id": 1}, "u": {"$set": {"n": 2}}};
        run(&set, "shop", doc! {"update": "clustered", "updates": [update]}).await;
        expected.push("shop.clustered: hash");
    }
    let told = differences(&full, &state(&set).await).join("\n");
    for part in &expected {
        assert!(told.contains(part), "{part} is not told:\n{told}");
    }
    assert_eq!(told.lines().count(), expected.len(), "{told}");
}

#[tokio::test]
async fn everything_is_captured_on_4_2() {
    everything_is_captured_on(Version::V4_2).await;
}

#[tokio::test]
async fn everything_is_captured_on_4_4() {
    everything_is_captured_on(Version::V4_4).await;
}

#[tokio::test]
async fn everything_is_captured_on_5_0() {
    everything_is_captured_on(Version::V5_0).await;
}

#[tokio::test]
async fn everything_is_captured_on_6_0() {
    everything_is_captured_on(Version::V6_0).await;
}
