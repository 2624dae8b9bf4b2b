//! Collections are followed by identity.

use bson::{Bson, Document, RawBson, doc};
use oplogue_oplog::outcome::DepartureKind;
use oplogue_oplog::{CollectionKind, OplogError, Transactions};

use crate::support::*;

fn create_index(ui: u8, collection: &str, name: &str) -> Document {
    command("a", ui, doc! { "createIndexes": collection, "v": 2, "key": { name: 1 }, "name": name })
}

#[test]
fn an_untouched_collection_is_loaded_as_it_is() {
    let outcome = Run::all(vec![spec("a.b", Some(1))], []);
    let found = survivor(&outcome, "a.b");
    assert_eq!((found.source.clone(), found.uuid, found.writes, found.created), (Some(namespace("a.b")), Some(uuid(1)), 0, None));
}

#[test]
fn a_created_collection_starts_empty() {
    let outcome = Run::all(vec![], [create("a", 1, "b"), insert("a.b", 1, doc! { "_id": 1 }), update("a.b", 1, 1, doc! { "x": 1 })]);
    let found = survivor(&outcome, "a.b");
    assert_eq!((found.source.clone(), found.writes, found.created), (None, 2, Some(time(1))));
    assert_eq!(found.indexes, [id_index()]);
}

#[test]
fn a_renamed_collection_keeps_its_source_and_indexes() {
    let outcome =
        Run::all(vec![spec("a.b", Some(1))], [create_index(1, "b", "x"), rename(1, "a.b", "a.c", None), create_index(1, "c", "y")]);
    assert_eq!(names(&outcome), ["a.c"]);
    assert_eq!(survivor(&outcome, "a.c").source, Some(namespace("a.b")));
    assert_eq!(index_names(survivor(&outcome, "a.c")), ["_id_", "x", "y"]);
    assert_eq!(outcome.departed[&namespace("a.b")].kind, DepartureKind::Renamed { to: namespace("a.c") });
}

#[test]
fn a_rename_over_another_collection_drops_that_one() {
    let outcome = Run::all(vec![spec("a.b", Some(1)), spec("a.c", Some(2))], [rename(1, "a.b", "a.c", Some(2))]);
    assert_eq!(names(&outcome), ["a.c"]);
    assert_eq!(survivor(&outcome, "a.c").source, Some(namespace("a.b")));
    assert_eq!(outcome.departed[&namespace("a.c")].kind, DepartureKind::Replaced { by: namespace("a.b") });
}

#[test]
fn names_that_are_swapped_are_followed() {
    let outcome = Run::all(
        vec![spec("a.b", Some(1)), spec("a.c", Some(2))],
        [rename(1, "a.b", "a.t", None), rename(2, "a.c", "a.b", None), rename(1, "a.t", "a.c", None)],
    );
    assert_eq!(survivor(&outcome, "a.b").source, Some(namespace("a.c")));
    assert_eq!(survivor(&outcome, "a.c").source, Some(namespace("a.b")));
}

#[test]
fn a_dropped_collection_is_gone_and_its_namesake_is_another() {
    let outcome = Run::all(
        vec![spec("a.b", Some(1))],
        [command("a", 1, doc! { "drop": "b" }), create("a", 2, "b"), insert("a.b", 2, doc! { "_id": 1 })],
    );
    let found = survivor(&outcome, "a.b");
    assert_eq!((found.source.clone(), found.uuid, found.writes), (None, Some(uuid(2)), 1));
}

#[test]
fn a_drop_by_uuid_never_drops_a_namesake() {
    // The snapshot listed the second `a.b`; the drop of the first comes before it in the oplog.
    let outcome = Run::all(vec![spec("a.b", Some(2))], [insert("a.b", 1, doc! { "_id": 1 }), command("a", 1, doc! { "drop": "b" })]);
    assert_eq!(survivor(&outcome, "a.b").source, Some(namespace("a.b")));
    assert!(outcome.strangers.is_empty());
}

