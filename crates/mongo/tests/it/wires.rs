//! Connections of our own: made as the driver's are, and given up for the driver's where they cannot be.

use bson::{Document, doc};
use futures::TryStreamExt;
use oplogue_domain::NamespaceSelection;
use oplogue_mongo::{BatchEnd, ConnectOptions, Connection, DocumentBatch, ListedCollection, ReadEvent};
use oplogue_testkit::{Fault, FaultProxy, ReplicaSet, ReplicaSetOptions, Version};

use crate::{Bench, connect};

async fn count(connection: &Connection, listed: &ListedCollection) -> usize {
    let events: Vec<ReadEvent> = connection.read_collection(listed, None, BatchEnd::Document).try_collect().await.expect("read");
    events.iter().map(|event| if let ReadEvent::Batch(batch) = event { batch.documents() } else { panic!("{event:?}") }).sum()
}

/// What the server knows of connections of our own.
async fn ours(client: &mongodb::Client) -> Vec<Document> {
    let pipeline = [
        doc! { "$currentOp": { "allUsers": true, "idleConnections": true } },
        doc! { "$match": { "clientMetadata.driver.name": "oplogue" } },
    ];
    let command = doc! { "aggregate": 1, "pipeline": pipeline.to_vec(), "cursor": { "batchSize": 1000 } };
    let reply = client.database("admin").run_command(command).await.expect("the operations of a server of the test");
    let found = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")).expect("a cursor");
    found.iter().filter_map(|found| found.as_document().cloned()).collect()
}

/// The users logged in on them.
async fn users(client: &mongodb::Client) -> Vec<String> {
    let name = |operation: &Document| {
        let user = operation.get_array("effectiveUsers").ok()?.first()?.as_document()?;
        Some(format!("{}@{}", user.get_str("user").ok()?, user.get_str("db").ok()?))
    };
    ours(client).await.iter().filter_map(name).collect()
}

