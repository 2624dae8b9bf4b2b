//! Draws a timeline: one strip per replica set, time from left to right.
//!
//! A column stands for a stretch of time. Where several things fall into one column, the one that matters most shows: a backup, then a
//! gap, then a restorable band, then oplog that no backup leads to. So a gap is never hidden behind a band, however short it is,
//! and those that a backup's mark covers are still listed underneath with their number.

use std::fmt::Write;

use oplogue_domain::{Backup, Catalog, OplogRange, OplogTime, ReplicaSetName, RestorableRange, Timeline};

use super::catalog::{gaps, ranges};
use crate::output::{Style, Tone};

/// The signs of the drawing.
struct Signs {
    backup: char,
    selective: char,
    unusable_backup: char,
    band: char,
    unreached: char,
    gap: char,
}

const PLAIN: Signs = Signs { backup: 'B', selective: 'b', unusable_backup: '!', band: '=', unreached: '-', gap: 'x' };
const DRAWN: Signs = Signs { backup: '◆', selective: '◇', unusable_backup: '!', band: '━', unreached: '┄', gap: '╳' };

/// The whole drawing, `width` columns wide at most (names of replica sets included), with ranges and gaps spelled out underneath.
pub fn draw(catalog: &Catalog, timeline: &Timeline, width: usize, style: Style) -> String {
    let Some(axis) = Axis::of(catalog, timeline, width) else {
        return "nothing lies here yet: no backup and no slice\n".to_owned();
    };
    let signs = if style.unicode { &DRAWN } else { &PLAIN };
    let mut text = String::new();
    let mut number = 1;
    for replica_set in &timeline.replica_sets {
        let mut cells = axis.cells();
        for range in &replica_set.unusable {
            axis.paint(&mut cells, range.after, range.through, signs.unreached);
        }
        paint_bands(&axis, &mut cells, &replica_set.restorable, signs);
        let mut numbers = axis.cells();
        for gap in &replica_set.gaps {
            axis.paint(&mut cells, gap.range.after, gap.range.through, signs.gap);
            write_over(&mut numbers, axis.column(gap.range.after), &number.to_string());
            number += 1;
        }
        paint_backups(&axis, &mut cells, catalog, &replica_set.name, signs);
        let _ = writeln!(text, "{:<label$}{}", replica_set.name.as_str(), colored(&cells, signs, style), label = axis.label);
        push_cells(&mut text, &axis, &numbers);
    }
    if timeline.replica_sets.len() > 1 {
        let mut cells = axis.cells();
        paint_bands(&axis, &mut cells, &timeline.cluster, signs);
        let _ = writeln!(text, "{:<label$}{}", "together", colored(&cells, signs, style), label = axis.label);
    }
    text.push_str(&axis.scale());
    let _ = writeln!(text, "\n{}", style.paint(Tone::Quiet, &legend(catalog, timeline, signs)));
    text.push_str(&ranges(timeline));
    text.push_str(&gaps(timeline));
    text
}

fn paint_bands(axis: &Axis, cells: &mut [char], bands: &[RestorableRange], signs: &Signs) {
    for band in bands {
        axis.paint(cells, band.from, band.through, signs.band);
    }
}

fn paint_backups(axis: &Axis, cells: &mut [char], catalog: &Catalog, name: &ReplicaSetName, signs: &Signs) {
    // The most useful kind last, so that it is on top where several share a column.
    let mut marks: Vec<(u8, OplogTime, char)> = catalog
        .backups
        .iter()
        .filter_map(|backup| Some((backup, backup.snapshot(name)?.oplog.through)))
        .map(|(backup, at)| {
            let (rank, sign) = kind(backup, signs);
            (rank, at, sign)
        })
        .collect();
    marks.sort_by_key(|(rank, ..)| *rank);
    for (_, at, sign) in marks {
        cells[axis.column(at)] = sign;
    }
}

fn kind(backup: &Backup, signs: &Signs) -> (u8, char) {
    if backup.problem.is_some() {
        (0, signs.unusable_backup)
    } else if backup.is_base() {
        (2, signs.backup)
    } else {
        (1, signs.selective)
    }
}

