//! Listing collections, and making them again from what was listed.

oplogue_testkit::on_every_version!(
    what_is_listed_can_be_made_again,
    a_collection_keeps_its_uuid_when_told,
    an_index_being_built_is_not_listed,
    a_namesake_never_lends_its_indexes,
);

mod checks {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use bson::{Bson, Document, doc};
    use oplogue_mongo::{ListedCollection, MongoError};
    use oplogue_oplog::CollectionKind;
    use oplogue_testkit::Version;

    use crate::Bench;

    pub async fn what_is_listed_can_be_made_again(version: Version) {
        let bench = Bench::new(version, "remake").await;
        let german = doc! { "locale": "de", "strength": 2 };
        bench.run(doc! { "create": "plain" }).await;
        bench.run(doc! { "create": "a b/ü.x" }).await;
        bench.run(doc! { "create": "capped", "capped": true, "size": 8192, "max": 10 }).await;
        bench.run(doc! { "create": "collated", "collation": german.clone() }).await;
        bench.run(doc! { "create": "checked", "validator": { "x": 1 }, "validationLevel": "moderate", "validationAction": "warn" }).await;
        bench
            .run(doc! { "create": "seen", "viewOn": "collated", "pipeline": [{ "$match": { "a": 1 } }], "collation": german.clone() })
            .await;
        let mut indexes = vec![
            doc! { "name": "_id_hashed", "key": { "_id": "hashed" } },
            doc! { "name": "ttl", "key": { "t": 1 }, "expireAfterSeconds": 3600 },
            doc! { "name": "partial", "key": { "p": -1 }, "partialFilterExpression": { "p": { "$gt": 1 } }, "unique": true },
            doc! { "name": "text", "key": { "body": "text" }, "weights": { "body": 3 }, "default_language": "german" },
            doc! { "name": "geo", "key": { "where": "2dsphere" }, "sparse": true },
            doc! { "name": "wild", "key": { "$**": 1 }, "wildcardProjection": { "a": 1 } },
        ];
        if bench.at_least(4, 4) {
            indexes.push(doc! { "name": "hidden", "key": { "h": 1 }, "hidden": true });
        }
        bench.run(doc! { "createIndexes": "plain", "indexes": indexes }).await;
        bench.run(doc! { "createIndexes": "collated", "indexes": [{ "name": "simple", "key": { "s": 1 }, "collation": { "locale": "simple" } }, { "name": "own", "key": { "o": 1 } }] }).await;
        bench
            .insert("system.js", vec![doc! { "_id": "f", "value": bson::Bson::JavaScriptCode("function() { return 1 }".to_owned()) }])
            .await;
        if bench.at_least(5, 0) {
            bench.run(doc! { "create": "series", "timeseries": { "timeField": "t", "metaField": "m", "granularity": "minutes" }, "expireAfterSeconds": 3600_i64 }).await;
            bench.run(doc! { "createIndexes": "series", "indexes": [{ "name": "m_t", "key": { "m": 1, "t": 1 } }] }).await;
        }
        if bench.at_least(6, 0) {
            bench.run(doc! { "create": "clustered", "clusteredIndex": { "key": { "_id": 1 }, "unique": true, "name": "mine" }, "changeStreamPreAndPostImages": { "enabled": true } }).await;
            bench.run(doc! { "createIndexes": "clustered", "indexes": [{ "name": "x", "key": { "x": 1 } }] }).await;
            bench.run(doc! { "createIndexes": "plain", "indexes": [{ "name": "soon", "key": { "u": 1 } }] }).await;
            bench.run(doc! { "collMod": "plain", "index": { "name": "soon", "prepareUnique": true } }).await;
        }
        let before = bench.list().await;
        assert!(before.iter().all(|listed| listed.spec.namespace.collection != "system.views"), "{before:?}");
        for listed in &before {
            bench.connection.drop_namespace(&listed.spec.namespace).await.expect("dropped");
            bench.connection.drop_namespace(&listed.spec.namespace).await.expect("dropping twice is fine");
        }
        let left: Vec<_> =
            bench.list().await.into_iter().map(|listed| listed.spec.namespace.collection).filter(|name| name != "system.js").collect();
        assert_eq!(left, Vec::<String>::new());
        for listed in &before {
            remake(&bench, listed).await;
        }
        bench.connection.majority_barrier().await.expect("all on a majority");
        let after = bench.list().await;
        assert_eq!(comparable(&before), comparable(&after));
        assert_eq!(
            before.iter().map(|listed| listed.spec.uuid).collect::<Vec<_>>(),
            after.iter().map(|listed| listed.spec.uuid).collect::<Vec<_>>()
        );
    }

    /// Name, kind, options, indexes, indexes as users see them.
    type Comparable = (String, CollectionKind, Document, Vec<Document>, Vec<Document>);

    fn comparable(listed: &[ListedCollection]) -> Vec<Comparable> {
        let sorted = |mut indexes: Vec<Document>| {
            indexes.sort_by_key(|index| index.get_str("name").unwrap_or_default().to_owned());
            indexes
        };
        listed
            .iter()
            .map(|listed| {
                let spec = listed.spec.clone();
                (spec.namespace.to_string(), spec.kind, spec.options, sorted(spec.indexes), sorted(listed.logical_indexes.clone()))
            })
            .collect()
    }

