use super::*;
use crate::catalog::GapReason;
use crate::diagram::{at, catalog, drawn, marked, range, replica_set, width};
use crate::plan::proof::assert_sound;
use crate::plan::{Moment, choose};

mod clusters;

/// Checks every column of a drawing. `can` marks with `^` what the cluster can be restored to, `rs0?` what rs0 alone could;
/// `rs0!` marks holes: `r` rolled over, `n` not sliced, `d` damaged; `rs0%` marks with `u` oplog that no base reaches. A row left out is
/// not checked. Every restorable moment is also planned, and the plan checked for soundness; every other one is refused.
#[track_caller]
fn check(drawing: &str) {
    check_catalog(drawing, &catalog(drawing));
}

#[track_caller]
fn check_catalog(drawing: &str, catalog: &Catalog) {
    let timeline = timeline(catalog);
    let columns = 0..width(drawing) + 2;
    let compare = |label: &str, mark: char, what: &str, holds: &dyn Fn(usize) -> bool| {
        let Some(expected) = marked(drawing, label, mark) else { return };
        let seen: Vec<_> = columns.clone().filter(|column| holds(*column)).collect();
        assert!(seen == expected, "{what}:\n{drawing}\nis{}", drawn(label, mark, &seen));
    };

    compare("can", '^', "the cluster's moments", &|column| timeline.can_restore(at(column)));
    for column in columns.clone() {
        match choose(catalog, &Moment::At(at(column)), &NamespaceSelection::Everything) {
            Ok(choice) => {
                assert!(timeline.can_restore(at(column)), "column {column} can be planned, and the timeline denies it");
                assert_sound(catalog, &choice);
            }
            Err(error) => assert!(!timeline.can_restore(at(column)), "column {column}: {error}"),
        }
    }
    for found in &timeline.replica_sets {
        let alone = |column| found.restorable.iter().any(|range| range.contains(at(column)));
        compare(&format!("{}?", found.name), '^', "moments of one replica set", &alone);
        for (mark, reason) in [('r', GapReason::OplogRolledOver), ('n', GapReason::NotSliced), ('d', GapReason::Damaged(String::new()))] {
            let same = |gap: &Gap| std::mem::discriminant(&gap.reason) == std::mem::discriminant(&reason);
            let hole = |column| found.gaps.iter().any(|gap| same(gap) && gap.range.contains(at(column)));
            compare(&format!("{}!", found.name), mark, "holes", &hole);
        }
        let unusable = |column| found.unusable.iter().any(|range| range.contains(at(column)));
        compare(&format!("{}%", found.name), 'u', "unusable oplog", &unusable);
    }
}

#[test]
fn an_empty_storage_can_restore_nothing() {
    check("can   ");
    assert_eq!(timeline(&Catalog::default()).newest(), None);
}

#[test]
fn a_backup_alone_gives_its_single_moment() {
    check(
        "rs0   B==|
           can      ^
           rs0?     ^
           rs0!
           rs0%      ",
    );
    let timeline = timeline(&catalog("rs0   B==|"));
    assert!(timeline.cluster[0].is_single_moment());
    assert_eq!(timeline.newest(), Some(at(3)));
}

#[test]
fn a_backup_without_any_oplog_of_its_own_still_gives_its_moment() {
    check(
        "rs0     B
           can     ^
           rs0?    ^",
    );
}

#[test]
fn slices_carry_a_backup_on() {
    check(
        "rs0   B==|---|---|
           can      ^^^^^^^^^
           rs0!
           rs0%              ",
    );
}

#[test]
fn nothing_inside_a_dump_can_be_restored() {
    check(
        "rs0   B=======|---|
           can           ^^^^^",
    );
}

#[test]
fn a_missing_slice_ends_the_restorable_range() {
    check(
        "rs0   B==|---|---|   |---|
           can      ^^^^^^^^^
           rs0!              nnnn
           rs0%                  uuuu",
    );
}

