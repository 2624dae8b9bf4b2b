//! Services: one mongod each, with the agent beside it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::MomentJson;

/// A mongod that an agent stands beside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Service {
    pub id: String,
    /// Unique.
    pub name: String,
    /// The cluster label; backups need one.
    pub cluster: Option<String>,
    pub replica_set: String,
    /// `host:port` as the replica set knows it.
    pub member: String,
    pub role: MemberRole,
    /// `6.0.5`; empty while unknown.
    pub mongodb_version: String,
    pub fcv: String,
    pub agent: AgentInfo,
    /// Which locations its agent can reach.
    pub locations: Vec<LocationReach>,
    /// `None` while the agent has not told.
    pub oplog: Option<OplogFacts>,
    pub slicing: Option<SlicingFacts>,
    /// Why the agent cannot reach its mongod; `None` when it can.
    pub problem: Option<String>,
    pub created_at: Timestamp,
}

/// What a member is in its replica set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    Primary,
    Secondary,
    Hidden,
    Delayed,
    Arbiter,
    /// Starting, recovering, rolling back, down.
    Other,
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentInfo {
    pub state: AgentState,
    pub version: String,
    /// The machine's name as the agent says.
    pub host: String,
    pub last_seen: Option<Timestamp>,
    pub enrolled_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Heard of within the last 30 seconds.
    Online,
    /// Not heard of for longer.
    Offline,
}

/// Whether one location can be used from where an agent (or the server) runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LocationReach {
    pub location_id: String,
    pub location_name: String,
    pub ok: bool,
    /// The steps that were tried, with what went wrong.
    pub steps: Vec<ProbeStep>,
    pub checked_at: Timestamp,
}

/// One right on a storage and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProbeStep {
    /// `write`, `read`, `list` or `delete`.
    pub name: String,
    /// `None`: it works.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OplogFacts {
    pub oldest: MomentJson,
    pub newest: MomentJson,
    /// The newest entry that a majority has.
    pub majority: MomentJson,
    /// From `oldest` to `newest`.
    pub window_seconds: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SlicingFacts {
    pub state: SlicingState,
    /// The end of the newest slice this agent stored.
    pub newest: Option<MomentJson>,
    /// From the newest slice to the newest majority-committed entry.
    pub lag_seconds: Option<u32>,
    /// How long slicing may stand still before the server discards entries that are not stored.
    pub headroom_seconds: Option<u32>,
    /// What is waited for, or what went wrong last.
    pub message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlicingState {
    /// Nobody asked for it.
    Off,
    /// Stands by while another member's agent slices.
    StandingBy,
    /// Stores slices.
    Slicing,
    /// Tries again after a failure.
    Retrying,
}

/// What can be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceChange {
    #[serde(default)]
    pub name: Option<String>,
    /// An empty text takes the label away.
    #[serde(default)]
    pub cluster: Option<String>,
}

/// Asks for a token with which one agent may enrol itself, once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnrolmentRequest {
    /// The cluster label of the new service. The agent may name another.
    #[serde(default)]
    pub cluster: Option<String>,
    /// How long the token can be used; 3,600 by default, 604,800 at most.
    #[serde(default)]
    pub valid_seconds: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enrolment {
    /// Shown once.
    pub token: String,
    pub expires_at: Timestamp,
    /// What to type beside the mongod.
    pub command: String,
}
