//! The contract on the wire: what server, agents, command line, pages and other people's programs say to each other.
//!
//! One resource, one file. Every type is serde and has a schema; `openapi.json` of the server is made from them. Instants are RFC 3339
//! in UTC; a moment of the oplog is `{"t": seconds, "i": ordinal, "at": RFC 3339}`; sizes are bytes, durations seconds, and say so
//! in their names. Secrets only ever travel towards the server: types that come back have no field for them.
//!
//! Additions do not break anybody: readers ignore fields they do not know. A field is never renamed or given another meaning.

pub mod agent;
pub mod alerts;
pub mod audit;
pub mod backups;
#[cfg(feature = "client")]
pub mod client;
pub mod clusters;
pub mod error;
pub mod jobs;
pub mod locations;
pub mod moment;
#[cfg(feature = "place")]
pub mod place;
pub mod plan;
pub mod restores;
pub mod retention;
pub mod schedules;
pub mod services;
pub mod session;
pub mod timelines;
pub mod tokens;
pub mod users;

pub use error::{ErrorBody, ErrorCode, FieldError};
pub use moment::{MomentJson, RangeJson};

/// Where the versioned REST API begins.
pub const PREFIX: &str = "/v1";

/// A part of a longer list.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Give it as `after` to get the rest; absent when this is the end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}