#[test]
fn a_hole_right_after_the_backup_leaves_its_moment() {
    check(
        "rs0   B==|  |---|---|
           can      ^
           rs0!      nnn
           rs0%         uuuuuuuu",
    );
}

#[test]
fn a_hole_of_one_entry_is_a_hole() {
    check(
        "rs0   B==|---| |---|
           can      ^^^^^
           rs0!          nn",
    );
}

#[test]
fn the_next_backup_begins_a_new_range_after_a_hole() {
    check(
        "rs0   B==|---|    C==|---|
           can      ^^^^^       ^^^^^
           rs0!          nnnnn       ",
    );
}

#[test]
fn a_recorded_hole_gives_its_reason() {
    check(
        "rs0   B==|---|~~~|---|
           can      ^^^^^
           rs0!          rrrr
           rs0%              uuuu",
    );
}

#[test]
fn a_record_explains_only_the_part_it_speaks_of() {
    check(
        "rs0   B==|---|  |~~|   |---|
           can      ^^^^^
           rs0!          nnnrrrnnnn",
    );
}

#[test]
fn a_record_that_slices_have_filled_since_is_no_hole() {
    check(
        "rs0   B==|~~~~~~~|
           rs0      |---|---|
           can      ^^^^^^^^^
           rs0!                ",
    );
}

#[test]
fn a_record_filled_in_part_remains_for_the_rest() {
    check(
        "rs0   B==|~~~~~~~~~~~|---|
           rs0      |---|
           can      ^^^^^
           rs0!          rrrrrrrr",
    );
}

#[test]
fn a_hole_at_the_end_is_told_too() {
    check(
        "rs0   B==|---|~~~|
           can      ^^^^^
           rs0!          rrrr",
    );
}

#[test]
fn overlapping_records_are_told_once() {
    check(
        "rs0   B==|---|~~~~~|   |---|
           rs0           |~~~~~~|
           can      ^^^^^
           rs0!          rrrrrrrrnn",
    );
}

#[test]
fn a_backups_own_oplog_joins_slices_that_stopped_for_it() {
    check(
        "rs0   B==|---|     |---|
           rs0          C=====|
           can      ^^^^^^^^^^^^^^^
           rs0!                     ",
    );
}

#[test]
fn slicing_during_a_backup_leaves_every_moment_of_the_dump_restorable_from_the_older_base() {
    check(
        "rs0   B==|---|---|---|
           rs0          C====|
           can      ^^^^^^^^^^^^^
           rs0%                  ",
    );
}

#[test]
fn a_selective_backups_oplog_counts_and_it_is_no_base() {
    check(
        "rs0   B==|---|     |---|
           rs0          s=====|
           can      ^^^^^^^^^^^^^^^",
    );
    check(
        "rs0   s==|---|
           can
           rs0%      uuuu
           rs0?           ",
    );
}

#[test]
fn slices_without_a_base_are_shown_as_unusable() {
    check(
        "rs0   |---|---|
           can
           rs0%   uuuuuuuu
           rs0!           ",
    );
}

#[test]
fn slices_before_the_first_base_are_unusable_those_of_its_dump_are_not() {
    check(
        "rs0   |---|---|---|---|---|
           rs0           C===|
           can               ^^^^^^^^^
           rs0%   uuuuuuuu",
    );
}

#[test]
fn overlapping_slices_are_continuous() {
    check(
        "rs0   B==|-----|
           rs0        |-----|
           rs0          |--------|
           can      ^^^^^^^^^^^^^^",
    );
}

#[test]
fn a_compacted_slice_beside_its_parts_changes_nothing() {
    check(
        "rs0   B==|--|--|--|--|
           rs0      |--------|
           can      ^^^^^^^^^^^^^",
    );
}

#[test]
fn a_long_slice_bridges_the_loss_of_a_short_one() {
    check(
        "rs0   B==|--|  |--|--|
           rs0      |--------|
           can      ^^^^^^^^^^^^^",
    );
}

#[test]
fn the_first_slice_may_begin_before_the_backups_end() {
    check(
        "rs0   B=====|
           rs0      |------|
           can         ^^^^^
           rs0%            ",
    );
}

