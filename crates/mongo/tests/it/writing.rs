//! Documents go in exactly as they are.

oplogue_testkit::on_every_version!(
    nothing_is_changed_on_the_way_in,
    a_document_that_is_there_twice_is_inserted_once,
    a_large_load_is_cut_into_commands,
    what_a_server_refuses_is_told,
    capped_collections_are_emptied_and_made
);

mod checks {
    use bson::{Timestamp, doc, rawdoc};
    use oplogue_mongo::{ConnectOptions, Connection, MongoError};
    use oplogue_testkit::Version;

    use crate::Bench;

    pub async fn nothing_is_changed_on_the_way_in(version: Version) {
        let bench = Bench::new(version, "as_is").await;
        let empty = Timestamp { time: 0, increment: 0 };
        let documents = [
            rawdoc! { "_id": 1, "t": empty, "in": { "t": empty } },
            rawdoc! { "_id": 2, "dotted.name": 1, "": "empty name" },
            rawdoc! { "_id": { "t": empty } },
            rawdoc! { "_id": 4, "same": 1, "same": 2 },
        ];
        bench.run(bson::doc! { "create": "c" }).await;
        assert_eq!(bench.connection.insert_batch(&bench.namespace("c"), &documents).await.expect("inserted"), 4);
        let mut found = bench.documents("c").await;
        found.sort_by_key(|document| documents.iter().position(|wanted| wanted == document));
        assert_eq!(found, documents);
    }

    pub async fn capped_collections_are_emptied_and_made(version: Version) {
        let bench = Bench::new(version, "capped_ddl").await;
        bench.insert("c", vec![bson::doc! { "_id": 1 }]).await;
        bench.connection.run_ddl("capped_ddl", &bson::doc! { "convertToCapped": "c", "size": 8192 }).await.expect("converted");
        assert!(bench.listed("c").await.is_capped());
        assert_eq!(bench.documents("c").await.len(), 1);
        bench.connection.run_ddl("capped_ddl", &bson::doc! { "emptycapped": "c" }).await.expect("emptied");
        assert_eq!(bench.documents("c").await.len(), 0);
    }

    /// As a snapshot may hold it, when it was deleted and inserted again while it was read.
    pub async fn a_document_that_is_there_twice_is_inserted_once(version: Version) {
        let bench = Bench::new(version, "duplicates").await;
        let twice = [rawdoc! { "_id": 1, "first": true }, rawdoc! { "_id": 2 }, rawdoc! { "_id": 1 }, rawdoc! { "_id": 3 }];
        bench.connection.insert_batch(&bench.namespace("c"), &twice).await.expect("inserted");
        let mut found = bench.documents("c").await;
        found.sort_by_key(|document| document.get_i32("_id").ok());
        assert_eq!(found, [rawdoc! { "_id": 1, "first": true }, rawdoc! { "_id": 2 }, rawdoc! { "_id": 3 }]);
    }

    pub async fn what_a_server_refuses_is_told(version: Version) {
        let bench = Bench::new(version, "refused").await;
        bench.run(doc! { "create": "c" }).await;
        let namespace = bench.namespace("c");
        // Twice there, once impossible: the duplicate is not what is told.
        let documents = [rawdoc! { "_id": 1 }, rawdoc! { "_id": 1 }, rawdoc! { "_id": { "$bad": 1 } }, rawdoc! { "_id": 2 }];
        let options = ConnectOptions { driver_only: true, ..ConnectOptions::default() };
        let driver = Connection::open(&crate::shared(version).await.uri(), &options).await.expect("connected");
        for connection in [&bench.connection, &driver] {
            let error = connection.insert_batch(&namespace, &documents).await.expect_err("a server takes no such id");
            assert!(matches!(&error, MongoError::Server { code, .. } if *code != 11000), "{error:?}");
            assert_eq!(bench.documents("c").await.len(), 2);
        }
        let error = bench.connection.insert_batch(&"refused.$x".parse().expect("a name"), &documents[..1]).await.expect_err("no such name");
        assert!(matches!(&error, MongoError::Server { .. }), "{error:?}");
    }

    pub async fn a_large_load_is_cut_into_commands(version: Version) {
        let bench = Bench::new(version, "large").await;
        let documents: Vec<_> = (0..50).map(|id| rawdoc! { "_id": id, "fill": "x".repeat(1_000_000) }).collect();
        assert_eq!(bench.connection.insert_batch(&bench.namespace("c"), &documents).await.expect("inserted"), 50);
        assert_eq!(bench.listed("c").await.documents, 50);
    }
}