/// Only the signs that can occur.
fn legend(catalog: &Catalog, timeline: &Timeline, signs: &Signs) -> String {
    let some_backup = |rank: u8| catalog.backups.iter().any(|backup| kind(backup, signs).0 == rank);
    let some_set = |holds: fn(&oplogue_domain::ReplicaSetTimeline) -> bool| timeline.replica_sets.iter().any(holds);
    let entries = [
        (some_backup(2), signs.backup, "backup"),
        (some_backup(1), signs.selective, "backup of some namespaces"),
        (some_backup(0), signs.unusable_backup, "backup that cannot be restored"),
        (some_set(|set| !set.restorable.is_empty()), signs.band, "can be restored"),
        (some_set(|set| !set.gaps.is_empty()), signs.gap, "missing"),
        (some_set(|set| !set.unusable.is_empty()), signs.unreached, "oplog that no backup leads to"),
    ];
    let shown: Vec<String> = entries.into_iter().filter(|(present, ..)| *present).map(|(_, sign, word)| format!("{sign} {word}")).collect();
    shown.join("   ")
}

/// Maps moments to columns.
struct Axis {
    first: OplogTime,
    last: OplogTime,
    /// Columns left of the strips, for names.
    label: usize,
    columns: usize,
}

const COLUMNS_MIN: usize = 10;

impl Axis {
    /// `None` when there is nothing to show.
    fn of(catalog: &Catalog, timeline: &Timeline, width: usize) -> Option<Self> {
        let backups = catalog.backups.iter().flat_map(|backup| &backup.snapshots).map(|snapshot| snapshot.oplog.through);
        let edges = |range: &OplogRange| [range.after, range.through];
        let unusable = timeline.replica_sets.iter().flat_map(|set| set.unusable.iter().flat_map(edges));
        let restorable = timeline.replica_sets.iter().flat_map(|set| set.restorable.iter().flat_map(|range| [range.from, range.through]));
        let gaps = timeline.replica_sets.iter().flat_map(|set| set.gaps.iter().flat_map(|gap| edges(&gap.range)));
        let moments: Vec<OplogTime> = backups.chain(unusable).chain(restorable).chain(gaps).collect();
        let (first, last) = (*moments.iter().min()?, *moments.iter().max()?);
        let names = timeline.replica_sets.iter().map(|set| set.name.as_str().chars().count());
        let together = if timeline.replica_sets.len() > 1 { "together".len() } else { 0 };
        let label = names.max().unwrap_or(0).max(together) + 2;
        Some(Self { first, last, label, columns: width.saturating_sub(label).max(COLUMNS_MIN) })
    }

    fn cells(&self) -> Vec<char> {
        vec![' '; self.columns]
    }

    fn column(&self, at: OplogTime) -> usize {
        let position = |time: OplogTime| (u128::from(time.seconds) << 32) | u128::from(time.ordinal);
        let span = position(self.last) - position(self.first);
        if span == 0 {
            return 0;
        }
        let offset = position(at.clamp(self.first, self.last)) - position(self.first);
        usize::try_from(offset * (self.columns as u128 - 1) / span).unwrap_or(self.columns - 1)
    }

    fn paint(&self, cells: &mut [char], from: OplogTime, through: OplogTime, sign: char) {
        cells[self.column(from)..=self.column(through)].fill(sign);
    }

    /// The times at both ends, under the strips.
    fn scale(&self) -> String {
        let text = |time: OplogTime| time.to_string().split(" +").next().unwrap_or_default().to_owned();
        let (left, right) = (text(self.first), format!("{} UTC", text(self.last)));
        let fill = self.columns.saturating_sub(left.len() + right.len());
        let indent = " ".repeat(self.label);
        if fill == 0 { format!("{indent}{left}\n{indent}{right}\n") } else { format!("{indent}{left}{}{right}\n", " ".repeat(fill)) }
    }
}

