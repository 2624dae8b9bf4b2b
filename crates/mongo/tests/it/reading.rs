//! Reading a collection while things happen to it.

oplogue_testkit::on_every_version!(
    every_document_is_in_exactly_one_part,
    a_drop_ends_the_read_and_is_told,
    a_rename_begins_the_read_again,
    a_namesake_never_slips_in,
    both_ways_of_reading_give_the_same_documents_in_the_same_order,
    a_reader_that_gives_up_leaves_no_cursor,
);

mod checks {
    use std::collections::BTreeSet;

    use bson::{Bson, Document, doc};
    use futures::TryStreamExt;
    use oplogue_mongo::{BatchEnd, ConnectOptions, Connection, DocumentBatch, ReadBatch, ReadEvent};
    use oplogue_testkit::Version;

    use crate::Bench;

    fn whole(batch: &ReadBatch) -> DocumentBatch {
        DocumentBatch::from_bytes(batch.bytes().to_vec()).expect("whole documents")
    }

    /// Documents that do not fit into a first batch.
    fn many() -> Vec<Document> {
        (0..3000).map(|n| doc! { "_id": n, "fill": "x".repeat(10_000) }).collect()
    }

    pub async fn every_document_is_in_exactly_one_part(version: Version) {
        let bench = Bench::new(version, "parts").await;
        let mut documents: Vec<Document> = (0..500).map(|n| doc! { "_id": n }).collect();
        documents.extend((0..500).map(|n| doc! { "_id": format!("text {n}") }));
        documents.extend((0..200).map(|n| doc! { "_id": { "a": n, "b": [n] } }));
        documents.extend([
            doc! { "_id": Bson::Null },
            doc! { "_id": Bson::MinKey },
            doc! { "_id": Bson::MaxKey },
            doc! { "_id": true },
            doc! { "_id": f64::NAN },
        ]);
        bench.run(doc! { "create": "collated", "collation": { "locale": "en", "strength": 1 } }).await;
        for collection in ["c", "collated"] {
            bench.insert(collection, documents.clone()).await;
            let listed = bench.listed(collection).await;
            assert_eq!(listed.documents, 1205);
            let parts = bench.connection.split(&listed, 4).await.expect("split");
            assert!(parts.len() > 2, "{parts:?}");
            let mut seen = BTreeSet::new();
            let mut count = 0;
            for part in parts {
                let events: Vec<ReadEvent> =
                    bench.connection.read_collection(&listed, Some(part), BatchEnd::Document).try_collect().await.expect("read");
                for event in events {
                    let ReadEvent::Batch(batch) = event else { panic!("nothing happens here: {event:?}") };
                    assert_eq!(whole(&batch).documents(), batch.documents());
                    count += batch.documents();
                    seen.extend(whole(&batch).iter().map(|document| document.as_bytes().to_vec()));
                }
            }
            assert_eq!((seen.len(), count), (1205, 1205));
        }
    }

    pub async fn a_drop_ends_the_read_and_is_told(version: Version) {
        let bench = Bench::new(version, "dropped").await;
        for end in [BatchEnd::Document, BatchEnd::Anywhere] {
            bench.insert("c", many()).await;
            let listed = bench.listed("c").await;
            let mut read = Box::pin(bench.connection.read_collection(&listed, None, end));
            let first = read.try_next().await.expect("read").expect("documents");
            bench.run(doc! { "drop": "c" }).await;
            let mut events: Vec<ReadEvent> = read.try_collect().await.expect("a drop is no error");
            assert!(matches!(events.pop(), Some(ReadEvent::Dropped)));
            // What came before stays valid: it ends with a whole document.
            let mut bytes = Vec::new();
            let mut documents = 0;
            for event in std::iter::once(first).chain(events) {
                let ReadEvent::Batch(batch) = event else { panic!("nothing else happens here: {event:?}") };
                bytes.extend_from_slice(batch.bytes());
                documents += batch.documents();
            }
            assert_eq!(DocumentBatch::from_bytes(bytes).map(|batch| batch.documents()), Some(documents), "{end:?}");
            // And one that was gone before the first batch.
            let events: Vec<ReadEvent> = bench.connection.read_collection(&listed, None, end).try_collect().await.expect("no error either");
            assert!(matches!(events[..], [ReadEvent::Dropped]));
        }
    }

