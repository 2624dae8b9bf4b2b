//! The layout and the documents of Percona Backup for MongoDB (PBM), generation 2.0 to 2.15.
//!
//! This is our native layout: what we write PBM lists and restores, and what PBM wrote we list and restore. Nothing outside this
//! module knows PBM's names or words. What we know beyond it lies in objects of our own; see [`crate::sidecar`].

pub mod assign;
pub mod backup_json;
pub mod collections;
pub(crate) mod extjson;
mod go_json;
pub mod layout;
mod meta_pbm;
mod metadata_json;
pub(crate) mod stamp;

/// The version of PBM whose format we write. It selects the generation when PBM reads what we wrote.
pub const PBM_VERSION: &str = "2.15.0";
