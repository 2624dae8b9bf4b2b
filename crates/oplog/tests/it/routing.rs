//! Operations reach the collections that are restored, under their target names, and nothing else.

use bson::{Document, RawBson, doc};
use oplogue_oplog::{Batch, CollectionKind, CollectionSpec, Lineage, OplogError, Principals, Router, Step};

use crate::support::*;

/// Surveys `entries`, selects, and routes them again.
fn steps(specs: Vec<CollectionSpec>, entries: Vec<Document>, selection: &[&str], renamed: &[&str]) -> Vec<Step> {
    let outcome = Run::all(specs.clone(), entries.clone());
    let selected = outcome.select(&only(selection), &renames(renamed)).expect("names that exist");
    let principals = Principals { users: namespace("scratch.users"), roles: namespace("scratch.roles") };
    let mut router = Router::new(Lineage::from_snapshot(specs), &selected, Some(principals));
    let operations = operations(entries);
    operations.iter().filter_map(|operation| router.route(operation).expect("an operation that was surveyed")).collect()
}

fn write(document: Document) -> Step {
    Step::Write(raw(document))
}

fn run(database: &str, command: Document) -> Step {
    Step::Command { database: database.to_owned(), command }
}

#[test]
fn writes_go_to_the_final_name_without_a_uuid() {
    let entries = vec![
        insert("a.b", 1, doc! { "_id": 1 }),
        rename(1, "a.b", "a.c", None),
        merged([update("a.c", 1, 1, doc! { "$v": 2, "diff": { "u": { "x": 1 } } }), doc! { "b": false }]),
        merged([delete("a.c", 1, 1), doc! { "b": true }]),
    ];
    let expected = [
        write(doc! { "op": "i", "ns": "a.c", "o": { "_id": 1 } }),
        write(doc! { "op": "u", "ns": "a.c", "o": { "$v": 2, "diff": { "u": { "x": 1 } } }, "o2": { "_id": 1 }, "b": false }),
        write(doc! { "op": "d", "ns": "a.c", "o": { "_id": 1 } }),
    ];
    assert_eq!(steps(vec![spec("a.b", Some(1))], entries, &[], &[]), expected);
}

#[test]
fn only_what_is_selected_is_sent_under_its_new_name() {
    let entries = vec![insert("a.b", 1, doc! { "_id": 1 }), insert("a.c", 2, doc! { "_id": 2 })];
    let specs = vec![spec("a.b", Some(1)), spec("a.c", Some(2))];
    assert_eq!(steps(specs, entries, &["a.c"], &["a.c=z.y"]), [write(doc! { "op": "i", "ns": "z.y", "o": { "_id": 2 } })]);
}

#[test]
fn what_is_dropped_later_is_not_sent_at_all() {
    let entries = vec![
        insert("a.b", 1, doc! { "_id": 1 }),
        command("a", 1, doc! { "drop": "b" }),
        create("a", 2, "b"),
        insert("a.b", 2, doc! { "_id": 2 }),
    ];
    assert_eq!(steps(vec![spec("a.b", Some(1))], entries, &[], &[]), [write(doc! { "op": "i", "ns": "a.b", "o": { "_id": 2 } })]);
}

#[test]
fn writes_of_a_time_series_go_to_the_buckets_and_commands_to_the_logical_name() {
    let ts = CollectionSpec {
        kind: CollectionKind::TimeSeries,
        buckets_uuid: Some(uuid(1)),
        options: doc! { "timeseries": { "timeField": "t" } },
        indexes: vec![],
        ..spec("a.ts", None)
    };
    let entries = vec![
        insert("a.system.buckets.ts", 1, doc! { "_id": 1 }),
        command("a", 1, doc! { "collMod": "system.buckets.ts", "expireAfterSeconds": 5_i64 }),
        command("a", 1, doc! { "collMod": "system.buckets.ts", "timeseries": { "granularity": "minutes" } }),
    ];
    let expected = [
        write(doc! { "op": "i", "ns": "z.system.buckets.new", "o": { "_id": 1 } }),
        run("z", doc! { "collMod": "new", "expireAfterSeconds": 5_i64 }),
    ];
    assert_eq!(steps(vec![ts], entries, &["a.ts"], &["a.ts=z.new"]), expected);
}

#[test]
fn commands_that_change_data_or_options_are_repeated_without_their_index_part() {
    let entries = vec![
        command("a", 1, doc! { "collMod": "b", "index": { "name": "x", "hidden": true }, "validationLevel": "off" }),
        command("a", 1, doc! { "collMod": "b", "index": { "name": "x", "hidden": false } }),
        command("a", 1, doc! { "collMod": "b", "noPadding": true }),
        command("a", 1, doc! { "emptycapped": "b" }),
        command("a", 1, doc! { "convertToCapped": "b", "size": 4096 }),
        command("a", 1, doc! { "collMod": "b", "cappedSize": 8192_i64 }),
    ];
    let expected = [
        run("a", doc! { "collMod": "c", "validationLevel": "off" }),
        run("a", doc! { "emptycapped": "c" }),
        run("a", doc! { "convertToCapped": "c", "size": 4096 }),
        run("a", doc! { "collMod": "c", "cappedSize": 8192_i64 }),
    ];
    assert_eq!(steps(vec![spec("a.b", Some(1))], entries, &[], &["a.b=a.c"]), expected);
}

