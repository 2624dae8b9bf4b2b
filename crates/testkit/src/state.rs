//! Everything of a replica set that must be the same after a restore, as a value, and what differs between two of them.
//!
//! The server's own `dbHash` stands for the documents: it covers every byte in `_id` order and is the same on all versions. What it
//! leaves out (time-series buckets, the natural order of capped collections) is hashed here.

mod capture;
mod differences;

use std::collections::BTreeMap;

use bson::Document;

pub use capture::capture;
pub use differences::{Comparing, differences, differences_with};

/// What a replica set holds for its users: no `local`, no `config`, of `admin` only collections that users made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// By full name, e.g. `shop.items`. Views and time-series collections stand under their own (logical) name only.
    pub collections: BTreeMap<String, CollectionState>,
    /// Users by `_id` (`<database>.<name>`).
    pub users: BTreeMap<String, Principal>,
    /// User-made roles by `_id`.
    pub roles: BTreeMap<String, Principal>,
}

/// One collection, view or time-series collection.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CollectionState {
    /// As `listCollections` says: `collection`, `view`, `timeseries`.
    pub kind: String,
    /// Options, top-level fields in order of their names.
    pub options: Document,
    /// Of a time-series collection, that of its buckets; views have none. Lower-case hex.
    pub uuid: Option<String>,
    /// By name; top-level fields in order of their names, without 4.2's `ns`.
    pub indexes: BTreeMap<String, Document>,
    /// Documents; measurements in a time-series collection. Zero for a view.
    pub documents: u64,
    /// `dbHash` of the documents; for a time-series collection a hash of the measurements in any order; none for views.
    pub hash: Option<String>,
    /// Hash of the documents in the order they are found: only of capped collections.
    pub natural_order_hash: Option<String>,
    /// Hash of the bucket documents in any order: only of time-series collections.
    pub buckets_hash: Option<String>,
}

/// A user or a role.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Principal {
    /// Roles, privileges, restrictions, custom data; without credentials and `userId`.
    pub document: Document,
    /// SHA-256 over credentials and `userId`.
    pub secret_hash: String,
}

impl State {
    /// Only the collections whose full name `keep` accepts; users and roles stay.
    pub fn only(mut self, keep: impl Fn(&str) -> bool) -> State {
        self.collections.retain(|name, _| keep(name));
        self
    }

    /// Without users and roles.
    pub fn without_principals(mut self) -> State {
        self.users.clear();
        self.roles.clear();
        self
    }

    /// With every collection of database `from` (or the one collection of this full name) under `to`. UUIDs are forgotten for
    /// what was renamed, because beside a live original there must be others.
    pub fn renamed(self, from: &str, to: &str) -> State {
        let rename = |(name, mut state): (String, CollectionState)| {
            let rest = name.strip_prefix(from).filter(|rest| rest.is_empty() || (rest.starts_with('.') && !from.contains('.')));
            let Some(rest) = rest else {
                return (name, state);
            };
            state.uuid = None;
            (format!("{to}{rest}"), state)
        };
        State { collections: self.collections.into_iter().map(rename).collect(), ..self }
    }

    /// Full names of all collections, sorted.
    pub fn names(&self) -> Vec<&str> {
        self.collections.keys().map(String::as_str).collect()
    }
}

/// The same fields in order of their names, so that only content is compared.
fn sorted(document: Document) -> Document {
    let fields: BTreeMap<String, bson::Bson> = document.into_iter().collect();
    fields.into_iter().collect()
}
