//! `cargo xtask demo`: the whole story on real servers, in under a minute.
//!
//! A replica set with a small shop, a server with its pages, an agent beside the mongod, a location, a PITR job; customers go on shopping, and
//! somebody drops a collection. Then it says what to click and type to get it back. With `--once` it does so itself: plan,
//! confirmation, restore; what must be equal afterwards is compared by MongoDB's own `dbHash`. The program that is shown is the one that users run. Everything is
//! gone afterwards.

pub mod shop;

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use oplogue_testkit::oplogue::{NAME, PASSWORD};
use oplogue_testkit::{OplogueServer, ReplicaSet, ReplicaSetOptions, State, capture, differences};
use serde_json::{Value, json};
use shop::Moment;
use tempfile::TempDir;

use crate::shell::{block_on, build_oplogue};

const USAGE: &str = "cargo xtask demo [--once]";

pub fn run(words: &[String]) -> anyhow::Result<()> {
    let once = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--once"] => true,
        _ => anyhow::bail!("{USAGE}"),
    };
    say("building oplogue");
    let executable = build_oplogue()?;
    block_on(story(&executable, once))
}

/// A running shop and the place its backups go to.
pub struct Stage {
    pub set: ReplicaSet,
    pub client: mongodb::Client,
    pub folder: TempDir,
}

impl Stage {
    pub async fn set_up() -> anyhow::Result<Self> {
        let set = ReplicaSet::start(ReplicaSetOptions::default()).await.context("start a replica set")?;
        let client = set.client().await?;
        Ok(Self { set, client, folder: tempfile::tempdir().context("make a folder for the backups")? })
    }

    /// Where the program finds the shop and its backups.
    pub fn words(&self) -> [String; 4] {
        ["--uri".into(), self.set.uri(), "--storage".into(), self.storage()]
    }

    pub fn storage(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }
}

/// The ids of what the story is about.
pub struct Protected {
    pub service_id: String,
    pub location_id: String,
}

async fn story(executable: &Path, once: bool) -> anyhow::Result<()> {
    let began = Instant::now();
    say("starting a mongod 6.0 as a replica set of one");
    let stage = Stage::set_up().await?;
    let shop = shop::open(&stage.client).await?;
    say(&format!("the shop is open: {shop}"));
    say("starting `oplogue server`, and `oplogue agent` beside the mongod");
    let server = OplogueServer::start(executable, &["--refresh", "1s"]).await?;
    let protected = protect(&server, &stage).await?;
    say("a PITR job was created; its first snapshot is there, and the oplog is being stored every 2 seconds");

    let sold = shop::trade(&stage.client).await?;
    say(&format!("customers go on: {sold}"));
    let before = capture(&stage.client).await?;
    let dropped = shop::drop_orders(&stage.client).await?;
    say(&format!("somebody drops shop.orders, at {dropped}; the shop goes on without it"));
    shop::trade_without_orders(&stage.client).await?;
    wait_through(&server, &protected, dropped).await?;
    if once {
        restore(&server, &protected, dropped).await?;
        compare(&before, &capture(&stage.client).await?)?;
        say(&format!(
            "restored to the moment before the drop: every hash, index, option, view and user is equal ({:.0} s)",
            began.elapsed().as_secs_f64()
        ));
        return Ok(());
    }
    guide(&server, &stage, &protected, dropped);
    tokio::signal::ctrl_c().await.context("wait for Ctrl-C")
}

/// An agent, a location, a PITR job; returns when the first moments can be restored.
pub async fn protect(server: &OplogueServer, stage: &Stage) -> anyhow::Result<Protected> {
    let service_id = server.start_agent("shop-db1", &stage.set.uri(), "shop").await?;
    let location = json!({"name": "backups", "kind": "local", "settings": {"path": stage.folder.path()}});
    let location = server.post("/locations", &location).await.context("add a location")?;
    let location_id = text(&location, "id")?;
    let schedule = json!({
        "name": "shop-pitr", "service_id": service_id, "location_id": location_id, "mode": "pitr", "cron": "0 3 * * *", "slice_seconds": 2,
        "description": "Every second of the last day, a new base each night", "retention": {"window_hours": 24, "count": 3},
    });
    server.post("/schedules", &schedule).await.context("create the PITR job")?;
    let protected = Protected { service_id, location_id };
    let restorable = |timeline: &Value| timeline["restorable"].as_array().filter(|ranges| !ranges.is_empty()).map(|_| ());
    server.await_answer(&protected.timeline(), "the first snapshot", restorable).await?;
    Ok(protected)
}