#[test]
fn writes_to_a_collection_that_was_gone_when_the_snapshot_was_listed_are_skipped() {
    let mut run = Run::new(vec![spec("a.b", Some(2))]);
    let resolved = run.try_push(insert("a.b", 1, doc! { "_id": 1 })).expect("a write");
    assert_eq!(resolved[0].collection, None);
    assert_eq!(survivor(&run.lineage.outcome(), "a.b").writes, 0);
}

#[test]
fn a_collection_that_is_written_and_not_in_the_snapshot_is_reported() {
    let outcome =
        Run::all(vec![], [insert("a.b", 1, doc! { "_id": 1 }), rename(1, "a.b", "a.c", None), insert("a.c", 1, doc! { "_id": 2 })]);
    assert_eq!(outcome.strangers.len(), 1);
    let stranger = &outcome.strangers[0];
    assert_eq!((stranger.namespace.clone(), stranger.operations), (namespace("a.c"), 3));
    assert_eq!((stranger.first_seen, stranger.last_seen), (time(1), time(3)));
}

#[test]
fn a_rename_the_snapshot_already_shows_changes_nothing() {
    let outcome = Run::all(vec![spec("a.c", Some(1))], [insert("a.b", 1, doc! { "_id": 1 }), rename(1, "a.b", "a.c", None)]);
    assert_eq!(survivor(&outcome, "a.c").writes, 1);
}

#[test]
fn a_snapshot_several_renames_ahead_comes_to_the_right_names() {
    // b → c → d, and another collection is called c meanwhile; the snapshot was listed last.
    let outcome = Run::all(
        vec![spec("a.d", Some(1)), spec("a.c", Some(2))],
        [rename(1, "a.b", "a.c", None), rename(1, "a.c", "a.d", None), rename(2, "a.x", "a.c", None), insert("a.c", 2, doc! { "_id": 1 })],
    );
    assert_eq!(names(&outcome), ["a.c", "a.d"]);
    assert_eq!(survivor(&outcome, "a.c").uuid, Some(uuid(2)));
    assert_eq!(survivor(&outcome, "a.d").uuid, Some(uuid(1)));
}

#[test]
fn a_create_of_what_the_snapshot_holds_starts_from_empty() {
    let outcome = Run::all(vec![spec("a.b", Some(1))], [create("a", 1, "b"), insert("a.b", 1, doc! { "_id": 1 })]);
    assert_eq!((survivor(&outcome, "a.b").source.clone(), outcome.collections.len()), (None, 1));
}

#[test]
fn drop_database_drops_nothing_by_itself() {
    let outcome = Run::all(vec![spec("a.b", Some(1))], [command("a", 9, doc! { "dropDatabase": 1 })]);
    assert_eq!(names(&outcome), ["a.b"]);
}

#[test]
fn without_uuids_the_name_decides_until_one_is_seen() {
    let outcome = Run::all(
        vec![spec("a.b", None)],
        [insert("a.b", 1, doc! { "_id": 1 }), rename(1, "a.b", "a.c", None), create("a", 2, "b"), insert("a.c", 1, doc! { "_id": 2 })],
    );
    assert_eq!(survivor(&outcome, "a.c").writes, 2);
    assert_eq!(survivor(&outcome, "a.c").uuid, Some(uuid(1)));
    assert_eq!(survivor(&outcome, "a.b").source, None);
}

#[test]
fn without_uuids_a_collection_listed_after_its_rename_is_recognised() {
    let outcome = Run::all(vec![spec("a.c", None)], [rename(1, "a.b", "a.c", Some(2)), insert("a.c", 1, doc! { "_id": 1 })]);
    assert_eq!(
        (names(&outcome), survivor(&outcome, "a.c").uuid, survivor(&outcome, "a.c").writes),
        (vec!["a.c".to_owned()], Some(uuid(1)), 1)
    );
}

