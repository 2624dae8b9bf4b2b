use super::proof::assert_sound;
use super::*;
use crate::backup::BackupProblem;
use crate::diagram::{at, backup_name, catalog, range};

mod refusals;
mod whole_and_selective;

fn everything() -> NamespaceSelection {
    NamespaceSelection::Everything
}

fn only(patterns: &[&str]) -> NamespaceSelection {
    NamespaceSelection::Only(patterns.iter().map(|pattern| pattern.parse().expect("a pattern of the test")).collect())
}

/// What is taken, as text: the base, then per replica set each piece as `object (after,through]`.
fn told(choice: &Choice) -> Vec<String> {
    let column = |time: OplogTime| time.seconds.saturating_sub(1_000);
    let piece = |piece: &OplogPiece| {
        let object = match &piece.source {
            OplogSource::BackupOplog { backup } => backup.to_string(),
            OplogSource::Slice(slice) => slice.object().into_owned(),
        };
        format!("{object} ({},{}]", column(piece.range.after), column(piece.range.through))
    };
    choice.parts.iter().map(|part| part.oplog.iter().skip(1).map(piece).collect::<Vec<_>>().join(" ")).collect()
}

#[track_caller]
fn check(drawing: &str, column: usize, base: &str, pieces: &[&str]) -> Choice {
    let catalog = catalog(drawing);
    let choice = choose(&catalog, &Moment::At(at(column)), &everything()).expect("the moment is restorable");
    assert_sound(&catalog, &choice);
    assert_eq!((choice.base.as_str(), told(&choice)), (base, pieces.iter().map(ToString::to_string).collect()), "{drawing}");
    choice
}

// Which base.

#[test]
fn the_newest_base_before_the_moment_is_taken() {
    let drawing = "rs0   B==|---|---|---|
                   rs0          C==|";
    for (column, base) in [(3, "B"), (9, "B"), (10, "C"), (11, "C"), (15, "C")] {
        let choice = choose(&catalog(drawing), &Moment::At(at(column)), &everything()).expect("all are restorable");
        assert_eq!(choice.base.as_str(), base, "column {column}");
    }
}

/// PBM takes the newest backup before the target, rejects equality, and fails at the hole (W17).
#[test]
fn w17_the_moment_of_the_base_itself_is_restorable_from_it() {
    check("rs0   B==|---|---|", 3, "B", &[""]);
}

#[test]
fn w17_an_older_base_is_taken_when_the_newest_has_no_whole_chain() {
    // C covers another shard alone and the chain of rs1 from C is broken.
    let choice = check(
        "rs0   B==|---------------|
         rs1   B==|---------------|
         rs0         C=|
         rs1         C=|
         rs0              D==|
         rs1              D==|",
        17,
        "D",
        &["rs0/3-19 (14,17]", "rs1/3-19 (14,17]"],
    );
    assert!(choice.why.is_empty());

    let catalog = catalog(
        "rs0   B==|---|---|---|---|
         rs0           C=|",
    );
    let broken = catalog.without_backup(&backup_name("C"), BackupProblem::MissingObject("C/rs0/metadata.json".to_owned()));
    let choice = choose(&broken, &Moment::At(at(16)), &everything()).expect("B still serves");
    assert_eq!(choice.base.as_str(), "B");
    assert_eq!(choice.why, ["C: object `C/rs0/metadata.json` is missing"]);
}

#[test]
fn a_newer_base_whose_chain_is_broken_is_passed_over_and_told() {
    // C holds a shard that had left by then: its oplog ends before C's own moment.
    let choice = check(
        "rs0   B==|---------------|
         rs0         C===|
         rs1   C=|",
        14,
        "B",
        &["rs0/3-19 (3,14]"],
    );
    assert_eq!(choice.why, [format!("C: the oplog of rs1 ends at {}", at(2))]);
}

#[test]
fn the_reason_names_the_hole_that_kept_a_base_from_serving() {
    let choice = check(
        "rs0   B==|---------------|
         rs0         C===|
         rs1   C|~~~|",
        14,
        "B",
        &["rs0/3-19 (3,14]"],
    );
    assert_eq!(
        choice.why,
        [format!("C: the oplog of rs1 is missing {} (the server's oplog rolled over before it was sliced)", range(1, 5))]
    );
}

