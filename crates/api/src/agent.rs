//! Agent ⇄ server. Agents call, the server never does.
//!
//! An agent enrols once (`POST /v1/agent/enrol`, with a one-time token) and gets a credential of its own. From then on it says how things are with
//! `POST /v1/agent/sync` and hears what is wanted in the answer; the server holds the answer back for up to `wait_seconds` when there is
//! nothing new. What jobs do is told with `POST /v1/agent/jobs/{id}/report`.
//!
//! Nothing here depends on being delivered once. Wishes are states, not commands ("these jobs are yours", "slice this"), and are repeated in
//! every answer until they are met; reports carry a number that grows within an attempt, and one that was heard before changes nothing.
//! A job's attempt is carried out at most once: an agent that was interrupted in the middle of one says so, it does not begin again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::MomentJson;
use crate::jobs::{JobStep, LogLevel};
use crate::locations::{LocationKind, LocationSecrets, LocationSettings};
use crate::plan::Plan;
use crate::restores::{RestoreInput, RestoreReport};
use crate::services::{MemberRole, OplogFacts, ProbeStep, SlicingFacts};

#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Enrol {
    pub token: String,
    /// `None`: the member's `host:port`.
    pub service_name: Option<String>,
    /// `None`: as the token says.
    pub cluster: Option<String>,
    pub facts: AgentFacts,
}

impl std::fmt::Debug for Enrol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Enrol({:?}, {:?}, token hidden)", self.service_name, self.cluster)
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    pub service_id: String,
    pub service_name: String,
    pub cluster: Option<String>,
    /// `Authorization: Bearer …` from now on. Told once.
    pub credential: String,
}

impl std::fmt::Debug for Enrolled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Enrolled({}, {}, credential hidden)", self.service_id, self.service_name)
    }
}

/// How things are beside a mongod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentFacts {
    pub agent_version: String,
    pub host: String,
    pub replica_set: String,
    pub member: String,
    pub role: MemberRole,
    pub mongodb_version: String,
    pub fcv: String,
    pub oplog: Option<OplogFacts>,
    /// Why the mongod cannot be reached.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sync {
    pub facts: AgentFacts,
    pub slicing: Option<SlicingFacts>,
    /// Attempts this agent is working on, or has an outcome of that was not acknowledged yet.
    pub attempts: Vec<AttemptId>,
    /// Answers to location tests, until they are not asked for any more.
    pub tests: Vec<TestAnswer>,
    /// The `revision` of the last answer heard; the server answers at once when it has a newer one.
    pub revision: u64,
    /// At most 30.
    pub wait_seconds: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct AttemptId {
    pub job_id: String,
    pub attempt: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestAnswer {
    pub test_id: String,
    pub steps: Vec<ProbeStep>,
    /// Why the storage could not even be opened.
    pub problem: Option<String>,
}

/// What is wanted of an agent. Everything that is wanted, each time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Wishes {
    /// Changes whenever anything else here does.
    pub revision: u64,
    /// Attempts to work on; one the agent does not know yet is begun.
    pub attempts: Vec<Attempt>,
    /// Attempts to stop.
    pub cancel: Vec<AttemptId>,
    /// `None`: do not slice.
    pub slicing: Option<SlicingWish>,
    pub tests: Vec<TestWish>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    pub id: AttemptId,
    pub work: Work,
}

/// What a job has an agent do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Work {
    Backup {
        place: Place,
        /// On the storage.
        name: String,
        compression: String,
        namespaces: Vec<String>,
    },
    Plan {
        place: Place,
        restore: RestoreInput,
    },
    Restore {
        place: Place,
        restore: RestoreInput,
        /// What was confirmed. The restore is refused when the plan would be another by now.
        plan: Box<Plan>,
    },
}

/// A folder of a location with all that is needed to open it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    pub location_id: String,
    pub kind: LocationKind,
    pub settings: LocationSettings,
    pub secrets: LocationSecrets,
    pub folder: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SlicingWish {
    pub schedule_id: String,
    pub place: Place,
    pub span_seconds: u32,
    pub compression: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestWish {
    pub test_id: String,
    pub place: Place,
}

/// What became of an attempt since the last report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    pub attempt: u32,
    /// Grows within an attempt.
    pub number: u64,
    pub steps: Vec<JobStep>,
    pub lines: Vec<ReportLine>,
    /// `None` while it works.
    pub outcome: Option<Outcome>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportLine {
    pub at: Timestamp,
    pub level: LogLevel,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Outcome {
    BackedUp {
        bytes: u64,
        documents: u64,
        restores_to: MomentJson,
        notes: Vec<String>,
    },
    Planned {
        plan: Box<Plan>,
    },
    Restored {
        report: Box<RestoreReport>,
    },
    Cancelled {
        state: String,
    },
    /// A check said no; nothing was touched. Trying again does not help by itself.
    Refused {
        reason: String,
        hint: Option<String>,
    },
    Failed {
        error: String,
        hint: Option<String>,
        /// The same may work later.
        retryable: bool,
    },
}
