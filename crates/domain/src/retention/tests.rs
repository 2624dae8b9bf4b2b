//! Stories of retention, drawn; the promises over random repositories are in `promises`.

use super::*;
use crate::diagram::{at, backup_name, catalog};
use crate::time::OplogTime;

mod one;
mod promises;

/// Long after every drawing.
const LATER: u32 = 1_000_000_000;

/// The second of a column.
fn second(column: usize) -> u32 {
    at(column).seconds
}

fn count(count: u32) -> Policy {
    Policy { count, ..Policy::default() }
}

fn window(seconds: u64) -> Policy {
    Policy { window_seconds: seconds, ..Policy::default() }
}

/// The letters of the backups that stay, and the slices that stay as `replica set/after-through`.
fn left(verdicts: &Verdicts<'_>) -> (String, Vec<String>) {
    let backups = verdicts.backups.iter().filter(|judged| judged.verdict.is_keep()).map(|judged| judged.item.name.as_str()).collect();
    let slices = verdicts.slices.iter().filter(|judged| judged.verdict.is_keep()).map(|judged| judged.item.object().into_owned()).collect();
    (backups, slices)
}

/// What is said of the item of this name.
fn said(verdicts: &Verdicts<'_>, name: &str) -> String {
    let backups = verdicts.backups.iter().map(|judged| (judged.item.name.to_string(), &judged.verdict));
    let slices = verdicts.slices.iter().map(|judged| (judged.item.object().into_owned(), &judged.verdict));
    let found = backups.chain(slices).find(|(found, _)| found == name);
    let (_, verdict) = found.expect("the item is in the drawing");
    verdict.reasons().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn check(drawing: &str, policy: Policy, now: u32, backups: &str, slices: &[&str]) {
    let catalog = catalog(drawing);
    let verdicts = retention(&catalog, &policy, &Scope::everything(), now);
    assert_eq!(left(&verdicts), (backups.to_owned(), slices.iter().map(ToString::to_string).collect()));
}

#[test]
fn without_a_rule_everything_stays() {
    check("rs0   A=|--|--|B=|--|", Policy::default(), LATER, "AB", &["rs0/2-5", "rs0/5-8", "rs0/11-14"]);
}

#[test]
fn the_newest_stay_with_the_slices_that_follow_the_oldest_of_them() {
    check(
        "rs0   A=|--|--|--|--|--|
         rs0         B=|   C=|   ",
        count(2),
        LATER,
        "BC",
        &["rs0/8-11", "rs0/11-14", "rs0/14-17"],
    );
}

#[test]
fn a_slice_that_goes_on_beyond_the_end_of_the_oldest_base_stays() {
    check(
        "rs0   A=|---|---|---|
         rs0         B=|",
        count(1),
        LATER,
        "B",
        &["rs0/6-10", "rs0/10-14"],
    );
}

#[test]
fn a_window_keeps_the_base_before_its_start_and_everything_since() {
    let drawing = "rs0   A=|--|--|--|--|--|--|
                   rs0      B=|   C=|   D=|   ";
    // Begins in column 12: C ends at 11 and carries it.
    check(drawing, window(18), second(30), "CD", &["rs0/11-14", "rs0/14-17", "rs0/17-20"]);
    // Begins at the very moment of C.
    let now = second(20);
    let catalog = catalog(drawing);
    let policy = window(u64::from(now - second(11)) + 1);
    let verdicts = retention(&catalog, &policy, &Scope::everything(), now);
    assert_eq!(left(&verdicts).0, "BCD", "one second earlier, B carries it");
    assert!(said(&verdicts, "B").contains("moments of the window"), "{}", said(&verdicts, "B"));
}

#[test]
fn with_a_window_what_other_rules_keep_stands_for_its_own_moment() {
    let catalog = catalog(
        "rs0   A=|--|--|--|--|--|--|
         rs0      B=|   C=|   D=|",
    );
    let policy = Policy { count: 4, ..window(4) };
    let verdicts = retention(&catalog, &policy, &Scope::everything(), second(20));
    assert_eq!(left(&verdicts), ("ABCD".to_owned(), vec!["rs0/11-14".to_owned(), "rs0/14-17".to_owned(), "rs0/17-20".to_owned()]));
    let gaps: Vec<_> = verdicts.new_gaps.iter().map(|gap| (gap.range, gap.reason.clone())).collect();
    let hole = |after, through| (OplogRange::new(at(after), at(through)), GapReason::Deleted);
    assert_eq!(gaps, [hole(2, 3), hole(5, 9)]);
}

#[test]
fn the_gap_that_deletion_leaves_grows_with_the_next_deletion_and_is_one_record() {
    let catalog = catalog(
        "rs0   A=|--|--|--|--|--|--|
         rs0      B=|   C=|   D=|",
    );
    let first = retention(&catalog, &Policy { count: 4, ..window(4) }, &Scope::everything(), second(20));
    let after = first.after(&catalog);
    let second = retention(&after, &Policy { yearly: 1, count: 1, ..window(1) }, &Scope::everything(), second(30));
    assert_eq!(left(&second).0, "D");
    assert!(second.gaps.iter().all(|judged| !judged.verdict.is_keep()), "nothing is left that a gap could lie between");

    let kept =
        retention(&after, &Policy { count: 1, ..window(1) }, &Scope::of([backup_name("B"), backup_name("C"), backup_name("D")]), LATER);
    assert_eq!(left(&kept).0, "AD");
    assert_eq!(kept.new_gaps.iter().map(|gap| gap.range).collect::<Vec<_>>(), [OplogRange::new(at(2), at(15))]);
    assert!(kept.gaps.iter().all(|judged| judged.verdict.reasons() == [Reason::LongerRecord]), "{:?}", kept.gaps);
}

#[test]
fn the_calendar_keeps_the_newest_of_each_day_that_has_one() {
    let mut catalog = catalog("rs0   A  B  C  D  E");
    let day = 86_400;
    for (backup, moment) in catalog.backups.iter_mut().zip([day, 2 * day, 2 * day + 10, 5 * day, 5 * day + 1]) {
        backup.snapshots[0].oplog = OplogRange::new(OplogTime::new(moment, 1), OplogTime::new(moment, 1));
    }
    let daily = |daily| Policy { daily, ..Policy::default() };
    for (days, expected) in [(1, "E"), (2, "CE"), (3, "ACE"), (9, "ACE")] {
        assert_eq!(left(&retention(&catalog, &daily(days), &Scope::everything(), LATER)).0, expected);
    }
    let verdicts = retention(&catalog, &daily(2), &Scope::everything(), LATER);
    assert_eq!(said(&verdicts, "C"), "it is the newest of the day 1970-01-03");
    let weekly = Policy { weekly: 1, ..Policy::default() };
    // 1970-01-05 was a Monday: D and E lie in a week of their own.
    assert_eq!(left(&retention(&catalog, &Policy { weekly: 2, ..weekly }, &Scope::everything(), LATER)).0, "CE");
    assert_eq!(left(&retention(&catalog, &Policy { monthly: 2, yearly: 3, ..Policy::default() }, &Scope::everything(), LATER)).0, "E");
}

#[test]
fn the_newest_usable_backup_stays_however_old_it_is_and_so_do_its_slices() {
    let days = Policy { days: 7, ..Policy::default() };
    check("rs0   A=|--|  B=|--|--|", days, LATER, "B", &["rs0/10-13", "rs0/13-16"]);
    check("rs0   A=|--|  B=|--|--|", window(60), LATER, "B", &["rs0/10-13", "rs0/13-16"]);
    let catalog = catalog("rs0   A=|--|  B=|--|--|");
    let broken = catalog.without_backup(&backup_name("B"), BackupProblem::NotDone("error".to_owned()));
    let verdicts = retention(&broken, &count(1), &Scope::everything(), LATER);
    assert_eq!(left(&verdicts).0, "A", "a broken backup counts for nothing");
}

#[test]
fn a_broken_backup_goes_when_it_is_surely_a_day_old() {
    let catalog = catalog("rs0   A=|--|  B=|").without_backup(&backup_name("A"), BackupProblem::MissingObject("x".to_owned()));
    let at_end = catalog.backups[0].finished;
    for (now, expected) in [(at_end + SAFE_AGE_SECONDS - 1, "AB"), (at_end + SAFE_AGE_SECONDS, "B")] {
        assert_eq!(left(&retention(&catalog, &count(1), &Scope::everything(), now)).0, expected);
    }
    let mut undated = catalog.clone();
    (undated.backups[0].started, undated.backups[0].finished) = (0, 0);
    assert_eq!(left(&retention(&undated, &count(1), &Scope::everything(), LATER)).0, "AB", "an unknown age is no age");
}

#[test]
fn what_only_pbm_can_restore_is_left_to_pbm() {
    for problem in [BackupProblem::Unsupported("`physical`".to_owned()), BackupProblem::LegacyArchive("PBM 1.8.0".to_owned())] {
        let catalog = catalog("rs0   A=|  B=|").without_backup(&backup_name("A"), problem);
        assert_eq!(left(&retention(&catalog, &count(1), &Scope::everything(), LATER)).0, "AB");
    }
}

#[test]
fn a_policy_touches_only_its_own_backups_and_never_what_is_restorable_from_others() {
    let catalog = catalog(
        "rs0   A=|--|--|--|--|--|--|
         rs0      b  C=|   D=|",
    );
    let of_schedule = || Scope::of([backup_name("C"), backup_name("D")]);
    let verdicts = retention(&catalog, &count(1), &of_schedule(), LATER);
    assert_eq!(left(&verdicts).0, "AbD");
    assert_eq!(left(&verdicts).1.len(), 6, "A is restorable up to the end");
    assert!(said(&verdicts, "rs0/2-5").contains("from backup A"), "{}", said(&verdicts, "rs0/2-5"));

    let verdicts = retention(&catalog, &count(1), &of_schedule().moments_only([backup_name("A"), backup_name("b")]), LATER);
    assert_eq!(left(&verdicts), ("AbD".to_owned(), vec!["rs0/14-17".to_owned(), "rs0/17-20".to_owned()]));
}

#[test]
fn slices_of_a_replica_set_that_the_policy_holds_no_base_of_are_not_its_business() {
    let catalog = catalog(
        "rs0   A=|--|--|  B=|--|
         rs1   |--|--|--|
         rs2   s=|--|",
    );
    let verdicts = retention(&catalog, &count(1), &Scope::of(["A", "B", "s"].map(backup_name)), LATER);
    assert_eq!(left(&verdicts).1, ["rs0/2-5", "rs0/13-16", "rs1/0-3", "rs1/3-6", "rs1/6-9", "rs2/2-5"]);
    assert!(said(&verdicts, "rs2/2-5").contains("no full backup of rs2"));
}

#[test]
fn a_backup_whose_oplog_fills_a_hole_between_slices_stays_with_those_it_serves() {
    let drawing = "rs0   A=|--|  |--|  |--|
                   rs0        b==|
                   rs0      C=|   D=|";
    let catalog = catalog(drawing);
    // b bridges 5 to 8, D 11 to 14: A reaches to the end, and must.
    let verdicts = retention(&catalog, &count(1), &Scope::of(["b", "C", "D"].map(backup_name)), LATER);
    assert_eq!(left(&verdicts).0, "AbD");
    assert!(lost(&catalog, &verdicts.after(&catalog)).is_empty());
    let policy = Policy { window_seconds: 60, ..Policy::default() };
    let verdicts = retention(&catalog, &policy, &Scope::everything(), second(60));
    assert!(lost(&catalog, &verdicts.after(&catalog)).is_empty(), "all of it lies in the window");
}

#[test]
fn full_backups_and_those_of_a_selection_are_counted_apart() {
    check("rs0   A=|  B=|  s=|  t=|  u=|", count(1), LATER, "Bu", &[]);
    check("rs0   A=|  B=|  s=|  t=|  u=|", count(2), LATER, "ABtu", &[]);
}

#[test]
fn a_replica_set_that_joined_later_is_not_forgotten_by_an_older_backup() {
    let catalog = catalog(
        "rs0   A=|--|--|--|--|--|--|
         rs0               C=|
         rs1          |--|-|
         rs1         B|    C=|--|",
    );
    let policy = Policy { window_seconds: 1, yearly: 0, ..Policy::default() };
    let verdicts = retention(&catalog, &policy, &Scope::of(["C", "B"].map(backup_name)), LATER);
    let after = verdicts.after(&catalog);
    assert_eq!(gained(&catalog, &after), []);
}

#[test]
fn the_later_oplog_of_a_replica_set_that_ended_early_belongs_to_its_backup() {
    let catalog = catalog(
        "rs0   A=====|-|--|  C=|
         rs1   A=|--|--|--|  C=|--|",
    );
    let verdicts = retention(&catalog, &count(2), &Scope::of(["C"].map(backup_name)).moments_only([backup_name("A")]), LATER);
    assert_eq!(left(&verdicts).1, ["rs0/8-11", "rs1/2-5", "rs1/5-8", "rs1/16-19"]);
    assert!(said(&verdicts, "rs1/2-5").contains("whole only with it"));
}

#[test]
fn the_newest_slice_stays_because_slicing_goes_on_from_it() {
    check("rs0   |--|--|  B=|", count(1), LATER, "B", &["rs0/3-6"]);
}

#[test]
fn two_that_share_a_name_stay_or_go_together() {
    let mut catalog = catalog("rs0   A=|  B=|  C=|");
    catalog.backups[0].name = backup_name("C");
    let verdicts = retention(&catalog, &count(1), &Scope::everything(), LATER);
    assert_eq!(left(&verdicts).0, "CC");
}

#[test]
fn deletions_come_in_the_order_in_which_it_is_safe_to_stop() {
    let catalog = catalog(
        "rs0   A=|--|--|--|--|--|--|
         rs0      B=|   C=|   D=|
         rs1   |--|--|C=|--|  D=|",
    );
    let deletions = retention(&catalog, &count(1), &Scope::everything(), LATER).deletions();
    assert_eq!(deletions.backups.iter().map(|backup| backup.name.as_str()).collect::<Vec<_>>(), ["A", "B", "C"]);
    assert!(deletions.slices.is_sorted_by_key(|slice| slice.range));
    assert!(!deletions.is_empty() && Deletions::default().is_empty());
}

#[test]
fn a_policy_tells_its_rules() {
    let policy = Policy { count: 7, days: 30, window_seconds: 36 * 3600, daily: 1, monthly: 12, ..Policy::default() };
    assert_eq!(policy.to_string(), "the newest 7, 30 days, a window of 36 h, one of each of 1 days, one of each of 12 months");
    assert_eq!(Policy::default().to_string(), "everything");
    assert_eq!(window(86_400).to_string(), "a window of 1 d");
    assert_eq!(window(90).to_string(), "a window of 90 s");
}

#[test]
fn a_replica_set_keeps_its_newest_when_unrelated_ones_share_the_folder() {
    check(
        "rs0   A=|--|--|--|--|
         rs1         B=|--|--|
         rs0            C=|",
        count(1),
        LATER,
        "BC",
        // The first shows that rs0 was there, for B may be of a cluster that rs0 joined later.
        &["rs0/8-11", "rs0/11-14", "rs1/8-11", "rs1/11-14"],
    );
}
