//! Moments that cannot be restored, and what is said then.

use super::*;
use crate::catalog::GapReason;
use crate::diagram::replica_set;

#[track_caller]
fn refused(drawing: &str, column: usize) -> PlanError {
    choose(&catalog(drawing), &Moment::At(at(column)), &everything()).expect_err("the moment is not restorable")
}

#[test]
fn without_a_backup_it_says_so() {
    let error = refused("rs0   |---|---|", 5);
    assert_eq!(
        error.to_string(),
        "no backup can be the base of this restore: there is none on the storage; take one with `oplogue backup`"
    );
    assert!(matches!(choose(&Catalog::default(), &Moment::Latest, &everything()), Err(PlanError::NoBackup { .. })));
}

#[test]
fn a_selective_backup_alone_is_no_base_for_everything() {
    assert_eq!(refused("rs0   s==|---|", 5).to_string(), "no backup can be the base of this restore; s: it holds only shop.*");
}

#[test]
fn a_moment_before_everything_names_the_oldest_good_one() {
    let error = refused("rs0    B==|---|---|", 2);
    assert_eq!(error, PlanError::TooEarly { target: at(2), oldest: at(4) });
    assert_eq!(
        error.to_string(),
        "no backup is old enough for 1970-01-01 00:16:42 +1: the oldest moment that can be restored is 1970-01-01 00:16:44 +1"
    );
}

#[test]
fn a_moment_after_everything_names_the_newest_good_one() {
    let error = refused("rs0   B==|---|---|", 12);
    assert_eq!(error, PlanError::TooLate { target: at(12), newest: at(11) });
    assert_eq!(error.nearest(), Nearest { before: Some(at(11)), after: None });
}

#[test]
fn one_ordinal_too_late_is_too_late() {
    let catalog = catalog("rs0   B==|---|---|");
    let target = OplogTime::new(1_011, 2);
    let error = choose(&catalog, &Moment::At(target), &everything()).expect_err("nothing is known of it");
    assert_eq!(error, PlanError::TooLate { target, newest: at(11) });
}

#[test]
fn a_moment_in_a_hole_names_the_hole_its_reason_and_the_good_moments_beside_it() {
    let error = refused("rs0   B==|---|~~~~|---|   C==|---|", 9);
    let PlanError::Gap { target, gap, nearest } = &error else { panic!("{error}") };
    assert_eq!((*target, gap.range, &gap.reason), (at(9), range(7, 12), &GapReason::OplogRolledOver));
    assert_eq!(*nearest, Nearest { before: Some(at(7)), after: Some(at(23)) });
    assert_eq!(
        error.to_string(),
        "the oplog of rs0 is missing 1970-01-01 00:16:47 +1 … 1970-01-01 00:16:52 +1 on the way to 1970-01-01 00:16:49 +1 \
         (the server's oplog rolled over before it was sliced); the nearest moments that can be restored are \
         1970-01-01 00:16:47 +1 and 1970-01-01 00:17:03 +1"
    );
}

#[test]
fn a_moment_behind_a_hole_is_refused_by_the_hole_not_as_too_late() {
    for column in [8, 12, 13, 14, 16] {
        let error = refused("rs0   B==|---|    |---|", column);
        let PlanError::Gap { gap, nearest, .. } = &error else { panic!("{error}") };
        assert_eq!((gap.range, nearest.before, nearest.after), (range(7, 12), Some(at(7)), None));
    }
}

#[test]
fn a_moment_within_a_later_dump_behind_a_hole_is_refused_by_the_hole() {
    let error = refused("rs0   B==|---|    C====|", 14);
    assert!(matches!(&error, PlanError::Gap { gap, .. } if gap.range == range(7, 12)), "{error}");
    assert_eq!(error.nearest(), Nearest { before: Some(at(7)), after: Some(at(17)) });
}

#[test]
fn a_hole_recorded_at_the_end_is_told_for_a_moment_behind_it() {
    let error = refused("rs0   B==|---|~~~~|", 9);
    assert!(matches!(&error, PlanError::Gap { gap, .. } if gap.reason == GapReason::OplogRolledOver), "{error}");
}

#[test]
fn the_shard_with_the_hole_is_named() {
    let error = refused(
        "rs0   B==|---|---|---|
         rs1   B==|---|   |---|",
        13,
    );
    assert!(matches!(&error, PlanError::Gap { gap, .. } if gap.replica_set == replica_set("rs1")), "{error}");
}

#[test]
fn a_shard_that_the_base_does_not_know_is_named() {
    let error = refused(
        "rs0   B==|---|---|---|---|
         rs1             |---|---|",
        14,
    );
    let PlanError::ReplicaSetNotInBase { base, replica_set: name, since, nearest, .. } = &error else { panic!("{error}") };
    assert_eq!((base.as_str(), name.as_str(), *since, nearest.before), ("B", "rs1", at(10), Some(at(10))));
}

#[test]
fn a_shard_that_left_ends_the_older_base_and_the_next_base_is_named() {
    let error = refused(
        "rs0   B==|---|---|---|---|
         rs1   B==|---|
         rs0               C==|",
        10,
    );
    let PlanError::Gap { gap, nearest, .. } = &error else { panic!("{error}") };
    assert_eq!((gap.replica_set.as_str(), gap.range.after, *nearest), ("rs1", at(7), Nearest { before: Some(at(7)), after: Some(at(15)) }));
}

#[test]
fn planning_again_without_a_damaged_slice_finds_another_way_or_the_nearest_good_moments() {
    let rs0 = replica_set("rs0");
    let whole = catalog(
        "rs0   B==|---|---|---|
         rs0         |---|",
    );
    let once = whole.without_slice(&rs0, "rs0/7-11", "object ends early");
    // The other slice reaches only column 10.
    let error = choose(&once, &Moment::At(at(12)), &everything()).expect_err("one entry is missing");
    let PlanError::Gap { gap, nearest, .. } = &error else { panic!("{error}") };
    assert_eq!((gap.range, nearest.before), (range(10, 11), Some(at(10))));
    assert_eq!(gap.reason, GapReason::Damaged("rs0/7-11: object ends early".to_owned()));
    assert!(choose(&once, &Moment::At(at(10)), &everything()).is_ok());
}

#[test]
fn two_bases_of_one_moment_are_decided_by_their_start() {
    check(
        "rs0   B=======|---|
         rs0      C====|",
        10,
        "C",
        &["rs0/8-12 (8,10]"],
    );
}
