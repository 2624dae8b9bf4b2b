//! How far a restore of this replica set has come, kept in the replica set itself.
//!
//! One document says which restore it is, and one more stands for each collection that is as it will be. They lie in `config.oplogueRestores`,
//! written by majority writes: so what a note speaks of, which was written before it, is on a majority too, and an election takes back neither
//! or both. Nobody's backup or restore takes the collection along.

use bson::{Document, doc};
use oplogue_domain::Namespace;

use crate::command::{Patience, decoded, number, uuid_binary, uuid_of};
use crate::connect::Connection;
use crate::error::MongoError;

const DATABASE: &str = "config";
const COLLECTION: &str = "oplogueRestores";
/// `_id` of the document about the whole. No full name of a collection is without a dot.
const HEAD: &str = "restore";

/// A restore that was begun and has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreJournal {
    /// Which one: equal for the same plan only.
    pub fingerprint: String,
    /// Unix seconds, by the clock of the program that began it.
    pub begun_seconds: i64,
    /// What is done. Notes of other restores are left out.
    pub done: Vec<RestoredCollection>,
}

/// A collection that has all its documents, as it stood then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredCollection {
    pub target: Namespace,
    pub presence: Presence,
}

/// What tells a collection from another one in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Of a time series: that of its buckets.
    pub uuid: Option<[u8; 16]>,
    /// As the server counts them; buckets of a time series.
    pub documents: u64,
}

impl Connection {
    /// The journal of a restore that has not ended here. `None` when there is none, or its first write was not made.
    pub async fn restore_journal(&self) -> Result<Option<RestoreJournal>, MongoError> {
        const WHAT: &str = "read the journal of restores";
        let found = self.primary().collect(WHAT, DATABASE, doc! { "find": COLLECTION }).await?;
        let mut documents = Vec::new();
        for document in &found {
            documents.push(decoded(WHAT, document)?);
        }
        let is_head = |document: &&Document| document.get_str("_id").is_ok_and(|id| id == HEAD);
        let Some(head) = documents.iter().find(is_head) else { return Ok(None) };
        let fingerprint = head.get_str("fingerprint").unwrap_or_default();
        let of_it = |document: &&Document| !is_head(document) && document.get_str("fingerprint").is_ok_and(|mark| mark == fingerprint);
        Ok(Some(RestoreJournal {
            fingerprint: fingerprint.to_owned(),
            begun_seconds: number(head, "begun").unwrap_or(0),
            done: documents.iter().filter(of_it).filter_map(restored).collect(),
        }))
    }

    /// Throws the journal away and begins another. Dropped in between, there is none.
    pub async fn begin_restore_journal(&self, fingerprint: &str, begun_seconds: i64) -> Result<(), MongoError> {
        self.end_restore_journal().await?;
        let head = doc! { "fingerprint": fingerprint, "begun": begun_seconds };
        self.put_into_journal("begin the journal of a restore", HEAD, head).await
    }

    /// Notes that a collection has all its documents. What was written before is on a majority when this returns.
    pub async fn note_restored(&self, fingerprint: &str, restored: &RestoredCollection) -> Result<(), MongoError> {
        let target = &restored.target;
        let note = doc! {
            "fingerprint": fingerprint, "database": &target.database, "collection": &target.collection,
            "uuid": restored.presence.uuid.map(uuid_binary),
            "documents": i64::try_from(restored.presence.documents).unwrap_or(i64::MAX),
        };
        self.put_into_journal("write the journal of a restore", &target.to_string(), note).await
    }

    /// Throws the journal away.
    pub async fn end_restore_journal(&self) -> Result<(), MongoError> {
        let command = doc! { "delete": COLLECTION, "deletes": [{ "q": {}, "limit": 0 }], "writeConcern": self.majority() };
        self.primary().run_again("throw away the journal of a restore", DATABASE, command, Patience::Batch).await.map(|_| ())
    }

    /// What the primary has under this name.
    pub async fn presence(&self, namespace: &Namespace) -> Result<Option<Presence>, MongoError> {
        const WHAT: &str = "count the documents of a collection";
        let primary = self.primary();
        let Some(uuid) = primary.uuid_at(namespace).await? else { return Ok(None) };
        let reply = primary.run_again(WHAT, &namespace.database, doc! { "count": &namespace.collection }, Patience::Batch).await?;
        let documents = number(&reply, "n").and_then(|count| u64::try_from(count).ok());
        let documents = documents.ok_or_else(|| MongoError::answer(WHAT, "no `n`"))?;
        Ok(Some(Presence { uuid: Some(uuid), documents }))
    }

    async fn put_into_journal(&self, what: &str, id: &str, document: Document) -> Result<(), MongoError> {
        let command = doc! {
            "update": COLLECTION, "updates": [{ "q": { "_id": id }, "u": document, "upsert": true }], "writeConcern": self.majority(),
        };
        self.primary().run_again(what, DATABASE, command, Patience::Short).await.map(|_| ())
    }
}

/// `None` for a note that cannot be understood: what it speaks of is done again.
fn restored(document: &Document) -> Option<RestoredCollection> {
    let target = Namespace::new(document.get_str("database").ok()?, document.get_str("collection").ok()?);
    let documents = number(document, "documents").and_then(|count| u64::try_from(count).ok())?;
    Some(RestoredCollection { target, presence: Presence { uuid: Some(uuid_of(document.get("uuid"))?), documents } })
}