#[test]
fn without_uuids_a_collection_dropped_and_made_again_starts_from_empty() {
    let outcome = Run::all(
        vec![spec("a.b", None)],
        [
            insert("a.b", 1, doc! { "_id": 1 }),
            command("a", 1, doc! { "drop": "b" }),
            create("a", 2, "b"),
            insert("a.b", 2, doc! { "_id": 2 }),
        ],
    );
    assert_eq!((survivor(&outcome, "a.b").source.clone(), survivor(&outcome, "a.b").writes), (None, 1));
}

#[test]
fn dollar_out_leaves_its_result_with_its_indexes_and_nothing_else() {
    let temporary = command("a", 2, doc! { "create": "tmp.agg_out.1", "temp": true, "idIndex": id_index() });
    let outcome = Run::all(
        vec![spec("a.result", Some(1))],
        [
            temporary,
            create_index(2, "tmp.agg_out.1", "x"),
            insert("a.tmp.agg_out.1", 2, doc! { "_id": 1 }),
            rename(2, "a.tmp.agg_out.1", "a.result", Some(1)),
        ],
    );
    assert_eq!(names(&outcome), ["a.result"]);
    let found = survivor(&outcome, "a.result");
    assert_eq!((found.source.clone(), index_names(found), found.options.clone()), (None, vec!["_id_".into(), "x".into()], doc! {}));
    assert!(!outcome.departed.contains_key(&namespace("a.tmp.agg_out.1")));
}

#[test]
fn indexes_come_and_go_by_name_key_and_star() {
    let mut with_indexes = spec("a.b", Some(1));
    for name in ["x", "y", "z"] {
        with_indexes.indexes.push(index(name, doc! { name: 1 }));
    }
    with_indexes.indexes.push(index("_id_hashed", doc! { "_id": "hashed" }));
    let drop = |index: Bson| command("a", 1, doc! { "dropIndexes": "b", "index": index });
    let cases: Vec<(Bson, Vec<&str>)> = vec![
        ("x".into(), vec!["_id_", "y", "z", "_id_hashed"]),
        (Bson::Document(doc! { "y": 1.0 }), vec!["_id_", "x", "z", "_id_hashed"]),
        (Bson::Document(doc! { "y": -1 }), vec!["_id_", "x", "y", "z", "_id_hashed"]),
        (vec!["x", "z"].into(), vec!["_id_", "y", "_id_hashed"]),
        ("*".into(), vec!["_id_"]),
        ("_id_".into(), vec!["_id_", "x", "y", "z", "_id_hashed"]),
        ("_id_hashed".into(), vec!["_id_", "x", "y", "z"]),
    ];
    for (which, left) in cases {
        let outcome = Run::all(vec![with_indexes.clone()], [drop(which.clone())]);
        assert_eq!(index_names(survivor(&outcome, "a.b")), left, "{which}");
    }
}

#[test]
fn an_index_is_there_from_the_commit_of_its_build() {
    let build = |name: &str| {
        command(
            "a",
            1,
            doc! { name: "b", "indexBuildUUID": uuid_bson(8), "indexes": [index("x", doc! { "x": 1 }), index("y", doc! { "y": 1 })] },
        )
    };
    let mut run = Run::new(vec![spec("a.b", Some(1))]);
    run.push(build("startIndexBuild"));
    assert_eq!(index_names(survivor(&run.lineage.outcome(), "a.b")), ["_id_"]);
    run.push(build("commitIndexBuild"));
    assert_eq!(index_names(survivor(&run.lineage.outcome(), "a.b")), ["_id_", "x", "y"]);
    run.push(build("commitIndexBuild"));
    assert_eq!(index_names(survivor(&run.lineage.outcome(), "a.b")), ["_id_", "x", "y"], "seen twice is there once");
}

#[test]
fn an_index_build_that_was_given_up_leaves_nothing() {
    let build = |name: &str| command("a", 1, doc! { name: "b", "indexBuildUUID": uuid_bson(8), "indexes": [index("x", doc! { "x": 1 })] });
    let outcome = Run::all(vec![spec("a.b", Some(1))], [build("startIndexBuild"), build("abortIndexBuild")]);
    assert_eq!(index_names(survivor(&outcome, "a.b")), ["_id_"]);
}

