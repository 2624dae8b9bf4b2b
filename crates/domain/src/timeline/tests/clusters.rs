//! Clusters of several replica sets.

use super::*;

#[test]
fn a_cluster_is_restorable_where_all_its_replica_sets_are() {
    check(
        "rs0   B==|---|---|---|
           rs1   B==|---|---|
           can      ^^^^^^^^^
           rs0?     ^^^^^^^^^^^^^
           rs1?     ^^^^^^^^^    ",
    );
}

#[test]
fn a_hole_on_one_shard_ends_the_range_of_all() {
    check(
        "rs0   B==|---|---|---|
           rs1   B==|---|   |---|
           can      ^^^^^
           rs0?     ^^^^^^^^^^^^^
           rs1?     ^^^^^
           rs0!
           rs1!          nnnn",
    );
}

#[test]
fn the_moment_of_a_cluster_backup_is_the_latest_end_of_its_parts() {
    check(
        "rs0   B==|---|---|
           rs1   B=====|--|--|
           can         ^^^^^^",
    );
}

#[test]
fn an_idle_shard_without_slices_leaves_only_the_backups_own_moment() {
    check(
        "rs0   B=====|---|
           rs1   B=|
           can         ^
           rs0?        ^^^^^
           rs1?        ^    ",
    );
}

#[test]
fn slices_of_an_idle_shard_bridge_to_the_backups_moment() {
    check(
        "rs0   B=====|---|
           rs1   B=|-------|
           can         ^^^^^",
    );
}

#[test]
fn a_cluster_range_needs_one_base_for_all_shards() {
    // rs0 reaches column 15 only from B, rs1 only from C.
    check(
        "rs0   B==|-----------|
           rs0          C=|
           rs1   B==|   C=|------|
           can      ^     ^^^^^^^",
    );
}

#[test]
fn a_shard_added_later_is_not_restorable_from_a_base_that_lacks_it() {
    check(
        "rs0   B==|---|---|---|---|
           rs0             C=|
           rs1             C=|---|
           can      ^^^^^^^^ ^^^^^
           rs0?     ^^^^^^^^^^^^^^^^^",
    );
}

#[test]
fn a_shard_removed_earlier_does_not_hinder_a_later_base() {
    check(
        "rs0   B==|---|---|---|---|
           rs0               C==|
           rs1   B==|---|
           can      ^^^^^       ^^^^^",
    );
}

#[test]
fn three_shards_with_three_ends() {
    check(
        "rs0   B=|---|---|---|
           rs1   B==|---|---|
           rs2   B===|---|---|--|
           can       ^^^^^^^^",
    );
}

#[test]
fn one_replica_set_of_several_can_be_looked_at_alone() {
    let drawing = "rs0   B==|---|---|---|
                   rs1   B==|---|
                   can      ^^^^^^^^^^^^^";
    check_catalog(drawing, &catalog(drawing).only(&[replica_set("rs0")]));
}

#[test]
fn a_selective_timeline_counts_selective_bases() {
    let catalog = catalog(
        "rs0   B==|---|---|---|---|
         rs0           |--|
         rs0   s|",
    );
    let shop = NamespaceSelection::Only(vec!["shop.orders".parse().expect("a pattern")]);
    let other = NamespaceSelection::Only(vec!["crm.people".parse().expect("a pattern")]);
    assert_eq!(restorable(&catalog, &shop)[0].from, at(1));
    assert_eq!(restorable(&catalog, &other)[0].from, at(3));
}

#[test]
fn the_newest_covered_moment_is_known_beside_the_newest_restorable_one() {
    let timeline = timeline(&catalog("rs0   B==|---|   |---|"));
    let rs0 = timeline.replica_set(&replica_set("rs0")).expect("rs0 was drawn");
    assert_eq!((rs0.newest, rs0.newest_covered), (Some(at(7)), Some(at(15))));
    assert_eq!(rs0.covered, [range(0, 7), range(11, 15)]);
}
