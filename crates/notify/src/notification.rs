//! What is delivered: some alerts that fire, or some that ended.

use jiff::Timestamp;
use oplogue_api::alerts::{Condition, Severity};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Firing,
    Resolved,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    pub status: Status,
    /// The contact point's name.
    pub receiver: String,
    /// How people reach the server, without a slash at the end.
    pub server_url: String,
    pub at: Timestamp,
    /// Not empty.
    pub alerts: Vec<NotifiedAlert>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NotifiedAlert {
    /// The same when it is delivered again and when it is resolved.
    pub id: String,
    pub rule: String,
    pub condition: Condition,
    pub severity: Severity,
    pub summary: String,
    pub subject: String,
    pub cluster: Option<String>,
    pub service: Option<String>,
    /// A path of the server.
    pub link: String,
    pub since: Timestamp,
    pub resolved_at: Option<Timestamp>,
}

impl Notification {
    /// One line for a subject or a title.
    pub fn title(&self) -> String {
        match self.alerts.as_slice() {
            [only] => format!("[{}] {}: {}", self.status.as_str().to_uppercase(), only.rule, one_line(&only.subject)),
            alerts => format!("[{}] {} alerts", self.status.as_str().to_uppercase(), alerts.len()),
        }
    }

    pub fn url(&self, alert: &NotifiedAlert) -> String {
        format!("{}{}", self.server_url, alert.link)
    }
}

/// The word on the wire: `backup_failed`, `critical`.
pub fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Names come from outside and must not begin a new header or line.
pub fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// At most so many characters, with `…` where something was cut off.
pub fn shortened(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(characters.saturating_sub(1)).collect();
    short.push('…');
    short
}
