//! Which jobs are shown: the part of the URL behind the question mark.

use oplogue_api::jobs::JobState;
use serde::{Deserialize, Serialize};

use crate::urls::Query;

/// Every field is blank for "all".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobsFilter {
    /// A [`JobState`].
    pub state: String,
    /// A kind of job.
    pub kind: String,
    pub cluster: String,
    /// Where the page before ended.
    pub after: String,
}

impl JobsFilter {
    pub fn is_empty(&self) -> bool {
        Self { after: String::new(), ..self.clone() } == Self::default()
    }

    /// The state that is asked for, when it is one.
    pub fn state(&self) -> Option<JobState> {
        serde_json::from_value(serde_json::Value::String(self.state.clone())).ok()
    }

    /// The same as a URL has it.
    pub fn query(&self) -> Query {
        Query::new().with("state", &self.state).with("kind", &self.kind).with("cluster", &self.cluster).with("after", &self.after)
    }
}
