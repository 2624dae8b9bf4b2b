//! Follows every collection through the oplog by its UUID.
//!
//! A snapshot is fuzzy: while it is taken, collections are created, dropped and renamed, and the oplog that makes it consistent
//! begins before it did. So an operation may be about a collection the snapshot no longer saw, or repeat what it already shows.
//! The rule is the server's own for initial sync: *the UUID decides, never the name*.
//!
//! - An operation whose UUID is unknown belongs to a collection that was dropped before the snapshot listed it; it is skipped,
//!   and a [`Stranger`] that is never dropped is reported, because it means that the base backup lacks a collection.
//! - A rename of a collection that has its new name already changes nothing. A drop never drops a namesake.
//! - `create` of a UUID that the snapshot knows: the whole life of the collection lies in the oplog, so it starts empty.
//! - A collection whose UUID is not known (old PBM metadata) takes the first UUID seen under its current name.
//!
//! Because identity is followed, renames, `$out` and temporary collections need not be replayed: a collection that exists at the
//! moment is created once, under its final name, and everything that ever happened to it is sent there.
//!
//! Two lineages of the same snapshot that are pushed the same operations give the same ids.

mod change;
mod indexes;
mod views;

use std::collections::{BTreeMap, HashMap};

use bson::{Document, RawBson};
use oplogue_domain::{Namespace, OplogTime};

use crate::operation::{Kind, Operation};
use crate::outcome::{Departure, Outcome, Stranger};
use crate::rules::{Meaning, meaning};
use crate::{OplogError, Uuid, timeseries};

/// Which collection, for one lineage and all that ran the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectionId(pub u32);

/// What listCollections calls `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectionKind {
    Collection,
    /// Stored in `system.buckets.<name>`; known by its logical name.
    TimeSeries,
    View,
}

/// A collection as a snapshot holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectionSpec {
    /// The name users know: for a time series the logical one.
    pub namespace: Namespace,
    pub kind: CollectionKind,
    /// `None` in old backups, and for views and time series.
    pub uuid: Option<Uuid>,
    /// Of a time series: the UUID of the collection of its buckets, when known.
    pub buckets_uuid: Option<Uuid>,
    /// As listCollections shows them; of a view `viewOn`, `pipeline`, `collation`.
    pub options: Document,
    /// As listIndexes shows them, the one on `_id` included; of a time series in the users' form or in that of its buckets.
    pub indexes: Vec<Document>,
    /// Of a capped collection: the `_id` of the last document read, so that inserts it already shows are not repeated.
    pub capped_last_id: Option<RawBson>,
}

/// Whether a collection with these options, as listCollections shows them, has a fixed size.
pub fn is_capped(options: &Document) -> bool {
    options.get_bool("capped").unwrap_or(false)
}

/// Where an operation belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// `None` for what is skipped, for users, roles and views, and for collections that nobody knows.
    pub collection: Option<CollectionId>,
    pub meaning: Meaning,
}

/// One collection's life so far.
#[derive(Clone, Debug)]
struct Collection {
    /// The physical name: of a time series `system.buckets.<name>`.
    namespace: Namespace,
    kind: CollectionKind,
    uuid: Option<Uuid>,
    source: Option<Namespace>,
    created: Option<OplogTime>,
    options: Document,
    indexes: Vec<Document>,
    alive: bool,
    writes: u64,
    capped_last_id: Option<RawBson>,
    skip_inserts_through: Option<OplogTime>,
}

/// The state of all collections at the last operation pushed.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    collections: Vec<Collection>,
    by_uuid: HashMap<Uuid, CollectionId>,
    /// Living collections by physical name; while a fuzzy snapshot is caught up two may claim one, and the last claim counts.
    by_name: HashMap<Namespace, Vec<CollectionId>>,
    views: BTreeMap<Namespace, Document>,
    strangers: HashMap<Uuid, Stranger>,
    departed: BTreeMap<Namespace, Departure>,
    skipped: BTreeMap<&'static str, u64>,
    /// The oplog that belongs to the snapshot itself has been pushed.
    base_window_over: bool,
}

const STRANGER: &str = "it belongs to a collection that the snapshot does not hold";
const NO_SUCH_INDEX: &str = "it changes an index that is dropped later";

impl Lineage {
    /// The state a snapshot shows, before any operation. The order of `specs` does not matter.
    pub fn from_snapshot(mut specs: Vec<CollectionSpec>) -> Self {
        specs.sort_by(|a, b| a.namespace.cmp(&b.namespace));
        let mut lineage = Self::default();
        for spec in specs {
            lineage.add_spec(spec);
        }
        lineage
    }

    /// Says that the oplog of the snapshot itself has been pushed: what comes now happened after the last document was read. Only
    /// inserts before this can be in a capped collection of the snapshot already.
    pub fn end_base_window(&mut self) {
        self.base_window_over = true;
    }

    /// Takes the next operation. An error is a refusal (see [`crate::rules`]) or an entry that cannot be read; the state is as before.
    pub fn push(&mut self, operation: &Operation) -> Result<Resolved, OplogError> {
        let meaning = meaning(operation)?;
        let collection = match &meaning {
            Meaning::Skip(reason) => {
                self.tally(reason);
                None
            }
            Meaning::Principal | Meaning::PrincipalsDropped => None,
            Meaning::View => {
                self.change_view(operation)?;
                None
            }
            Meaning::ViewsDropped => {
                self.drop_views(&operation.namespace.database, operation.time);
                None
            }
            Meaning::Write => self.write(operation),
            Meaning::Ddl(ddl) => self.change(operation, ddl)?,
        };
        Ok(Resolved { collection, meaning })
    }

