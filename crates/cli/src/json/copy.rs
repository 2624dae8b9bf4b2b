//! What a copy did.

use oplogue_engine::copy::CopyReport;
use serde::Serialize;

#[derive(Serialize)]
pub struct CopyJson {
    backups: Vec<String>,
    slices: u64,
    copied_objects: u64,
    copied_bytes: u64,
    /// Were there already, with the same content.
    skipped_objects: u64,
    /// Backups that cannot be restored, and so were not copied.
    left_out: Vec<LeftOutJson>,
}

#[derive(Serialize)]
struct LeftOutJson {
    name: String,
    reason: String,
}

impl From<&CopyReport> for CopyJson {
    fn from(report: &CopyReport) -> Self {
        let left_out = report.left_out.iter().map(|(name, reason)| LeftOutJson { name: name.to_string(), reason: reason.clone() });
        Self {
            backups: report.backups.iter().map(ToString::to_string).collect(),
            slices: report.slices,
            copied_objects: report.copied_objects,
            copied_bytes: report.copied_bytes,
            skipped_objects: report.skipped_objects,
            left_out: left_out.collect(),
        }
    }
}