#[test]
fn coll_mod_changes_an_index_as_list_indexes_would_show_it() {
    let base = || doc! { "v": 2, "key": { "x": 1 }, "name": "x" };
    let with = |more: Document| merged([base(), more]);
    let cases = [
        (base(), doc! { "expireAfterSeconds": 10 }, with(doc! { "expireAfterSeconds": 10 })),
        (with(doc! { "expireAfterSeconds": 5 }), doc! { "expireAfterSeconds": 10_i64 }, with(doc! { "expireAfterSeconds": 10_i64 })),
        (base(), doc! { "hidden": true }, with(doc! { "hidden": true })),
        (with(doc! { "hidden": true }), doc! { "hidden": false }, base()),
        (base(), doc! { "prepareUnique": true }, with(doc! { "prepareUnique": true })),
        (base(), doc! { "disallowNewDuplicateKeys": true }, with(doc! { "prepareUnique": true })),
        (with(doc! { "prepareUnique": true }), doc! { "prepareUnique": false }, base()),
        (with(doc! { "prepareUnique": true }), doc! { "unique": true }, with(doc! { "unique": true })),
        (with(doc! { "unique": true }), doc! { "forceNonUnique": true }, base()),
    ];
    for (before, change, after) in cases {
        for selector in [doc! { "name": "x" }, doc! { "keyPattern": { "x": 1 } }] {
            let mut with_index = spec("a.b", Some(1));
            with_index.indexes.push(before.clone());
            let change = merged([selector, change.clone()]);
            let outcome = Run::all(vec![with_index], [command("a", 1, doc! { "collMod": "b", "index": change.clone() })]);
            assert_eq!(survivor(&outcome, "a.b").indexes[1], after, "{change}");
        }
    }
}

#[test]
fn an_unknown_change_of_an_index_is_refused() {
    for change in [doc! { "name": "x", "somethingNew": 1 }, doc! { "hidden": true }] {
        let mut run = Run::new(vec![spec("a.b", Some(1))]);
        let result = run.try_push(command("a", 1, doc! { "collMod": "b", "index": change }));
        assert!(matches!(result, Err(OplogError::Refused { .. })), "{result:?}");
    }
}

#[test]
fn a_clustered_collection_has_its_clustered_index_and_no_other_on_id() {
    let clustered = doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_", "unique": true };
    let outcome = Run::all(vec![], [command("a", 1, doc! { "create": "b", "clusteredIndex": clustered.clone() })]);
    assert_eq!(survivor(&outcome, "a.b").indexes, [merged([clustered, doc! { "clustered": true }])]);
}

#[test]
fn an_id_index_that_was_left_to_the_server_has_the_collations_of_its_collection() {
    let outcome = Run::all(vec![], [command("a", 1, doc! { "create": "b", "collation": { "locale": "de" } })]);
    assert_eq!(survivor(&outcome, "a.b").indexes, [doc! { "v": 1, "key": { "_id": 1 }, "name": "_id_", "collation": { "locale": "de" } }]);
}

#[test]
fn what_a_capped_collection_shows_already_is_not_inserted_again() {
    let mut capped = spec("a.b", Some(1));
    capped.capped_last_id = Some(RawBson::Int32(2));
    let mut run = Run::new(vec![capped.clone()]);
    for id in 1..=3 {
        run.push(insert("a.b", 1, doc! { "_id": id }));
    }
    assert_eq!(survivor(&run.lineage.outcome(), "a.b").skip_inserts_through, Some(time(2)));
    // The same `_id` after the snapshot's own oplog is another document.
    run.lineage.end_base_window();
    run.push(insert("a.b", 1, doc! { "_id": 2 }));
    assert_eq!(survivor(&run.lineage.outcome(), "a.b").skip_inserts_through, Some(time(2)));
    let outcome = Run::all(vec![capped], [insert("a.b", 1, doc! { "_id": 7 })]);
    assert_eq!(survivor(&outcome, "a.b").skip_inserts_through, None);
}

