//! Writers that go on in the background while a test does other things, and can be held for a moment.
//!
//! Every operation happens under a shared gate. Whoever holds the gate alone sees a database nobody writes to, so that the state
//! recorded there is the state at one exact oplog time.

use std::sync::Arc;

use bson::{Bson, DateTime, Document, doc};
use mongodb::Client;
use mongodb::options::WriteConcern;
use oplogue_testkit::Version;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Numbers that look random and are the same in every run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn roll(&mut self, sides: u64) -> i64 {
        // xorshift64*: enough to vary a load, and no dependency.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).rem_euclid(sides) as i64
    }
}

pub struct Load {
    gate: Arc<RwLock<()>>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<anyhow::Result<u64>>>,
}

impl Load {
    /// Starts the writers: documents of all kinds of updates, transactions, and (where the version has them) time series and a capped
    /// collection. They write to the databases `load` and `load2` only.
    pub async fn start(client: &Client, version: Version) -> anyhow::Result<Self> {
        let database = client.database("load");
        database.create_collection("capped").capped(true).size(64 * 1024).max(200).await?;
        database.create_collection("orders").await?;
        client.database("load2").create_collection("ledger").await?;
        if has_time_series(version) {
            database.run_command(doc! {"create": "temps", "timeseries": {"timeField": "at", "metaField": "room"}}).await?;
        }
        let load = Self { gate: Arc::default(), stop: CancellationToken::new(), tasks: Vec::new() };
        let mut tasks = Vec::new();
        for writer in 0..2 {
            tasks.push(load.spawn(client.clone(), move |client, turn| Box::pin(write_documents(client, writer, turn))));
        }
        tasks.push(load.spawn(client.clone(), |client, turn| Box::pin(write_transactions(client, turn))));
        tasks.push(load.spawn(client.clone(), move |client, turn| Box::pin(append(client, version, turn))));
        Ok(Self { tasks, ..load })
    }

    fn spawn<F>(&self, client: Client, turn: F) -> JoinHandle<anyhow::Result<u64>>
    where
        F: Fn(Client, u64) -> futures::future::BoxFuture<'static, anyhow::Result<()>> + Send + 'static,
    {
        let (gate, stop) = (Arc::clone(&self.gate), self.stop.clone());
        tokio::spawn(async move {
            let mut turns = 0;
            while !stop.is_cancelled() {
                let open = gate.read().await;
                turn(client.clone(), turns).await?;
                drop(open);
                turns += 1;
                // Lets the others through: the load should be mixed, not fast.
                tokio::task::yield_now().await;
            }
            Ok(turns)
        })
    }

    /// Waits until no operation is under way and keeps new ones out until the guard is dropped.
    pub async fn hold(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }

    /// Ends the writers. Returns how many turns they took; an error of any of them is an error here.
    pub async fn stop(self) -> anyhow::Result<u64> {
        self.stop.cancel();
        let mut turns = 0;
        for task in self.tasks {
            turns += task.await??;
        }
        Ok(turns)
    }
}

pub fn has_time_series(version: Version) -> bool {
    !matches!(version, Version::V4_2 | Version::V4_4)
}

