//! Catalogs drawn as text, for tests.
//!
//! ```text
//! rs0   B==|---|---|   |---|      backup B, two slices that join it, a hole, a slice
//! rs0         C====|              a further row of the same replica set: a backup during slicing
//! rs1   B=|----|~~~|--|           a second replica set of backup B; `~` is a hole that the slicer recorded
//! rs0   b==|  D                   a small letter: a backup of `shop.*` only; a letter alone: one without any oplog of its own
//! ```
//!
//! A row is a label of up to five characters, padded to six, then one column per second. A backup reaches from its letter to
//! the next `|`, a slice from `|` to `|` (at least two columns). Rows whose label does not begin with `rs`, and those whose
//! label ends in a sign, are for the test that draws them; [`marked`] reads them.

use std::collections::BTreeMap;

use crate::backup::{Backup, BackupKind, BackupName, Snapshot};
use crate::catalog::{Catalog, Gap, GapReason};
use crate::namespace::{NamespaceSelection, ReplicaSetName};
use crate::slice::Slice;
use crate::time::{OplogRange, OplogTime};

/// Characters before the first column.
pub const LABEL_WIDTH: usize = 6;

/// The moment of a column.
pub fn at(column: usize) -> OplogTime {
    OplogTime::new(1_000 + u32::try_from(column).expect("a drawing is not that wide"), 1)
}

/// The range after one column through another.
pub fn range(after: usize, through: usize) -> OplogRange {
    OplogRange::new(at(after), at(through))
}

/// Panics where the name is none: drawings are written by hand.
pub fn backup_name(text: &str) -> BackupName {
    text.parse().expect("the name of a drawn backup")
}

pub fn replica_set(text: &str) -> ReplicaSetName {
    text.parse().expect("the name of a drawn replica set")
}

/// Label and columns of each row.
pub fn rows(drawing: &str) -> Vec<(&str, Vec<char>)> {
    let lines = drawing.lines().map(str::trim_start).filter(|line| !line.is_empty());
    let row = |line: &'_ str| {
        let label = line.split_whitespace().next().expect("the line is not empty").len();
        assert!(label < LABEL_WIDTH, "the label of `{line}` is too long");
        line.chars().skip(LABEL_WIDTH).collect()
    };
    lines.map(|line| (line.split_whitespace().next().expect("the line is not empty"), row(line))).collect()
}

/// The number of columns of the widest row.
pub fn width(drawing: &str) -> usize {
    rows(drawing).iter().map(|(_, cells)| cells.len()).max().unwrap_or(0)
}

/// The columns that hold `mark` in the rows labelled `label`; `None` without such a row.
pub fn marked(drawing: &str, label: &str, mark: char) -> Option<Vec<usize>> {
    let rows: Vec<_> = rows(drawing).into_iter().filter(|(found, _)| *found == label).collect();
    if rows.is_empty() {
        return None;
    }
    let columns = rows.iter().flat_map(|(_, cells)| cells.iter().enumerate());
    let mut columns: Vec<_> = columns.filter(|(_, cell)| **cell == mark).map(|(column, _)| column).collect();
    columns.sort_unstable();
    Some(columns)
}

/// A row with `mark` in `columns`: what [`marked`] reads.
pub fn drawn(label: &str, mark: char, columns: &[usize]) -> String {
    let width = columns.iter().max().map_or(0, |last| last + 1);
    let cells: String = (0..width).map(|column| if columns.contains(&column) { mark } else { ' ' }).collect();
    format!("\n{label:<LABEL_WIDTH$}{cells}")
}

/// The catalog that a drawing shows. Panics on a drawing it does not understand.
pub fn catalog(drawing: &str) -> Catalog {
    let mut backups: BTreeMap<char, Backup> = BTreeMap::new();
    let mut catalog = Catalog::default();
    for (label, cells) in rows(drawing) {
        if !label.starts_with("rs") || label.ends_with(|sign: char| !sign.is_alphanumeric()) {
            continue;
        }
        let name = replica_set(label);
        for item in items(&cells) {
            match item {
                Item::Backup(letter, after, through) => {
                    let backup = backups.entry(letter).or_insert_with(|| empty_backup(letter));
                    let snapshot =
                        Snapshot { replica_set: name.clone(), oplog: range(after, through), node: None, is_config_server: false };
                    backup.snapshots.push(snapshot);
                }
                Item::Slice(after, through) => {
                    let slice = Slice {
                        replica_set: name.clone(),
                        range: range(after, through),
                        name: format!("{name}/{after}-{through}").into(),
                        bytes: 100,
                    };
                    catalog.slices.entry(name.clone()).or_default().push(slice);
                }
                Item::Gap(after, through) => {
                    let gap = Gap { replica_set: name.clone(), range: range(after, through), reason: GapReason::OplogRolledOver };
                    catalog.recorded_gaps.entry(name.clone()).or_default().push(gap);
                }
            }
        }
    }
    catalog.backups = backups.into_values().map(finished).collect();
    catalog.backups.sort_by_key(|backup| (backup.consistent_at(), backup.started));
    catalog.slices.values_mut().for_each(|slices| slices.sort_by_key(|slice| slice.range));
    catalog.recorded_gaps.values_mut().for_each(|gaps| gaps.sort_by_key(|gap| gap.range));
    catalog
}

