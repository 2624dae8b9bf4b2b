//! What is known when rules are looked at. Gathered by the server from its database and from what it read on the storages.

use jiff::Timestamp;

use crate::catalog::Gap;
use crate::time::OplogTime;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    pub clusters: Vec<ClusterFacts>,
    pub folders: Vec<FolderFacts>,
    pub slicing: Vec<SlicingFacts>,
    pub agents: Vec<AgentFacts>,
    pub reaches: Vec<ReachFacts>,
    pub runs: Vec<RunFacts>,
    pub locations: Vec<LocationFacts>,
}

/// A cluster that is to be protected: an enabled schedule exists for it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterFacts {
    pub name: String,
    pub services: Vec<String>,
    /// One of its folders has been read since the server started.
    pub read: bool,
    /// The newest moment it can be restored to, from any folder, as last read; also from before the server started.
    pub newest: Option<OplogTime>,
    /// Nobody asked for protection before this.
    pub wanted_since: Timestamp,
    /// Seconds that pass between two restorable moments when all is well: 0 while slicing, else the longest time between two scheduled backups.
    pub rhythm_seconds: u32,
    /// A restore is running on it, or the fresh base after one is being taken.
    pub suspended: bool,
}

/// A folder of a location.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderFacts {
    pub location_id: String,
    pub location: String,
    pub folder: String,
    /// The cluster whose folder it is, when it is one of ours.
    pub cluster: Option<String>,
    pub services: Vec<String>,
    /// It has been read at least once; what follows is from then.
    pub known: bool,
    pub gaps: Vec<Gap>,
    /// What was found damaged: the object and what is wrong with it.
    pub damaged: Vec<(String, String)>,
}

/// Slicing that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct SlicingFacts {
    pub cluster: String,
    pub replica_set: String,
    pub services: Vec<String>,
    pub wanted_since: Timestamp,
    /// A restore is running on the cluster: nothing is to be stored.
    pub suspended: bool,
    /// The end of what is stored.
    pub newest: Option<OplogTime>,
    /// What the agents last said: how long slicing may stand still, and when that was true.
    pub headroom: Option<(u32, Timestamp)>,
    /// What an agent waits for, or what went wrong last.
    pub message: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AgentFacts {
    pub service_id: String,
    pub service: String,
    pub cluster: Option<String>,
    pub host: String,
    /// Heard of, or could first have been: an agent cannot call a server that is not running.
    pub last_seen: Timestamp,
}

/// Whether a location could be used, the last time somebody tried.
#[derive(Debug, Clone, PartialEq)]
pub struct ReachFacts {
    pub location_id: String,
    pub location: String,
    /// `None`: the server.
    pub service: Option<String>,
    /// Clusters that use the location; of an agent: its own.
    pub clusters: Vec<String>,
    pub problem: Option<String>,
}

/// One run of a backup job.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFacts {
    pub job_id: String,
    /// What runs belong together: a schedule; backups on demand of one service to one location.
    pub series: String,
    /// As people call it: the schedule's name, or the backup's.
    pub name: String,
    pub cluster: Option<String>,
    pub service: String,
    pub created_at: Timestamp,
    pub state: RunState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Waiting, running, or waiting for a retry.
    NotOver,
    Done,
    /// After all its retries.
    Failed(String),
    Cancelled,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LocationFacts {
    pub location_id: String,
    pub location: String,
    pub clusters: Vec<String>,
    pub services: Vec<String>,
    pub bytes: Option<u64>,
    /// The oldest size known from within the last day.
    pub bytes_before: Option<(Timestamp, u64)>,
}
