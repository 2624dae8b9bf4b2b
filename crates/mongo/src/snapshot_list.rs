//! Which collections there are, with everything needed to make them again.

use std::collections::BTreeMap;

use bson::{Document, doc};
use futures::StreamExt;
use futures::stream;
use oplogue_domain::namespace::BUCKETS_PREFIX;
use oplogue_domain::{Namespace, NamespacePattern, NamespaceSelection};
use oplogue_oplog::{CollectionKind, CollectionSpec};

use crate::command::{Patience, decoded, number, uuid_of};
use crate::connect::Connection;
use crate::error::MongoError;

/// Collections of the database `config` that are the state of a sharded cluster. Everything else in it is a server's own.
const CONFIG_COLLECTIONS: [&str; 7] = ["chunks", "collections", "databases", "settings", "shards", "tags", "version"];
/// Collections asked about at once.
const PARALLEL: usize = 8;
/// How often a collection that was renamed while it was being described is looked for.
const RENAMES_MAX: usize = 10;

/// A collection, view or time series as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedCollection {
    /// `namespace` is the name users know; for a time series, `indexes` are those of its buckets. Indexes are complete as
    /// `listIndexes` gives them (with `_id_`, `v`, `hidden`, …) but without `ns`, and without those still being built.
    pub spec: CollectionSpec,
    /// For a time series: its indexes as users see them. Otherwise empty.
    pub logical_indexes: Vec<Document>,
    /// As the server's counters say: an estimate after an unclean shutdown. Buckets, for a time series.
    pub documents: u64,
    /// Uncompressed bytes, by the same counters.
    pub bytes: u64,
}

impl ListedCollection {
    /// Where the documents lie: the bucket collection of a time series, nothing for a view.
    pub fn data_namespace(&self) -> Option<Namespace> {
        match self.spec.kind {
            CollectionKind::Collection => Some(self.spec.namespace.clone()),
            CollectionKind::TimeSeries => Some(self.spec.namespace.buckets()),
            CollectionKind::View => None,
        }
    }

    /// The UUID of the collection at [`ListedCollection::data_namespace`].
    pub fn data_uuid(&self) -> Option<[u8; 16]> {
        match self.spec.kind {
            CollectionKind::Collection => self.spec.uuid,
            CollectionKind::TimeSeries => self.spec.buckets_uuid,
            CollectionKind::View => None,
        }
    }

    pub fn is_capped(&self) -> bool {
        oplogue_oplog::is_capped(&self.spec.options)
    }

    pub fn is_clustered(&self) -> bool {
        self.spec.options.contains_key("clusteredIndex")
    }
}

/// One answer of `listCollections`.
struct Entry {
    namespace: Namespace,
    /// `collection`, `view` or `timeseries`.
    kind: String,
    options: Document,
    uuid: Option<[u8; 16]>,
}

impl Connection {
    /// The collections, views and time series of `selection`, sorted by name. User databases: everything but `system.*`, except
    /// `system.js` and the buckets of time series. `admin`: collections users made. `config`: the state of a sharded cluster. `local`:
    /// nothing. What is dropped meanwhile is left out; what is renamed meanwhile is listed once, under one of its names.
    ///
    /// # Errors
    /// [`MongoError::Unauthorized`] without the role `backup`.
    pub async fn list_collections(&self, selection: &NamespaceSelection) -> Result<Vec<ListedCollection>, MongoError> {
        let mut entries = Vec::new();
        for database in self.databases(selection).await? {
            entries.extend(self.entries(&database, doc! {}).await?);
        }
        let wanted = wanted(entries, selection);
        let mut described = stream::iter(wanted.into_iter().map(|candidate| self.describe(candidate))).buffer_unordered(PARALLEL);
        let mut listed = Vec::new();
        while let Some(collection) = described.next().await {
            listed.extend(collection?);
        }
        listed.sort_by(|a, b| a.spec.namespace.cmp(&b.spec.namespace));
        Ok(listed)
    }

    async fn databases(&self, selection: &NamespaceSelection) -> Result<Vec<String>, MongoError> {
        const WHAT: &str = "list the databases";
        let reply = self.run_again(WHAT, "admin", doc! { "listDatabases": 1, "nameOnly": true }, Patience::Batch).await?;
        let databases = reply.get_array("databases").map_err(|error| MongoError::answer(WHAT, error))?;
        let names = databases.iter().filter_map(|database| database.as_document()?.get_str("name").ok());
        let selected = |name: &str| match selection {
            NamespaceSelection::Everything => name != "local",
            NamespaceSelection::Only(patterns) => patterns.iter().any(|pattern| match pattern {
                NamespacePattern::Database(database) => database == name,
                NamespacePattern::Collection(namespace) => namespace.database == name,
            }),
        };
        Ok(names.filter(|name| selected(name)).map(str::to_owned).collect())
    }

