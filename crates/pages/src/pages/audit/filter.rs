//! Which entries of the audit log are shown: the part of the URL behind the question mark.

use oplogue_api::audit::AuditEntry;
use serde::{Deserialize, Serialize};

use crate::urls::Query;

/// Every field is blank for "all".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditFilter {
    /// A part of who did it, whatever its case.
    pub actor: String,
    /// A part of what was done.
    pub action: String,
    /// A part of what it was done to, or of the detail.
    pub object: String,
    /// `yes` for what worked, `no` for what was refused or failed.
    pub ok: String,
    /// Where the page before ended.
    pub after: String,
}

impl AuditFilter {
    pub fn matches(&self, entry: &AuditEntry) -> bool {
        let holds = |wanted: &str, have: &str| have.to_lowercase().contains(&wanted.trim().to_lowercase());
        let ok = match self.ok.as_str() {
            "yes" => entry.ok,
            "no" => !entry.ok,
            _ => true,
        };
        ok && holds(&self.actor, &entry.actor)
            && holds(&self.action, &entry.action)
            && (holds(&self.object, &entry.object) || holds(&self.object, &entry.detail))
    }

    pub fn is_empty(&self) -> bool {
        Self { after: String::new(), ..self.clone() } == Self::default()
    }

    /// The same as a URL has it.
    pub fn query(&self) -> Query {
        Query::new()
            .with("actor", &self.actor)
            .with("action", &self.action)
            .with("object", &self.object)
            .with("ok", &self.ok)
            .with("after", &self.after)
    }
}
