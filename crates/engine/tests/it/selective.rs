//! Parts of a cluster brought back beside a life that went on, and under other names.

use bson::doc;
use futures::TryStreamExt;
use oplogue_domain::{OplogTime, Rename};
use oplogue_engine::restore::RestoreRequest;
use oplogue_testkit::State;

use crate::stage::{self, Recorded, Stage, fill, measure, mix, only, run};

/// A shop before and after its bad day.
struct Shop {
    stage: Stage,
    /// The last good moment.
    then: Recorded,
    /// What the bad day and the time after it left.
    live: State,
}

async fn shop() -> anyhow::Result<Shop> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    for name in ["people", "things", "old name", "inventory"] {
        fill(&client, "shop", name, 0, 200).await?;
    }
    fill(&client, "other", "a", 0, 50).await?;
    fill(&client, "other", "b.c", 0, 50).await?;
    run(&client, "other", doc! {"create": "log", "capped": true, "size": 100_000, "max": 30}).await?;
    fill(&client, "other", "log", 0, 40).await?;
    run(&client, "shop", doc! {"create": "weather", "timeseries": {"timeField": "at", "metaField": "room"}}).await?;
    measure(&client, "shop", "weather", 0, 100).await?;
    run(&client, "shop", doc! {"createIndexes": "old name", "indexes": [{"key": {"name": 1}, "name": "kept"}]}).await?;
    stage.base().await?;

    let people = client.database("shop").collection::<bson::Document>("people");
    people.update_many(doc! {"n": {"$lt": 50}}, doc! {"$inc": {"n": 1000}}).await?;
    run(&client, "shop", doc! {"createIndexes": "people", "indexes": [{"key": {"name": 1, "n": -1}, "name": "by_name"}]}).await?;
    run(&client, "shop", doc! {"create": "adults", "viewOn": "people", "pipeline": [{"$match": {"n": {"$gt": 18}}}]}).await?;
    measure(&client, "shop", "weather", 100, 60).await?;
    run(&client, "shop", doc! {"createIndexes": "weather", "indexes": [{"key": {"room": 1, "at": -1}, "name": "by_room"}]}).await?;
    run(&client, "admin", doc! {"renameCollection": "shop.old name", "to": "shop.new name"}).await?;
    fill(&client, "shop", "new name", 200, 20).await?;
    people.aggregate([doc! {"$match": {"n": {"$gt": 1000}}}, doc! {"$out": "summary"}]).await?.try_collect::<Vec<_>>().await?;
    run(&client, "shop", doc! {"createIndexes": "summary", "indexes": [{"key": {"n": 1}, "name": "n_1"}]}).await?;
    fill(&client, "other", "log", 40, 15).await?;
    fill(&client, "other", "later", 0, 10).await?;
    run(&client, "other", doc! {"create": "few", "viewOn": "a", "pipeline": [{"$limit": 3}]}).await?;
    let then = stage.record().await?;

    people.drop().await?;
    client.database("shop").collection::<bson::Document>("things").update_many(doc! {}, doc! {"$set": {"n": 0}}).await?;
    measure(&client, "shop", "weather", 5_000, 30).await?;
    run(&client, "admin", doc! {"renameCollection": "shop.new name", "to": "shop.newest name"}).await?;
    client.database("shop").collection::<bson::Document>("summary").delete_many(doc! {}).await?;
    client.database("other").drop().await?;
    fill(&client, "other", "a", 900, 5).await?;
    fill(&client, "shop", "after", 0, 7).await?;
    stage.end_slicing().await?;
    let live = stage.state().await?;
    Ok(Shop { stage, then, live })
}

impl Shop {
    async fn request(&self, time: OplogTime, patterns: &[&str], renames: &[&str]) -> anyhow::Result<RestoreRequest> {
        let mut request = self.stage.request(time).await?;
        request.selection = only(patterns)?;
        request.renames = renames.iter().map(|rename| Ok(rename.parse::<Rename>()?)).collect::<anyhow::Result<_>>()?;
        Ok(request)
    }

    /// Restores `patterns`; what `chosen` accepts must be as it was, and everything else as it is.
    async fn bring_back(&mut self, patterns: &[&str], chosen: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        stage::restore(self.request(self.then.time, patterns, &[]).await?).await?;
        let expected = mix(&self.live, &self.then.state, chosen);
        self.stage.must_be(&expected).await?;
        self.live = expected;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_back_and_their_neighbours_live_on_untouched() -> anyhow::Result<()> {
    let mut shop = shop().await?;
    let then = shop.then.time;

    // Names that do not exist at the moment: before anything is restored, nothing may change.
    for (name, told) in [
        ("shop.old name", "renamed to `shop.new name`"),
        ("shop.newest name", "`shop.new name`"),
        ("shop.after", "does not exist at this moment"),
        ("shop.poeple", "`shop.people`"),
        ("nowhere.*", "does not exist at this moment"),
    ] {
        let refused = stage::refusal(shop.request(then, &["shop.people", name], &[]).await?).await?;
        assert!(refused.contains(name) && refused.contains(told), "{name}: {refused}");
    }
    let clash = shop.request(then, &["shop.people", "shop.things"], &["shop.people=shop.same", "shop.things=shop.same"]).await?;
    let refused = stage::refusal(clash).await?;
    assert!(refused.contains("shop.same"), "{refused}");
    for target in ["two words.people", "shop.system.people", "shop.peo$ple", "admin.people", "shop.people\0"] {
        let mut request = shop.request(then, &["shop.people"], &["shop.people=shop.elsewhere"]).await?;
        let (database, collection) = target.split_once('.').expect("a dot");
        request.renames[0].to = oplogue_domain::NamespacePattern::Collection(oplogue_domain::Namespace::new(database, collection));
        let refused = stage::refusal(request).await?;
        assert!(refused.contains(target), "{target}: {refused}");
    }
    shop.stage.must_be(&shop.live).await?;

    // Under other names, beside everything that lives.
    let renames = [
        "shop.people=shop.people then",
        "shop.weather=archive.weather/then",
        "other.*=other-then.*",
        "shop.summary=shop.after the summary",
    ];
    let patterns = ["shop.people", "shop.weather", "other.*", "shop.summary"];
    stage::restore(shop.request(then, &patterns, &renames).await?).await?;
    let beside = then_state(&shop, |name| name.starts_with("other.") || patterns.contains(&name))
        .renamed("shop.people", "shop.people then")
        .renamed("shop.weather", "archive.weather/then")
        .renamed("other", "other-then")
        .renamed("shop.summary", "shop.after the summary");
    let mut expected = shop.live.clone();
    expected.collections.extend(beside.collections);
    shop.stage.must_be(&expected).await?;
    shop.live = expected;

    // In place.
    shop.bring_back(&["shop.people"], |name| name == "shop.people").await?;
    shop.bring_back(&["shop.weather"], |name| name == "shop.weather").await?;
    shop.bring_back(&["shop.new name"], |name| name == "shop.new name").await?;
    shop.bring_back(&["shop.summary", "shop.things"], |name| ["shop.summary", "shop.things"].contains(&name)).await?;
    shop.bring_back(&["other.*"], |name| name.starts_with("other.")).await?;
    // A view alone.
    shop.bring_back(&["shop.adults"], |name| name == "shop.adults").await?;
    Ok(())
}

fn then_state(shop: &Shop, chosen: impl Fn(&str) -> bool) -> State {
    shop.then.state.clone().only(chosen)
}
