//! Time series: stored as buckets, known by their logical name.

use bson::{Bson, Document, doc};
use oplogue_oplog::timeseries::{user_index, user_key};
use oplogue_oplog::{CollectionKind, CollectionSpec, OplogError};

use crate::support::*;

fn series() -> Document {
    doc! { "timeField": "t", "metaField": "m", "granularity": "seconds", "bucketMaxSpanSeconds": 3600 }
}

fn create_buckets(ui: u8) -> Document {
    let o = doc! {
        "create": "system.buckets.ts", "validator": { "$jsonSchema": {} }, "clusteredIndex": true, "expireAfterSeconds": 100_i64, "timeseries": series(),
    };
    command("a", ui, o)
}

fn ts_spec(buckets_uuid: Option<u8>) -> CollectionSpec {
    CollectionSpec {
        kind: CollectionKind::TimeSeries,
        buckets_uuid: buckets_uuid.map(uuid),
        options: doc! { "timeseries": series() },
        indexes: vec![],
        ..spec("a.ts", None)
    }
}

#[test]
fn the_buckets_make_a_time_series_under_its_logical_name() {
    let view = doc! { "op": "i", "ns": "a.system.views", "ui": uuid_bson(9), "o": { "_id": "a.ts", "viewOn": "system.buckets.ts", "pipeline": [] } };
    let outcome = Run::all(vec![], [create_buckets(1), view, insert("a.system.buckets.ts", 1, doc! { "_id": 1 })]);
    assert_eq!((names(&outcome), outcome.views.len()), (vec!["a.ts".to_owned()], 0));
    let found = survivor(&outcome, "a.ts");
    assert_eq!((found.kind, found.uuid, found.writes, found.source.clone()), (CollectionKind::TimeSeries, Some(uuid(1)), 1, None));
    assert_eq!(found.options, doc! { "expireAfterSeconds": 100_i64, "timeseries": series() });
    assert!(found.indexes.is_empty());
}

#[test]
fn a_time_series_of_the_snapshot_is_found_by_its_buckets_with_or_without_uuid() {
    for buckets_uuid in [Some(1), None] {
        let outcome = Run::all(vec![ts_spec(buckets_uuid)], [insert("a.system.buckets.ts", 1, doc! { "_id": 1 })]);
        let found = survivor(&outcome, "a.ts");
        assert_eq!((found.source.clone(), found.writes, found.uuid), (Some(namespace("a.ts")), 1, Some(uuid(1))));
    }
}

#[test]
fn dropping_the_buckets_drops_the_time_series() {
    let view = doc! { "op": "d", "ns": "a.system.views", "ui": uuid_bson(9), "o": { "_id": "a.ts" } };
    let outcome = Run::all(vec![ts_spec(Some(1))], [view, command("a", 1, doc! { "drop": "system.buckets.ts" })]);
    assert!(names(&outcome).is_empty());
    assert!(outcome.departed.contains_key(&namespace("a.ts")));
}

#[test]
fn index_keys_of_buckets_are_said_as_users_say_them() {
    let options = doc! { "timeseries": series() };
    let cases = [
        (doc! { "meta": 1 }, Some(doc! { "m": 1 })),
        (doc! { "meta.x.y": -1, "control.max.t": -1, "control.min.t": -1 }, Some(doc! { "m.x.y": -1, "t": -1 })),
        (doc! { "meta": 1, "control.min.t": 1, "control.max.t": 1 }, Some(doc! { "m": 1, "t": 1 })),
        (doc! { "control.min.v.w": 1, "control.max.v.w": 1 }, Some(doc! { "v.w": 1 })),
        (doc! { "meta": "hashed" }, Some(doc! { "m": "hashed" })),
        (doc! { "data.loc": "2dsphere_bucket" }, Some(doc! { "loc": "2dsphere" })),
        (doc! { "data.loc": 1 }, None),
        (doc! { "control.min.t": 1 }, None),
        (doc! { "control.min.t": 1, "control.max.v": 1 }, None),
        (doc! { "x": 1 }, None),
    ];
    for (key, expected) in cases {
        assert_eq!(user_key(&key, &options), expected, "{key}");
    }
    assert_eq!(user_key(&doc! { "meta": 1 }, &doc! { "timeseries": { "timeField": "t" } }), None);
}

