//! What Percona Backup for MongoDB gets wrong and we must not; the numbers are those of the table in docs/pbm-mistakes.md.

use bson::{Document, doc};
use oplogue_oplog::{Batch, Batcher, CollectionKind, CollectionSpec, Lineage, OplogError, Router, Step, Transactions};

use crate::support::*;

#[test]
fn w1_an_oplog_out_of_order_is_an_error() {
    let mut transactions = Transactions::new();
    transactions.push(&entry(5, insert("a.b", 1, doc! { "_id": 1 }))).expect("the first");
    let result = transactions.push(&entry(4, insert("a.b", 1, doc! { "_id": 2 })));
    assert_eq!(result, Err(OplogError::OutOfOrder { previous: time(5), time: time(4) }));
}

#[test]
fn w3_missing_users_never_delete_any() {
    // Nothing about users in the oplog: nothing is sent, least of all a delete.
    let mut router = Router::new(Lineage::from_snapshot(vec![]), &[], None);
    assert_eq!(router.route(&operation(insert("a.b", 1, doc! { "_id": 1 }))), Ok(None));
}

#[test]
fn w4_indexes_follow_a_rename_and_no_ghost_of_the_old_name_is_left() {
    let mut orders = spec("a.orders", Some(1));
    orders.indexes.push(index("total", doc! { "total": 1 }));
    let outcome = Run::all(vec![orders], [rename(1, "a.orders", "a.orders_2026", None)]);
    assert_eq!(names(&outcome), ["a.orders_2026"]);
    assert_eq!(index_names(survivor(&outcome, "a.orders_2026")), ["_id_", "total"]);
}

#[test]
fn w4_indexes_follow_out_and_no_temporary_collection_is_left() {
    let create = command("a", 2, doc! { "create": "tmp.agg_out.x", "temp": true, "idIndex": id_index() });
    let create_index = command("a", 2, doc! { "createIndexes": "tmp.agg_out.x", "v": 2, "key": { "k": 1 }, "name": "k_1" });
    let outcome = Run::all(vec![spec("a.out", Some(1))], [create, create_index, rename(2, "a.tmp.agg_out.x", "a.out", Some(1))]);
    assert_eq!(names(&outcome), ["a.out"]);
    assert_eq!(index_names(survivor(&outcome, "a.out")), ["_id_", "k_1"]);
}

#[test]
fn w4_a_hashed_index_on_id_is_never_taken_for_the_id_index() {
    let mut with_hashed = spec("a.b", Some(1));
    with_hashed.indexes.insert(0, index("_id_hashed", doc! { "_id": "hashed" }));
    let outcome = Run::all(vec![with_hashed], [command("a", 1, doc! { "dropIndexes": "b", "index": { "_id": 1 } })]);
    assert_eq!(index_names(survivor(&outcome, "a.b")), ["_id_hashed", "_id_"]);
}

#[test]
fn w4_hidden_and_prepare_unique_are_kept() {
    let build = command(
        "a",
        1,
        doc! { "commitIndexBuild": "b", "indexes": [{ "v": 2, "key": { "x": 1 }, "name": "x", "hidden": true, "prepareUnique": true }] },
    );
    let outcome = Run::all(vec![spec("a.b", Some(1))], [build]);
    assert_eq!(
        survivor(&outcome, "a.b").indexes[1],
        doc! { "v": 2, "key": { "x": 1 }, "name": "x", "hidden": true, "prepareUnique": true }
    );
}

#[test]
fn w4_indexes_created_in_the_replayed_span_are_there() {
    let build = command("a", 1, doc! { "createIndexes": "b", "v": 2, "key": { "x": 1 }, "name": "x" });
    assert_eq!(index_names(survivor(&Run::all(vec![], [create("a", 1, "b"), build]), "a.b")), ["_id_", "x"]);
}

#[test]
fn w5_a_time_series_selected_by_its_name_gets_its_oplog() {
    let ts = CollectionSpec {
        kind: CollectionKind::TimeSeries,
        options: doc! { "timeseries": { "timeField": "t" } },
        indexes: vec![],
        ..spec("a.ts", None)
    };
    let entries = [insert("a.system.buckets.ts", 1, doc! { "_id": 1 })];
    let selected = Run::all(vec![ts.clone()], entries.clone()).select(&only(&["a.ts"]), &[]).expect("it exists");
    let mut router = Router::new(Lineage::from_snapshot(vec![ts]), &selected, None);
    assert!(matches!(router.route(&operations(entries)[0]), Ok(Some(Step::Write(_)))));
}

#[test]
fn w6_names_that_look_alike_as_paths_are_different_collections() {
    let outcome = Run::all(vec![spec("a.x//y", Some(1)), spec("a.x/y", Some(2))], [insert("a.x//y", 1, doc! { "_id": 1 })]);
    assert_eq!((survivor(&outcome, "a.x//y").writes, survivor(&outcome, "a.x/y").writes), (1, 0));
}

