//! Making and unmaking collections on the target of a restore.
//!
//! Everything here runs on the primary and is acknowledged by it alone; [`Connection::majority_barrier`] at the end waits for the
//! others. Dropped half-way, a call has either happened or not.

use bson::{Document, doc};
use oplogue_domain::{Namespace, NamespaceSelection};

use crate::command::{Patience, uuid_binary};
use crate::connect::Connection;
use crate::error::MongoError;
use crate::snapshot_list::ListedCollection;

/// Options a `create` from another version may no longer accept, and that mean nothing any more.
const OBSOLETE_OPTIONS: [&str; 6] = ["autoIndexId", "recordIdsReplicated", "usePowerOf2Sizes", "noPadding", "flags", "temp"];

impl Connection {
    /// What lies on the target now: the same as [`Connection::list_collections`], asked of the primary.
    pub async fn target_state(&self, selection: &NamespaceSelection) -> Result<Vec<ListedCollection>, MongoError> {
        self.primary().list_collections(selection).await
    }

    /// Drops a collection, view or time series (with its buckets). Absent is fine.
    pub async fn drop_namespace(&self, namespace: &Namespace) -> Result<(), MongoError> {
        let what = format!("drop `{namespace}`");
        let command = doc! { "drop": &namespace.collection };
        let primary = self.primary();
        match primary.run_again(&what, &namespace.database, command, Patience::Batch).await {
            Err(error) if error.has_code(&[26]) => Ok(()),
            // `system.*` cannot be dropped by everybody, but emptied.
            Err(error) if error.has_code(&[13, 20]) && namespace.collection.starts_with("system.") => {
                let command = doc! { "delete": &namespace.collection, "deletes": [{ "q": {}, "limit": 0 }] };
                primary.run_again(&what, &namespace.database, command, Patience::Endless).await.map(|_| ())
            }
            result => result.map(|_| ()),
        }
    }

    /// Creates an empty collection with these options, as `listCollections` gave them, and this `_id` index (its collation), and with
    /// this UUID if one is given. Options that no longer exist are left out. Validators are not checked against later loads
    /// ([`Connection::insert_batch`] bypasses them).
    ///
    /// # Errors
    /// [`MongoError::Server`] with code 48 (NamespaceExists) when there is a collection or view of that name; with code 72 or 40415
    /// for options this version does not know; when another collection has the UUID.
    pub async fn create_collection(
        &self,
        namespace: &Namespace,
        options: &Document,
        id_index: Option<&Document>,
        uuid: Option<[u8; 16]>,
    ) -> Result<(), MongoError> {
        let what = format!("create `{namespace}`");
        let primary = self.primary();
        let create = create_command(namespace, options, id_index);
        let Some(uuid) = uuid else {
            return primary.run_again(&what, &namespace.database, create, Patience::Batch).await.map(|_| ());
        };
        // applyOps renames an existing collection of that UUID, or of that name, out of the way instead of failing.
        if let Some(other) = primary.name_of(&namespace.database, uuid).await? {
            return Err(exists(&what, format!("`{other}` has the UUID {}", hex::encode(uuid))));
        }
        if primary.uuid_at(namespace).await?.is_some() {
            return Err(exists(&what, format!("there is a `{namespace}` already")));
        }
        let operation = doc! { "op": "c", "ns": format!("{}.$cmd", namespace.database), "ui": uuid_binary(uuid), "o": create };
        let command = doc! { "applyOps": [operation] };
        match primary.run_again(&what, "admin", command, Patience::Batch).await {
            Ok(_) => Ok(()),
            // An answer that was lost, and the command run twice.
            Err(error) if error.has_code(&[48]) && primary.uuid_at(namespace).await? == Some(uuid) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Creates a time series from the options its users gave it (`timeseries`, `expireAfterSeconds`, `collation`, …). Its buckets get
    /// a new UUID.
    pub async fn create_time_series(&self, namespace: &Namespace, options: &Document) -> Result<(), MongoError> {
        let what = format!("create the time series `{namespace}`");
        let mut command = doc! { "create": &namespace.collection };
        for (key, value) in options {
            // What the server made of it for the buckets is not the user's to give.
            if !matches!(key.as_str(), "validator" | "clusteredIndex" | "validationLevel" | "validationAction" | "viewOn" | "pipeline") {
                command.insert(key, value.clone());
            }
        }
        if let Ok(series) = command.get_document_mut("timeseries") {
            // With a granularity, 5.0 refuses the span it computed from it itself.
            if series.contains_key("granularity") {
                series.remove("bucketMaxSpanSeconds");
            }
        }
        self.primary().run_again(&what, &namespace.database, command, Patience::Batch).await.map(|_| ())
    }

    /// Creates a view from its options: `viewOn`, `pipeline`, `collation`.
    pub async fn create_view(&self, namespace: &Namespace, options: &Document) -> Result<(), MongoError> {
        let what = format!("create the view `{namespace}`");
        let mut command = doc! { "create": &namespace.collection };
        command.extend(options.clone());
        self.primary().run_again(&what, &namespace.database, command, Patience::Batch).await.map(|_| ())
    }

    /// Runs a DDL command of the replay: `collMod`, `emptycapped`, `convertToCapped` (which gives the collection a new UUID).
    pub async fn run_ddl(&self, database: &str, command: &Document) -> Result<(), MongoError> {
        let name = command.keys().next().cloned().unwrap_or_default();
        let target = command.get_str(&name).unwrap_or("").to_owned();
        let what = format!("run {name} on `{database}.{target}`");
        if name == "emptycapped" {
            // As a command of its own it is there for tests only.
            let operation = doc! { "op": "c", "ns": format!("{database}.$cmd"), "o": command.clone() };
            return self.primary().run_again(&what, "admin", doc! { "applyOps": [operation] }, Patience::Batch).await.map(|_| ());
        }
        self.primary().run_again(&what, database, command.clone(), Patience::Batch).await.map(|_| ())
    }
}

fn exists(what: &str, reason: String) -> MongoError {
    MongoError::Server { what: what.to_owned(), code: 48, name: "NamespaceExists".to_owned(), reason }
}

fn create_command(namespace: &Namespace, options: &Document, id_index: Option<&Document>) -> Document {
    let mut create = doc! { "create": &namespace.collection };
    for (key, value) in options {
        if !OBSOLETE_OPTIONS.contains(&key.as_str()) {
            create.insert(key, value.clone());
        }
    }
    // A clustered collection has no other index on `_id`.
    if let Some(id_index) = id_index.filter(|_| !options.contains_key("clusteredIndex")) {
        let mut id_index = id_index.clone();
        id_index.remove("ns");
        // Listed by a clustered collection.
        if !id_index.contains_key("clustered") {
            create.insert("idIndex", id_index);
        }
    }
    create
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_create_keeps_what_means_something() {
        let namespace = Namespace::new("a", "b");
        let id = doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_", "ns": "a.b" };
        let options = doc! { "capped": true, "size": 4096, "autoIndexId": true, "validator": { "x": 1 } };
        assert_eq!(
            create_command(&namespace, &options, Some(&id)),
            doc! { "create": "b", "capped": true, "size": 4096, "validator": { "x": 1 }, "idIndex": { "v": 2, "key": { "_id": 1 }, "name": "_id_" } }
        );
        let clustered = doc! { "clusteredIndex": { "key": { "_id": 1 }, "unique": true } };
        assert!(!create_command(&namespace, &clustered, Some(&id)).contains_key("idIndex"));
    }
}