#[test]
fn what_the_user_said_is_taken_where_the_server_kept_it() {
    let original = doc! { "key": { "v": 1, "t": 1 }, "name": "vt", "v": 2 };
    let stored = doc! {
        "v": 2, "key": { "control.min.v": 1, "control.max.v": 1 }, "name": "vt", "originalSpec": original.clone(), "hidden": true,
    };
    assert_eq!(user_index(&stored, &doc! { "timeseries": series() }), Some(merged([original, doc! { "hidden": true }])));
}

#[test]
fn indexes_of_a_snapshot_may_be_in_either_form() {
    let users = index("mt", doc! { "m": 1, "t": 1 });
    let buckets = index("mt", doc! { "meta": 1, "control.min.t": 1, "control.max.t": 1 });
    for form in [users.clone(), buckets] {
        let outcome = Run::all(vec![CollectionSpec { indexes: vec![id_index(), form], ..ts_spec(Some(1)) }], []);
        assert_eq!(survivor(&outcome, "a.ts").indexes, std::slice::from_ref(&users));
    }
}

#[test]
fn indexes_of_a_time_series_come_change_and_go() {
    let key = doc! { "meta": 1, "control.min.t": 1, "control.max.t": 1 };
    let build = command("a", 1, doc! { "commitIndexBuild": "system.buckets.ts", "indexes": [index("mt", key.clone())] });
    let mut run = Run::new(vec![ts_spec(Some(1))]);
    run.push(build);
    assert_eq!(survivor(&run.lineage.outcome(), "a.ts").indexes, [index("mt", doc! { "m": 1, "t": 1 })]);
    run.push(command("a", 1, doc! { "collMod": "system.buckets.ts", "index": { "keyPattern": key.clone(), "hidden": true } }));
    assert_eq!(survivor(&run.lineage.outcome(), "a.ts").indexes[0].get_bool("hidden").ok(), Some(true));
    run.push(command("a", 1, doc! { "dropIndexes": "system.buckets.ts", "index": key }));
    assert!(survivor(&run.lineage.outcome(), "a.ts").indexes.is_empty());
}

#[test]
fn an_index_whose_form_is_not_known_is_refused() {
    let mut run = Run::new(vec![ts_spec(Some(1))]);
    let result =
        run.try_push(command("a", 1, doc! { "createIndexes": "system.buckets.ts", "v": 2, "key": { "control.new.t": 1 }, "name": "x" }));
    assert!(matches!(result, Err(OplogError::Refused { .. })), "{result:?}");
}

#[test]
fn the_granularity_is_the_last_one_even_when_the_snapshot_is_ahead() {
    let grow = |granularity: &str| command("a", 1, doc! { "collMod": "system.buckets.ts", "timeseries": { "granularity": granularity } });
    let mut ahead = ts_spec(Some(1));
    ahead.options = doc! { "timeseries": { "timeField": "t", "granularity": "hours", "bucketMaxSpanSeconds": 2_592_000 } };
    for snapshot in [ts_spec(Some(1)), ahead] {
        let outcome = Run::all(vec![snapshot], [grow("minutes"), grow("hours")]);
        let options = &survivor(&outcome, "a.ts").options;
        let series = options.get_document("timeseries").expect("the options of a time series");
        assert_eq!(
            (series.get("granularity"), series.get("bucketMaxSpanSeconds")),
            (Some(&Bson::from("hours")), Some(&Bson::from(2_592_000)))
        );
    }
}

#[test]
fn a_time_series_that_is_stored_in_another_way_is_refused() {
    for o in [doc! { "create": "ts", "timeseries": series() }, doc! { "create": "system.buckets.ts" }] {
        let result = Run::new(vec![]).try_push(command("a", 1, o));
        assert!(matches!(result, Err(OplogError::Refused { .. })), "{result:?}");
    }
}
