//! What exists at the moment, and what a restore takes of it.

mod select;

use std::collections::BTreeMap;

use bson::Document;
use oplogue_domain::{Namespace, OplogTime};

use crate::Uuid;
use crate::lineage::{CollectionId, CollectionKind, Lineage};

pub use select::{SelectError, SelectedSurvivor, SelectedView};

/// The state of a replica set's collections at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Collections and time series, sorted by name. Views are apart.
    pub collections: Vec<Survivor>,
    /// Sorted by name.
    pub views: Vec<View>,
    /// What had a name once and has it no more: the last thing that happened to it. A name may be in use again.
    pub departed: BTreeMap<Namespace, Departure>,
    /// Collections that were written to and never dropped, and are not in the snapshot. Normal for a selective backup.
    pub strangers: Vec<Stranger>,
    /// How many operations were left out, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
}

/// A collection that exists at the moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Survivor {
    pub id: CollectionId,
    /// Its name at the moment; of a time series the logical one.
    pub namespace: Namespace,
    /// Never `View`.
    pub kind: CollectionKind,
    /// Of a time series: that of its buckets.
    pub uuid: Option<Uuid>,
    /// The name under which the snapshot holds its documents; `None` when it starts empty.
    pub source: Option<Namespace>,
    /// When it was created, if that was after the snapshot began.
    pub created: Option<OplogTime>,
    /// At its creation, or as the snapshot shows them; `collMod`s follow as commands. Of a time series without what is about its buckets,
    /// and with its final granularity.
    pub options: Document,
    /// At the moment, as listIndexes shows them, the one on `_id` included; of a time series in the users' form.
    pub indexes: Vec<Document>,
    /// Inserts, updates and deletes since the snapshot began.
    pub writes: u64,
    /// Of a capped collection: inserts up to here are in the snapshot and must not be repeated.
    pub skip_inserts_through: Option<OplogTime>,
}

/// A view that exists at the moment.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub namespace: Namespace,
    /// `viewOn`, `pipeline`, `collation`.
    pub options: Document,
}

/// How a name came to be free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    pub time: OplogTime,
    pub kind: DepartureKind,
}

/// What happened to the collection that had the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DepartureKind {
    Dropped,
    Renamed {
        to: Namespace,
    },
    /// Another collection was renamed to its name, which dropped it.
    Replaced {
        by: Namespace,
    },
}

/// A collection that the snapshot does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    pub uuid: Uuid,
    /// Its last known physical name.
    pub namespace: Namespace,
    pub first_seen: OplogTime,
    pub last_seen: OplogTime,
    pub operations: u64,
}

impl std::fmt::Display for Departure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.kind {
            DepartureKind::Dropped => write!(f, "it was dropped at {:?}", self.time),
            DepartureKind::Renamed { to } => write!(f, "it was renamed to `{to}` at {:?}", self.time),
            DepartureKind::Replaced { by } => write!(f, "`{by}` was renamed to its name at {:?}, which replaced it", self.time),
        }
    }
}

pub(crate) fn outcome(lineage: &Lineage) -> Outcome {
    let parts = lineage.parts();
    let mut collections = parts.collections;
    collections.sort_by(|a, b| (&a.namespace, a.id).cmp(&(&b.namespace, b.id)));
    let mut strangers: Vec<_> = parts.strangers.values().cloned().collect();
    strangers.sort_by(|a, b| (&a.namespace, a.first_seen).cmp(&(&b.namespace, b.first_seen)));
    let views = parts.views.iter().map(|(namespace, options)| View { namespace: namespace.clone(), options: options.clone() });
    Outcome { collections, views: views.collect(), departed: parts.departed.clone(), strangers, skipped: parts.skipped.clone() }
}
