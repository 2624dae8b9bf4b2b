//! A backup that was just written.

use oplogue_engine::backup::BackupReport;
use serde::Serialize;

use super::time::{RangeJson, TimeJson};

#[derive(Serialize)]
pub struct BackupReportJson {
    name: String,
    replica_set: String,
    node: String,
    node_reason: String,
    oplog: RangeJson,
    restores_to: TimeJson,
    collections: u64,
    documents: u64,
    document_bytes: u64,
    stored_bytes: u64,
    oplog_entries: u64,
    seconds: f64,
    notes: Vec<String>,
}

impl From<&BackupReport> for BackupReportJson {
    fn from(report: &BackupReport) -> Self {
        Self {
            name: report.name.to_string(),
            replica_set: report.replica_set.to_string(),
            node: report.node.clone(),
            node_reason: report.node_reason.clone(),
            oplog: report.oplog.into(),
            restores_to: report.restores_to.into(),
            collections: report.collections,
            documents: report.documents,
            document_bytes: report.document_bytes,
            stored_bytes: report.stored_bytes,
            oplog_entries: report.oplog_entries,
            seconds: report.seconds,
            notes: report.notes.clone(),
        }
    }
}