#[test]
fn w7_a_transaction_is_sent_whole() {
    let inner: Vec<_> = (1..=3).map(|id| insert("a.b", 1, doc! { "_id": id })).collect();
    let fields = merged([session(1, 1), doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": inner } }, previous(None)]);
    let selected = Run::all(vec![spec("a.b", Some(1))], []).select(&only(&[]), &[]).expect("all");
    let mut router = Router::new(Lineage::from_snapshot(vec![spec("a.b", Some(1))]), &selected, None);
    let mut batcher = Batcher::new(4, usize::MAX);
    let mut batches = Vec::new();
    for operation in operations([insert("a.b", 1, doc! { "_id": 8 }), insert("a.b", 1, doc! { "_id": 9 }), fields]) {
        let step = router.route(&operation).expect("an operation").expect("a step");
        batches.extend(batcher.push(operation.time, step));
    }
    batches.extend(batcher.flush());
    let sizes: Vec<_> = batches
        .iter()
        .map(|batch| match batch {
            Batch::Writes { operations, .. } => operations.len(),
            Batch::Command { .. } => 0,
        })
        .collect();
    assert_eq!(sizes, [2, 3]);
}

#[test]
fn w7_a_collection_that_did_not_exist_at_the_moment_is_not_part_of_the_state() {
    let outcome = Run::all(vec![spec("a.b", Some(1))], [command("a", 1, doc! { "drop": "b" })]);
    assert!(outcome.collections.is_empty());
}

#[test]
fn w8_a_collection_the_snapshot_lacks_is_reported_and_not_skipped_silently() {
    assert_eq!(Run::all(vec![], [insert("a.b", 1, doc! { "_id": 1 })]).strangers.len(), 1);
}

#[test]
fn w10_no_decision_leaks_from_one_command_to_the_next_on_the_same_database() {
    let buckets = command("a", 1, doc! { "create": "system.buckets.ts", "timeseries": { "timeField": "t" }, "clusteredIndex": true });
    let outcome = Run::all(vec![], [buckets, create("a", 2, "b"), command("a", 1, doc! { "drop": "system.buckets.ts" })]);
    assert_eq!((names(&outcome), survivor(&outcome, "a.b").uuid), (vec!["a.b".to_owned()], Some(uuid(2))));
}

#[test]
fn w10_whether_a_missing_document_is_inserted_is_kept() {
    let fields = merged([update("a.b", 1, 1, doc! { "x": 1 }), doc! { "b": true }]);
    assert_eq!(operation(fields).upsert, Some(true));
}

#[test]
fn w11_an_entry_over_sixteen_mebibytes_is_read() {
    let pad = "x".repeat(16 * 1024 * 1024 - 20);
    let operation = operation(insert("a.b", 1, doc! { "_id": 1, "p": pad }));
    assert!(operation.o.as_bytes().len() > 16 * 1024 * 1024 - 100);
}

#[test]
fn w12_stored_javascript_is_an_ordinary_collection() {
    let outcome = Run::all(vec![], [create("a", 1, "system.js"), insert("a.system.js", 1, doc! { "_id": "f" })]);
    assert_eq!((names(&outcome), survivor(&outcome, "a.system.js").writes), (vec!["a.system.js".to_owned()], 1));
}

#[test]
fn w12_a_collection_renamed_since_the_backup_is_one_collection() {
    let outcome = Run::all(vec![spec("a.b", Some(1))], [rename(1, "a.b", "a.c", None), insert("a.c", 1, doc! { "_id": 1 })]);
    assert_eq!((names(&outcome), survivor(&outcome, "a.c").writes), (vec!["a.c".to_owned()], 1));
}

#[test]
fn w13_a_coll_mod_of_an_index_that_is_dropped_later_is_no_error() {
    let change = command("a", 1, doc! { "collMod": "b", "index": { "name": "x", "hidden": true } });
    let outcome = Run::all(vec![spec("a.b", Some(1))], [change]);
    assert_eq!(outcome.skipped.values().sum::<u64>(), 1);
}

#[test]
fn w13_known_commands_that_change_nothing_do_not_stop_a_restore() {
    for o in [doc! { "dbCheck": "a.b" }, doc! { "createDatabaseMetadata": "a" }, doc! { "abortIndexBuild": "b" }] {
        Run::new(vec![]).push(command("a", 1, o));
    }
}

#[test]
fn w14_a_rename_or_drop_while_the_snapshot_was_taken_is_no_error() {
    let entries: Vec<Document> = vec![rename(1, "a.b", "a.c", None), command("a", 2, doc! { "drop": "d" })];
    assert_eq!(names(&Run::all(vec![spec("a.c", Some(1))], entries)), ["a.c"]);
}

#[test]
fn fact6_no_ops_inside_slices_are_left_out() {
    assert!(operations([doc! { "op": "n", "ns": "", "o": { "msg": "periodic noop" } }]).is_empty());
}

#[test]
fn fact7_the_entry_two_slices_share_is_applied_once() {
    let mut transactions = Transactions::new();
    let shared = entry(1, update("a.b", 1, 1, doc! { "$v": 2, "diff": { "u": { "n": 1 } } }));
    assert_eq!(transactions.push(&shared).map(|operations| operations.len()), Ok(1));
    assert_eq!(transactions.push(&shared).map(|operations| operations.len()), Ok(0));
}

#[test]
fn a_transaction_whose_prepare_is_missing_is_never_ignored() {
    let mut transactions = Transactions::new();
    let commit = merged([session(1, 1), doc! { "op": "c", "ns": "admin.$cmd", "o": { "commitTransaction": 1 } }]);
    assert!(matches!(transactions.push(&entry(1, commit)), Err(OplogError::IncompleteTransaction { .. })));
}
