//! What a copy did, for people.

use std::fmt::Write;

use oplogue_engine::copy::CopyReport;

use super::words;

pub fn report(report: &CopyReport) -> String {
    let mut text = String::new();
    for name in &report.backups {
        let _ = writeln!(text, "backup {name} is at the destination, whole");
    }
    for (name, why) in &report.left_out {
        let _ = writeln!(text, "backup {name} was left out: {why}");
    }
    let _ = writeln!(
        text,
        "copied: {}, {}, with {}; {} there already",
        words::counted(report.copied_objects, "object", "objects"),
        words::bytes(report.copied_bytes),
        words::counted(report.slices, "slice", "slices"),
        words::count(report.skipped_objects),
    );
    text
}