impl Protected {
    fn timeline(&self) -> String {
        format!("/timelines?location_id={}&folder=shop", self.location_id)
    }

    pub fn restore(&self, dropped: Moment) -> Value {
        json!({"service_id": self.service_id, "location_id": self.location_id, "folder": "shop", "moment": {"kind": "before", "value": dropped.to_string()}})
    }
}

/// Waits until the moment of the drop is on the storage.
pub async fn wait_through(server: &OplogueServer, protected: &Protected, moment: Moment) -> anyhow::Result<()> {
    let reached = |timeline: &Value| {
        let through = &timeline["restorable"].as_array()?.last()?["through"];
        let (t, i) = (through["t"].as_u64()?, through["i"].as_u64()?);
        ((t, i) >= (u64::from(moment.seconds), u64::from(moment.ordinal))).then_some(())
    };
    server.await_answer(&protected.timeline(), "the drop to be on the storage", reached).await
}

async fn restore(server: &OplogueServer, protected: &Protected, dropped: Moment) -> anyhow::Result<()> {
    let job = server.post("/restores/plans", &protected.restore(dropped)).await.context("ask for a plan")?;
    let plan_job_id = text(&job, "id")?;
    let planned = server.await_job(&plan_job_id).await?;
    let plan = &planned["result"];
    say(&format!(
        "the plan: from {}, {} collections, {} oplog operations, {} collections dropped",
        plan["base"],
        count(&plan["collections"]),
        plan["operations"],
        count(&plan["drops"]),
    ));
    let job = server.post("/restores", &json!({"plan_job_id": plan_job_id, "confirm": "shop"})).await.context("confirm the plan")?;
    server.await_job(&text(&job, "id")?).await.map(drop)
}

fn compare(before: &State, after: &State) -> anyhow::Result<()> {
    show_hashes(after);
    let differences = differences(before, after);
    for difference in &differences {
        eprintln!("   {difference}");
    }
    anyhow::ensure!(differences.is_empty(), "the shop is not what it was right before the drop");
    Ok(())
}

fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    value[field].as_str().map(str::to_owned).with_context(|| format!("the answer has no `{field}`: {value}"))
}

fn count(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

/// What to click and type.
fn guide(server: &OplogueServer, stage: &Stage, protected: &Protected, dropped: Moment) {
    let (url, location) = (server.url(), &protected.location_id);
    println!(
        "
The shop has lost its orders. Get them back:

  1. Open   {url}/
     Name   {NAME}
     Password   {PASSWORD}
     The overview says how far back you can go.

  2. Timeline: the band is what can be restored; zoom in to its end. Somebody looked into the oplog: the drop was operation {dropped}.
     Restore to just before it:
     {url}/restore?service_id={service}&location_id={location}&folder=shop&kind=before&moment={moment}&namespaces=shop.orders

  3. Make the plan, read it, type `shop`, and watch.

The same in a terminal, with the program in target/debug (or $CARGO_TARGET_DIR/debug):

  export OPLOGUE_URI='{uri}' OPLOGUE_STORAGE='{storage}' OPLOGUE_FOLDER=shop
  oplogue timeline
  oplogue restore --before {dropped} --ns shop.orders --plan
  mongosh \"$OPLOGUE_URI\" --quiet --eval 'db.getSiblingDB(\"shop\").orders.countDocuments()'

Ctrl-C ends everything and leaves nothing behind.",
        service = protected.service_id,
        moment = dropped.to_string().replace(',', "%2C"),
        uri = stage.set.uri(),
        storage = stage.storage(),
    );
}

fn say(text: &str) {
    println!("-- {text}");
}

fn show_hashes(state: &State) {
    for (name, collection) in &state.collections {
        if let Some(hash) = &collection.hash {
            println!("   {name:<16} {:>5} documents  dbHash {hash}", collection.documents);
        }
    }
}