    /// The collection's physical name now: of a time series that of its buckets.
    pub fn namespace(&self, id: CollectionId) -> Option<&Namespace> {
        self.get(id).map(|collection| &collection.namespace)
    }

    pub fn kind(&self, id: CollectionId) -> Option<CollectionKind> {
        self.get(id).map(|collection| collection.kind)
    }

    /// Whether it has a fixed size now, so that the order of its documents counts.
    pub fn is_capped(&self, id: CollectionId) -> bool {
        self.get(id).is_some_and(|collection| is_capped(&collection.options))
    }

    /// Which collections, views and indexes there are now, and what became of the others.
    pub fn outcome(&self) -> Outcome {
        crate::outcome::outcome(self)
    }

    fn get(&self, id: CollectionId) -> Option<&Collection> {
        self.collections.get(id.0 as usize)
    }

    fn get_mut(&mut self, id: CollectionId) -> &mut Collection {
        // Ids are made by `add` only, and nothing is ever removed.
        &mut self.collections[id.0 as usize]
    }

    fn tally(&mut self, reason: &'static str) {
        *self.skipped.entry(reason).or_default() += 1;
    }

    fn add_spec(&mut self, spec: CollectionSpec) {
        let (namespace, uuid) = match spec.kind {
            CollectionKind::View => {
                self.views.insert(spec.namespace, spec.options);
                return;
            }
            CollectionKind::TimeSeries => (spec.namespace.buckets(), spec.buckets_uuid.or(spec.uuid)),
            CollectionKind::Collection => (spec.namespace.clone(), spec.uuid),
        };
        self.add(Collection {
            namespace,
            kind: spec.kind,
            uuid,
            source: Some(spec.namespace),
            created: None,
            indexes: match spec.kind {
                CollectionKind::TimeSeries => timeseries::user_indexes(spec.indexes, &spec.options),
                _ => spec.indexes,
            },
            options: spec.options,
            alive: true,
            writes: 0,
            capped_last_id: spec.capped_last_id,
            skip_inserts_through: None,
        });
    }

    fn add(&mut self, collection: Collection) -> CollectionId {
        let id = CollectionId(u32::try_from(self.collections.len()).unwrap_or(u32::MAX));
        if let Some(uuid) = collection.uuid {
            self.by_uuid.insert(uuid, id);
            self.strangers.remove(&uuid);
        }
        self.by_name.entry(collection.namespace.clone()).or_default().push(id);
        self.collections.push(collection);
        id
    }

    /// The collection an operation is about: by UUID; by name when it has none, or when the holder of the name has none yet.
    fn resolve(&mut self, uuid: Option<Uuid>, namespace: &Namespace) -> Option<CollectionId> {
        let holder = self.by_name.get(namespace).and_then(|holders| holders.last()).copied();
        let Some(uuid) = uuid else { return holder };
        if let Some(id) = self.by_uuid.get(&uuid) {
            return Some(*id);
        }
        let holder = holder.filter(|id| self.get(*id).is_some_and(|collection| collection.uuid.is_none()))?;
        self.get_mut(holder).uuid = Some(uuid);
        self.by_uuid.insert(uuid, holder);
        Some(holder)
    }

    fn write(&mut self, operation: &Operation) -> Option<CollectionId> {
        let Some(id) = self.resolve(operation.ui, &operation.namespace) else {
            self.meet_stranger(operation);
            return None;
        };
        let base_window_over = self.base_window_over;
        let collection = self.get_mut(id);
        collection.writes += 1;
        if operation.kind == Kind::Insert
            && !base_window_over
            && let Some(last) = &collection.capped_last_id
            && let Ok(Some(inserted)) = operation.o.get("_id")
            && inserted == last.as_raw_bson_ref()
        {
            collection.skip_inserts_through = Some(operation.time);
        }
        Some(id)
    }

    fn meet_stranger(&mut self, operation: &Operation) {
        self.tally(STRANGER);
        let Some(uuid) = operation.ui else { return };
        let stranger = self.strangers.entry(uuid).or_insert_with(|| Stranger {
            uuid,
            namespace: operation.namespace.clone(),
            first_seen: operation.time,
            last_seen: operation.time,
            operations: 0,
        });
        stranger.operations += 1;
        stranger.last_seen = operation.time;
    }

    pub(crate) fn parts(&self) -> Parts<'_> {
        Parts {
            collections: self
                .collections
                .iter()
                .enumerate()
                .filter(|(_, collection)| collection.alive)
                .map(|(index, collection)| PartCollection {
                    id: CollectionId(u32::try_from(index).unwrap_or(u32::MAX)),
                    namespace: collection.namespace.logical(),
                    kind: collection.kind,
                    uuid: collection.uuid,
                    source: collection.source.clone(),
                    created: collection.created,
                    options: collection.options.clone(),
                    indexes: collection.indexes.clone(),
                    writes: collection.writes,
                    skip_inserts_through: collection.skip_inserts_through,
                })
                .collect(),
            views: &self.views,
            strangers: &self.strangers,
            departed: &self.departed,
            skipped: &self.skipped,
        }
    }
}

/// What `outcome` is made of.
pub(crate) struct Parts<'a> {
    pub(crate) collections: Vec<PartCollection>,
    pub(crate) views: &'a BTreeMap<Namespace, Document>,
    pub(crate) strangers: &'a HashMap<Uuid, Stranger>,
    pub(crate) departed: &'a BTreeMap<Namespace, Departure>,
    pub(crate) skipped: &'a BTreeMap<&'static str, u64>,
}

pub(crate) type PartCollection = crate::outcome::Survivor;
