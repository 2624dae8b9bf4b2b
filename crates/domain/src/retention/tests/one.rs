//! Deleting one backup.

use super::*;
use crate::diagram::range;

#[track_caller]
fn refused(drawing: &str, name: &str) -> Option<Refusal> {
    deletable(&catalog(drawing), &backup_name(name), OplogTime::MIN).err()
}

#[test]
fn a_backup_may_go_when_another_base_carries_its_moments() {
    assert_eq!(refused("rs0   A=|--|--|--|\nrs0         B=|", "B"), None);
}

#[test]
fn a_backup_of_one_moment_may_go() {
    assert_eq!(refused("rs0   A=|  B=|", "A"), None);
    assert_eq!(refused("rs0   A=|  B=|", "B"), None);
    assert_eq!(refused("rs0   A=|  b=|--|", "b"), None);
}

#[test]
fn a_backup_that_a_range_starts_from_may_not_and_the_range_is_told() {
    let refusal = refused("rs0   A=|--|--|--|\nrs0         B=|", "A").expect("the moments up to B need it");
    assert!(refusal.is_a_loss());
    assert_eq!(refusal.ranges(), [OplogRange::new(at(2).predecessor(), at(8).predecessor())]);
    assert!(refusal.to_string().contains("could not be restored any more"), "{refusal}");
    let last = refused("rs0   A=|--|  B=|--|", "B").expect("what follows it needs it");
    assert_eq!(last.ranges(), [OplogRange::new(at(10).predecessor(), at(13))]);
}

#[test]
fn only_what_is_promised_counts() {
    let catalog = catalog("rs0   A=|--|--|--|\nrs0         B=|");
    assert_eq!(deletable(&catalog, &backup_name("A"), at(8)), Ok(()), "B carries everything from 8 on");
    let refusal = deletable(&catalog, &backup_name("A"), at(6)).expect_err("7 cannot be had without it");
    assert_eq!(refusal.ranges(), [OplogRange::new(at(6).predecessor(), at(8).predecessor())]);
}

#[test]
fn a_backup_whose_oplog_bridges_a_hole_may_not_go() {
    let drawing = "rs0   A=|--|  |--|\nrs0        b==|";
    assert!(refused(drawing, "b").is_some_and(|refusal| refusal.is_a_loss()));
    let deletions = deletion_of(&catalog(drawing), &backup_name("b"));
    let gaps: Vec<_> = deletions.new_gaps.iter().map(|gap| (gap.range, gap.reason.clone())).collect();
    assert_eq!(gaps, [(range(5, 8), GapReason::Deleted)], "whoever accepts the loss finds it recorded");
}

#[test]
fn a_backup_that_shows_a_replica_set_may_not_go_before_older_ones() {
    let drawing = "rs0   A=|--|--|--|--|\nrs0      B=|\nrs1      B=|";
    let refusal = refused(drawing, "B").expect("A would seem to reach beyond the arrival of rs1");
    assert!(!refusal.is_a_loss() && refusal.to_string().contains("delete the older ones first"), "{refusal}");
}

#[test]
fn what_is_unknown_or_for_pbm_is_refused() {
    assert_eq!(refused("rs0   A=|", "X"), Some(Refusal::Unknown { name: backup_name("X") }));
    let physical = catalog("rs0   A=|").without_backup(&backup_name("A"), BackupProblem::Unsupported("`incremental`".to_owned()));
    let refusal = deletable(&physical, &backup_name("A"), OplogTime::MIN).expect_err("PBM's");
    assert!(refusal.to_string().contains("pbm delete-backup"), "{refusal}");
    let broken = physical.without_backup(&backup_name("A"), BackupProblem::NotDone("error".to_owned()));
    assert_eq!(deletable(&broken, &backup_name("A"), OplogTime::MIN), Ok(()));
}

#[test]
fn a_backup_is_also_lost_when_it_can_no_longer_be_made_consistent() {
    let drawing = "rs0   A=====|\nrs1   A=|\nrs1     b=====|";
    let refusal = refused(drawing, "b").expect("A needs its oplog up to 6");
    assert!(refusal.ranges().iter().any(|range| range.contains(at(6))), "{refusal}");
}
