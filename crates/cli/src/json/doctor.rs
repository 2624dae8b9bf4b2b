//! What doctor found.

use oplogue_engine::doctor::{Finding, Level};
use serde::Serialize;

#[derive(Serialize)]
pub struct FindingJson {
    /// `ok`, `attention` or `danger`.
    level: &'static str,
    subject: &'static str,
    finding: String,
    advice: Option<String>,
}

impl From<&Finding> for FindingJson {
    fn from(finding: &Finding) -> Self {
        let level = match finding.level {
            Level::Ok => "ok",
            Level::Attention => "attention",
            Level::Danger => "danger",
        };
        Self { level, subject: finding.subject, finding: finding.finding.clone(), advice: finding.advice.clone() }
    }
}
