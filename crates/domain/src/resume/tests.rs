use super::*;
use crate::diagram::{at, catalog, drawn, marked, range, replica_set, rows, width};

/// `oplog` marks with `[` the oldest entry the server has. `from` marks with `>` where slicing starts, or says `backup`
/// when one is needed first; `lost` marks with `x` the entries that are told to be lost.
#[track_caller]
fn check(drawing: &str) {
    let oldest = marked(drawing, "oplog", '[').and_then(|columns| columns.first().copied()).map_or(OplogTime::MIN, at);
    let decided = resume(&catalog(drawing), &replica_set("rs0"), oldest);
    let (from, lost) = match &decided {
        Resume::Start(start) => (Some(start.from), start.gap.as_ref()),
        Resume::NeedsBackup { lost } => (None, lost.as_ref()),
    };
    let needs_backup = rows(drawing).iter().any(|(label, cells)| *label == "from" && cells.iter().collect::<String>().contains("backup"));
    let expected = if needs_backup { None } else { marked(drawing, "from", '>').and_then(|columns| columns.first().copied()).map(at) };
    assert_eq!(from, expected, "{drawing}\n{decided:?}");
    let expected = marked(drawing, "lost", 'x').unwrap_or_default();
    let seen: Vec<_> = (0..width(drawing) + 2).filter(|column| lost.is_some_and(|gap| gap.range.contains(at(*column)))).collect();
    assert!(seen == expected, "{drawing}\nis{}", drawn("lost", 'x', &seen));
    assert_eq!(lost.is_some(), !expected.is_empty(), "{drawing}\n{decided:?}");
}

#[test]
fn an_empty_storage_needs_a_backup() {
    check(
        "oplog    [------
           from  backup",
    );
}

