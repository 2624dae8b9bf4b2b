//! Between the values of the API, those of the domain, and the database.

use oplogue_api::alerts::{Alert, Condition, SilenceInput};
use oplogue_domain::alert::{self as domain, About, Finding, Silence};
use rusqlite::Row;
use serde_json::json;

use super::super::stored::json_at;

pub const fn condition(condition: Condition) -> domain::Condition {
    match condition {
        Condition::BackupFailed => domain::Condition::BackupFailed,
        Condition::RestorePointOld => domain::Condition::RestorePointOld,
        Condition::SlicingStalled => domain::Condition::SlicingStalled,
        Condition::Gap => domain::Condition::Gap,
        Condition::OplogWindowShort => domain::Condition::OplogWindowShort,
        Condition::AgentDown => domain::Condition::AgentDown,
        Condition::StorageUnreachable => domain::Condition::StorageUnreachable,
        Condition::VerifyFailed => domain::Condition::VerifyFailed,
        Condition::StorageGrowth => domain::Condition::StorageGrowth,
    }
}

pub fn silence(input: &SilenceInput) -> Silence {
    Silence { rule_id: input.rule_id.clone(), cluster: input.cluster.clone(), service: input.service.clone(), until: input.until }
}

pub fn finding(alert: &Alert, about: About) -> Finding {
    Finding {
        name: alert.subject.clone(),
        summary: alert.summary.clone(),
        cluster: alert.cluster.clone(),
        service: alert.service.clone(),
        about,
    }
}

pub fn about_text(about: &About) -> String {
    let value = match about {
        About::Cluster(name) => json!(["cluster", name]),
        About::Service(id) => json!(["service", id]),
        About::Location(id) => json!(["location", id]),
        About::Job(id) => json!(["job", id]),
        About::Folder { location_id, folder } => json!(["folder", location_id, folder]),
    };
    value.to_string()
}

pub fn about_at(row: &Row<'_>, index: usize) -> rusqlite::Result<About> {
    let mut parts: Vec<String> = json_at(row, index)?;
    let mut next = || if parts.is_empty() { String::new() } else { parts.remove(0) };
    Ok(match next().as_str() {
        "service" => About::Service(next()),
        "location" => About::Location(next()),
        "job" => About::Job(next()),
        "folder" => About::Folder { location_id: next(), folder: next() },
        _ => About::Cluster(next()),
    })
}