#[test]
fn creation_drops_renames_and_indexes_are_the_plans_business() {
    let entries = vec![
        create("a", 2, "c"),
        command("a", 2, doc! { "createIndexes": "c", "v": 2, "key": { "x": 1 }, "name": "x" }),
        command("a", 2, doc! { "dropIndexes": "c", "index": "x" }),
        rename(2, "a.c", "a.d", None),
        command("a", 9, doc! { "dropDatabase": 1 }),
    ];
    assert_eq!(steps(vec![], entries, &[], &[]), []);
}

#[test]
fn users_and_roles_go_to_their_scratch_collections() {
    let entries = vec![
        insert("admin.system.users", 8, doc! { "_id": "admin.bob" }),
        doc! { "op": "d", "ns": "admin.system.roles", "ui": uuid_bson(9), "o": { "_id": "admin.r" } },
        command("admin", 8, doc! { "createIndexes": "system.users", "v": 2, "key": { "user": 1 }, "name": "u" }),
        command("admin", 8, doc! { "drop": "system.users" }),
    ];
    let expected = [
        write(doc! { "op": "i", "ns": "scratch.users", "o": { "_id": "admin.bob" } }),
        write(doc! { "op": "d", "ns": "scratch.roles", "o": { "_id": "admin.r" } }),
        run("scratch", doc! { "delete": "users", "deletes": [{ "q": {}, "limit": 0 }] }),
    ];
    assert_eq!(steps(vec![], entries.clone(), &[], &[]), expected);
    let mut router = Router::new(Lineage::from_snapshot(vec![]), &[], None);
    for operation in operations(entries) {
        assert_eq!(router.route(&operation), Ok(None));
    }
}

#[test]
fn inserts_a_capped_collection_shows_already_are_left_out_and_later_ones_sent() {
    let capped = CollectionSpec { capped_last_id: Some(RawBson::Int32(2)), ..spec("a.b", Some(1)) };
    let entries = vec![
        insert("a.b", 1, doc! { "_id": 1 }),
        command("a", 1, doc! { "emptycapped": "b" }),
        insert("a.b", 1, doc! { "_id": 2 }),
        insert("a.b", 1, doc! { "_id": 3 }),
    ];
    assert_eq!(steps(vec![capped], entries, &[], &[]), [write(doc! { "op": "i", "ns": "a.b", "o": { "_id": 3 } })]);
}

#[test]
fn an_update_that_does_not_say_of_what_is_an_error() {
    let outcome = Run::all(vec![spec("a.b", Some(1))], []);
    let selected = outcome.select(&only(&[]), &[]).expect("everything");
    let mut router = Router::new(Lineage::from_snapshot(vec![spec("a.b", Some(1))]), &selected, None);
    let update = operation(doc! { "op": "u", "ns": "a.b", "ui": uuid_bson(1), "o": { "x": 1 } });
    assert!(matches!(router.route(&update), Err(OplogError::Malformed { .. })));
}

#[test]
fn the_bytes_of_documents_are_not_touched() {
    // A duplicate field and a deprecated type survive only if nobody decodes them.
    let mut o = bson::RawDocumentBuf::new();
    o.append(bson::raw::cstr!("_id"), 1);
    o.append(bson::raw::cstr!("x"), 1);
    o.append(bson::raw::cstr!("x"), bson::RawBson::Undefined);
    let mut entry = raw(doc! { "ts": bson::Timestamp { time: 1000, increment: 1 }, "op": "i", "ns": "a.b", "ui": uuid_bson(1) });
    entry.append(bson::raw::cstr!("o"), o.clone());
    let operations = oplogue_oplog::Transactions::new().push(&entry).expect("an entry");
    let outcome = Run::all(vec![spec("a.b", Some(1))], []);
    let selected = outcome.select(&only(&[]), &[]).expect("everything");
    let mut router = Router::new(Lineage::from_snapshot(vec![spec("a.b", Some(1))]), &selected, None);
    let Ok(Some(Step::Write(step))) = router.route(&operations[0]) else { panic!("a write") };
    assert_eq!(step.get_document("o").expect("the document").as_bytes(), o.as_bytes());
}

#[test]
fn a_batch_says_what_it_is() {
    let batch = Batch::Command { database: "a".into(), command: doc! { "x": 1 }, time: time(1) };
    assert!(format!("{batch:?}").contains("Command"));
}