#[test]
fn the_first_slice_may_begin_before_the_backup() {
    check(
        "rs0       B==|
           rs0   |--------|--|
           can          ^^^^^^
           rs0%   uuuu",
    );
}

#[test]
fn a_backup_inside_one_long_slice_begins_the_range() {
    check(
        "rs0   |----------------|
           rs0       B==|
           can          ^^^^^^^^^^^",
    );
}

#[test]
fn two_bases_of_one_stretch_make_one_range_that_names_both() {
    let drawing = "rs0   B==|---|---|---|
                   rs0          C==|
                   can      ^^^^^^^^^^^^^";
    check(drawing);
    let cluster = timeline(&catalog(drawing)).cluster;
    assert_eq!(cluster.len(), 1);
    assert_eq!((cluster[0].base.as_str(), cluster[0].newer_bases[0].as_str()), ("B", "C"));
}

#[test]
fn a_base_in_a_hole_gives_its_single_moment() {
    check(
        "rs0   B==|---|     C==|     |---|
           can      ^^^^^        ^
           rs0!          nnnnnn   nnnnnn",
    );
}

#[test]
fn a_broken_backup_is_no_base_and_its_oplog_is_not_relied_on() {
    let drawing = "rs0   B==|---|     |---|
                   rs0          C=====|
                   can      ^^^^^
                   rs0!          nnnnnn
                   rs0%                uuuu";
    let problem = crate::BackupProblem::NotDone("error".to_owned());
    check_catalog(drawing, &catalog(drawing).without_backup(&crate::diagram::backup_name("C"), problem));
}

#[test]
fn a_damaged_slice_becomes_a_hole_with_its_reason() {
    let drawing = "rs0   B==|---|---|---|
                   can      ^^^^^
                   rs0!          dddd
                   rs0%              uuuu";
    check_catalog(drawing, &catalog(drawing).without_slice(&replica_set("rs0"), "rs0/7-11", "object ends early"));
}

#[test]
fn a_damaged_slice_does_no_harm_where_another_holds_the_same() {
    let drawing = "rs0   B==|---|---|---|
                   rs0          |----|
                   can      ^^^^^^^^^^^^^
                   rs0!                  ";
    check_catalog(drawing, &catalog(drawing).without_slice(&replica_set("rs0"), "rs0/7-11", "object ends early"));
}

#[test]
fn a_base_at_the_very_end_of_a_range_belongs_to_it() {
    let drawing = "rs0   B==|---|
                   rs0       C==|
                   can      ^^^^^";
    check(drawing);
    let cluster = timeline(&catalog(drawing)).cluster;
    assert_eq!((cluster.len(), cluster[0].newer_bases.len()), (1, 1));
}

#[test]
fn damage_is_told_rather_than_an_older_record_of_the_same_stretch() {
    let drawing = "rs0   B==|---|---|---|
                   rs0         |~~~|
                   rs0!          dddd
                   can      ^^^^^";
    check_catalog(drawing, &catalog(drawing).without_slice(&replica_set("rs0"), "rs0/7-11", "object ends early"));
}

#[test]
fn holes_within_one_second_are_holes() {
    let rs0 = replica_set("rs0");
    let mut catalog = catalog("rs0   B==|");
    let ordinals = |after, through| OplogRange::new(OplogTime::new(1_003, after), OplogTime::new(1_003, through));
    for (after, through) in [(1, 4), (5, 9)] {
        let slice = crate::Slice { replica_set: rs0.clone(), range: ordinals(after, through), name: format!("{after}").into(), bytes: 1 };
        catalog.slices.entry(rs0.clone()).or_default().push(slice);
    }
    let timeline = timeline(&catalog);
    assert_eq!(timeline.newest(), Some(OplogTime::new(1_003, 4)));
    assert_eq!(timeline.replica_sets[0].gaps[0].range, ordinals(4, 5));
    assert!(!timeline.can_restore(OplogTime::new(1_003, 5)) && !timeline.can_restore(OplogTime::new(1_003, 9)));
}