enum Item {
    Backup(char, usize, usize),
    Slice(usize, usize),
    Gap(usize, usize),
}

fn items(cells: &[char]) -> Vec<Item> {
    let mut items = Vec::new();
    for (column, cell) in cells.iter().enumerate() {
        let run = |fill: char| column + 1 + cells[column + 1..].iter().take_while(|cell| **cell == fill).count();
        let closed = |end: usize| {
            assert_eq!(cells.get(end), Some(&'|'), "what begins in column {column} of `{}` has no end", cells.iter().collect::<String>());
            end
        };
        match cell {
            'A'..='Z' | 'a'..='z' => match (run('='), cells.get(column + 1)) {
                (_, Some('=' | '|')) => items.push(Item::Backup(*cell, column, closed(run('=')))),
                _ => items.push(Item::Backup(*cell, column, column)),
            },
            '|' if run('-') > column + 1 => items.push(Item::Slice(column, closed(run('-')))),
            '|' if run('~') > column + 1 => items.push(Item::Gap(column, closed(run('~')))),
            '|' | '-' | '=' | '~' | ' ' => {}
            other => panic!("`{other}` means nothing in a drawing"),
        }
    }
    items
}

fn empty_backup(letter: char) -> Backup {
    let selection = if letter.is_ascii_lowercase() {
        NamespaceSelection::Only(vec!["shop.*".parse().expect("a pattern")])
    } else {
        NamespaceSelection::Everything
    };
    Backup {
        name: backup_name(&letter.to_string()),
        kind: BackupKind::Logical,
        snapshots: Vec::new(),
        users_and_roles: selection.is_everything(),
        selection,
        compression: "zstd".to_owned(),
        bytes: 1_000,
        mongodb_version: "6.0.5".to_owned(),
        fcv: "6.0".to_owned(),
        pbm_version: "2.15.0".to_owned(),
        written_by: None,
        started: 0,
        finished: 0,
        last_write: OplogTime::MIN,
        problem: None,
    }
}

fn finished(mut backup: Backup) -> Backup {
    backup.snapshots.sort_by(|a, b| a.replica_set.cmp(&b.replica_set));
    let oplogs = || backup.snapshots.iter().map(|snapshot| snapshot.oplog);
    let started = oplogs().map(|oplog| oplog.after).min().unwrap_or_default().seconds;
    let last_write = oplogs().map(|oplog| oplog.through).min().unwrap_or_default();
    backup.started = started;
    backup.finished = backup.consistent_at().seconds;
    backup.last_write = last_write;
    backup
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_becomes_what_it_shows() {
        let catalog = catalog(
            "rs0   B==|---|  |~~|
             rs1   B|  s
             note  --- anything ---",
        );
        let backups: Vec<_> =
            catalog.backups.iter().map(|backup| (backup.name.as_str(), backup.is_base(), backup.snapshots.len())).collect();
        assert_eq!(backups, [("B", true, 2), ("s", false, 1)]);
        assert_eq!(catalog.backups[0].snapshots[0].oplog, range(0, 3));
        assert_eq!(catalog.backups[0].snapshots[1].oplog, range(0, 1));
        assert_eq!(catalog.backups[1].snapshots[0].oplog, range(4, 4));
        assert_eq!(catalog.slices_of(&replica_set("rs0")).iter().map(|slice| slice.range).collect::<Vec<_>>(), [range(3, 7)]);
        assert_eq!(catalog.recorded_gaps[&replica_set("rs0")][0].range, range(10, 13));
    }

    #[test]
    fn marks_are_read_back_as_drawn() {
        assert_eq!(marked(&drawn("can", '^', &[2, 3, 7]), "can", '^'), Some(vec![2, 3, 7]));
        assert_eq!(marked("rs0   |--|", "can", '^'), None);
        assert_eq!(marked("can   ", "can", '^'), Some(vec![]));
    }

    #[test]
    #[should_panic(expected = "has no end")]
    fn a_backup_without_an_end_is_a_mistake_of_the_drawing() {
        catalog("rs0   B== |---|");
    }

    #[test]
    #[should_panic(expected = "means nothing")]
    fn an_unknown_sign_is_a_mistake_of_the_drawing() {
        catalog("rs0   B==| + |");
    }
}
