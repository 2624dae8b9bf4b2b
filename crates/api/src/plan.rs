//! A restore plan: everything a restore will read, create, replace and drop.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{MomentJson, RangeJson};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    pub base: String,
    pub base_mongodb_version: String,
    pub base_fcv: String,
    pub source_replica_set: String,
    pub target_replica_set: String,
    pub target_host: String,
    pub target_mongodb_version: String,
    pub target_fcv: String,
    /// The state restored: every entry up to and including this one.
    pub through: MomentJson,
    pub passed_over: Vec<String>,
    pub oplog: Vec<PlannedOplog>,
    pub collections: Vec<PlannedCollection>,
    pub views: Vec<PlannedView>,
    pub drops: Vec<PlannedDrop>,
    /// `null`: users and roles are left alone.
    pub users: Option<u64>,
    pub roles: Option<u64>,
    pub read_bytes: u64,
    pub document_bytes: u64,
    pub operations: u64,
    pub writes_after: WritesAfter,
    pub unfinished_transactions: usize,
    pub seconds_estimate: u64,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedOplog {
    pub source: String,
    pub range: RangeJson,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedCollection {
    pub namespace: String,
    pub target: String,
    pub time_series: bool,
    pub loaded_from: Option<String>,
    pub document_bytes: u64,
    pub documents: u64,
    pub writes: u64,
    /// Why the server has to apply the writes; `null` when they are folded into the documents on their way in.
    #[serde(default)]
    pub replayed_because: Option<String>,
    pub indexes: usize,
    pub keeps_uuid: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedView {
    pub namespace: String,
    pub target: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedDrop {
    pub namespace: String,
    pub documents: u64,
    pub bytes: u64,
    pub replaced: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WritesAfter {
    pub counted: u64,
    /// False: at least that many.
    pub complete: bool,
    pub newest: MomentJson,
}
