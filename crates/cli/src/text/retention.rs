//! What stays and what goes, for people.

use std::fmt::Write;

use oplogue_domain::retention::{Reason, Refusal, Verdict, Verdicts};
use oplogue_domain::{Backup, OplogRange, Slice};
use oplogue_repository::{Deleted, Orphan};

use super::words;
use crate::output::{Style, Table, Tone};

/// Every item with its reasons. Slices that follow each other and share their fate and its reasons stand on one line.
pub fn listing(verdicts: &Verdicts<'_>, orphans: &[Orphan], lost: &[OplogRange], style: Style) -> String {
    let mut table = Table::new(&["", "WHAT", "IN", "FROM", "THROUGH", "SIZE>", "WHY"]);
    for judged in &verdicts.backups {
        table.row([
            fate(&judged.verdict),
            format!("backup {}", judged.item.name),
            String::new(),
            String::new(),
            judged.item.consistent_at().to_string(),
            words::bytes(judged.item.bytes),
            why(judged.verdict.reasons()),
        ]);
    }
    for run in verdicts.slices.chunk_by(|a, b| a.item.replica_set == b.item.replica_set && a.verdict == b.verdict) {
        let slices: Vec<&Slice> = run.iter().map(|judged| judged.item).collect();
        let (Some(first), Some(last)) = (run.first(), slices.iter().map(|slice| slice.range.through).max()) else { continue };
        table.row([
            fate(&first.verdict),
            words::counted(slices.len() as u64, "slice", "slices"),
            first.item.replica_set.to_string(),
            first.item.range.after.to_string(),
            last.to_string(),
            words::bytes(slices.iter().map(|slice| slice.bytes).sum()),
            why(first.verdict.reasons()),
        ]);
    }
    for judged in &verdicts.gaps {
        table.row([
            fate(&judged.verdict),
            "record of a gap".to_owned(),
            judged.item.replica_set.to_string(),
            judged.item.range.after.to_string(),
            judged.item.range.through.to_string(),
            String::new(),
            why(judged.verdict.reasons()),
        ]);
    }
    for orphan in orphans {
        let leftovers = words::counted(orphan.objects.len() as u64, "leftover", "leftovers");
        let size = words::bytes(orphan.bytes());
        table.row(["delete".to_owned(), leftovers, String::new(), String::new(), String::new(), size, orphan.kind.to_string()]);
    }
    let mut text = table.render(0);
    if !lost.is_empty() {
        let _ = writeln!(text, "\n{}", style.paint(Tone::Caution, "moments that can be restored now, and not afterwards"));
        text.push_str(&ranges(lost));
    }
    text
}

fn fate(verdict: &Verdict) -> String {
    if verdict.is_keep() { "keep" } else { "delete" }.to_owned()
}

fn why(reasons: &[Reason]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn ranges(ranges: &[OplogRange]) -> String {
    let mut table = Table::new(&["AFTER", "THROUGH", "LENGTH"]);
    for range in ranges {
        let one = range.after == range.through.predecessor();
        let length = if one { "one moment".to_owned() } else { words::seconds(u64::from(range.seconds())) };
        table.row([range.after.to_string(), range.through.to_string(), length]);
    }
    table.render(2)
}

/// Before `oplogue delete`: what goes, and what is lost with it.
pub fn deletion(backup: &Backup, refusal: Option<&Refusal>) -> String {
    let mut text = format!("backup {}, which restores to {}, {}\n", backup.name, backup.consistent_at(), words::bytes(backup.bytes));
    match refusal {
        Some(refusal) if refusal.is_a_loss() => {
            text.push_str("without it these moments cannot be restored any more:\n");
            text.push_str(&ranges(refusal.ranges()));
        }
        Some(refusal) => {
            let _ = writeln!(text, "{refusal}");
        }
        None => text.push_str("no other moment than its own is lost\n"),
    }
    text
}

pub fn deleted(deleted: &Deleted) -> String {
    format!(
        "deleted: {}, {}; {}, {}\n",
        words::counted(deleted.backups as u64, "backup", "backups"),
        words::counted(deleted.slices as u64, "slice", "slices"),
        words::counted(deleted.objects as u64, "object", "objects"),
        words::bytes(deleted.bytes),
    )
}

#[cfg(test)]
mod tests {
    use oplogue_domain::diagram;
    use oplogue_domain::retention::{Policy, Scope, lost, retention};

    use super::*;

    #[test]
    fn slices_of_one_fate_stand_on_one_line_and_losses_are_told() {
        let catalog = diagram::catalog("rs0   A=|--|--|--|--|\nrs0         B=|");
        let policy = Policy { count: 1, ..Policy::default() };
        let verdicts = retention(&catalog, &policy, &Scope::everything(), u32::MAX);
        let lost = lost(&catalog, &verdicts.after(&catalog));
        let text = listing(&verdicts, &[], &lost, Style { color: false, unicode: true });
        assert!(text.contains("delete  backup A") && text.contains("keep    backup B"), "{text}");
        assert!(text.contains("delete  2 slices  rs0") && text.contains("it is the newest"), "{text}");
        assert!(text.contains("not afterwards"), "{text}");
    }
}
