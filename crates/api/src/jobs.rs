//! Jobs: pieces of work given to agents or done by the server.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    pub id: String,
    pub kind: JobKind,
    pub state: JobState,
    /// In words: `Back up shop to s3-main`.
    pub title: String,
    /// Whose queue it stands in.
    pub cluster: Option<String>,
    pub service_id: Option<String>,
    pub service_name: Option<String>,
    pub location_id: Option<String>,
    pub location_name: Option<String>,
    pub folder: Option<String>,
    pub schedule_id: Option<String>,
    /// backup: the name it has or will have on the storage.
    pub backup_name: Option<String>,
    /// 1 for the first try.
    pub attempt: u32,
    pub attempts_max: u32,
    /// A user, a schedule, `retention`, `after a restore`.
    pub requested_by: String,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// While it waits for the next try.
    pub retry_at: Option<Timestamp>,
    /// What it waits for.
    pub waiting_for: Option<String>,
    pub steps: Vec<JobStep>,
    pub error: Option<String>,
    pub hint: Option<String>,
    /// What came out, by kind; a plan for `plan`, a report for `restore` and `backup`.
    #[schema(value_type = Option<Object>)]
    pub result: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    Backup,
    /// Works out what a restore would do; touches nothing.
    Plan,
    Restore,
    Delete,
    /// Carries out a retention policy.
    Retention,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    Queued,
    Running,
    /// A cancel was asked for and is on its way to the agent.
    Cancelling,
    /// Failed, and will be tried again at `retry_at`.
    WaitingToRetry,
    Done,
    Failed,
    Cancelled,
}

impl JobState {
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// One step of a job's work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobStep {
    /// In words: `reading documents`.
    pub name: String,
    pub state: StepState,
    pub done: u64,
    pub total: Option<u64>,
    pub unit: StepUnit,
    /// Of the last ten seconds or so.
    pub per_second: Option<f64>,
    pub seconds_left: Option<u64>,
    pub seconds: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Running,
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepUnit {
    Bytes,
    Entries,
    Items,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Grows by one within a job.
    pub seq: u64,
    pub at: Timestamp,
    pub level: LogLevel,
    /// `server`, or the name of a service.
    pub source: String,
    pub text: String,
    /// Which try it belongs to.
    pub attempt: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Info,
    Warn,
    Error,
}

/// Lines later than the `after` that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogPage {
    pub lines: Vec<LogLine>,
    /// The job is over and these are the last.
    pub end: bool,
}