    pub async fn a_rename_begins_the_read_again(version: Version) {
        let bench = Bench::new(version, "renamed").await;
        bench.insert("c", many()).await;
        let listed = bench.listed("c").await;
        let mut read = Box::pin(bench.connection.read_collection(&listed, None, BatchEnd::Document));
        assert!(matches!(read.try_next().await, Ok(Some(ReadEvent::Batch(_)))));
        bench.admin(doc! { "renameCollection": "renamed.c", "to": "renamed.d" }).await;
        let mut documents = 0;
        let mut restarts = Vec::new();
        while let Some(event) = read.try_next().await.expect("a rename is no error") {
            match event {
                ReadEvent::Batch(batch) => {
                    documents += batch.documents();
                    assert!(whole(&batch).last_id().is_some());
                }
                ReadEvent::Restarted { namespace } => {
                    documents = 0;
                    restarts.push(namespace.to_string());
                }
                ReadEvent::Dropped => panic!("it was not dropped"),
            }
        }
        assert_eq!((restarts, documents), (vec!["renamed.d".to_owned()], 3000));
    }

    /// Through a connection of our own, in batches of whole documents and cut anywhere, and through the driver.
    pub async fn both_ways_of_reading_give_the_same_documents_in_the_same_order(version: Version) {
        let bench = Bench::new(version, "both_ways").await;
        let options = ConnectOptions { driver_only: true, ..ConnectOptions::default() };
        let driver = Connection::open(&crate::shared(version).await.uri(), &options).await.expect("connected");
        let large: Vec<Document> = (0..3).map(|n| doc! { "_id": n, "fill": "x".repeat(16 * 1024 * 1024 - 60) }).collect();
        for document in large {
            bench.insert("large", vec![document]).await;
        }
        let mixed = (0..6000).map(|n| doc! { "_id": n, "fill": "x".repeat((n as usize * 37) % 9000), "in": { "a": [n, null] } });
        bench.insert("mixed", mixed.collect()).await;
        bench.insert("few", (0..101).map(|n| doc! { "_id": n }).collect()).await;
        bench.run(doc! { "create": "none" }).await;
        for (collection, count) in [("large", 3), ("mixed", 6000), ("few", 101), ("none", 0)] {
            let listed = bench.listed(collection).await;
            let mut found = Vec::new();
            let ours = &bench.connection;
            for (connection, end) in
                [(ours, BatchEnd::Document), (ours, BatchEnd::Anywhere), (&driver, BatchEnd::Document), (&driver, BatchEnd::Anywhere)]
            {
                let events: Vec<ReadEvent> = connection.read_collection(&listed, None, end).try_collect().await.expect("read");
                let mut bytes = Vec::new();
                let mut documents = 0;
                for event in events {
                    let ReadEvent::Batch(batch) = event else { panic!("nothing happens here: {event:?}") };
                    documents += batch.documents();
                    bytes.extend_from_slice(batch.bytes());
                    if end == BatchEnd::Document {
                        assert_eq!(whole(&batch).documents(), batch.documents());
                    }
                }
                assert_eq!(documents, count, "{collection}");
                found.push(bytes);
            }
            assert!(found.iter().all(|bytes| *bytes == found[0]), "{collection}: the bytes differ");
        }
        // And it was really ours: the server knows its clients' names.
        let ours = bench.clients_named("oplogue").await;
        assert!(!ours.is_empty(), "no connection of our own");
    }

    pub async fn a_reader_that_gives_up_leaves_no_cursor(version: Version) {
        let bench = Bench::new(version, "given_up").await;
        // More than two batches and what the server runs ahead.
        let documents: Vec<Document> = (0..7000).map(|n| doc! { "_id": n, "fill": "x".repeat(10_000) }).collect();
        bench.insert("c", documents).await;
        let listed = bench.listed("c").await;
        for batches in [1, 2] {
            let mut read = Box::pin(bench.connection.read_collection(&listed, None, BatchEnd::Document));
            for _ in 0..batches {
                assert!(matches!(read.try_next().await, Ok(Some(ReadEvent::Batch(_)))));
            }
            let open = oplogue_testkit::wait::until("the server's cursor to be seen", async || {
                Ok((!bench.cursors("c").await.is_empty()).then_some(()))
            });
            open.await.expect("the server has the cursor open");
            drop(read);
            let gone = async {
                while !bench.cursors("c").await.is_empty() {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(60), gone).await.expect("the cursor goes");
        }
    }

    pub async fn a_namesake_never_slips_in(version: Version) {
        let bench = Bench::new(version, "namesake").await;
        bench.insert("c", vec![doc! { "_id": "old" }]).await;
        let listed = bench.listed("c").await;
        bench.admin(doc! { "renameCollection": "namesake.c", "to": "namesake.d" }).await;
        bench.insert("c", vec![doc! { "_id": "new" }]).await;
        let events: Vec<ReadEvent> = bench.connection.read_collection(&listed, None, BatchEnd::Document).try_collect().await.expect("read");
        let batches: Vec<_> =
            events.iter().filter_map(|event| if let ReadEvent::Batch(batch) = event { Some(batch) } else { None }).collect();
        assert_eq!(batches.len(), 1);
        assert_eq!(whole(batches[0]).last_id(), Some(bson::RawBson::String("old".to_owned())));
    }
}
