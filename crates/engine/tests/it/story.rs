//! The chapters of a database's life that a restore must be able to return to: everything an administrator or an application does
//! to collections, indexes, options, users, while the load of `load.rs` goes on.

use anyhow::Context;
use bson::{Document, doc};
use mongodb::{Client, Database, IndexModel};
use oplogue_testkit::Version;

use crate::load::has_time_series;

/// A chapter: its name and what it does.
pub struct Chapter {
    pub name: &'static str,
    pub from: Version,
    pub play: fn(Client) -> futures::future::BoxFuture<'static, anyhow::Result<()>>,
}

macro_rules! chapters {
    ($($name:ident from $version:ident),* $(,)?) => {
        /// All chapters, in the order of the story.
        pub const CHAPTERS: &[Chapter] = &[$(Chapter {
            name: stringify!($name),
            from: Version::$version,
            play: |client| Box::pin(async move { $name(&client).await.context(concat!("chapter ", stringify!($name))) }),
        }),*];
    };
}
chapters! {
    populate from V4_2,
    indexes from V4_2,
    drop_indexes_and_modify from V4_2,
    renames from V4_2,
    rename_across_databases from V4_2,
    big_transaction from V4_2,
    out_and_merge from V4_4,
    drop_and_recreate from V4_2,
    drop_database from V4_2,
    users_and_roles from V4_2,
    time_series from V5_0,
    newer_options from V6_0,
    capped from V4_2,
}

async fn run(database: &Database, command: Document) -> anyhow::Result<Document> {
    let name = command.keys().next().cloned().unwrap_or_default();
    database.run_command(command).await.with_context(|| name)
}

async fn fill(client: &Client, database: &str, collection: &str, count: i64) -> anyhow::Result<()> {
    let documents = (0..count).map(|n| {
        doc! {"_id": n, "n": n, "name": format!("name {}", n % 17), "email": format!("{n}@example.org"), "tags": [n % 3, n % 5],
        "at": {"type": "Point", "coordinates": [n % 90, n % 45]}, "text": "the quick brown fox".repeat((n % 4) as usize)}
    });
    client.database(database).collection(collection).insert_many(documents).await?;
    Ok(())
}

async fn populate(client: &Client) -> anyhow::Result<()> {
    for collection in ["people", "things", "to be renamed", "target", "source.with.dots", "short-lived", "ünï/cödé a//b"] {
        fill(client, "shop", collection, 300).await?;
    }
    fill(client, "elsewhere", "moving", 200).await?;
    fill(client, "doomed", "a", 50).await?;
    fill(client, "doomed", "b", 50).await?;
    let shop = client.database("shop");
    run(&shop, doc! {"create": "adults", "viewOn": "people", "pipeline": [{"$match": {"n": {"$gt": 18}}}]}).await?;
    run(&shop, doc! {"create": "collated", "collation": {"locale": "de", "strength": 2}}).await?;
    run(&shop, doc! {"create": "checked", "validator": {"n": {"$type": "int"}}, "validationLevel": "strict"}).await?;
    run(&shop, doc! {"create": "empty"}).await?;
    Ok(())
}

async fn indexes(client: &Client) -> anyhow::Result<()> {
    let shop = client.database("shop");
    run(
        &shop,
        doc! {"createIndexes": "people", "indexes": [
            {"key": {"email": 1}, "name": "email_unique", "unique": true},
            {"key": {"n": 1, "name": -1}, "name": "compound", "partialFilterExpression": {"n": {"$gt": 10}}},
            {"key": {"name": 1}, "name": "insensitive", "collation": {"locale": "en", "strength": 2}, "sparse": true},
            {"key": {"tags": 1}, "name": "multikey"},
            {"key": {"text": "text", "name": "text"}, "name": "words", "weights": {"text": 3}, "default_language": "english"},
            {"key": {"at": "2dsphere"}, "name": "place"},
            {"key": {"born": 1}, "name": "ttl", "expireAfterSeconds": 1_000_000_000},
        ]},
    )
    .await?;
    run(
        &shop,
        doc! {"createIndexes": "things", "indexes": [
            {"key": {"$**": 1}, "name": "wildcard", "wildcardProjection": {"text": 0}},
            {"key": {"_id": "hashed"}, "name": "_id_hashed"},
            {"key": {"n": 1}, "name": "n_1"},
        ]},
    )
    .await?;
    // An index on the collections the load writes to, and one on a collection that will be renamed.
    run(&client.database("load"), doc! {"createIndexes": "orders", "indexes": [{"key": {"count": 1}, "name": "count_1"}]}).await?;
    run(&shop, doc! {"createIndexes": "to be renamed", "indexes": [{"key": {"email": 1}, "name": "kept", "unique": true}]}).await?;
    run(
        &shop,
        doc! {"createIndexes": "collated", "indexes": [
            {"key": {"a": 1}, "name": "simple", "collation": {"locale": "simple"}}, {"key": {"b": 1}, "name": "inherits"},
        ]},
    )
    .await?;
    client
        .database("elsewhere")
        .collection::<Document>("moving")
        .create_index(IndexModel::builder().keys(doc! {"email": -1}).build())
        .await?;
    Ok(())
}