#[test]
fn bases_later_than_the_moment_are_no_news() {
    let choice = check(
        "rs0   B==|---|---|---|
         rs0          C==|",
        8,
        "B",
        &["rs0/3-7 (3,7] rs0/7-11 (7,8]"],
    );
    assert!(choice.why.is_empty());
    assert_eq!(choice.newest, at(15));
}

// Which oplog.

#[test]
fn the_last_slice_is_read_up_to_the_moment() {
    let choice = check("rs0   B==|---|---|---|", 9, "B", &["rs0/3-7 (3,7] rs0/7-11 (7,9]"]);
    assert_eq!(choice.parts[0].through, at(9));
}

#[test]
fn a_slice_that_begins_before_the_backups_end_gives_what_is_later() {
    check(
        "rs0   B=====|
         rs0      |------|",
        9,
        "B",
        &["rs0/3-10 (6,9]"],
    );
}

#[test]
fn slices_inside_the_dump_are_not_read() {
    check(
        "rs0   |---|---|---|---|
         rs0      B======|",
        14,
        "B",
        &["rs0/8-12 (10,12] rs0/12-16 (12,14]"],
    );
}

#[test]
fn the_same_range_twice_is_read_once() {
    check(
        "rs0   B==|---|---|
         rs0      |---|---|",
        11,
        "B",
        &["rs0/3-7 (3,7] rs0/7-11 (7,11]"],
    );
}

#[test]
fn one_long_slice_is_read_instead_of_its_parts() {
    check(
        "rs0   B==|--|--|--|--|
         rs0      |--------|",
        13,
        "B",
        &["rs0/3-12 (3,12] rs0/12-15 (12,13]"],
    );
}

#[test]
fn overlapping_slices_share_the_range_without_doubling_it() {
    check(
        "rs0   B==|-----|
         rs0        |-----|
         rs0          |--------|",
        15,
        "B",
        &["rs0/3-9 (3,9] rs0/7-16 (9,15]"],
    );
}

#[test]
fn another_backups_oplog_bridges_a_hole_between_slices() {
    check(
        "rs0   B==|---|     |---|---|
         rs0         s======|",
        15,
        "B",
        &["rs0/3-7 (3,7] s (7,13] rs0/13-17 (13,15]"],
    );
}

#[test]
fn slices_are_preferred_to_another_backups_oplog() {
    check(
        "rs0   B==|---|---|---|
         rs0       s========|",
        12,
        "B",
        &["rs0/3-7 (3,7] rs0/7-11 (7,11] rs0/11-15 (11,12]"],
    );
}

#[test]
fn the_base_oplog_comes_first_and_counts_from_its_very_first_entry() {
    let catalog = catalog("rs0   B==|---|");
    let choice = choose(&catalog, &Moment::At(at(5)), &everything()).expect("restorable");
    let own = &choice.parts[0].oplog[0];
    assert!(own.range.contains(at(0)) && own.range.contains(at(3)) && !own.range.contains(at(4)));
}

#[test]
fn a_moment_between_two_entries_is_as_good_as_an_entry() {
    let catalog = catalog("rs0   B==|---|---|");
    for moment in [OplogTime::new(1_005, 0), OplogTime::new(1_005, 7), OplogTime::start_of_second(1_006), at(6).predecessor()] {
        let choice = choose(&catalog, &Moment::At(moment), &everything()).expect("restorable");
        assert_eq!(choice.through, moment);
        assert_sound(&catalog, &choice);
    }
}

#[test]
fn every_shard_gets_its_own_chain() {
    check(
        "rs0   B==|---|---|---|
         rs1   B=====|--|--|--|",
        11,
        "B",
        &["rs0/3-7 (3,7] rs0/7-11 (7,11]", "rs1/6-9 (6,9] rs1/9-12 (9,11]"],
    );
}

#[test]
fn the_writes_that_will_be_lost_are_known() {
    let after = |column| {
        let choice = choose(&catalog("rs0   B==|---|---|   |---|"), &Moment::At(at(column)), &everything());
        choice.expect("restorable").parts[0].writes_after.iter().map(|slice| slice.object().into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(after(5), ["rs0/3-7", "rs0/7-11", "rs0/15-19"]);
    assert_eq!(after(7), ["rs0/7-11", "rs0/15-19"]);
    assert_eq!(after(11), ["rs0/15-19"]);
}
