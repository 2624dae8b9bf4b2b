//! What surrounds every page: who asks, when, where from, and what was just done.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use oplogue_api::session::WhoAmI;
use oplogue_api::users::Role;

use crate::components::badge::Tone;

/// The surroundings of one answer. The front door makes it, every view reads it.
#[derive(Debug, Clone)]
pub struct Frame {
    /// `None`: nobody is signed in (sign-in, first start, errors before that).
    pub who: Option<WhoAmI>,
    /// Goes into the hidden field `csrf` of every form.
    pub csrf: String,
    /// Path and query as asked for: which menu entry is marked, and what a live region asks for again.
    pub path: String,
    /// What the last action did; shown once.
    pub flash: Option<Flash>,
    pub now: Timestamp,
    /// The zone times are shown in; its name stands beside them.
    pub zone: TimeZone,
    pub version: String,
    /// Beside "Alerts" in the menu.
    pub firing_alerts: u32,
    /// Beside "Jobs and logs" in the menu.
    pub running_jobs: u32,
    /// `https://backups.example:8480`: for the `curl` and `oplogue` lines that pages show. No slash at the end.
    pub base_url: String,
}

/// One sentence about what was just done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    pub tone: Tone,
    pub text: String,
}

impl Frame {
    pub fn may(&self, role: Role) -> bool {
        self.who.as_ref().is_some_and(|who| who.role >= role)
    }

    /// Why the one who asks may not do what needs `role`; `None` when they may.
    pub fn refusal(&self, role: Role) -> Option<String> {
        if self.may(role) {
            return None;
        }
        let article = if role == Role::Viewer { "a" } else { "an" };
        Some(match &self.who {
            Some(who) => format!("needs {article} {}; {} is a {}", role.as_str(), who.name, who.role.as_str()),
            None => "sign in first".to_owned(),
        })
    }

    /// The path without the query.
    pub fn path_only(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// `UTC`, or the zone's IANA name.
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}
