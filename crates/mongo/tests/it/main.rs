//! The crate against real servers of every version the testbed has.

mod apply;
mod collections;
mod leases;
mod opening;
mod oplog;
mod principals;
mod reading;
mod wires;
mod writing;

use bson::{Document, RawDocumentBuf, doc};
use oplogue_domain::{Namespace, NamespaceSelection};
use oplogue_mongo::{ConnectOptions, Connection, ListedCollection};
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, Version};
use tokio::sync::OnceCell;

/// One member per version, shared by the tests of this process. Each test has a database of its own.
async fn shared(version: Version) -> &'static ReplicaSet {
    static SETS: [OnceCell<ReplicaSet>; 5] = [const { OnceCell::const_new() }; 5];
    let place = Version::ALL.iter().position(|known| *known == version).expect("ALL holds every version");
    SETS[place]
        .get_or_init(|| async {
            let options = ReplicaSetOptions::default().version(version).test_commands(true).cache_gb(0.5);
            ReplicaSet::start(options).await.expect("a replica set starts")
        })
        .await
}

async fn connect(uri: &str) -> Connection {
    Connection::open(uri, &ConnectOptions::default()).await.expect("the test's server can be connected to")
}

/// A connection, the plain driver beside it, and an empty database.
struct Bench {
    connection: Connection,
    client: mongodb::Client,
    database: String,
    version: Version,
}

impl Bench {
    async fn new(version: Version, database: &str) -> Self {
        let set = shared(version).await;
        let client = set.client().await.expect("the driver connects");
        Self { connection: connect(&set.uri()).await, client, database: database.to_owned(), version }
    }

    fn at_least(&self, major: u32, minor: u32) -> bool {
        self.version.series() >= (major, minor)
    }

    fn namespace(&self, collection: &str) -> Namespace {
        Namespace::new(self.database.clone(), collection)
    }

    async fn run(&self, command: Document) -> Document {
        let text = command.to_string();
        self.client.database(&self.database).run_command(command).await.unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    async fn admin(&self, command: Document) -> Document {
        let text = command.to_string();
        self.client.database("admin").run_command(command).await.unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// What the server is doing, or keeps open, as `filter` picks it.
    async fn current(&self, filter: Document) -> Vec<Document> {
        let show = doc! { "allUsers": true, "idleConnections": true, "idleCursors": true };
        let command = doc! { "aggregate": 1, "pipeline": [{ "$currentOp": show }, { "$match": filter }], "cursor": { "batchSize": 1000 } };
        let reply = self.admin(command).await;
        let found = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")).expect("a cursor");
        found.iter().filter_map(|found| found.as_document().cloned()).collect()
    }

    /// Connections whose client calls itself so.
    async fn clients_named(&self, name: &str) -> Vec<Document> {
        self.current(doc! { "clientMetadata.driver.name": name }).await
    }

    /// Cursors of a collection, idle ones and those that are being read from.
    async fn cursors(&self, collection: &str) -> Vec<Document> {
        let namespace = self.namespace(collection).to_string();
        self.current(doc! { "cursor": { "$exists": true }, "$or": [{ "ns": &namespace }, { "cursor.originatingCommand.find": collection, "ns": { "$regex": format!("^{}", self.database) } }] }).await
    }

    async fn insert(&self, collection: &str, documents: Vec<Document>) {
        self.client.database(&self.database).collection::<Document>(collection).insert_many(documents).await.expect("the test's documents");
        self.connection.majority_barrier().await.expect("the documents reach a majority");
    }

    async fn documents(&self, collection: &str) -> Vec<RawDocumentBuf> {
        self.connection.majority_barrier().await.expect("what was written reaches a majority");
        self.connection.read_all(&self.namespace(collection)).await.expect("a collection of the test is readable")
    }

    async fn list(&self) -> Vec<ListedCollection> {
        let pattern = format!("{}.*", self.database).parse().expect("a pattern of the test");
        self.connection.list_collections(&NamespaceSelection::Only(vec![pattern])).await.expect("collections are listed")
    }

    async fn listed(&self, collection: &str) -> ListedCollection {
        let all = self.list().await;
        let found = all.into_iter().find(|listed| listed.spec.namespace.collection == collection);
        found.unwrap_or_else(|| panic!("{collection} is listed"))
    }
}
