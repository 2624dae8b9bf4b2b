//! What lies on a storage, as lists.

use std::fmt::Write;

use oplogue_domain::{Backup, Catalog, NamespaceSelection, Timeline};

use super::words;
use crate::output::{Style, Table, Tone};

/// `oplogue list`.
pub fn list(catalog: &Catalog, timeline: &Timeline, location: &str, style: Style) -> String {
    let mut text = String::new();
    if catalog.backups.is_empty() {
        let _ = writeln!(text, "no backup in {location}");
    } else {
        text.push_str(&backups(catalog, style));
    }
    let slices: usize = catalog.slices.values().map(Vec::len).sum();
    if slices > 0 {
        let bytes: u64 = catalog.slices.values().flatten().map(|slice| slice.bytes).sum();
        let _ = writeln!(text, "\n{}, {}", words::counted(slices as u64, "slice", "slices"), words::bytes(bytes));
    }
    text.push_str(&ranges(timeline));
    text.push_str(&gaps(timeline));
    if !catalog.unreadable.is_empty() {
        let _ = writeln!(text, "\n{}", style.paint(Tone::Caution, "objects that could not be understood"));
        for (name, why) in &catalog.unreadable {
            let _ = writeln!(text, "  {name}: {why}");
        }
    }
    text
}

fn backups(catalog: &Catalog, style: Style) -> String {
    let mut table = Table::new(&["BACKUP", "RESTORES TO (UTC)", "SIZE>", "HOLDS", "REPLICA SETS", "BY", "PROBLEM"]);
    for backup in &catalog.backups {
        let sets: Vec<&str> = backup.snapshots.iter().map(|snapshot| snapshot.replica_set.as_str()).collect();
        let problem = backup.problem.as_ref().map(|problem| style.paint(Tone::Bad, &problem.to_string()));
        table.row([
            backup.name.to_string(),
            backup.consistent_at().to_string(),
            words::bytes(backup.bytes),
            holds(&backup.selection),
            sets.join(" "),
            written_by(backup),
            problem.unwrap_or_default(),
        ]);
    }
    table.render(0)
}

/// `everything`, or the patterns.
pub fn holds(selection: &NamespaceSelection) -> String {
    if selection.is_everything() {
        return "everything".to_owned();
    }
    let patterns: Vec<String> = selection.patterns().iter().map(ToString::to_string).collect();
    patterns.join(" ")
}

/// The program and its version.
pub fn written_by(backup: &Backup) -> String {
    backup.written_by.clone().unwrap_or_else(|| format!("PBM {}", backup.pbm_version))
}

/// The restorable stretches, of the cluster when it has several replica sets. Moments stand as they can be typed after `--time`.
pub fn ranges(timeline: &Timeline) -> String {
    if timeline.cluster.is_empty() {
        return "\nnothing can be restored to a point in time\n".to_owned();
    }
    let mut table = Table::new(&["CAN BE RESTORED, FROM", "THROUGH", "LENGTH", "OLDEST BACKUP"]);
    for range in &timeline.cluster {
        let length = match range.is_single_moment() {
            true => "one moment".to_owned(),
            false => words::seconds(u64::from(range.through.seconds_since(range.from))),
        };
        table.row([range.from.to_string(), range.through.to_string(), length, range.base.to_string()]);
    }
    format!("\n{}", table.render(2))
}

/// The holes with their reasons, numbered as in the drawing. Empty when there is none.
pub fn gaps(timeline: &Timeline) -> String {
    let gaps: Vec<_> = timeline.replica_sets.iter().flat_map(|set| &set.gaps).collect();
    if gaps.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["GAP>", "IN", "AFTER", "THROUGH", "LENGTH", "WHY"]);
    for (index, gap) in gaps.into_iter().enumerate() {
        table.row([
            (index + 1).to_string(),
            gap.replica_set.to_string(),
            gap.range.after.to_string(),
            gap.range.through.to_string(),
            words::seconds(u64::from(gap.range.seconds())),
            gap.reason.to_string(),
        ]);
    }
    format!("\n{}", table.render(2))
}
