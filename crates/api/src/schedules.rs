//! Scheduled backup jobs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::backups::{BackupMode, DataModel, RetryMode};
use crate::retention::RetentionPolicy;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    pub id: String,
    #[serde(flatten)]
    pub input: ScheduleInput,
    pub service_name: String,
    pub cluster: String,
    pub location_name: String,
    /// The cron expression in words.
    pub frequency: String,
    /// Why it does not run although it is enabled: a restore is running on its cluster.
    pub paused: Option<String>,
    /// The next five starts; empty when disabled.
    pub next_runs: Vec<Timestamp>,
    pub last_run: Option<LastRun>,
    /// pitr: slices are being stored, or why not.
    pub slicing: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LastRun {
    pub at: Timestamp,
    pub job_id: String,
    pub ok: Option<bool>,
    pub error: Option<String>,
}

/// Creates a schedule, or replaces all of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleInput {
    /// Unique; letters, digits, dots, colons, underscores and dashes, 1 to 100.
    pub name: String,
    pub service_id: String,
    pub location_id: String,
    #[serde(default)]
    pub description: String,
    pub mode: BackupMode,
    #[serde(default)]
    pub data_model: DataModel,
    /// Five fields, or six with seconds first.
    pub cron: String,
    /// IANA name, `UTC` by default.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// No run before this.
    #[serde(default)]
    pub start_at: Option<Timestamp>,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub retention: RetentionPolicy,
    #[serde(default)]
    pub retry_mode: RetryMode,
    #[serde(default)]
    #[schema(maximum = 10)]
    pub retries: u32,
    #[serde(default)]
    #[schema(maximum = 28800)]
    pub retry_interval_seconds: u32,
    #[serde(default)]
    pub compression: Option<String>,
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// `None`: the cluster label.
    #[serde(default)]
    pub folder: Option<String>,
    /// pitr: a slice ends after so many seconds; 10 by default.
    #[serde(default)]
    #[schema(maximum = 3600)]
    pub slice_seconds: Option<u32>,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn yes() -> bool {
    true
}

/// A cron expression to be explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CronInput {
    /// Five fields, or six with seconds first.
    pub cron: String,
    #[serde(default = "utc")]
    pub time_zone: String,
    #[serde(default)]
    pub start_at: Option<Timestamp>,
}

/// What a cron expression means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CronPreview {
    pub frequency: String,
    pub next_runs: Vec<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleEnabled {
    pub enabled: bool,
}