#[test]
fn another_replica_sets_backup_does_not_help() {
    check(
        "rs1   B==|---|
           oplog [-----------
           from  backup",
    );
}

#[test]
fn the_first_slice_starts_at_the_end_of_the_backup() {
    check(
        "rs0   B==|
           oplog [-------
           from     >",
    );
}

#[test]
fn a_backup_whose_end_the_server_has_just_kept_will_do() {
    check(
        "rs0   B==|
           oplog    [----
           from     >",
    );
}

#[test]
fn a_backup_whose_end_the_server_no_longer_has_will_not() {
    check(
        "rs0   B==|
           oplog     [----
           from  backup
           lost      x",
    );
}

#[test]
fn a_selective_backup_is_not_enough_to_begin_with() {
    check(
        "rs0   s==|
           oplog [-----
           from  backup",
    );
}

#[test]
fn of_two_backups_the_newer_is_started_from() {
    check(
        "rs0   B==|   C==|
           oplog [-----------
           from            >",
    );
}

#[test]
fn slicing_goes_on_at_the_end_of_the_newest_slice() {
    check(
        "rs0   B==|---|---|
           oplog     [---------
           from             >",
    );
}

#[test]
fn slicing_goes_on_though_the_oplog_has_just_kept_the_last_entry() {
    check(
        "rs0   B==|---|---|
           oplog            [---
           from             >",
    );
}

#[test]
fn one_entry_too_late_and_a_backup_is_needed() {
    check(
        "rs0   B==|---|---|
           oplog             [---
           from  backup
           lost              x",
    );
}

#[test]
fn a_newer_backup_does_not_break_a_chain_that_can_go_on() {
    check(
        "rs0   B==|---|     C==|
           oplog    [---------------
           from         >",
    );
}

#[test]
fn the_newest_backup_is_the_way_out_when_the_chain_cannot_go_on() {
    check(
        "rs0   B==|---|     C==|
           oplog            [-------
           from                  >
           lost          xxxxxx",
    );
}

#[test]
fn what_the_newest_backup_covers_is_not_lost() {
    check(
        "rs0   B==|---|
           rs0              C=====|
           oplog                [-----
           from                   >
           lost          xxxx",
    );
}

#[test]
fn a_backup_that_joins_the_newest_slice_loses_nothing() {
    check(
        "rs0   B==|---|
           rs0         C=======|
           oplog           [------
           from                >",
    );
}

#[test]
fn a_backup_that_begins_where_the_newest_slice_ends_loses_nothing() {
    check(
        "rs0   B==|---|
           rs0          C=====|
           oplog           [------
           from               >",
    );
}

#[test]
fn the_slice_is_preferred_to_a_backup_that_joins_it() {
    check(
        "rs0   B==|---|
           rs0         C=======|
           oplog    [-----------
           from         >",
    );
}

#[test]
fn a_selective_backup_that_joins_the_chain_carries_it_on() {
    check(
        "rs0   B==|---|
           rs0         s=======|
           oplog           [------
           from                >",
    );
}

#[test]
fn a_selective_backup_that_joins_nothing_is_no_start() {
    check(
        "rs0   B==|---|
           rs0             s===|
           oplog             [------
           from  backup
           lost          xxxxx",
    );
}

#[test]
fn backups_that_join_each_other_carry_the_chain_on() {
    check(
        "rs0   B==|---|
           rs0         C===|
           rs0           D======|
           oplog             [------
           from                 >",
    );
}

#[test]
fn all_out_of_reach_needs_a_backup_and_tells_what_is_lost() {
    check(
        "rs0   B==|---|    C==|
           oplog                  [---
           from  backup
           lost                  xx",
    );
}

#[test]
fn the_older_chain_is_not_taken_up_again_behind_the_newest_slice() {
    check(
        "rs0   B==|---|    |---|
           oplog    [--------------
           from                  >",
    );
}

#[test]
fn slices_without_any_backup_go_on() {
    check(
        "rs0   |---|---|
           oplog    [--------
           from          >",
    );
    check(
        "rs0   |---|
           oplog      [------
           from  backup
           lost       x",
    );
}

#[test]
fn a_backup_during_slicing_changes_nothing() {
    check(
        "rs0   B==|---|---|---|
           rs0          C===|
           oplog    [-------------
           from                 >",
    );
}

#[test]
fn a_backup_older_than_the_slices_is_no_way_out() {
    check(
        "rs0   B==|---|---|
           rs0      C==|
           oplog             [--
           from  backup
           lost              x",
    );
}

#[test]
fn a_broken_backup_is_no_way_out() {
    let drawing = "rs0   B==|---|     C==|";
    let broken = catalog(drawing).without_backup(&crate::diagram::backup_name("C"), crate::BackupProblem::NotDone("error".into()));
    let lost = Gap { replica_set: replica_set("rs0"), range: range(7, 10), reason: GapReason::OplogRolledOver };
    assert_eq!(resume(&broken, &replica_set("rs0"), at(10)), Resume::NeedsBackup { lost: Some(lost) });
}

#[test]
fn each_replica_set_resumes_for_itself() {
    let catalog = catalog(
        "rs0   B==|---|---|
         rs1   B====|--|",
    );
    let from = |name: &str| match resume(&catalog, &replica_set(name), at(0)) {
        Resume::Start(start) => Some(start.from),
        Resume::NeedsBackup { .. } => None,
    };
    assert_eq!((from("rs0"), from("rs1"), from("rs2")), (Some(at(11)), Some(at(8)), None));
}

#[test]
fn the_start_points_are_told_best_first() {
    let catalog = catalog(
        "rs0   B==|---|    D==|
         rs0         s===|",
    );
    let points: Vec<_> =
        start_points(&catalog, &replica_set("rs0")).into_iter().map(|point| (point.from, point.gap.map(|gap| gap.range))).collect();
    assert_eq!(points, [(at(7), None), (at(10), None), (at(15), Some(range(10, 12)))]);
}

#[test]
fn the_decision_can_be_printed() {
    let told = |drawing: &str, oldest: usize| resume(&catalog(drawing), &replica_set("rs0"), at(oldest)).to_string();
    assert_eq!(told("rs0   B==|", 0), "slicing starts at 1970-01-01 00:16:43 +1, nothing is missing before");
    assert_eq!(
        told("rs0   B==|---|     C==|", 10),
        "slicing starts at 1970-01-01 00:16:56 +1; 1970-01-01 00:16:47 +1 … 1970-01-01 00:16:53 +1 is missing before \
         (the server's oplog rolled over before it was sliced)"
    );
    assert!(told("", 0).starts_with("there is no full backup"));
    let lost = told("rs0   B==|---|", 9);
    assert!(lost.contains("ends at 1970-01-01 00:16:47 +1") && lost.contains("only at 1970-01-01 00:16:49 +1"), "{lost}");
}
