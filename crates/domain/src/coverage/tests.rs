use super::*;
use crate::diagram::{at, backup_name, catalog, range, replica_set};

fn coverage(drawing: &str) -> Coverage {
    Coverage::of(&catalog(drawing), &replica_set("rs0"))
}

#[test]
fn stretches_join_what_touches() {
    for (drawing, expected) in [
        ("rs0   ", &[][..]),
        ("rs0   |--|", &[(0, 3)]),
        ("rs0   |--|--|", &[(0, 6)]),
        ("rs0   |--| |--|", &[(0, 3), (5, 8)]),
        ("rs0   B==|--|", &[(0, 6)]),
        ("rs0   B==| |--|", &[(0, 3), (5, 8)]),
        ("rs0   B  |--|", &[(3, 6)]),
        ("rs0   |--|~~|--|", &[(0, 3), (6, 9)]),
        ("rs0   |-----|\n rs0     |--|", &[(0, 6)]),
        ("rs0   |-----|\n rs0     |------|", &[(0, 9)]),
        ("rs0     |--|\n rs0   |-----------|", &[(0, 12)]),
        ("rs1   |--|", &[]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(after, through)| range(*after, *through)).collect();
        assert_eq!(coverage(drawing).stretches(), expected, "{drawing}");
    }
}

#[test]
fn the_reach_of_a_moment_is_the_end_of_its_stretch() {
    let coverage = coverage("rs0     |--|--|  |--|");
    for (column, expected) in [(0, 0), (1, 1), (2, 8), (3, 8), (5, 8), (8, 8), (9, 9), (10, 10), (11, 14), (14, 14), (15, 15)] {
        assert_eq!(coverage.reach(at(column)), at(expected), "column {column}");
    }
}

#[test]
fn what_is_missing_of_a_range_is_told_in_order() {
    let coverage = coverage("rs0     |--|--|  |--|");
    for ((after, through), expected) in [
        ((2, 8), &[][..]),
        ((0, 8), &[(0, 2)]),
        ((0, 16), &[(0, 2), (8, 11), (14, 16)]),
        ((4, 12), &[(8, 11)]),
        ((9, 10), &[(9, 10)]),
        ((15, 20), &[(15, 20)]),
        ((5, 5), &[]),
        ((8, 11), &[(8, 11)]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(after, through)| range(*after, *through)).collect();
        assert_eq!(coverage.missing(range(after, through)), expected, "{after}..{through}");
    }
}

#[test]
fn a_chain_over_a_hole_names_the_hole() {
    let coverage = coverage("rs0   |--|  |--|");
    assert_eq!(coverage.chain(range(1, 8)), Err(range(3, 6)));
    assert_eq!(coverage.chain(range(1, 5)), Err(range(3, 5)));
    assert_eq!(coverage.chain(range(4, 8)), Err(range(4, 6)));
    assert_eq!(coverage.chain(range(7, 12)), Err(range(9, 12)));
    assert_eq!(coverage.chain(range(7, 9)).map(|pieces| pieces.len()), Ok(1));
}

#[test]
fn an_empty_range_needs_no_pieces() {
    assert_eq!(coverage("rs0   |--|").chain(range(5, 5)), Ok(Vec::new()));
    assert_eq!(Coverage::nothing().chain(range(5, 5)), Ok(Vec::new()));
}

#[test]
fn a_broken_or_physical_backup_covers_nothing() {
    let mut catalog = catalog("rs0   B==|");
    catalog.backups[0].kind = BackupKind::Unsupported;
    assert_eq!(Coverage::of(&catalog, &replica_set("rs0")), Coverage::nothing());
}

#[test]
fn ranges_turned_around_or_empty_cover_nothing() {
    let mut catalog = catalog("rs0   B==|--|--|");
    catalog.backups[0].snapshots[0].oplog = range(3, 1);
    let slices = catalog.slices.get_mut(&replica_set("rs0")).expect("drawn");
    slices[0].range = range(6, 6);
    slices[1].range = range(9, 6);
    assert_eq!(Coverage::of(&catalog, &replica_set("rs0")), Coverage::nothing());
}

#[test]
fn a_month_of_ten_second_slices_is_planned_without_quadratic_work() {
    let rs0 = replica_set("rs0");
    let mut catalog = catalog("rs0   B|");
    let slices = catalog.slices.entry(rs0.clone()).or_default();
    for number in 0..260_000_u32 {
        let range = OplogRange::new(OplogTime::new(1_001 + number * 10, 1), OplogTime::new(1_011 + number * 10, 1));
        slices.push(Slice { replica_set: rs0.clone(), range, name: number.to_string().into(), bytes: 1 });
    }
    let coverage = Coverage::of(&catalog, &rs0);
    assert_eq!(coverage.stretches().len(), 1);
    let whole = OplogRange::new(at(1), coverage.newest().expect("covered"));
    assert_eq!(coverage.chain(whole).map(|pieces| pieces.len()), Ok(260_000));
}

#[test]
fn a_backup_is_carried_on_by_the_slices_up_to_the_next_hole() {
    let catalog = catalog("rs0   |--|--|--|--|   |--|\nrs0        B==|");
    let backup = catalog.backup(&backup_name("B")).expect("it is drawn");
    let names: Vec<_> = slices_following(&catalog, backup).iter().map(|slice| slice.object().into_owned()).collect();
    assert_eq!(names, ["rs0/3-6", "rs0/6-9", "rs0/9-12"]);
}