async fn drop_indexes_and_modify(client: &Client) -> anyhow::Result<()> {
    let shop = client.database("shop");
    run(&shop, doc! {"dropIndexes": "people", "index": "compound"}).await?;
    run(&shop, doc! {"dropIndexes": "people", "index": {"tags": 1}}).await?;
    run(&shop, doc! {"dropIndexes": "target", "index": "*"}).await?;
    run(&shop, doc! {"collMod": "people", "index": {"name": "ttl", "expireAfterSeconds": 1_600_000_000}}).await?;
    run(&shop, doc! {"collMod": "people", "index": {"keyPattern": {"born": 1}, "expireAfterSeconds": 1_500_000_000}}).await?;
    run(&shop, doc! {"collMod": "checked", "validator": {"n": {"$gt": 5}}, "validationLevel": "moderate", "validationAction": "warn"})
        .await?;
    run(&shop, doc! {"collMod": "adults", "viewOn": "people", "pipeline": [{"$match": {"n": {"$gt": 21}}}, {"$project": {"n": 1}}]})
        .await?;
    // Documents the new validator would not let in, and did let in when they came.
    client.database("shop").collection("checked").insert_many([doc! {"_id": 1, "n": 1}, doc! {"_id": 2, "n": 9}]).await?;
    Ok(())
}

async fn renames(client: &Client) -> anyhow::Result<()> {
    let admin = client.database("admin");
    run(&admin, doc! {"renameCollection": "shop.to be renamed", "to": "shop.renamed once"}).await?;
    fill(client, "shop", "to be renamed", 10).await?;
    run(&admin, doc! {"renameCollection": "shop.renamed once", "to": "shop.target", "dropTarget": true}).await?;
    let target = client.database("shop").collection::<Document>("target");
    target.update_many(doc! {"n": {"$lt": 50}}, doc! {"$set": {"after": "rename"}}).await?;
    Ok(())
}

async fn rename_across_databases(client: &Client) -> anyhow::Result<()> {
    run(&client.database("admin"), doc! {"renameCollection": "elsewhere.moving", "to": "shop.moved"}).await?;
    client.database("shop").collection::<Document>("moved").delete_many(doc! {"n": {"$mod": [3, 0]}}).await?;
    Ok(())
}

async fn big_transaction(client: &Client) -> anyhow::Result<()> {
    // A collection must exist before a transaction writes to it on 4.2.
    run(&client.database("shop"), doc! {"create": "big"}).await?;
    let big = client.database("shop").collection::<Document>("big");
    let mut session = client.start_session().await?;
    session.start_transaction().await?;
    for n in 0..10 {
        big.insert_one(doc! {"_id": n, "blob": "b".repeat(1_900_000)}).session(&mut session).await?;
    }
    big.update_one(doc! {"_id": 3}, doc! {"$set": {"blob": "small"}}).session(&mut session).await?;
    session.commit_transaction().await?;
    big.update_one(doc! {"_id": 4}, doc! {"$set": {"blob": "c".repeat(100)}}).await?;
    Ok(())
}

async fn out_and_merge(client: &Client) -> anyhow::Result<()> {
    use futures::TryStreamExt;
    let people = client.database("shop").collection::<Document>("people");
    // Twice: the second replaces what the first made, which had got an index by then.
    for limit in [100, 40] {
        let pipeline = vec![doc! {"$match": {"n": {"$lt": limit}}}, doc! {"$out": "summary"}];
        people.aggregate(pipeline).await?.try_collect::<Vec<_>>().await?;
        let index = IndexModel::builder().keys(doc! {"email": 1}).build();
        client.database("shop").collection::<Document>("summary").create_index(index).await?;
    }
    let merge = doc! {"$merge": {"into": {"db": "reports", "coll": "merged"}, "whenMatched": "merge", "whenNotMatched": "insert"}};
    people.aggregate(vec![doc! {"$group": {"_id": "$name", "count": {"$sum": 1}}}, merge]).await?.try_collect::<Vec<_>>().await?;
    Ok(())
}

