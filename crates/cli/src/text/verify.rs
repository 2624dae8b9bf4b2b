//! What reading everything back found, for people: the verdict first, then what is wrong, then what is left.

use std::fmt::Write;

use oplogue_domain::damage::Standing;
use oplogue_engine::verify::{Sample, VerifyReport};

use super::words;
use crate::output::{Style, Table, Tone};

/// Backups that are whole are counted, not listed, where there are more.
const LISTED_MAX: usize = 50;

pub fn report(report: &VerifyReport, location: &str, style: Style) -> String {
    let mut text = String::new();
    let totals = report.totals();
    let _ = writeln!(
        text,
        "read {} of {} in {location} to their end: {}, {}",
        words::count(totals.read),
        words::counted(totals.objects, "object", "objects"),
        words::bytes(totals.stored_bytes),
        words::counted(totals.documents, "document and entry", "documents and entries"),
    );
    if report.sample != Sample::Everything {
        let _ = writeln!(text, "of the others presence and size were compared (a sample of {}, --seed {})", report.sample, report.seed);
    }
    match report.findings.len() as u64 {
        0 => {
            let _ = writeln!(text, "{}", style.paint(Tone::Good, "nothing is damaged"));
        }
        found => {
            let verdict = format!("{} wrong", words::counted(found, "thing is", "things are"));
            let _ = writeln!(text, "{}\n", style.paint(Tone::Bad, &verdict));
            let mut table = Table::new(&["WHAT", "OBJECT", "WHY"]);
            for finding in &report.findings {
                table.row([finding.kind.to_string(), finding.object.clone(), finding.what.clone()]);
            }
            text.push_str(&table.render(2));
        }
    }
    backups(report, &mut text, style);
    slices(report, &mut text);
    if !report.remarks.is_empty() {
        let _ = writeln!(text, "\n{}", style.paint(Tone::Strong, "REMARKS"));
        for remark in &report.remarks {
            let _ = writeln!(text, "  {remark}");
        }
    }
    moments(report, &mut text, style);
    text
}

fn backups(report: &VerifyReport, text: &mut String, style: Style) {
    let standing = |name| report.remaining.backups.iter().find(|(found, _)| found == name).map(|(_, standing)| standing);
    let all = || report.backups.iter().map(|backup| (backup, standing(&backup.name)));
    let whole = all().filter(|(_, standing)| matches!(standing, Some(Standing::Whole))).count();
    let mut table = Table::new(&["BACKUP", "OBJECTS>", "SIZE READ>", "IT"]);
    for (backup, standing) in all().filter(|(_, standing)| whole <= LISTED_MAX || !matches!(standing, Some(Standing::Whole))) {
        let standing = standing.map(ToString::to_string).unwrap_or_default();
        table.row([backup.name.to_string(), words::count(backup.tally.objects), words::bytes(backup.tally.stored_bytes), standing]);
    }
    if !report.backups.is_empty() {
        let _ = writeln!(text, "\n{}", style.paint(Tone::Strong, "BACKUPS"));
        text.push_str(&table.render(2));
        if whole > LISTED_MAX {
            let _ = writeln!(text, "  and {} that are whole", words::count(whole as u64));
        }
    }
}

fn slices(report: &VerifyReport, text: &mut String) {
    if report.slices.is_empty() {
        return;
    }
    let mut table = Table::new(&["SLICES OF", "OBJECTS>", "SIZE READ>", "ENTRIES>", "WITHOUT RECORD>"]);
    for slices in &report.slices {
        table.row([
            slices.replica_set.to_string(),
            words::count(slices.tally.objects),
            words::bytes(slices.tally.stored_bytes),
            words::count(slices.tally.documents),
            words::count(slices.unrecorded),
        ]);
    }
    text.push('\n');
    text.push_str(&table.render(2));
}

fn moments(report: &VerifyReport, text: &mut String, style: Style) {
    let heading = if report.is_whole() { "CAN BE RESTORED" } else { "CAN STILL BE RESTORED" };
    let _ = writeln!(text, "\n{}", style.paint(Tone::Strong, heading));
    if report.remaining.restorable.is_empty() {
        let _ = writeln!(text, "  no moment of everything");
    }
    let mut table = Table::new(&["FROM", "THROUGH", "BASE"]);
    for range in &report.remaining.restorable {
        table.row([range.from.to_string(), range.through.to_string(), range.base.to_string()]);
    }
    if !report.remaining.restorable.is_empty() {
        text.push_str(&table.render(2));
    }
    if !report.remaining.lost.is_empty() {
        let _ = writeln!(text, "\n{}", style.paint(Tone::Bad, "LOST BY THE DAMAGE"));
        let mut table = Table::new(&["AFTER", "THROUGH", "LENGTH"]);
        for range in &report.remaining.lost {
            table.row([range.after.to_string(), range.through.to_string(), words::seconds(u64::from(range.seconds()))]);
        }
        text.push_str(&table.render(2));
    }
}
