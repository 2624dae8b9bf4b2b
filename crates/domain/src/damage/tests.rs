use super::*;
use crate::diagram::{self, at, backup_name, range, replica_set};

fn slice(after: usize, through: usize) -> Loss {
    Loss::Slice { replica_set: replica_set("rs0"), object: format!("rs0/{after}-{through}") }
}

fn collection(backup: &str) -> Loss {
    Loss::Namespace { backup: backup_name(backup), replica_set: replica_set("rs0"), namespace: Namespace::new("shop", "orders") }
}

/// `mark` the restorable moments in the row `left`, the lost ones in the row `lost`.
fn check(drawing: &str, losses: &[Loss]) {
    let catalog = diagram::catalog(drawing);
    let remaining = remaining(&catalog, losses);
    for (label, what) in [("left", 0), ("lost", 1)] {
        let expected = diagram::marked(drawing, label, '^').unwrap_or_default();
        let is = |column: &usize| match what {
            0 => remaining.restorable.iter().any(|range| range.contains(at(*column))),
            _ => remaining.lost.iter().any(|range| range.contains(at(*column))),
        };
        let found: Vec<usize> = (0..diagram::width(drawing)).filter(is).collect();
        assert_eq!(diagram::drawn(label, '^', &found), diagram::drawn(label, '^', &expected), "{drawing}");
    }
}

#[test]
fn nothing_is_lost_without_a_finding() {
    check(
        "rs0   B==|---|---|
         left     ^^^^^^^^^
         lost",
        &[Loss::Nothing],
    );
}

#[test]
fn a_damaged_slice_takes_what_lies_behind_it_up_to_the_next_base() {
    check(
        "rs0   A==|---|---|---|
         rs0               B=|--|
         left     ^^^^^      ^^^^
         lost          ^^^^^^",
        &[slice(7, 11)],
    );
}

#[test]
fn a_slice_that_another_covers_is_no_loss() {
    check(
        "rs0   A==|---|---|
         rs0       |------|
         left     ^^^^^^^^^
         lost",
        &[slice(7, 11)],
    );
}

#[test]
fn a_slice_that_is_gone_is_lost_as_one_that_is_damaged() {
    let catalog = diagram::catalog("rs0   A==|---|---|");
    let gone = Slice { replica_set: replica_set("rs0"), range: range(11, 15), name: "rs0/11-15".into(), bytes: 1 };
    let remaining = remaining(&catalog, &[Loss::Gone(gone)]);
    assert_eq!(remaining.lost, [range(11, 15)]);
    assert_eq!(remaining.catalog, catalog);
}

#[test]
fn a_damaged_collection_costs_the_base_and_not_the_rest_of_the_backup() {
    let drawing = "rs0   A==|---|---|---|
         rs0               B=|--|
         left     ^^^^^^^^^^^^^^^
         lost";
    // The older base leads over what the slices have.
    check(drawing, &[collection("B")]);
    let remaining = remaining(&diagram::catalog(drawing), &[collection("B"), collection("B")]);
    let orders = Namespace::new("shop", "orders");
    assert_eq!(remaining.backups, [(backup_name("A"), Standing::Whole), (backup_name("B"), Standing::Without(vec![orders]))]);
    assert_eq!(remaining.backups[1].1.to_string(), "can be restored but for shop.orders");
}

#[test]
fn the_oplog_of_a_backup_with_a_damaged_collection_still_joins_slices() {
    check(
        "rs0   A==|---|
         rs0          B====|
         rs0               |--|
         left     ^^^^^^^^^^^^^
         lost",
        &[collection("B")],
    );
}

#[test]
fn a_backup_that_is_lost_takes_its_oplog_with_it() {
    check(
        "rs0   A==|---|
         rs0          B====|
         rs0               |--|
         left     ^^^^^
         lost          ^^^^^^^^",
        &[Loss::Backup { backup: backup_name("B") }],
    );
}

fn check_holes(drawing: &str) {
    let catalog = diagram::catalog(drawing);
    let expected = diagram::marked(drawing, "hole", '^').unwrap_or_default();
    let holes = unexplained(&catalog, &replica_set("rs0"));
    let found: Vec<usize> = (0..diagram::width(drawing)).filter(|column| holes.iter().any(|hole| hole.contains(at(*column)))).collect();
    assert_eq!(diagram::drawn("hole", '^', &found), diagram::drawn("hole", '^', &expected), "{drawing}");
}

#[test]
fn a_hole_is_explained_by_a_record_or_by_a_backup_at_which_slicing_began() {
    for drawing in [
        "rs0   A==|---|---|\n hole",
        "rs0   A==|---|~~~|---|\n hole",
        "rs0   A==|---|   B=|---|\n hole",
        "rs0   A==|       B=|---|\n hole",
        "rs0      |---|---|\n hole",
    ] {
        check_holes(drawing);
    }
}

#[test]
fn a_slice_that_begins_behind_nothing_lost_its_predecessor() {
    for drawing in [
        "rs0   A==|---|   |---|\n hole          ^^^^",
        "rs0   A==|   |---|\n hole      ^^^^",
        "rs0   A==|---|   |---|   |---|\n hole          ^^^^    ^^^^",
        "rs0   A==|~|   |---|\n hole        ^^^^",
    ] {
        check_holes(drawing);
    }
}