/// Writes `text` at `column` where nothing stands yet, moved left where it would not fit; skips it where it would touch another.
fn write_over(cells: &mut [char], column: usize, text: &str) {
    let start = column.min(cells.len().saturating_sub(text.len()));
    let before = start.saturating_sub(1);
    let after = (start + text.len() + 1).min(cells.len());
    if cells[before..after].iter().all(|cell| *cell == ' ') {
        for (cell, letter) in cells[start..].iter_mut().zip(text.chars()) {
            *cell = letter;
        }
    }
}

fn push_cells(text: &mut String, axis: &Axis, cells: &[char]) {
    let line: String = cells.iter().collect();
    if !line.trim().is_empty() {
        let _ = writeln!(text, "{}{}", " ".repeat(axis.label), line.trim_end());
    }
}

fn colored(cells: &[char], signs: &Signs, style: Style) -> String {
    let end = cells.iter().rposition(|cell| *cell != ' ').map_or(0, |last| last + 1);
    let tone = |cell: char| match cell {
        _ if cell == signs.band => Some(Tone::Good),
        _ if cell == signs.gap || cell == signs.unusable_backup => Some(Tone::Bad),
        _ if cell == signs.backup || cell == signs.selective => Some(Tone::Strong),
        _ if cell == signs.unreached => Some(Tone::Quiet),
        _ => None,
    };
    let mut text = String::new();
    for run in cells[..end].chunk_by(|a, b| a == b) {
        let letters: String = run.iter().collect();
        text.push_str(&tone(run[0]).map_or(letters.clone(), |tone| style.paint(tone, &letters)));
    }
    text
}

#[cfg(test)]
mod tests {
    use oplogue_domain::diagram::catalog;
    use oplogue_domain::timeline;

    use super::*;

    /// The strips alone: the lines up to the scale.
    fn strips(drawing: &str, width: usize, unicode: bool) -> Vec<String> {
        let catalog = catalog(drawing);
        let text = draw(&catalog, &timeline(&catalog), width, Style { color: false, unicode });
        text.lines().take_while(|line| !line.trim_start().starts_with("1970-")).map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_chain_is_a_band_that_begins_with_its_backup() {
        assert_eq!(strips("rs0   B==|---|---|", 5 + 11, false), ["rs0  B=========="]);
        assert_eq!(strips("rs0   B==|---|---|", 5 + 11, true), ["rs0  ◆━━━━━━━━━━"]);
    }

    #[test]
    fn a_gap_shows_and_is_numbered() {
        let lines = strips("rs0   B==|---|   |---|", 40, false);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("=x") && lines[0].ends_with('-'), "{lines:?}");
        assert_eq!(lines[1].trim(), "1");
        assert_eq!(lines[1].find('1'), lines[0].find('x'));
    }

    #[test]
    fn a_gap_far_shorter_than_a_column_still_shows() {
        let many = "---|".repeat(40);
        let lines = strips(&format!("rs0   B==|{many}  |{many}"), 40, false);
        assert!(lines[0].contains('x'), "{lines:?}");
    }

    #[test]
    fn a_single_backup_is_a_single_mark() {
        assert_eq!(strips("rs0   B==|", 40, false), ["rs0  B"]);
    }

    #[test]
    fn several_replica_sets_get_a_strip_for_what_they_have_together() {
        let lines = strips("rs0   B==|---|---|\nrs1   B==|---|", 40, false);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[2].starts_with("together"), "{lines:?}");
        assert!(lines[2].len() < lines[0].len(), "{lines:?}");
    }

    #[test]
    fn plain_output_is_ascii_and_fits() {
        let catalog = catalog("rs0   B==|---|   |---|\nrs0                   b=|");
        for width in [40, 60, 120] {
            let text = draw(&catalog, &timeline(&catalog), width, Style { color: false, unicode: false });
            let strip = text.lines().next().unwrap_or_default();
            assert!(strip.is_ascii() && strip.len() <= width, "{strip}");
        }
    }

    #[test]
    fn nothing_is_said_to_be_nothing() {
        let nothing = Catalog::default();
        let text = draw(&nothing, &timeline(&nothing), 80, Style { color: false, unicode: true });
        assert!(text.contains("no backup"));
    }
}
