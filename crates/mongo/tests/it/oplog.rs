//! Reading the oplog.

oplogue_testkit::on_every_version!(
    entries_come_in_order_with_both_ends,
    a_rolled_over_oplog_is_an_error,
    a_transaction_that_has_written_is_found_open,
);

mod checks {
    use bson::doc;
    use futures::TryStreamExt;
    use oplogue_domain::OplogTime;
    use oplogue_mongo::{Connection, MongoError};
    use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, Version};

    use crate::{Bench, connect};

    async fn times(connection: &Connection, from: OplogTime, through: OplogTime) -> Result<Vec<OplogTime>, MongoError> {
        let batches: Vec<_> = connection.read_oplog(from, through).try_collect().await?;
        let time = |entry: &bson::RawDocumentBuf| entry.get_timestamp("ts").expect("an entry has a time");
        Ok(batches.iter().flatten().map(|entry| OplogTime::new(time(entry).time, time(entry).increment)).collect())
    }

    pub async fn entries_come_in_order_with_both_ends(version: Version) {
        let bench = Bench::new(version, "oplog_read").await;
        let from = bench.connection.append_note("from").await.expect("a note");
        for n in 0..20 {
            bench.insert("c", (0..100).map(|i| doc! { "n": n, "i": i, "fill": "x".repeat(10_000) }).collect()).await;
        }
        let through = bench.connection.append_note("through").await.expect("a note");
        bench.connection.append_note("later").await.expect("a note");
        assert!(bench.connection.majority_time().await.expect("a majority time") >= through);
        let entry = bench.connection.oplog_entry(from).await.expect("asked").expect("it is there");
        let at = entry.get_timestamp("ts").expect("an entry has a time");
        assert_eq!(OplogTime::new(at.time, at.increment), from);
        assert_eq!(bench.connection.oplog_entry(OplogTime::new(from.seconds, 1_000_000)).await.expect("asked"), None);
        let all = times(&bench.connection, from, through).await.expect("read");
        assert_eq!((all.first(), all.last()), (Some(&from), Some(&through)));
        assert!(all.len() > 20 && all.is_sorted());
        let window = bench.connection.oplog_window().await.expect("a window");
        assert!(window.oldest < from && window.newest > through);
        assert_eq!(times(&bench.connection, through, through).await.expect("read"), [through]);
        assert_eq!(times(&bench.connection, through, from).await.expect("read"), []);
        let future = OplogTime::new(window.newest.seconds + 1000, 1);
        assert_eq!(times(&bench.connection, future, OplogTime::MAX).await.expect("read"), []);
        let before = OplogTime::new(window.oldest.seconds - 1, 1);
        let error = times(&bench.connection, before, through).await.expect_err("never was there");
        assert!(
            matches!(error, MongoError::OplogRolledOver { wanted, oldest } if wanted == before && oldest == window.oldest),
            "{error:?}"
        );
    }

    pub async fn a_rolled_over_oplog_is_an_error(version: Version) {
        // Below 16 MB servers keep fewer markers than they need.
        let set = ReplicaSet::start(ReplicaSetOptions::default().version(version).oplog_mb(16)).await.expect("a replica set starts");
        let connection = connect(&set.uri()).await;
        let client = set.client().await.expect("the driver connects");
        let from = connection.append_note("from").await.expect("a note");
        let collection = client.database("roll").collection::<bson::Document>("c");
        oplogue_testkit::wait::until("the oplog rolls over", async || {
            collection.insert_many((0..30).map(|_| doc! { "fill": "x".repeat(100_000) })).await?;
            Ok((connection.oplog_window().await?.oldest > from).then_some(()))
        })
        .await
        .expect("a small oplog rolls over");
        let through = connection.majority_time().await.expect("a majority time");
        let error = times(&connection, from, through).await.expect_err("rolled over");
        assert!(matches!(error, MongoError::OplogRolledOver { wanted, oldest } if wanted == from && oldest > from), "{error:?}");
    }

    pub async fn a_transaction_that_has_written_is_found_open(version: Version) {
        let bench = Bench::new(version, "open_transaction").await;
        bench.run(doc! { "create": "c" }).await;
        let mut session = bench.client.start_session().await.expect("a session");
        session.start_transaction().await.expect("a transaction");
        let collection = bench.client.database("open_transaction").collection::<bson::Document>("c");
        collection.insert_one(doc! { "_id": 1 }).session(&mut session).await.expect("inserted");
        // In memory only: its entries will all be later.
        assert_eq!(bench.connection.oldest_open_transaction().await.expect("asked"), None);
        let before = bench.connection.append_note("before the prepare").await.expect("a note");
        let prepare = doc! { "prepareTransaction": 1, "writeConcern": { "w": "majority" } };
        bench.client.database("admin").run_command(prepare).session(&mut session).await.expect("prepared");
        let open = bench.connection.oldest_open_transaction().await.expect("asked").expect("a prepared one");
        assert!(open > before, "{open} {before}");
        session.abort_transaction().await.expect("aborted");
        assert_eq!(bench.connection.oldest_open_transaction().await.expect("asked"), None);
    }
}
