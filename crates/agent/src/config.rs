//! What the agent is told when it starts.

use std::path::PathBuf;
use std::time::Duration;

use oplogue_api::client::Trust;

#[derive(Clone)]
pub struct AgentConfig {
    /// Of the member beside it. The others are found from it.
    pub uri: String,
    /// `https://host:port`
    pub server: String,
    pub trust: Trust,
    /// One-time token; needed as long as the data directory holds no credential.
    pub token: Option<String>,
    /// Label of the cluster, told when it enrols. `None`: as the token says.
    pub cluster: Option<String>,
    /// Told when it enrols. `None`: the member's `host:port`.
    pub service_name: Option<String>,
    /// Credential, journal and the last wish to slice lie here, readable by their owner only.
    pub data_dir: PathBuf,
    pub rhythm: Rhythm,
}

impl std::fmt::Debug for AgentConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AgentConfig({}, {}, secrets hidden)", self.server, self.data_dir.display())
    }
}

/// How often and how long.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// How long the server may hold an answer back when nothing is new. It counts an agent as gone after 30 s.
    pub sync_wait_seconds: u32,
    pub report_pause: Duration,
    /// How often the member beside is looked at.
    pub facts_pause: Duration,
    /// Between tries of what failed: from the first on, doubled each time, up to the longest.
    pub retry_first: Duration,
    pub retry_longest: Duration,
    /// How long a slicer that fell silent is waited for before another takes over.
    pub lease_ttl: Duration,
    /// How long the last slice, the cancels and the last reports may take when it is told to stop.
    pub stop_limit: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            sync_wait_seconds: 20,
            report_pause: Duration::from_secs(1),
            facts_pause: Duration::from_secs(5),
            retry_first: Duration::from_secs(1),
            retry_longest: Duration::from_secs(30),
            // With a second for asking and one for beginning, another takes over within ten.
            lease_ttl: Duration::from_secs(7),
            stop_limit: Duration::from_secs(60),
        }
    }
}

impl Rhythm {
    /// The pause after so many failures in a row, at least one.
    pub(crate) fn retry(&self, failures: u32) -> Duration {
        self.retry_first.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(self.retry_longest)
    }
}
