//! What an oplog entry means: pure functions over raw BSON.
//!
//! The oplog of a replica set is run through this crate twice during a restore. The first run is a survey: [`Transactions`]
//! turns entries into committed [`Operation`]s, [`rules::meaning`] says what each of them is, and [`Lineage`] follows every
//! collection by its UUID through create, drop, rename and all the rest; its [`Outcome`] tells which collections exist at the
//! moment, what to load them from, and with which indexes. The second run asks a [`Router`] with a fresh lineage for the
//! [`Step`]s that bring the loaded collections to the moment, and a [`Batcher`] groups them.
//!
//! No driver, no I/O, no clock. The bytes of documents are copied as they are, never decoded and encoded again.

pub mod batch;
pub mod entry;
pub mod error;
pub mod lineage;
pub mod operation;
pub mod outcome;
pub mod route;
pub mod rules;
pub mod timeseries;
pub mod transaction;

pub use batch::{Batch, Batcher};
pub use entry::Entry;
pub use error::OplogError;
pub use lineage::{CollectionId, CollectionKind, CollectionSpec, Lineage, Resolved, is_capped};
pub use operation::{Kind, Operation};
pub use outcome::{Departure, Outcome, SelectError, SelectedSurvivor, SelectedView, Stranger, Survivor, View};
pub use route::{Destination, Principals, Router, Step};
pub use rules::{Ddl, DropIndexes, DropTarget, Meaning, meaning};
pub use transaction::{Transactions, Unfinished};

/// A collection's UUID as its 16 bytes.
pub type Uuid = [u8; 16];
