//! What folding is for, and what happens to what cannot be folded.

use std::time::Duration;

use anyhow::Context;
use bson::{Document, RawDocumentBuf, doc, rawdoc};
use futures::TryStreamExt;
use oplogue_domain::plan::Moment;
use oplogue_engine::restore::Replay;
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, capture, differences};

use crate::setup;
use crate::stage::{self, Stage, fill, run, tiny_fold};

/// How often each letter stands in the oplog of `set` for a namespace.
async fn logged(set: &ReplicaSet, namespace: &str) -> anyhow::Result<Vec<(String, usize)>> {
    let oplog = set.client().await?.database("local").collection::<Document>("oplog.rs");
    let mut counts = Vec::new();
    for letter in ["i", "u", "d"] {
        let single = oplog.count_documents(doc! {"ns": namespace, "op": letter}).await?;
        let inside: Vec<Document> =
            oplog.find(doc! {"o.applyOps": {"$elemMatch": {"ns": namespace, "op": letter}}}).await?.try_collect().await?;
        counts.push((letter.to_owned(), usize::try_from(single)? + inside.len()));
    }
    Ok(counts)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_document_is_inserted_once_and_what_is_gone_never_arrives() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    fill(&client, "shop", "people", 0, 100).await?;
    // The backup's own oplog begins with the newest entry.
    stage.now().await?;
    stage.base().await?;
    fill(&client, "shop", "people", 100, 100).await?;
    fill(&client, "shop", "made later", 0, 50).await?;
    fill(&client, "shop", "short-lived", 0, 50).await?;
    let people = client.database("shop").collection::<Document>("people");
    for turn in 0..3 {
        people.update_many(doc! {"n": {"$lt": 150}}, doc! {"$inc": {"turns": 1}, "$push": {"seen": turn}}).await?;
    }
    people.delete_many(doc! {"n": {"$gte": 50, "$lt": 150}}).await?;
    client.database("shop").collection::<Document>("made later").delete_many(doc! {"n": {"$lt": 20}}).await?;
    client.database("shop").collection::<Document>("short-lived").drop().await?;
    let then = stage.record().await?;
    stage.end_slicing().await?;

    // 100 and 50 inserts, 3 * 150 updates, 100 and 20 deletes.
    for (replay, spared) in [(Replay::default(), 120), (tiny_fold(stage.folder.path()), 120)] {
        let target = ReplicaSet::start(ReplicaSetOptions::default()).await?;
        let mut request = setup::restore_request(&target, &stage.repository, Moment::At(then.time)).await?;
        request.replay = replay;
        let report = stage::restore(request).await?;
        assert_eq!(differences(&then.state, &capture(&target.client().await?).await?), Vec::<String>::new());
        assert_eq!((report.documents_loaded, report.operations_folded, report.documents_spared), (130, 720, spared));
        assert_eq!(report.operations_applied, report.operations_folded);
        let once = |count| vec![("i".to_owned(), count), ("u".to_owned(), 0), ("d".to_owned(), 0)];
        assert_eq!(logged(&target, "shop.people").await?, once(100));
        assert_eq!(logged(&target, "shop.made later").await?, once(30));
        assert_eq!(logged(&target, "shop.short-lived").await?, once(0));
    }
    Ok(())
}

/// An array whose items are numbered from 5, which servers store as it comes, and change in ways of their own.
fn odd_array(id: i32) -> anyhow::Result<RawDocumentBuf> {
    let mut bytes = rawdoc! {"_id": id, "odd": {"5": 1, "6": 2}}.into_bytes();
    let at = bytes.windows(5).position(|window| window == b"\x03odd\0").context("the field is there")?;
    bytes[at] = 0x04;
    Ok(RawDocumentBuf::from_bytes(bytes)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_folded_is_applied_by_the_server() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    for name in ["counted", "odd", "plain"] {
        fill(&client, "shop", name, 0, 3_000).await?;
        run(&client, "shop", doc! {"createIndexes": name, "indexes": [{"key": {"n": 1}, "name": "n_1", "unique": true}]}).await?;
    }
    client.database("shop").collection::<RawDocumentBuf>("odd").insert_one(odd_array(-1)?).await?;
    // The backup's own oplog begins with the newest entry, which should not be this insert.
    stage.now().await?;
    stage.base().await?;
    // A user's own applyOps is logged as it was given, with operators that no other entry has.
    let operation = doc! {"op": "u", "ns": "shop.counted", "o2": {"_id": 5_i64}, "o": {"$inc": {"n": 100_000}}};
    run(&client, "admin", doc! {"applyOps": [operation]}).await?;
    let odd = client.database("shop").collection::<Document>("odd");
    odd.update_one(doc! {"_id": -1}, doc! {"$set": {"odd.0": "first"}}).await?;
    for name in ["counted", "odd", "plain"] {
        let collection = client.database("shop").collection::<Document>(name);
        collection.update_many(doc! {"n": {"$lt": 500}}, doc! {"$set": {"late": true}}).await?;
        collection.delete_many(doc! {"n": {"$gt": 2_990}}).await?;
        run(&client, "shop", doc! {"collMod": name, "validator": {"n": {"$gt": -1}}, "validationLevel": "moderate"}).await?;
    }
    let then = stage.record().await?;
    client.database("shop").drop().await?;
    stage.end_slicing().await?;

    let mut request = stage.request(then.time).await?;
    request.replay = Replay::OnServer;
    let prepared = stage::prepare(request.clone()).await?;
    assert!(prepared.plan.collections.iter().all(|one| one.replayed_because.as_deref() == Some("that was asked for")));
    assert_eq!(prepared.plan.replayed_operations(), prepared.plan.operations);
    let report = stage::restore(request.clone()).await?;
    assert_eq!(report.operations_folded, 0);
    let reference = stage.state().await?;

    request.replay = Replay::default();
    let prepared = stage::prepare(request.clone()).await?;
    let because = |name: &str| {
        let found = prepared.plan.collections.iter().find(|one| one.target.collection == name);
        found.map(|one| one.replayed_because.clone().unwrap_or_default()).unwrap_or_default()
    };
    // What `odd` has in it, only its documents tell.
    assert!(
        because("counted").contains("$inc") && because("odd").is_empty() && because("plain").is_empty(),
        "{:?}",
        prepared.plan.collections
    );
    let report = stage::restore(request.clone()).await?;
    stage.must_be(&reference).await?;
    assert_eq!(report.operations_folded, 510, "only what is about shop.plain, and its collMod");
    assert!(report.operations_applied > 3 * 509 && report.notes.is_empty(), "{report:?}");
    assert_eq!(stage.state().await?.collections["shop.odd"].uuid, then.state.collections["shop.odd"].uuid);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_for_temporary_files_that_is_not_there_is_told_before_harm() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    fill(&stage.client, "shop", "people", 0, 100).await?;
    stage.base().await?;
    fill(&stage.client, "shop", "people", 100, 2_000).await?;
    let then = stage.record().await?;
    stage.end_slicing().await?;
    let live = stage.state().await?;
    let mut request = stage.request(then.time).await?;
    request.replay = tiny_fold(&stage.folder.path().join("no such folder"));
    let refused = tokio::time::timeout(Duration::from_secs(60), stage::refusal(request)).await??;
    assert!(refused.contains("no such folder") && refused.contains("--temp-dir"), "{refused}");
    stage.must_be(&live).await
}