#[test]
fn views_are_followed_through_system_views() {
    let define = |op: &str, o: Document| doc! { "op": op, "ns": "a.system.views", "ui": uuid_bson(9), "o": o, "o2": { "_id": "a.v" } };
    let definition = |on: &str| doc! { "_id": "a.v", "viewOn": on, "pipeline": [] };
    let views = |entries: Vec<Document>| -> Vec<(String, Document)> {
        Run::all(vec![], entries).views.into_iter().map(|view| (view.namespace.to_string(), view.options)).collect()
    };
    let shown = |on: &str| vec![("a.v".to_owned(), doc! { "viewOn": on, "pipeline": [] })];
    assert_eq!(views(vec![define("i", definition("x"))]), shown("x"));
    assert_eq!(views(vec![define("i", definition("x")), define("u", definition("y"))]), shown("y"));
    assert_eq!(views(vec![define("i", definition("x")), define("d", doc! { "_id": "a.v" })]), vec![]);
    assert_eq!(views(vec![define("i", definition("x")), define("u", doc! { "$v": 1, "$set": { "viewOn": "z" } })]), shown("z"));
    assert_eq!(views(vec![define("i", definition("x")), define("u", doc! { "$v": 2, "diff": { "u": { "viewOn": "z" } } })]), shown("z"));
    // dropDatabase drops the collection of the definitions, and with it every view of that database.
    let dropped = vec![define("i", definition("x")), command("a", 9, doc! { "drop": "system.views" })];
    assert_eq!(views(dropped), vec![]);
    let other = vec![define("i", definition("x")), command("b", 9, doc! { "drop": "system.views" })];
    assert_eq!(views(other), shown("x"));
}

#[test]
fn a_view_edited_by_hand_in_depth_is_refused() {
    let mut run = Run::new(vec![]);
    let o = doc! { "$v": 2, "diff": { "spipeline": { "a": true, "u0": 1 } } };
    let result = run.try_push(doc! { "op": "u", "ns": "a.system.views", "ui": uuid_bson(9), "o": o, "o2": { "_id": "a.v" } });
    assert!(matches!(result, Err(OplogError::Refused { .. })), "{result:?}");
}

#[test]
fn a_view_of_the_snapshot_can_be_dropped_and_a_collection_take_its_name() {
    let mut view = spec("a.v", None);
    view.kind = CollectionKind::View;
    let outcome =
        Run::all(vec![view], [doc! { "op": "d", "ns": "a.system.views", "ui": uuid_bson(9), "o": { "_id": "a.v" } }, create("a", 1, "v")]);
    assert_eq!((names(&outcome), outcome.views.len()), (vec!["a.v".to_owned()], 0));
}

#[test]
fn a_refused_operation_leaves_the_state_as_it_was() {
    let mut run = Run::new(vec![spec("a.b", Some(1))]);
    let before = run.lineage.outcome();
    assert!(run.try_push(command("a", 1, doc! { "collMod": "b", "somethingNew": 1 })).is_err());
    assert!(run.try_push(command("a", 1, doc! { "importCollection": "b" })).is_err());
    assert_eq!(run.lineage.outcome(), before);
}

#[test]
fn what_is_skipped_is_counted_by_its_reason() {
    let outcome = Run::all(
        vec![],
        [
            insert("config.transactions", 1, doc! { "_id": 1 }),
            insert("admin.pbmLog", 2, doc! { "_id": 1 }),
            insert("admin.pbmLog", 2, doc! { "_id": 2 }),
        ],
    );
    assert_eq!(outcome.skipped.values().copied().collect::<Vec<_>>().iter().sum::<u64>(), 3);
    assert_eq!(outcome.skipped["Percona Backup for MongoDB's own state"], 2);
}

#[test]
fn a_transaction_may_create_what_it_writes_to() {
    let inner = vec![create("a", 1, "b"), insert("a.b", 1, doc! { "_id": 1 })];
    let fields = merged([session(1, 1), doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": inner } }, previous(None)]);
    assert_eq!(survivor(&Run::all(vec![], [fields]), "a.b").writes, 1);
    assert!(Transactions::new().unfinished().is_empty());
}
