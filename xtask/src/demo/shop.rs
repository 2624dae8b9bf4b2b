//! The shop whose data the demo loses and gets back.

use anyhow::Context;
use bson::{Document, doc};
use mongodb::{Client, Database};

/// A moment in the oplog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    pub seconds: u32,
    pub ordinal: u32,
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{}", self.seconds, self.ordinal)
    }
}

const ARTICLES: i32 = 300;
const ORDERS: i32 = 2_000;

/// Fills the shelves; returns what there is, in words.
pub async fn open(client: &Client) -> anyhow::Result<String> {
    let shop = client.database("shop");
    insert(&shop, "articles", (0..ARTICLES).map(|id| doc! {"_id": id, "name": format!("article {id}"), "stock": 50, "price": id % 90 + 5}))
        .await?;
    insert(&shop, "orders", (0..ORDERS).map(order)).await?;
    let indexes = doc! {"createIndexes": "orders", "indexes": [
        {"key": {"customer": 1, "at": -1}, "name": "customer_1_at_-1"},
        {"key": {"number": 1}, "name": "number_1", "unique": true, "hidden": true},
    ]};
    shop.run_command(indexes).await.context("create indexes")?;
    shop.run_command(doc! {"create": "open_orders", "viewOn": "orders", "pipeline": [{"$match": {"paid": false}}]})
        .await
        .context("create a view")?;
    shop.run_command(doc! {"create": "visits", "timeseries": {"timeField": "at", "metaField": "page"}})
        .await
        .context("create a time series")?;
    insert(&shop, "visits", (0..500).map(|second| doc! {"at": date(second), "page": format!("/{}", second % 7), "ms": second % 40}))
        .await?;
    Ok(format!("{ARTICLES} articles, {ORDERS} orders, a view, a time series"))
}

/// What customers do while the slicer runs; returns it in words.
pub async fn trade(client: &Client) -> anyhow::Result<String> {
    let shop = client.database("shop");
    let orders = shop.collection::<Document>("orders");
    insert(&shop, "orders", (ORDERS..ORDERS + 400).map(order)).await?;
    orders
        .update_many(doc! {"_id": {"$mod": [3, 0]}}, doc! {"$set": {"paid": true}, "$push": {"log": "paid"}})
        .await
        .context("pay orders")?;
    orders.delete_many(doc! {"_id": {"$mod": [50, 1]}}).await.context("cancel orders")?;
    shop.collection::<Document>("articles")
        .update_many(doc! {}, vec![doc! {"$set": {"stock": {"$subtract": ["$stock", 1]}}}])
        .await
        .context("take stock")?;
    sell_in_a_transaction(client, &shop).await?;
    insert(&shop, "wishes", (0..50).map(|id| doc! {"_id": id, "article": id * 2})).await?;
    client
        .database("admin")
        .run_command(doc! {"renameCollection": "shop.wishes", "to": "shop.wish_lists"})
        .await
        .context("rename a collection")?;
    Ok("400 new orders, 800 paid, some cancelled, a sale in a transaction, a collection created and renamed".to_owned())
}

async fn sell_in_a_transaction(client: &Client, shop: &Database) -> anyhow::Result<()> {
    let mut session = client.start_session().await?;
    session.start_transaction().await?;
    let order = order(ORDERS + 1_000);
    shop.collection::<Document>("orders").insert_one(order).session(&mut session).await?;
    shop.collection::<Document>("articles").update_one(doc! {"_id": 7}, doc! {"$inc": {"stock": -1}}).session(&mut session).await?;
    session.commit_transaction().await.context("commit the sale")
}

/// One more order. Returns its moment.
pub async fn a_sale(client: &Client) -> anyhow::Result<Moment> {
    let orders = client.database("shop").collection::<Document>("orders");
    let number = orders.count_documents(doc! {}).await?;
    orders.insert_one(order(10_000 + i32::try_from(number)?)).await.context("sell something")?;
    moment_of(client, doc! {"op": "i", "ns": "shop.orders"}).await
}

/// The accident. Returns the moment of the drop.
pub async fn drop_orders(client: &Client) -> anyhow::Result<Moment> {
    client.database("shop").collection::<Document>("orders").drop().await.context("drop the orders")?;
    moment_of(client, doc! {"op": "c", "ns": "shop.$cmd", "o.drop": "orders"}).await
}

/// The moment of the newest oplog entry that looks like `filter`.
async fn moment_of(client: &Client, filter: Document) -> anyhow::Result<Moment> {
    let oplog = client.database("local").collection::<Document>("oplog.rs");
    let entry = oplog.find_one(filter).sort(doc! {"$natural": -1}).await?;
    let time = entry.context("the oplog does not hold what was just done")?.get_timestamp("ts").context("the entry has no time")?;
    Ok(Moment { seconds: time.time, ordinal: time.increment })
}

/// The shop goes on: these writes are after the moment that will be restored.
pub async fn trade_without_orders(client: &Client) -> anyhow::Result<()> {
    let shop = client.database("shop");
    shop.collection::<Document>("articles").update_many(doc! {"_id": {"$lt": 20}}, doc! {"$inc": {"stock": -2}}).await?;
    insert(&shop, "complaints", (0..3).map(|id| doc! {"_id": id, "text": "where is my order?"})).await
}

fn order(id: i32) -> Document {
    doc! {"_id": id, "number": format!("A-{id:06}"), "customer": id % 137, "at": date(id), "paid": false, "items": [{"article": id % ARTICLES, "count": id % 3 + 1}]}
}

/// Seconds after a fixed day.
fn date(seconds: i32) -> bson::DateTime {
    bson::DateTime::from_millis(1_795_000_000_000 + i64::from(seconds) * 1_000)
}

async fn insert(database: &Database, collection: &str, documents: impl Iterator<Item = Document>) -> anyhow::Result<()> {
    let documents: Vec<Document> = documents.collect();
    database.collection::<Document>(collection).insert_many(documents).await.with_context(|| format!("insert into {collection}"))?;
    Ok(())
}