    async fn entries(&self, database: &str, filter: Document) -> Result<Vec<Entry>, MongoError> {
        const WHAT: &str = "list the collections";
        let found = self.collect(WHAT, database, doc! { "listCollections": 1, "filter": filter }).await?;
        found
            .iter()
            .map(|entry| {
                let mut entry = decoded(WHAT, entry)?;
                let text = |key: &str| entry.get_str(key).map(str::to_owned).map_err(|error| MongoError::answer(WHAT, error));
                let (name, kind) = (text("name")?, entry.get_str("type").unwrap_or("collection").to_owned());
                let uuid = entry.get_document("info").ok().and_then(|info| uuid_of(info.get("uuid")));
                let options = match entry.remove("options") {
                    Some(bson::Bson::Document(options)) => options,
                    _ => Document::new(),
                };
                Ok(Entry { namespace: Namespace::new(database, name), kind, options, uuid })
            })
            .collect()
    }

    /// The name of the collection with this UUID in this database, if it is still there.
    pub(crate) async fn name_of(&self, database: &str, uuid: [u8; 16]) -> Result<Option<Namespace>, MongoError> {
        // Not every version lets a filter look into `info`.
        Ok(self.entries(database, doc! {}).await?.into_iter().find(|entry| entry.uuid == Some(uuid)).map(|entry| entry.namespace))
    }

    /// The UUID of the collection with this name, if there is one.
    pub(crate) async fn uuid_at(&self, namespace: &Namespace) -> Result<Option<[u8; 16]>, MongoError> {
        let entries = self.entries(&namespace.database, doc! { "name": &namespace.collection }).await?;
        Ok(entries.into_iter().find_map(|entry| entry.uuid))
    }

    /// Adds indexes and counters. `None` when it is gone.
    async fn describe(&self, candidate: Candidate) -> Result<Option<ListedCollection>, MongoError> {
        let Candidate { mut spec, mut data } = candidate;
        if spec.kind == CollectionKind::View {
            return Ok(Some(ListedCollection { spec, logical_indexes: Vec::new(), documents: 0, bytes: 0 }));
        }
        let uuid = if spec.kind == CollectionKind::TimeSeries { spec.buckets_uuid } else { spec.uuid };
        for _ in 0..RENAMES_MAX {
            match self.describe_at(&data, uuid).await {
                Ok(Some((indexes, stats))) => {
                    let logical_indexes = match spec.kind {
                        CollectionKind::TimeSeries => self.indexes(&spec.namespace).await.unwrap_or_default(),
                        _ => Vec::new(),
                    };
                    let count = |key: &str| number(&stats, key).and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
                    spec.indexes = indexes;
                    return Ok(Some(ListedCollection {
                        spec,
                        logical_indexes,
                        documents: count("count").max(buckets(&stats)),
                        bytes: count("size"),
                    }));
                }
                Ok(None) => {}
                // NamespaceNotFound; or a view took the name.
                Err(error) if error.has_code(&[26, 166]) => {}
                Err(error) => return Err(error),
            }
            let Some(uuid) = uuid else { return Ok(None) };
            let Some(name) = self.name_of(&data.database, uuid).await? else { return Ok(None) };
            spec.namespace = name.logical();
            data = name;
        }
        Err(MongoError::Gone { namespace: data })
    }

    /// Indexes and counters of the collection with this name. `None` when it is not the one with `uuid`: a namesake has taken the place of
    /// one that was renamed or dropped, and its indexes say nothing of ours.
    async fn describe_at(&self, data: &Namespace, uuid: Option<[u8; 16]>) -> Result<Option<(Vec<Document>, Document)>, MongoError> {
        // In this order an index that is finished in between is listed, and one that is begun in between is not.
        let mut indexes = self.indexes(data).await?;
        let command = doc! { "collStats": &data.collection };
        let stats = match self.run_again("read a collection's counters", &data.database, command, Patience::Batch).await {
            Ok(stats) => stats,
            // Counters are for progress only.
            Err(MongoError::Unauthorized { .. }) => Document::new(),
            Err(error) => return Err(error),
        };
        let building: Vec<&str> =
            stats.get_array("indexBuilds").map(|names| names.iter().filter_map(|name| name.as_str()).collect()).unwrap_or_default();
        indexes.retain(|index| index.get_str("name").is_ok_and(|name| !building.contains(&name)));
        // Asked last: the commands above know names only.
        let is_ours = uuid.is_none() || self.uuid_at(data).await? == uuid;
        Ok(is_ours.then_some((indexes, stats)))
    }

    /// `listIndexes`, without `ns`.
    pub(crate) async fn indexes(&self, namespace: &Namespace) -> Result<Vec<Document>, MongoError> {
        const WHAT: &str = "list the indexes of a collection";
        let found = self.collect(WHAT, &namespace.database, doc! { "listIndexes": &namespace.collection }).await?;
        found
            .iter()
            .map(|index| {
                let mut index = decoded(WHAT, index)?;
                // 4.2 repeats the name of the collection, which a rename would make wrong.
                index.remove("ns");
                Ok(index)
            })
            .collect()
    }
}

