//! Short slices that become long ones, for people.

use oplogue_domain::compact::Merge;
use oplogue_engine::compact::{CompactEvent, CompactReport};

use super::words;
use crate::output::Table;

pub fn planned(merges: &[Merge]) -> String {
    if merges.is_empty() {
        return "nothing to join\n".to_owned();
    }
    let mut table = Table::new(&["REPLICA SET", "SLICES>", "FROM", "THROUGH", "SIZE>", ""]);
    for merge in merges {
        let what = if merge.keeps.is_some() { "lie within a long one that is there" } else { "become one" };
        table.row([
            merge.replica_set.to_string(),
            merge.replaces.len().to_string(),
            merge.range.after.to_string(),
            merge.range.through.to_string(),
            words::bytes(merge.bytes()),
            what.to_owned(),
        ]);
    }
    table.render(0)
}

pub fn event(event: &CompactEvent) -> String {
    match event {
        CompactEvent::Joined { merge, compacted } => format!(
            "joined {} of {}: {} … {}, {} are now {}",
            words::counted(compacted.slices as u64, "slice", "slices"),
            merge.replica_set,
            merge.range.after,
            merge.range.through,
            words::bytes(compacted.bytes),
            words::bytes(compacted.slice.bytes),
        ),
        CompactEvent::Failed { merge, error } => format!("left as they are: {merge}: {error}"),
    }
}

pub fn done(report: &CompactReport) -> String {
    if report.long.is_empty() && report.failed.is_empty() {
        return "nothing to join\n".to_owned();
    }
    format!(
        "joined {} into {}\n",
        words::counted(report.slices as u64, "slice", "slices"),
        words::counted(report.long.len() as u64, "long one", "long ones"),
    )
}