    async fn remake(bench: &Bench, listed: &ListedCollection) {
        let spec = &listed.spec;
        let id_index = spec.indexes.iter().find(|index| index.get_str("name").is_ok_and(|name| name == "_id_"));
        let collated = spec.options.contains_key("collation");
        match spec.kind {
            CollectionKind::View => bench.connection.create_view(&spec.namespace, &spec.options).await.expect("a view"),
            CollectionKind::TimeSeries => {
                bench.connection.create_time_series(&spec.namespace, &spec.options).await.expect("a time series");
                // Both forms of its indexes do.
                bench.connection.build_indexes(&spec.namespace, &listed.logical_indexes, false).await.expect("indexes");
                bench.connection.build_indexes(&spec.namespace.buckets(), &spec.indexes, false).await.expect("the same again");
            }
            CollectionKind::Collection => {
                let created = bench.connection.create_collection(&spec.namespace, &spec.options, id_index, spec.uuid).await;
                if spec.namespace.collection != "system.js" {
                    created.unwrap_or_else(|error| panic!("{}: {error}", spec.namespace));
                }
                bench.connection.build_indexes(&spec.namespace, &spec.indexes, collated).await.expect("indexes");
            }
        }
    }

    pub async fn a_collection_keeps_its_uuid_when_told(version: Version) {
        let bench = Bench::new(version, "uuids").await;
        let uuid = uuid(1);
        let (a, b) = (bench.namespace("a"), bench.namespace("b"));
        bench.connection.create_collection(&a, &doc! {}, None, Some(uuid)).await.expect("created");
        assert_eq!(bench.listed("a").await.spec.uuid, Some(uuid));
        for (namespace, uuid) in [(&b, uuid), (&a, super::checks::uuid(2))] {
            let error = bench.connection.create_collection(namespace, &doc! {}, None, Some(uuid)).await.expect_err("taken");
            assert!(matches!(error, MongoError::Server { code: 48, .. }), "{error:?}");
        }
        assert_eq!(bench.list().await.len(), 1, "nothing was renamed out of the way");
    }

    /// Of version 4, as the server wants it.
    fn uuid(last: u8) -> [u8; 16] {
        [1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, last]
    }

    /// Renames `c` away again and again and makes another `c`, each with an index of its own.
    async fn replace_again_and_again(bench: &Bench, made: &Mutex<Vec<([u8; 16], String)>>, stop: &AtomicBool) {
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) {
            let index = format!("kept{turn}");
            bench.run(doc! { "createIndexes": "c", "indexes": [{ "name": &index, "key": { "x": 1 } }] }).await;
            let found = bench.run(doc! { "listCollections": 1, "filter": { "name": "c" } }).await;
            let found = found.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")).expect("a cursor");
            let info = found[0].as_document().expect("a collection").get_document("info").expect("its info");
            let Some(Bson::Binary(uuid)) = info.get("uuid") else { panic!("no UUID in {info}") };
            let uuid = uuid.bytes.as_slice().try_into().expect("16 bytes");
            made.lock().expect("no panic").push((uuid, index));
            bench.admin(doc! { "renameCollection": "replaced.c", "to": format!("replaced.d{}", turn % 5), "dropTarget": true }).await;
            turn += 1;
        }
    }

    pub async fn a_namesake_never_lends_its_indexes(version: Version) {
        let bench = Bench::new(version, "replaced").await;
        let (made, stop) = (Mutex::new(Vec::<([u8; 16], String)>::new()), AtomicBool::new(false));
        let listing = async {
            let mut looked_at = 0;
            for _ in 0..150 {
                let before = made.lock().expect("no panic").clone();
                for listed in bench.list().await {
                    let Some((_, index)) = before.iter().find(|(uuid, _)| listed.spec.uuid == Some(*uuid)) else { continue };
                    let names: Vec<&str> = listed.spec.indexes.iter().filter_map(|index| index.get_str("name").ok()).collect();
                    assert!(names.contains(&index.as_str()), "{} has {names:?}, and had {index}", listed.spec.namespace);
                    looked_at += 1;
                }
            }
            stop.store(true, Ordering::Relaxed);
            looked_at
        };
        let ((), looked_at) = tokio::join!(replace_again_and_again(&bench, &made, &stop), listing);
        assert!(looked_at > 100, "{looked_at} collections were there before and after");
    }

    pub async fn an_index_being_built_is_not_listed(version: Version) {
        let bench = Bench::new(version, "building").await;
        bench.insert("c", vec![doc! { "x": 1 }, doc! { "x": 2 }]).await;
        bench.run(doc! { "createIndexes": "c", "indexes": [{ "name": "done", "key": { "d": 1 } }] }).await;
        let point = "hangAfterStartingIndexBuild";
        bench.admin(doc! { "configureFailPoint": point, "mode": "alwaysOn" }).await;
        let client = bench.client.clone();
        let build = tokio::spawn(async move {
            client.database("building").run_command(doc! { "createIndexes": "c", "indexes": [{ "name": "slow", "key": { "x": 1 } }] }).await
        });
        oplogue_testkit::wait::until("the build is in progress", async || {
            let stats = bench.run(doc! { "collStats": "c" }).await;
            Ok(stats.get_array("indexBuilds").is_ok_and(|builds| !builds.is_empty()).then_some(()))
        })
        .await
        .expect("the build begins");
        let names: Vec<String> =
            bench.listed("c").await.spec.indexes.iter().map(|index| index.get_str("name").expect("a name").to_owned()).collect();
        bench.admin(doc! { "configureFailPoint": point, "mode": "off" }).await;
        build.await.expect("the task ends").expect("the index is built");
        assert_eq!(names, ["_id_", "done"]);
        assert_eq!(bench.listed("c").await.spec.indexes.len(), 3);
    }
}
