//! Restores: first a plan, then just that plan.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::MomentJson;
use crate::jobs::{JobState, JobStep};
use crate::plan::Plan;

/// What to restore, to which moment, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RestoreInput {
    /// The service restored to (its replica set's primary does the work).
    pub service_id: String,
    pub location_id: String,
    #[serde(default)]
    pub folder: String,
    pub moment: RestoreMoment,
    /// Empty: everything. `db.collection` or `db.*`.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// `shop.orders=shop.orders_before`: beside the live data.
    #[serde(default)]
    pub renames: Vec<String>,
    #[serde(default)]
    pub users_and_roles: bool,
    /// The replica set in the backup, when its name is not the target's.
    #[serde(default)]
    pub source_replica_set: Option<String>,
}

/// Which moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind", content = "value")]
pub enum RestoreMoment {
    /// The state a backup stands for; its name.
    Backup(String),
    /// `T,I` includes operation T,I; an RFC 3339 time is the state when that second began.
    Time(String),
    /// Just before operation T,I.
    Before(String),
    Latest,
}

/// Carries a plan out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RestoreConfirmation {
    /// The job of kind `plan` that is done.
    pub plan_job_id: String,
    /// The target's cluster label (its replica set, without one), typed.
    pub confirm: String,
}

/// A row of Restores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Restore {
    /// The job.
    pub id: String,
    pub state: JobState,
    pub input: RestoreInput,
    pub target_service: String,
    pub target_cluster: Option<String>,
    pub location_name: String,
    pub base: String,
    pub through: MomentJson,
    pub plan: Plan,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub requested_by: String,
    pub steps: Vec<JobStep>,
    pub error: Option<String>,
    pub hint: Option<String>,
    pub report: Option<RestoreReport>,
}

/// What a restore did, with the proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RestoreReport {
    pub collections: usize,
    pub views: usize,
    pub documents_loaded: u64,
    pub operations_applied: u64,
    /// Of these, how many were folded into the documents before they were inserted.
    #[serde(default)]
    pub operations_folded: u64,
    /// Documents never sent, because they are gone at the moment.
    #[serde(default)]
    pub documents_spared: u64,
    pub indexes: usize,
    pub users_written: usize,
    pub roles_written: usize,
    pub dropped: usize,
    pub seconds: f64,
    pub proofs: Vec<ProofJson>,
    pub notes: Vec<String>,
}

/// What was found on the target afterwards, beside what the plan promised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProofJson {
    pub namespace: String,
    pub documents: u64,
    pub indexes: usize,
    /// What does not fit; `None` when all does.
    pub problem: Option<String>,
}

/// Services a backup can be restored to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompatibleService {
    pub service_id: String,
    pub service_name: String,
    pub cluster: Option<String>,
    pub replica_set: String,
    pub mongodb_version: String,
    /// The backup was taken of this cluster.
    pub same: bool,
    /// Why not; `None` when it fits.
    pub refusal: Option<String>,
}