async fn write_documents(client: Client, writer: u64, turn: u64) -> anyhow::Result<()> {
    let orders = client.database("load").collection::<Document>("orders");
    let mut dice = Dice::new(turn * 7 + writer);
    // The two writers share most ids, so that entries of one document come from both.
    let id = dice.roll(150);
    let filter = doc! {"_id": id};
    match dice.roll(10) {
        0 => {
            let fresh = (0..20).map(|n| doc! {"_id": format!("{writer}-{turn}-{n}"), "n": n, "text": "x".repeat(n as usize * 10)});
            orders.insert_many(fresh).await?;
        }
        1 => {
            let change = doc! {"$set": {"a.b.c": turn as i64, "a.d": {"e": [1, 2, turn as i64]}}, "$inc": {"count": 1}, "$setOnInsert": {"born": turn as i64}};
            orders.update_one(filter, change).upsert(true).await?;
        }
        2 => {
            let change = doc! {"$push": {"events": {"$each": [{"n": turn as i64}, {"n": -1}], "$slice": -7}}, "$unset": {"a.d": ""}};
            orders.update_one(filter, change).upsert(true).await?;
        }
        3 => {
            let pipeline = vec![
                doc! {"$set": {"sum": {"$add": [{"$ifNull": ["$count", 0]}, turn as i64]}, "seen": "$$NOW"}},
                doc! {"$unset": "events"},
            ];
            orders.update_many(doc! {"_id": {"$gte": id, "$lt": id + 5}}, pipeline).await?;
        }
        4 => {
            let whole = doc! {"whole": true, "turn": turn as i64, "nested": {"list": [[1], [2, [3]]], "none": Bson::Null}};
            orders.replace_one(filter, whole).upsert(true).await?;
        }
        5 => {
            orders.delete_one(filter).await?;
        }
        6 => {
            let change = doc! {"$set": {"events.$[e].n": 5}, "$rename": {"count": "total"}};
            orders.update_one(doc! {"_id": id, "events.n": -1}, change).array_filters(vec![doc! {"e.n": -1}]).await?;
        }
        7 => {
            let change =
                doc! {"$addToSet": {"tags": format!("t{}", dice.roll(4))}, "$max": {"top": turn as i64}, "$currentDate": {"touched": true}};
            orders.update_many(doc! {"_id": {"$in": [id, id + 1, id + 2]}}, change).await?;
        }
        8 => {
            orders.find_one_and_update(filter, doc! {"$pull": {"tags": "t1"}, "$mul": {"total": 2}}).await?;
        }
        _ => {
            orders.delete_many(doc! {"_id": {"$regex": format!("^{writer}-{}-1", turn.saturating_sub(20))}}).await?;
        }
    }
    Ok(())
}

/// A transaction that a DDL of the story got in the way of has left nothing behind; the next turn is as good.
async fn write_transactions(client: Client, turn: u64) -> anyhow::Result<()> {
    match one_transaction(&client, turn).await {
        Err(error) if error.contains_label(mongodb::error::TRANSIENT_TRANSACTION_ERROR) => Ok(()),
        result => Ok(result?),
    }
}

async fn one_transaction(client: &Client, turn: u64) -> mongodb::error::Result<()> {
    let (ledger, orders) =
        (client.database("load2").collection::<Document>("ledger"), client.database("load").collection::<Document>("orders"));
    let mut session = client.start_session().await?;
    session.start_transaction().write_concern(WriteConcern::majority()).await?;
    let amount = Dice::new(turn).roll(100);
    ledger.insert_one(doc! {"_id": turn as i64, "amount": amount}).session(&mut session).await?;
    ledger.update_one(doc! {"_id": "sum"}, doc! {"$inc": {"amount": amount}}).upsert(true).session(&mut session).await?;
    orders.insert_one(doc! {"_id": format!("txn-{turn}"), "amount": amount}).session(&mut session).await?;
    if turn % 3 == 2 { session.abort_transaction().await } else { session.commit_transaction().await }
}

async fn append(client: Client, version: Version, turn: u64) -> anyhow::Result<()> {
    let database = client.database("load");
    let lines = (0..3).map(|n| doc! {"_id": turn as i64 * 3 + n, "line": "y".repeat(40)});
    database.collection::<Document>("capped").insert_many(lines).await?;
    if has_time_series(version) {
        let at = DateTime::from_millis(1_700_000_000_000 + turn as i64 * 1_500);
        let readings = (0..5).map(|room| doc! {"at": at, "room": room, "value": turn as i64 * room});
        database.collection::<Document>("temps").insert_many(readings).await?;
    }
    Ok(())
}
