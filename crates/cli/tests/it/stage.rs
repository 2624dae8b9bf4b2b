//! A replica set with a backup and three slices on a storage, shared by the tests that only look or are refused.

use std::path::{Path, PathBuf};

use bson::{Document, Timestamp, doc};
use mongodb::Client;
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, replica_set};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::program::oplogue;

pub struct Stage {
    pub set: ReplicaSet,
    folder: TempDir,
    /// The moments of the last write before each slice ended, in order.
    pub moments: Vec<Timestamp>,
}

impl Stage {
    /// The one of this process. Nobody changes its collections or its storage.
    pub async fn shared() -> &'static Stage {
        static SHARED: OnceCell<Stage> = OnceCell::const_new();
        SHARED.get_or_init(Self::set_up).await
    }

    async fn set_up() -> Self {
        let set = ReplicaSet::start(ReplicaSetOptions::default().auth(true)).await.expect("a replica set starts");
        let folder = tempfile::tempdir().expect("a folder");
        let client = set.client().await.expect("the replica set answers");
        let orders = client.database("shop").collection::<Document>("orders");
        orders.insert_many((0..200).map(|id| doc! {"_id": id, "paid": false, "note": "x".repeat(100)})).await.expect("inserted");
        let mut stage = Self { set, folder, moments: Vec::new() };
        oplogue(&["backup", "--uri", &stage.uri(), "--storage", &stage.storage(), "--name", "base"]).await.done();
        for id in 0..3 {
            orders.update_one(doc! {"_id": id}, doc! {"$set": {"paid": true}}).await.expect("updated");
            let moment = newest_moment(&client, "shop.orders").await;
            let words = ["--span", "500ms", "--until", &typed(moment)];
            oplogue(&[&["slice", "--uri", &stage.uri(), "--storage", &stage.storage()], &words[..]].concat()).await.done();
            stage.moments.push(moment);
        }
        stage
    }

    pub fn uri(&self) -> String {
        self.set.uri()
    }

    pub fn storage(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    pub async fn client(&self) -> Client {
        // Clients belong to the runtime of the test that made them.
        replica_set::connect(&self.uri()).await.expect("the replica set answers")
    }

    /// A copy of the storage, to be damaged.
    pub fn copied_storage(&self) -> Copied {
        let folder = tempfile::tempdir().expect("a folder");
        copy(self.folder.path(), folder.path());
        Copied { folder }
    }
}

pub struct Copied {
    folder: TempDir,
}

impl Copied {
    pub fn storage(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    /// Files below the storage whose path holds each of `parts`, sorted.
    pub fn files(&self, parts: &[&str]) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
                if entry.path().is_dir() { folders.push(entry.path()) } else { found.push(entry.path()) }
            }
        }
        found.retain(|path| parts.iter().all(|part| path.to_string_lossy().contains(part)));
        found.sort();
        found
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a readable folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// The moment of the newest write to `namespace`.
pub async fn newest_moment(client: &Client, namespace: &str) -> Timestamp {
    newest(client, doc! {"ns": namespace, "op": {"$in": ["i", "u", "d"]}}).await
}

/// The moment of the newest oplog entry that `filter` finds.
pub async fn newest(client: &Client, filter: Document) -> Timestamp {
    let oplog = client.database("local").collection::<Document>("oplog.rs");
    let entry = oplog.find_one(filter).sort(doc! {"$natural": -1}).await.expect("the oplog can be read");
    entry.expect("the write is in the oplog").get_timestamp("ts").expect("every entry has a time")
}

/// As it is typed.
pub fn typed(moment: Timestamp) -> String {
    format!("{},{}", moment.time, moment.increment)
}
