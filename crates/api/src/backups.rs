//! Backups (PMM: artifacts).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{MomentJson, RangeJson};

/// A row of All Backups: a snapshot, or the continuous oplog of a cluster's folder (kind `pitr`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Backup {
    /// Opaque; good in URLs.
    pub id: String,
    pub name: String,
    pub status: BackupStatus,
    pub mode: BackupMode,
    pub data_model: DataModel,
    pub trigger: Trigger,
    /// The service it was taken of; `None` for what others made.
    pub service_id: Option<String>,
    pub service_name: Option<String>,
    pub cluster: Option<String>,
    pub replica_sets: Vec<String>,
    pub mongodb_version: String,
    pub location_id: String,
    pub location_name: String,
    pub folder: String,
    pub schedule_id: Option<String>,
    pub schedule_name: Option<String>,
    pub description: String,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// `None` while it runs.
    pub restores_to: Option<MomentJson>,
    /// pitr: what can be restored.
    pub ranges: Vec<RangeJson>,
    /// Stored.
    pub bytes: u64,
    pub compression: String,
    /// `None`: everything.
    pub namespaces: Option<Vec<String>>,
    /// What wrote it: `oplogue 0.1.0`, `PBM 2.15.0`.
    pub made_by: String,
    /// Why it cannot be used, or why the run failed.
    pub problem: Option<String>,
    /// The job that makes or made it; its logs stay.
    pub job_id: Option<String>,
    /// Of the running job.
    pub percent: Option<f64>,
    /// Why it cannot be deleted now; `None` when it can.
    pub delete_refusal: Option<String>,
    /// Why it cannot be restored now; `None` when it can.
    pub restore_refusal: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupStatus {
    /// Waits for its turn, or for a retry.
    Pending,
    InProgress,
    Success,
    Error,
    Cancelled,
    Deleting,
    FailedToDelete,
    /// On the storage and damaged, incomplete or of a kind that is not supported.
    Invalid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupMode {
    /// Shown as "Full".
    Snapshot,
    Pitr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DataModel {
    #[default]
    Logical,
    Physical,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    OnDemand,
    Scheduled,
    /// Found on the storage; somebody else made it.
    Found,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryMode {
    Auto,
    #[default]
    Manual,
}

/// Takes a backup now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct BackupInput {
    /// Letters, digits, dots, colons, underscores and dashes, 1 to 100. The time of the start is added.
    pub name: String,
    pub service_id: String,
    pub location_id: String,
    pub description: String,
    pub data_model: DataModel,
    /// `None`: the cluster label.
    pub folder: Option<String>,
    pub retry_mode: RetryMode,
    /// With `auto`: 1 to 10.
    #[schema(maximum = 10)]
    pub retries: u32,
    /// 1 to 28,800.
    #[schema(maximum = 28800)]
    pub retry_interval_seconds: u32,
    /// `zstd` (default), `s2`, `lz4`, `gzip`, `snappy`, `none`.
    pub compression: Option<String>,
    /// Empty: everything. `db.collection` or `db.*`.
    pub namespaces: Vec<String>,
}

/// What deleting would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeletePreview {
    /// Why it is refused; `None` when it may be done.
    pub refusal: Option<String>,
    /// The refusal is about losing `lost`: it may be done all the same by who accepts that (`accept_loss`).
    #[serde(default)]
    pub may_accept_loss: bool,
    /// Moments that could not be restored any more.
    pub lost: Vec<RangeJson>,
    pub objects_bytes: u64,
}
