//! Every ordinal, every option, every byte.

use bson::{Bson, Document, RawDocumentBuf, Timestamp, doc, rawdoc};
use futures::TryStreamExt;
use oplogue_domain::OplogTime;
use oplogue_testkit::{ReplicaSetOptions, Version};

use crate::stage::{self, Stage, fill, only, run};

/// Times of the entries that `filter` finds in the source's oplog, in order.
async fn times(stage: &Stage, filter: Document) -> anyhow::Result<Vec<OplogTime>> {
    let oplog = stage.client.database("local").collection::<RawDocumentBuf>("oplog.rs");
    let entries: Vec<RawDocumentBuf> =
        oplog.find(filter).sort(doc! {"$natural": 1}).projection(doc! {"ts": 1}).await?.try_collect().await?;
    entries
        .iter()
        .map(|entry| {
            let time = entry.get_timestamp("ts")?;
            Ok(OplogTime::new(time.time, time.increment))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbouring_ordinals_and_the_inside_of_a_large_transaction_are_told_apart() -> anyhow::Result<()> {
    let mut stage = Stage::open(ReplicaSetOptions::default().cache_gb(0.5)).await?;
    let client = stage.client.clone();
    let counters = client.database("shop").collection::<Document>("counters");
    counters.insert_one(doc! {"_id": 1, "n": 0}).await?;
    run(&client, "shop", doc! {"create": "big"}).await?;
    stage.base().await?;

    // One command: its twenty updates get neighbouring ordinals.
    let updates: Vec<Document> = (0..20).map(|_| doc! {"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}).collect();
    run(&client, "shop", doc! {"update": "counters", "updates": updates}).await?;
    let increments = times(&stage, doc! {"ns": "shop.counters", "op": "u"}).await?;

    let big = client.database("shop").collection::<Document>("big");
    let mut session = client.start_session().await?;
    session.start_transaction().await?;
    for n in 0..10 {
        big.insert_one(doc! {"_id": n, "blob": "b".repeat(1_900_000)}).session(&mut session).await?;
    }
    counters.update_one(doc! {"_id": 1}, doc! {"$set": {"n": -1}}).session(&mut session).await?;
    session.commit_transaction().await?;
    let parts = times(&stage, doc! {"op": "c", "ns": "admin.$cmd", "txnNumber": {"$exists": true}}).await?;
    big.delete_many(doc! {}).await?;
    stage.end_slicing().await?;

    assert_eq!(increments.len(), 20);
    assert!(
        increments.windows(2).filter(|pair| pair[0].seconds == pair[1].seconds && pair[0].ordinal + 1 == pair[1].ordinal).count() >= 10,
        "{increments:?}"
    );
    for (index, time) in increments.iter().enumerate() {
        let mut request = stage.request(*time).await?;
        request.selection = only(&["shop.counters"])?;
        let report = stage::restore(request).await?;
        assert_eq!(report.through, *time);
        let found = counters.find_one(doc! {"_id": 1}).await?.and_then(|found| found.get_i32("n").ok());
        assert_eq!(found, Some(index as i32 + 1), "at {time:?}");
    }

    assert!(parts.len() >= 2, "a transaction above 16 MiB has several entries: {parts:?}");
    for (index, time) in parts.iter().enumerate() {
        let prepared = stage::prepare(stage.request(*time).await?).await?;
        let committed = index + 1 == parts.len();
        assert_eq!(prepared.plan.unfinished_transactions, usize::from(!committed));
        assert_eq!(prepared.plan.warnings.iter().any(|warning| warning.contains("had not committed")), !committed);
        stage::restore(stage.request(*time).await?).await?;
        let found = counters.find_one(doc! {"_id": 1}).await?.and_then(|found| found.get_i32("n").ok());
        assert_eq!((big.count_documents(doc! {}).await?, found), if committed { (10, Some(-1)) } else { (0, Some(20)) });
    }
    Ok(())
}

/// A document of exactly this many bytes.
fn sized(id: i32, bytes: usize) -> RawDocumentBuf {
    let empty = rawdoc! {"_id": id, "blob": ""}.as_bytes().len();
    rawdoc! {"_id": id, "blob": "x".repeat(bytes - empty)}
}

const DOCUMENT_MAX: usize = 16 * 1024 * 1024;

/// PBM's bug W11: the insert of a document of the maximum size has an oplog entry above 16 MiB, which PBM cannot read.
#[tokio::test(flavor = "multi_thread")]
async fn documents_of_the_largest_size_come_through_snapshot_and_oplog() -> anyhow::Result<()> {
    let mut stage = Stage::open(ReplicaSetOptions::default().cache_gb(0.5)).await?;
    let client = stage.client.clone();
    let big = client.database("shop").collection::<RawDocumentBuf>("big");
    big.insert_one(sized(1, DOCUMENT_MAX)).await?;
    big.insert_one(sized(2, DOCUMENT_MAX - 1)).await?;
    stage.base().await?;
    big.insert_one(sized(3, DOCUMENT_MAX)).await?;
    big.insert_one(doc_of_timestamps(4)?).await?;
    big.update_one(doc! {"_id": 1}, doc! {"$set": {"blob": "small again"}}).await?;
    big.replace_one(doc! {"_id": 2}, sized(2, DOCUMENT_MAX)).await?;
    let then = stage.record().await?;
    big.drop().await?;
    stage.end_slicing().await?;
    stage::restore(stage.request(then.time).await?).await?;
    stage.must_be(&then.state).await
}

fn doc_of_timestamps(id: i32) -> anyhow::Result<RawDocumentBuf> {
    Ok(rawdoc! {"_id": id, "inner": {"empty": EMPTY}, "full": Timestamp { time: 5, increment: 1 }})
}

const EMPTY: Timestamp = Timestamp { time: 0, increment: 0 };

/// A server replaces an empty timestamp in the top level of a document that is inserted. It must not do so in a restore.
#[tokio::test(flavor = "multi_thread")]
async fn empty_timestamps_stay_empty() -> anyhow::Result<()> {
    for version in [Version::V6_0, Version::V4_2] {
        let mut stage = Stage::open(ReplicaSetOptions::default().version(version)).await?;
        let client = stage.client.clone();
        let times = client.database("shop").collection::<Document>("times");
        let make = async |first: i32| {
            for id in first..first + 5 {
                times.insert_one(doc! {"_id": id, "n": id}).await?;
                times.update_one(doc! {"_id": id}, doc! {"$set": {"empty": EMPTY}}).await?;
            }
            let upsert = doc! {"$set": {"empty": EMPTY, "other": {"empty": EMPTY}}};
            times.update_one(doc! {"_id": first + 5}, upsert.clone()).upsert(true).await?;
            times.update_one(doc! {"_id": first + 6}, upsert).upsert(true).await?;
            // Neighbours that can be applied together, around the ones that cannot.
            times.insert_many((10..20).map(|n| doc! {"_id": first + n, "n": n})).await?;
            // A pipeline that changes nearly everything is logged as a whole document.
            let whole = doc! {"$replaceWith": {"_id": "$_id", "empty": "$empty", "text": "y".repeat(50)}};
            times.update_one(doc! {"_id": first + 1}, vec![whole]).await?;
            times.update_one(doc! {"_id": first + 5}, doc! {"$set": {"n": 7}}).await?;
            anyhow::Ok(())
        };
        make(0).await?;
        // The oplog of the base begins with the newest entry: an insert of a document that is in the snapshot already.
        times.update_one(doc! {"_id": 202}, doc! {"$set": {"empty": EMPTY}}).upsert(true).await?;
        stage.base().await?;
        make(100).await?;
        let mut session = client.start_session().await?;
        session.start_transaction().await?;
        times.update_one(doc! {"_id": 200}, doc! {"$set": {"empty": EMPTY}}).upsert(true).session(&mut session).await?;
        times.insert_one(doc! {"_id": 201}).session(&mut session).await?;
        session.commit_transaction().await?;
        let then = stage.record().await?;
        let empty = times.count_documents(doc! {"empty": EMPTY}).await?;
        assert_eq!(empty, 16, "the story has empty timestamps");
        times.drop().await?;
        stage.end_slicing().await?;
        stage::restore(stage.request(then.time).await?).await?;
        let changed: Vec<Document> = times.find(doc! {"empty": {"$exists": true, "$ne": EMPTY}}).await?.try_collect().await?;
        assert_eq!(changed, Vec::<Document>::new(), "on {version}");
        stage.must_be(&then.state).await?;
    }
    Ok(())
}

/// Options and indexes that lie in the snapshot (those made later are the story of `disaster.rs`), and PBM's bugs W4 and W6.
#[tokio::test(flavor = "multi_thread")]
async fn options_indexes_and_odd_names_come_back_from_the_snapshot() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    for name in ["a/b", "a//b", "a.b", "a..b", " spaces ", "%2F", "ünï", "quote\"s\\", "*", "x.zst", "metadata.json", "con~1#?"] {
        fill(&client, "odd", name, 0, 3 + name.len() as i64).await?;
        run(
            &client,
            "odd",
            doc! {"createIndexes": name, "indexes": [{"key": {"n": 1}, "name": "by n"}, {"key": {"_id": "hashed"}, "name": "_id_hashed"}]},
        )
        .await?;
    }
    fill(&client, "metadata", "json", 0, 4).await?;
    fill(&client, "meta", "pbm", 0, 4).await?;
    fill(&client, "long", &"n".repeat(240), 0, 4).await?;
    let index = |spec: Document| doc! {"createIndexes": "checked", "indexes": [spec]};
    run(&client, "shop", doc! {"create": "checked", "validator": {"n": {"$type": "int"}}, "validationAction": "error", "collation": {"locale": "sv", "strength": 2}}).await?;
    run(&client, "shop", index(doc! {"key": {"h": 1}, "name": "hidden", "hidden": true})).await?;
    run(&client, "shop", index(doc! {"key": {"p": 1}, "name": "prepared"})).await?;
    run(&client, "shop", doc! {"collMod": "checked", "index": {"name": "prepared", "prepareUnique": true}}).await?;
    run(&client, "shop", index(doc! {"key": {"s": 1}, "name": "simple", "collation": {"locale": "simple"}})).await?;
    client.database("shop").collection("checked").insert_one(doc! {"_id": 1, "n": "not an int"}).bypass_document_validation(true).await?;
    run(&client, "shop", doc! {"create": "clustered", "clusteredIndex": {"key": {"_id": 1}, "unique": true, "name": "by id"}}).await?;
    fill(&client, "shop", "clustered", 0, 20).await?;
    run(&client, "shop", doc! {"create": "engine", "storageEngine": {"wiredTiger": {"configString": "block_compressor=zlib"}}}).await?;
    run(&client, "shop", doc! {"create": "images", "changeStreamPreAndPostImages": {"enabled": true}}).await?;
    run(&client, "shop", doc! {"create": "empty"}).await?;
    run(
        &client,
        "shop",
        doc! {"create": "seen", "viewOn": "checked", "pipeline": [{"$match": {"n": 1}}], "collation": {"locale": "sv", "strength": 2}},
    )
    .await?;
    run(&client, "shop", doc! {"create": "series", "timeseries": {"timeField": "at", "metaField": "m", "granularity": "hours"}, "expireAfterSeconds": 1_000_000_000_i64}).await?;
    stage.base().await?;
    // And a little life, so that the oplog has to find each of them.
    for name in ["a/b", "a//b", "a..b", " spaces "] {
        client.database("odd").collection::<Document>(name).update_many(doc! {"n": {"$lt": 2}}, doc! {"$set": {"where": name}}).await?;
    }
    client
        .database("shop")
        .collection("checked")
        .insert_one(doc! {"_id": 2, "n": "nor this", "p": 1})
        .bypass_document_validation(true)
        .await?;
    client.database("shop").collection::<Document>("clustered").delete_one(doc! {"_id": 3_i64}).await?;
    let then = stage.record().await?;
    for database in ["odd", "shop", "metadata", "meta", "long"] {
        client.database(database).drop().await?;
    }
    stage.end_slicing().await?;
    stage::restore(stage.request(then.time).await?).await?;
    stage.must_be(&then.state).await
}

#[tokio::test(flavor = "multi_thread")]
async fn capped_collections_keep_their_order_and_evict_the_same() -> anyhow::Result<()> {
    for version in [Version::V4_2, Version::V6_0] {
        let mut stage = Stage::open(ReplicaSetOptions::default().version(version)).await?;
        let client = stage.client.clone();
        let rings =
            [("by count", doc! {"size": 1_000_000, "max": 25}), ("by size", doc! {"size": 4096}), ("roomy", doc! {"size": 1_000_000})];
        for (name, options) in &rings {
            let mut create = doc! {"create": name, "capped": true};
            create.extend(options.clone());
            run(&client, "shop", create).await?;
            // Not in the order of `_id`, so that natural order is another.
            append(&client, name, (0..40).map(|n| (n * 17) % 40)).await?;
        }
        stage.base().await?;
        let early = stage.record().await?;
        for (name, _) in &rings {
            append(&client, name, (100..160).map(|n| 100 + (n * 7) % 60)).await?;
        }
        let last = client.database("shop").collection::<Document>("roomy");
        last.update_one(doc! {"_id": 3}, doc! {"$set": {"line": "z".repeat(60)}}).await?;
        let then = stage.record().await?;
        for (name, _) in &rings {
            client.database("shop").collection::<Document>(name).drop().await?;
        }
        stage.end_slicing().await?;
        for moment in [&then, &early, &then] {
            stage::restore(stage.request(moment.time).await?).await?;
            stage.must_be(&moment.state).await?;
        }
        // Whoever writes on evicts as if nothing had happened.
        append(&client, "by count", 1000..1010).await?;
        let ids: Vec<Document> = client.database("shop").collection::<Document>("by count").find(doc! {}).await?.try_collect().await?;
        assert_eq!((ids.len(), ids.last().and_then(|one| one.get_i64("_id").ok())), (25, Some(1009)));
    }
    Ok(())
}

async fn append(client: &mongodb::Client, name: &str, ids: impl Iterator<Item = i64>) -> anyhow::Result<()> {
    let lines = ids.map(|id| doc! {"_id": id, "line": "z".repeat(60), "none": Bson::Null});
    client.database("shop").collection(name).insert_many(lines).await?;
    Ok(())
}
