//! Clusters: services under one label, and how well they are protected.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::MomentJson;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cluster {
    /// The label.
    pub name: String,
    pub replica_sets: Vec<String>,
    pub services: u32,
    pub agents_online: u32,
    pub protection: Protection,
}

/// The answer to the one question: can I get my data back, to when, and is that still true?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Protection {
    pub state: ProtectionState,
    /// The moments that can be restored begin here…
    pub oldest: Option<MomentJson>,
    /// … and end here.
    pub newest: Option<MomentJson>,
    /// From `newest` to now.
    pub newest_age_seconds: Option<u32>,
    /// Holes between `oldest` and `newest`.
    pub gaps: u32,
    /// The enabled PITR job, if any.
    pub pitr_schedule_id: Option<String>,
    pub last_backup_at: Option<Timestamp>,
    /// Of the last run, whatever became of it.
    pub last_backup_failed: bool,
    /// The last restore that ended well.
    pub last_restore_at: Option<Timestamp>,
    pub backups: u32,
    pub stored_bytes: u64,
    /// In words: why the state is what it is.
    pub reasons: Vec<String>,
    /// When the storage was last read; older than this nothing is known.
    pub as_of: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProtectionState {
    /// Slicing, and the newest restorable moment is fresh.
    Protected,
    /// Backups exist, no slicing is asked for.
    SnapshotsOnly,
    /// Slicing is asked for and late, or the last run failed, or there is a gap.
    AtRisk,
    /// Nothing can be restored.
    Unprotected,
    /// The storage could not be read.
    Unknown,
}
