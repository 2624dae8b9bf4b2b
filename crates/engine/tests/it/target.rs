//! What a target may look like when a restore comes to it.

use bson::{Bson, Document, doc};
use oplogue_domain::plan::Moment;
use oplogue_testkit::state::{Comparing, differences_with};
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, State, capture, differences};

use crate::setup;
use crate::stage::{self, Recorded, Stage, fill, measure, mix, only, run};

struct Shop {
    stage: Stage,
    then: Recorded,
}

async fn shop() -> anyhow::Result<Shop> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    fill(&client, "shop", "people", 0, 200).await?;
    fill(&client, "shop", "things", 0, 50).await?;
    run(&client, "shop", doc! {"createIndexes": "people", "indexes": [{"key": {"n": 1}, "name": "n_1", "unique": true}]}).await?;
    client
        .database("shop")
        .collection("system.js")
        .insert_one(doc! {"_id": "add", "value": Bson::JavaScriptCode("function(a, b) { return a + b }".into())})
        .await?;
    run(&client, "shop", doc! {"create": "weather", "timeseries": {"timeField": "at", "metaField": "room"}}).await?;
    measure(&client, "shop", "weather", 0, 40).await?;
    stage.base().await?;
    fill(&client, "shop", "people", 200, 50).await?;
    client.database("shop").collection::<Document>("system.js").update_one(doc! {"_id": "add"}, doc! {"$set": {"by": "ann"}}).await?;
    run(&client, "shop", doc! {"create": "grown", "viewOn": "people", "pipeline": [{"$match": {"n": {"$gt": 20}}}]}).await?;
    measure(&client, "shop", "weather", 40, 40).await?;
    let then = stage.record().await?;
    stage.end_slicing().await?;
    Ok(Shop { stage, then })
}

const UUIDS: Comparing = Comparing { uuids: true, credentials: true };

/// UUIDs of time series are new each time.
fn without_series_uuids(mut state: State) -> State {
    for one in state.collections.values_mut().filter(|one| one.kind == "timeseries") {
        one.uuid = None;
    }
    state
}