async fn drop_and_recreate(client: &Client) -> anyhow::Result<()> {
    let shop = client.database("shop");
    shop.collection::<Document>("short-lived").drop().await?;
    run(&shop, doc! {"create": "short-lived", "collation": {"locale": "fr"}}).await?;
    fill(client, "shop", "short-lived", 5).await?;
    shop.collection::<Document>("source.with.dots").drop().await?;
    shop.collection::<Document>("adults").drop().await?;
    Ok(())
}

async fn drop_database(client: &Client) -> anyhow::Result<()> {
    client.database("doomed").drop().await?;
    fill(client, "doomed", "b", 7).await?;
    Ok(())
}

async fn users_and_roles(client: &Client) -> anyhow::Result<()> {
    let shop = client.database("shop");
    let privileges = doc! {"resource": {"db": "shop", "collection": "people"}, "actions": ["find", "update"]};
    run(&shop, doc! {"createRole": "clerk", "privileges": [privileges], "roles": []}).await?;
    run(&shop, doc! {"createUser": "ann", "pwd": "secret-of-ann", "roles": ["clerk"]}).await?;
    run(&shop, doc! {"createUser": "bob", "pwd": "secret-of-bob", "roles": ["readWrite"]}).await?;
    run(&shop, doc! {"updateUser": "ann", "roles": ["clerk", "read"]}).await?;
    run(&shop, doc! {"dropUser": "bob"}).await?;
    Ok(())
}

async fn time_series(client: &Client) -> anyhow::Result<()> {
    let shop = client.database("shop");
    run(&shop, doc! {"create": "weather", "timeseries": {"timeField": "at", "metaField": "station", "granularity": "seconds"}}).await?;
    let readings = (0..200).map(|n| {
        doc! {"at": bson::DateTime::from_millis(1_700_000_000_000 + n * 10_000), "station": {"id": n % 3}, "value": n}
    });
    shop.collection("weather").insert_many(readings).await?;
    run(&shop, doc! {"createIndexes": "weather", "indexes": [{"key": {"station.id": 1, "at": -1}, "name": "by_station"}]}).await?;
    run(&shop, doc! {"collMod": "weather", "timeseries": {"granularity": "minutes"}}).await?;
    run(&shop, doc! {"collMod": "weather", "expireAfterSeconds": 1_600_000_000_i64}).await?;
    Ok(())
}

async fn newer_options(client: &Client) -> anyhow::Result<()> {
    let shop = client.database("shop");
    run(&shop, doc! {"create": "clustered", "clusteredIndex": {"key": {"_id": 1}, "unique": true, "name": "by id"}}).await?;
    shop.collection("clustered").insert_many((0..50).map(|n| doc! {"_id": n * 2, "n": n})).await?;
    run(&shop, doc! {"create": "imaged", "changeStreamPreAndPostImages": {"enabled": true}}).await?;
    shop.collection("imaged").insert_one(doc! {"_id": 1}).await?;
    shop.collection::<Document>("imaged").update_one(doc! {"_id": 1}, doc! {"$set": {"x": 1}}).await?;
    run(&shop, doc! {"createIndexes": "imaged", "indexes": [{"key": {"x": 1}, "name": "hidden_x", "hidden": true}]}).await?;
    run(&shop, doc! {"collMod": "things", "index": {"name": "n_1", "hidden": true}}).await?;
    run(&shop, doc! {"collMod": "things", "index": {"name": "n_1", "prepareUnique": true}}).await?;
    run(&client.database("load"), doc! {"collMod": "capped", "cappedMax": 120}).await?;
    Ok(())
}

async fn capped(client: &Client) -> anyhow::Result<()> {
    let shop = client.database("shop");
    run(&shop, doc! {"create": "ring", "capped": true, "size": 8192, "max": 25}).await?;
    for batch in 0..8 {
        let lines = (0..10).map(|n| doc! {"_id": batch * 10 + n, "line": "z".repeat(n as usize * 20)});
        shop.collection("ring").insert_many(lines).await?;
    }
    run(&shop, doc! {"convertToCapped": "moved", "size": 1_000_000}).await?;
    Ok(())
}

/// What the story ends with: the drop, the update without a filter, the dropped database.
pub async fn disaster(client: &Client, version: Version) -> anyhow::Result<()> {
    let shop = client.database("shop");
    shop.collection::<Document>("people").drop().await?;
    shop.collection::<Document>("things").update_many(doc! {}, doc! {"$set": {"name": "oops"}}).await?;
    if has_time_series(version) {
        shop.collection::<Document>("weather").drop().await?;
    }
    client.database("reports").drop().await?;
    run(&shop, doc! {"dropAllUsersFromDatabase": 1}).await?;
    Ok(())
}