/// Whether those of an application come over a socket file, all of them; there must be some.
async fn over_file(client: &mongodb::Client, application: &str) -> bool {
    let of_application = |operation: &Document| operation.get_str("appName").is_ok_and(|name| name == application);
    let operations: Vec<Document> = ours(client).await.into_iter().filter(of_application).collect();
    assert!(!operations.is_empty(), "no connection of ours for {application}");
    operations.iter().all(|operation| operation.get_str("client").is_ok_and(|origin| origin.contains("unix socket")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_and_tls_are_those_of_the_uri() {
    for version in [Version::V4_2, Version::V6_0] {
        let set =
            ReplicaSet::start(ReplicaSetOptions::default().version(version).auth(true).tls(true)).await.expect("a replica set starts");
        let root = set.client().await.expect("the driver connects");
        let shop = root.database("shop");
        shop.collection::<Document>("c").insert_many((0..500).map(|n| doc! { "_id": n })).await.expect("the test's documents");
        for (name, mechanisms) in
            [("old", vec!["SCRAM-SHA-1"]), ("new", vec!["SCRAM-SHA-256"]), ("both", vec!["SCRAM-SHA-1", "SCRAM-SHA-256"])]
        {
            let mut roles = vec![doc! { "role": "readWrite", "db": "shop" }];
            roles.extend(["backup", "restore"].map(|role| doc! { "role": role, "db": "admin" }));
            shop.run_command(doc! { "createUser": name, "pwd": "p@ss, word=", "roles": roles, "mechanisms": mechanisms })
                .await
                .expect("a user of the test");
            let uri = set.uri_as(name, "p@ss, word=").replace("authSource=admin", "authSource=shop");
            // Named for the one where the driver, too, must be told.
            let uri = if name == "new" { format!("{uri}&authMechanism=SCRAM-SHA-256") } else { uri };
            let connection = connect(&uri).await;
            let selection = NamespaceSelection::Only(vec!["shop.*".parse().expect("a pattern")]);
            let listed = connection.list_collections(&selection).await.expect("listed");
            let listed = listed.into_iter().find(|listed| listed.spec.namespace.collection == "c").expect("it is listed");
            assert_eq!(count(&connection, &listed).await, 500, "{name}");
            let namespace = listed.spec.namespace.clone();
            connection.insert_batch(&namespace, &[bson::rawdoc! { "_id": name }]).await.expect("inserted");
            let users = users(&root).await;
            assert!(users.contains(&format!("{name}@shop")), "{version:?}: {name} is not among {users:?}");
            shop.collection::<Document>("c").delete_one(doc! { "_id": name }).await.expect("removed");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_this_machine_is_talked_to_over_its_socket_file() {
    for version in [Version::V4_2, Version::V6_0] {
        let options = ReplicaSetOptions::default().version(version).auth(true).socket_files(true);
        let set = ReplicaSet::start(options).await.expect("a replica set starts");
        let root = set.client().await.expect("the driver connects");
        root.database("shop").collection::<Document>("c").insert_many((0..500).map(|n| doc! { "_id": n })).await.expect("inserted");
        let roles = ["backup", "restore"].map(|role| doc! { "role": role, "db": "admin" });
        let create = doc! { "createUser": "plain", "pwd": "word", "roles": roles.to_vec() };
        root.database("admin").run_command(create).await.expect("a user of the test");
        let read = async |uri: String, name: &str| {
            let options = ConnectOptions { app_name: name.to_owned(), ..ConnectOptions::default() };
            let connection = Connection::open(&uri, &options).await.expect("opened");
            let selection = NamespaceSelection::Only(vec!["shop.c".parse().expect("a pattern")]);
            let listed = connection.list_collections(&selection).await.expect("listed").remove(0);
            assert_eq!(count(&connection, &listed).await, 500, "{name}");
            (connection, listed, over_file(&root, name).await)
        };
        let (connection, listed, set_over_file) = read(set.uri(), "set").await;
        assert!(set_over_file, "{version:?}: a whole set");
        assert!(read(set.uri_of(0), "member").await.2, "{version:?}: a member alone");
        // Nobody tells this user where the file is.
        assert!(!read(set.uri_as("plain", "word"), "plain").await.2, "{version:?}: without `clusterMonitor`");
        let path = set.socket_file(0).display().to_string().replace('/', "%2F");
        let (user, rest) = set.uri_of(0).split_once('@').map(|(user, rest)| (user.to_owned(), rest.to_owned())).expect("a login");
        let options = rest.split_once('?').expect("options").1.to_owned();
        assert!(read(format!("{user}@{path}/?{options}"), "file").await.2, "{version:?}: the file in the URI");
        // Another process of the same name.
        set.kill(0).await.expect("killed");
        set.restart(0).await.expect("started again");
        set.wait_primary().await.expect("a primary");
        assert_eq!(count(&connection, &listed).await, 500, "after a restart");
        assert!(over_file(&root, "set").await, "{version:?}: after a restart");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_goes_while_he_reads_does_not_read_less_than_all() {
    for version in [Version::V4_2, Version::V6_0] {
        let set = ReplicaSet::start(ReplicaSetOptions::default().version(version).auth(true)).await.expect("a replica set starts");
        let root = set.client().await.expect("the driver connects");
        let documents = (0..6000).map(|n| doc! { "_id": n, "fill": "x".repeat(10_000) });
        root.database("shop").collection::<Document>("c").insert_many(documents).await.expect("the test's documents");
        let roles = ["backup", "clusterMonitor"].map(|role| doc! { "role": role, "db": "admin" });
        let create = doc! { "createUser": "brief", "pwd": "word", "roles": roles.to_vec() };
        root.database("admin").run_command(create).await.expect("a user of the test");
        let connection = connect(&set.uri_as("brief", "word")).await;
        let selection = NamespaceSelection::Only(vec!["shop.c".parse().expect("a pattern")]);
        let listed = connection.list_collections(&selection).await.expect("listed").remove(0);
        let mut read = Box::pin(connection.read_collection(&listed, None, BatchEnd::Anywhere));
        let mut documents = 0;
        let outcome = loop {
            match read.try_next().await {
                Ok(Some(ReadEvent::Batch(batch))) if documents == 0 => {
                    root.database("admin").run_command(doc! { "dropUser": "brief" }).await.expect("dropped");
                    documents += batch.documents();
                }
                Ok(Some(ReadEvent::Batch(batch))) => documents += batch.documents(),
                Ok(Some(event)) => panic!("{event:?}"),
                Ok(None) => break Ok(documents),
                Err(error) => break Err(error),
            }
        };
        assert!(matches!(outcome, Err(_) | Ok(6000)), "{version:?}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_is_cut_off_begins_again() {
    let bench = Bench::new(Version::V6_0, "cut_off").await;
    bench.insert("c", (0..3000).map(|n| doc! { "_id": n, "fill": "x".repeat(10_000) }).collect()).await;
    let listed = bench.listed("c").await;
    let proxy = FaultProxy::start(crate::shared(Version::V6_0).await.hosts()[0].clone()).await.expect("a proxy");
    let uri = format!("mongodb://{}/?directConnection=true", proxy.address());
    let connection = Connection::open(&uri, &ConnectOptions::default()).await.expect("through the proxy");
    // Connections from now on, ours too, break in the middle of what a server sends.
    proxy.set(Fault::CutAfter(9_000_000));
    let mut read = Box::pin(connection.read_collection(&listed, None, BatchEnd::Anywhere));
    let (mut documents, mut restarts, mut bytes) = (0, 0, Vec::new());
    while let Some(event) = read.try_next().await.expect("a cut is no error") {
        match event {
            ReadEvent::Batch(batch) => {
                documents += batch.documents();
                bytes.extend_from_slice(batch.bytes());
            }
            ReadEvent::Restarted { .. } => {
                (documents, restarts) = (0, restarts + 1);
                bytes.clear();
                proxy.set(Fault::None);
            }
            ReadEvent::Dropped => panic!("it was not dropped"),
        }
    }
    assert_eq!((documents, restarts), (3000, 1));
    assert_eq!(DocumentBatch::from_bytes(bytes).map(|batch| batch.documents()), Some(3000), "whole documents after all");
}
