//! What can be restored from one folder of one location.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{MomentJson, RangeJson};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    pub location_id: String,
    pub location_name: String,
    pub folder: String,
    pub cluster: Option<String>,
    /// Moments to which all replica sets can be restored, oldest first.
    pub restorable: Vec<Restorable>,
    pub replica_sets: Vec<ReplicaSetTimeline>,
    pub backups: Vec<BackupMark>,
    /// From here on every moment is promised by retention.
    pub promised_from: Option<MomentJson>,
    pub as_of: Option<Timestamp>,
    /// Why it may be out of date.
    pub stale: Option<String>,
    /// Objects that look like ours and could not be understood.
    pub unreadable: Vec<Unreadable>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Restorable {
    pub from: MomentJson,
    pub through: MomentJson,
    pub base: String,
    pub newer_bases: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplicaSetTimeline {
    pub name: String,
    pub restorable: Vec<Restorable>,
    pub gaps: Vec<GapJson>,
    /// Oplog on the storage that no backup leads to.
    pub unreached: Vec<RangeJson>,
    pub newest: Option<MomentJson>,
    pub slices: u64,
    pub slice_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GapJson {
    pub replica_set: String,
    pub range: RangeJson,
    /// `oplog-rolled-over`, `not-sliced`, `damaged`, `deleted` or `other`.
    pub kind: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupMark {
    pub id: String,
    pub name: String,
    pub restores_to: MomentJson,
    pub usable: bool,
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unreadable {
    pub object: String,
    pub why: String,
}

/// What a restore to a moment would start from, as the storage alone tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MomentChoice {
    pub moment: MomentJson,
    pub base: Option<String>,
    pub slices: u32,
    pub read_bytes: u64,
    /// Why it cannot be restored, with the nearest moments that can.
    pub refusal: Option<String>,
    pub nearest_before: Option<MomentJson>,
    pub nearest_after: Option<MomentJson>,
}
