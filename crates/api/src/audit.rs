//! Who did what, when, from where.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    pub id: u64,
    pub at: Timestamp,
    /// `anna`, `token ci`, `agent db1`, `schedule nightly`.
    pub actor: String,
    /// `restore.start`, `location.delete`, …
    pub action: String,
    /// What it was done to.
    pub object: String,
    /// In words, without secrets.
    pub detail: String,
    /// Address the request came from; empty for the server itself.
    pub from: String,
    pub ok: bool,
}