#[tokio::test(flavor = "multi_thread")]
async fn restoring_twice_gives_the_same_whatever_happened_to_the_target() -> anyhow::Result<()> {
    let shop = shop().await?;
    let (stage, then) = (&shop.stage, &shop.then);
    let client = stage.client.clone();
    let wanted = without_series_uuids(then.state.clone());

    stage::restore(stage.request(then.time).await?).await?;
    let first = without_series_uuids(stage.state().await?);
    assert_eq!(differences_with(&wanted, &first, UUIDS), Vec::<String>::new());
    stage::restore(stage.request(then.time).await?).await?;
    assert_eq!(differences_with(&first, &without_series_uuids(stage.state().await?), UUIDS), Vec::<String>::new());

    // PBM's bug W12: a collection renamed since the backup, and `system.js` with the same `_id`.
    run(&client, "admin", doc! {"renameCollection": "shop.people", "to": "shop.people of old"}).await?;
    fill(&client, "shop", "things", 9_000, 5).await?;
    // A selective restore leaves the renamed one, which has the UUID, and gives the other one a new UUID.
    let live = stage.state().await?;
    let mut request = stage.request(then.time).await?;
    request.selection = only(&["shop.people", "shop.system.js"])?;
    let prepared = stage::prepare(request.clone()).await?;
    let keeps: Vec<(String, bool)> = prepared.plan.collections.iter().map(|one| (one.target.to_string(), one.keeps_uuid)).collect();
    assert_eq!(keeps, [("shop.people".to_owned(), false), ("shop.system.js".to_owned(), false)]);
    stage::restore(request).await?;
    let mixed = mix(&live, &then.state, |name| ["shop.people", "shop.system.js"].contains(&name));
    stage.must_be(&mixed).await?;
    assert_eq!(stage.state().await?.collections["shop.people of old"].uuid, then.state.collections["shop.people"].uuid);

    // A restore of everything: the plan names every victim, extra ones too.
    fill(&client, "extra", "one", 0, 3).await?;
    run(&client, "extra", doc! {"create": "seen", "viewOn": "one", "pipeline": []}).await?;
    run(&client, "extra", doc! {"create": "series", "timeseries": {"timeField": "at"}}).await?;
    let prepared = stage::prepare(stage.request(then.time).await?).await?;
    let drops: Vec<(String, bool)> = prepared.plan.drops.iter().map(|drop| (drop.namespace.to_string(), drop.replaced)).collect();
    let expected = [
        ("extra.one", false),
        ("extra.seen", false),
        ("extra.series", false),
        ("shop.grown", true),
        ("shop.people", true),
        ("shop.people of old", false),
        ("shop.system.js", true),
        ("shop.things", true),
        ("shop.weather", true),
    ];
    assert_eq!(drops, expected.map(|(name, replaced)| (name.to_owned(), replaced)));
    assert!(prepared.plan.overwrites());
    assert_eq!(prepared.plan.drops[5].documents, 250);
    stage::restore(stage.request(then.time).await?).await?;
    assert_eq!(differences_with(&wanted, &without_series_uuids(stage.state().await?), UUIDS), Vec::<String>::new());

    // Something comes to the target between plan and restore: refused, with nothing touched.
    run(&client, "shop", doc! {"drop": "things"}).await?;
    let prepared = stage::prepare(stage.request(then.time).await?).await?;
    fill(&client, "shop", "things", 0, 1).await?;
    let live = stage.state().await?;
    let refused = oplogue_engine::restore::carry_out(
        prepared,
        std::sync::Arc::new(oplogue_engine::progress::Silent),
        tokio_util::sync::CancellationToken::new(),
    )
    .await;
    let refused = format!("{:#}", refused.expect_err("shop.things has appeared"));
    assert!(refused.contains("shop.things"), "{refused}");
    stage.must_be(&live).await?;

    // Views in the place of collections, and the other way round.
    run(&client, "shop", doc! {"drop": "things"}).await?;
    run(&client, "shop", doc! {"drop": "grown"}).await?;
    run(&client, "shop", doc! {"drop": "weather"}).await?;
    run(&client, "shop", doc! {"create": "things", "viewOn": "people", "pipeline": []}).await?;
    fill(&client, "shop", "grown", 0, 3).await?;
    fill(&client, "shop", "weather", 0, 3).await?;
    stage::restore(stage.request(then.time).await?).await?;
    stage.must_be(&then.state).await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_replica_set_takes_the_data_when_its_name_is_mapped() -> anyhow::Result<()> {
    let shop = shop().await?;
    let other = ReplicaSet::start(ReplicaSetOptions::default().name("elsewhere").set_parameter("ttlMonitorEnabled", false)).await?;
    let client = other.client().await?;
    let mut request = setup::restore_request(&other, &shop.stage.repository, Moment::At(shop.then.time)).await?;
    let refused = stage::refusal(request.clone()).await?;
    assert!(refused.contains("rs0") && refused.contains("--replset-remapping elsewhere=rs0"), "{refused}");

    // A stranger has the UUID that `shop.people` should get, in another database.
    let uuid = hex::decode(shop.then.state.collections["shop.people"].uuid.as_deref().expect("a collection has a UUID"))?;
    let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: uuid };
    let create = doc! {"op": "c", "ns": "zoo.$cmd", "ui": uuid, "o": {"create": "lion"}};
    run(&client, "admin", doc! {"applyOps": [create]}).await?;
    fill(&client, "zoo", "lion", 0, 2).await?;
    let live = capture(&client).await?;

    request.replica_set_mapping = vec![("elsewhere".parse()?, "rs0".parse()?)];
    let mut selective = request.clone();
    selective.selection = only(&["shop.people"])?;
    stage::restore(selective).await?;
    let mixed = mix(&live, &shop.then.state, |name| name == "shop.people");
    assert_eq!(differences(&mixed, &capture(&client).await?), Vec::<String>::new());

    stage::restore(request).await?;
    let (wanted, found) = (without_series_uuids(shop.then.state.clone()), without_series_uuids(capture(&client).await?));
    assert_eq!(differences_with(&wanted, &found, UUIDS), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slicer_goes_on_through_a_restore_in_place_and_later_restores_cross_it() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    fill(&client, "shop", "people", 0, 100).await?;
    fill(&client, "shop", "things", 0, 100).await?;
    run(&client, "shop", doc! {"create": "ring", "capped": true, "size": 50_000, "max": 20}).await?;
    run(&client, "shop", doc! {"create": "weather", "timeseries": {"timeField": "at", "metaField": "room"}}).await?;
    run(&client, "shop", doc! {"createUser": "ann", "pwd": "secret", "roles": ["read"]}).await?;
    stage.base().await?;
    fill(&client, "shop", "people", 100, 20).await?;
    fill(&client, "shop", "ring", 0, 30).await?;
    measure(&client, "shop", "weather", 0, 50).await?;
    run(&client, "shop", doc! {"createIndexes": "people", "indexes": [{"key": {"name": 1}, "name": "by_name"}]}).await?;
    let before = stage.record().await?;
    client.database("shop").collection::<Document>("people").drop().await?;
    client.database("shop").collection::<Document>("things").delete_many(doc! {"n": {"$gt": 3}}).await?;
    run(&client, "shop", doc! {"dropUser": "ann"}).await?;
    let wrecked = stage.record().await?;
    stage.end_slicing().await?;
    stage.slice().await?;

    // In place, while the slicer goes on, and then life goes on too.
    stage::restore(stage.request(before.time).await?).await?;
    stage.must_be(&before.state).await?;
    let restored = stage.record().await?;
    fill(&client, "shop", "people", 500, 20).await?;
    fill(&client, "shop", "ring", 500, 7).await?;
    measure(&client, "shop", "weather", 500, 9).await?;
    client.database("shop").collection::<Document>("people").update_many(doc! {"n": {"$lt": 10}}, doc! {"$set": {"name": "after"}}).await?;
    let after = stage.record().await?;
    client.database("shop").drop().await?;
    stage.end_slicing().await?;

    for moment in [&after, &before, &restored, &wrecked, &after] {
        stage::restore(stage.request(moment.time).await?).await?;
        stage.must_be(&moment.state).await?;
    }
    Ok(())
}