/// A collection to describe, and where its documents lie.
struct Candidate {
    spec: CollectionSpec,
    data: Namespace,
}

/// Joins time series with their buckets and drops what is the server's own or not selected.
fn wanted(entries: Vec<Entry>, selection: &NamespaceSelection) -> Vec<Candidate> {
    let (buckets, others): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| entry.namespace.is_buckets());
    let mut buckets: BTreeMap<Namespace, Entry> = buckets.into_iter().map(|entry| (entry.namespace.logical(), entry)).collect();
    let spec = |namespace: Namespace, kind, options| CollectionSpec {
        namespace,
        kind,
        uuid: None,
        buckets_uuid: None,
        options,
        indexes: Vec::new(),
        capped_last_id: None,
    };
    let mut candidates = Vec::new();
    for entry in others {
        if !is_users(&entry.namespace) || !selection.matches(&entry.namespace) {
            continue;
        }
        let data = entry.namespace.clone();
        candidates.push(match entry.kind.as_str() {
            "view" => Candidate { spec: spec(entry.namespace, CollectionKind::View, entry.options), data },
            "timeseries" => {
                let bucket = buckets.remove(&entry.namespace);
                let mut spec = spec(entry.namespace, CollectionKind::TimeSeries, entry.options);
                spec.buckets_uuid = bucket.and_then(|bucket| bucket.uuid);
                Candidate { spec, data: data.buckets() }
            }
            _ => {
                let mut spec = spec(entry.namespace, CollectionKind::Collection, entry.options);
                spec.uuid = entry.uuid;
                Candidate { spec, data }
            }
        });
    }
    // Buckets whose view is gone still hold the documents.
    for (logical, bucket) in buckets {
        if is_users(&logical) && selection.matches(&logical) {
            let mut options = bucket.options.clone();
            options.remove("validator");
            options.remove("clusteredIndex");
            let mut spec = spec(logical, CollectionKind::TimeSeries, options);
            spec.buckets_uuid = bucket.uuid;
            candidates.push(Candidate { spec, data: bucket.namespace });
        }
    }
    candidates
}

/// True for what users made, or what a sharded cluster is made of.
fn is_users(namespace: &Namespace) -> bool {
    let name = namespace.collection.as_str();
    let system = name.starts_with("system.") && !name.starts_with(BUCKETS_PREFIX);
    match namespace.database.as_str() {
        "local" => false,
        "config" => CONFIG_COLLECTIONS.contains(&name),
        "admin" => !system && !name.starts_with("pbm") && !name.starts_with("oplogue"),
        _ => !system || name == "system.js",
    }
}

/// Buckets of a time series, which the counters of its bucket collection show in a place of their own; 0 for anything else.
fn buckets(stats: &Document) -> u64 {
    let series = stats.get_document("timeseries").ok();
    series.and_then(|series| number(series, "bucketCount")).and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_made_is_told_from_what_is_the_servers() {
        for (namespace, users) in [
            ("shop.orders", true),
            ("shop.system.js", true),
            ("shop.system.buckets.t", true),
            ("shop.system.views", false),
            ("shop.system.profile", false),
            ("shop.pbmConfig", true),
            ("admin.mine", true),
            ("admin.system.users", false),
            ("admin.system.version", false),
            ("admin.pbmLock", false),
            ("admin.oplogueLeases", false),
            ("config.oplogueLeases", false),
            ("config.chunks", true),
            ("config.transactions", false),
            ("config.system.sessions", false),
            ("local.oplog.rs", false),
            ("local.mine", false),
        ] {
            assert_eq!(is_users(&namespace.parse().expect("a namespace of the test")), users, "{namespace}");
        }
    }

    fn entry(namespace: &str, kind: &str) -> Entry {
        let options = doc! { "timeseries": { "timeField": "t" }, "validator": {}, "clusteredIndex": true };
        Entry {
            namespace: namespace.parse().expect("a namespace of the test"),
            kind: kind.to_owned(),
            options,
            uuid: (kind == "collection").then_some([7; 16]),
        }
    }

    #[test]
    fn a_time_series_and_its_buckets_are_one() {
        let entries =
            vec![entry("a.t", "timeseries"), entry("a.system.buckets.t", "collection"), entry("a.system.buckets.alone", "collection")];
        let candidates = wanted(entries, &NamespaceSelection::Everything);
        let names: Vec<String> = candidates.iter().map(|candidate| candidate.spec.namespace.to_string()).collect();
        assert_eq!(names, ["a.t", "a.alone"]);
        for candidate in &candidates {
            assert_eq!(
                (candidate.spec.kind, candidate.spec.uuid, candidate.spec.buckets_uuid),
                (CollectionKind::TimeSeries, None, Some([7; 16]))
            );
        }
        assert!(!candidates[1].spec.options.contains_key("clusteredIndex"));
    }
}
