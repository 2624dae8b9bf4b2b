//! Reading a collection while things happen to it.

crate::on_every_version!(
    every_document_is_in_exactly_one_part,
    a_drop_ends_the_read_and_is_told,
    a_rename_begins_the_read_again,
    a_namesake_never_slips_in,
);

mod checks {
    use std::collections::BTreeSet;

    use bson::{Bson, Document, doc};
    use futures::TryStreamExt;
    use oplogue_mongo::ReadEvent;
    use oplogue_testkit::Version;

    use crate::Bench;

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
                let events: Vec<ReadEvent> = bench.connection.read_collection(&listed, Some(part)).try_collect().await.expect("read");
                for event in events {
                    let ReadEvent::Batch(batch) = event else { panic!("nothing happens here: {event:?}") };
                    assert_eq!(batch.iter().count(), batch.documents());
                    count += batch.documents();
                    seen.extend(batch.iter().map(|document| document.as_bytes().to_vec()));
                }
            }
            assert_eq!((seen.len(), count), (1205, 1205));
        }
    }

    pub async fn a_drop_ends_the_read_and_is_told(version: Version) {
        let bench = Bench::new(version, "dropped").await;
        bench.insert("c", many()).await;
        let listed = bench.listed("c").await;
        let mut read = Box::pin(bench.connection.read_collection(&listed, None));
        assert!(matches!(read.try_next().await, Ok(Some(ReadEvent::Batch(_)))));
        bench.run(doc! { "drop": "c" }).await;
        let rest: Vec<ReadEvent> = read.try_collect().await.expect("a drop is no error");
        assert_eq!(rest.last(), Some(&ReadEvent::Dropped));
        // And one that was gone before the first batch.
        let events: Vec<ReadEvent> = bench.connection.read_collection(&listed, None).try_collect().await.expect("no error either");
        assert_eq!(events, [ReadEvent::Dropped]);
    }

    pub async fn a_rename_begins_the_read_again(version: Version) {
        let bench = Bench::new(version, "renamed").await;
        bench.insert("c", many()).await;
        let listed = bench.listed("c").await;
        let mut read = Box::pin(bench.connection.read_collection(&listed, None));
        assert!(matches!(read.try_next().await, Ok(Some(ReadEvent::Batch(_)))));
        bench.admin(doc! { "renameCollection": "renamed.c", "to": "renamed.d" }).await;
        let mut documents = 0;
        let mut restarts = Vec::new();
        while let Some(event) = read.try_next().await.expect("a rename is no error") {
            match event {
                ReadEvent::Batch(batch) => {
                    documents += batch.documents();
                    assert!(batch.last_id().is_some());
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

    pub async fn a_namesake_never_slips_in(version: Version) {
        let bench = Bench::new(version, "namesake").await;
        bench.insert("c", vec![doc! { "_id": "old" }]).await;
        let listed = bench.listed("c").await;
        bench.admin(doc! { "renameCollection": "namesake.c", "to": "namesake.d" }).await;
        bench.insert("c", vec![doc! { "_id": "new" }]).await;
        let events: Vec<ReadEvent> = bench.connection.read_collection(&listed, None).try_collect().await.expect("read");
        let batches: Vec<_> =
            events.iter().filter_map(|event| if let ReadEvent::Batch(batch) = event { Some(batch) } else { None }).collect();
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].last_id(), Some(bson::RawBson::String("old".to_owned())));
    }
}
