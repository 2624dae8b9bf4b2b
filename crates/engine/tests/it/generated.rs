//! Logs that chance wrote: documents of many shapes, every operator there is, transactions, renames, drops, while a backup is taken. Folded,
//! folded with hardly any memory, and applied by the server, they must give what the source held.
//!
//! `OPLOGUE_SEED` replays a run; a failure names its seed.

use anyhow::Context;
use bson::{Bson, Document, doc};
use mongodb::options::WriteConcern;
use mongodb::{Client, Collection};
use oplogue_engine::restore::Replay;
use oplogue_testkit::{ReplicaSetOptions, Version};

use crate::load::Dice;
use crate::setup;
use crate::stage::{self, Stage, run, tiny_fold};

/// Turns before, during and after the backup; each is one to five writes.
const TURNS: [u64; 3] = [250, 250, 500];

struct Chance {
    client: Client,
    dice: Dice,
}

fn id(dice: &mut Dice) -> Bson {
    let n = dice.roll(14);
    match dice.roll(9) {
        0 => Bson::Int64(n << 33),
        1 => Bson::Double(n as f64 + 0.25),
        2 => Bson::String(format!("id {n}")),
        3 => Bson::ObjectId(bson::oid::ObjectId::from_bytes([n as u8; 12])),
        4 => doc! {"n": n, "in": {"deep": [n]}}.into(),
        5 => Bson::DateTime(bson::DateTime::from_millis(n)),
        6 => Bson::Decimal128(format!("{n}.5").parse().expect("a decimal")),
        7 => Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![n as u8; n as usize] }),
        _ => Bson::Int32(n as i32),
    }
}

fn number(dice: &mut Dice) -> Bson {
    let n = dice.roll(1_000) - 500;
    match dice.roll(4) {
        0 => Bson::Int32(n as i32),
        1 => Bson::Int64(n << 31),
        2 => Bson::Double(n as f64 / 8.0),
        _ => Bson::Decimal128(format!("{n}.75").parse().expect("a decimal")),
    }
}

fn value(dice: &mut Dice, depth: u32) -> Bson {
    match dice.roll(if depth > 3 { 6 } else { 9 }) {
        0 => number(dice),
        1 => Bson::String("text ".repeat(dice.roll(6) as usize)),
        2 => Bson::Null,
        3 => Bson::Boolean(dice.roll(2) == 0),
        4 => Bson::Timestamp(bson::Timestamp { time: dice.roll(3) as u32, increment: dice.roll(2) as u32 }),
        5 => Bson::RegularExpression(bson::Regex { pattern: bson::raw::cstr!("^a").into(), options: bson::raw::cstr!("i").into() }),
        6 => Bson::Array((0..dice.roll(5)).map(|_| value(dice, depth + 1)).collect()),
        _ => object(dice, depth + 1).into(),
    }
}

fn object(dice: &mut Dice, depth: u32) -> Document {
    let mut document = Document::new();
    for _ in 0..dice.roll(5) {
        document.insert(field(dice), value(dice, depth));
    }
    document
}

fn field(dice: &mut Dice) -> &'static str {
    ["a", "b", "list", "n", "obj", "0", "long name", "é"][dice.roll(8) as usize]
}

fn path(dice: &mut Dice) -> String {
    (0..=dice.roll(3)).map(|_| field(dice)).collect::<Vec<_>>().join(".")
}

fn change(dice: &mut Dice) -> Document {
    let path = path(dice);
    match dice.roll(16) {
        0 | 1 => doc! {"$set": {path: value(dice, 1), "b": value(dice, 2)}},
        2 => doc! {"$set": {format!("list.{}", dice.roll(6)): value(dice, 2)}},
        3 => doc! {"$unset": {path: ""}},
        4 => doc! {"$push": {"list": {"$each": [value(dice, 2), value(dice, 2)], "$position": dice.roll(3), "$slice": dice.roll(12) - 6}}},
        5 => doc! {"$push": {"list": {"$each": [number(dice)], "$sort": 1}}},
        6 => doc! {"$pop": {"list": if dice.roll(2) == 0 { 1 } else { -1 }}},
        7 => doc! {"$pull": {"list": {"$lt": number(dice)}}},
        8 => doc! {"$inc": {"n": number(dice)}, "$set": {"touched": number(dice)}},
        9 => doc! {"$mul": {"n": number(dice)}},
        10 => doc! {"$rename": {"a": "b"}},
        11 => doc! {"$addToSet": {"list": number(dice)}},
        12 => doc! {"$min": {"n": number(dice)}, "$max": {"obj.n": number(dice)}},
        13 => doc! {"$currentDate": {"seen": true}},
        14 => doc! {"$set": {"list.$[]": value(dice, 2)}},
        _ => doc! {"$set": {"n": number(dice), "obj": object(dice, 1)}, "$unset": {"list": "", "é": ""}},
    }
}

impl Chance {
    fn collection(&mut self) -> Collection<Document> {
        let name = ["one", "two", "three"][self.dice.roll(3) as usize];
        self.client.database("chance").collection(name)
    }

    /// Errors of single writes (a path through a number, a push onto a string) are what chance is for: then nothing is logged.
    async fn turn(&mut self) -> anyhow::Result<()> {
        let collection = self.collection();
        let dice = &mut self.dice;
        let filter = doc! {"_id": id(dice)};
        match dice.roll(40) {
            0..6 => {
                let mut document = filter;
                document.extend(object(dice, 0));
                let _ = collection.insert_one(document).await;
            }
            6..10 => {
                collection.delete_one(filter).await?;
            }
            10..14 => {
                let mut whole = object(dice, 0);
                whole.insert("whole", true);
                let _ = collection.replace_one(filter, whole).upsert(true).await;
            }
            14..17 => {
                let pipeline = vec![
                    doc! {"$set": {"sum": {"$cond": [{"$isArray": "$list"}, {"$size": "$list"}, -1]}, "obj": {"was": "$n"}}},
                    doc! {"$unset": ["a"]},
                ];
                let _ = collection.update_one(filter, pipeline).await;
            }
            17 => {
                let filters = vec![doc! {"item": {"$gt": 0}}];
                let _ = collection.update_many(doc! {}, doc! {"$inc": {"list.$[item]": 1}}).array_filters(filters).await;
            }
            18 => self.transaction().await?,
            19 => self.rename().await?,
            _ => {
                let change = change(dice);
                let _ = collection.update_one(filter, change).upsert(dice.roll(3) == 0).await;
            }
        }
        Ok(())
    }

    async fn transaction(&mut self) -> anyhow::Result<()> {
        let mut session = self.client.start_session().await?;
        session.start_transaction().write_concern(WriteConcern::majority()).await?;
        for _ in 0..=self.dice.roll(4) {
            let (collection, id) = (self.client.database("chance").collection::<Document>("two"), id(&mut self.dice));
            let whole = object(&mut self.dice, 0);
            let result = match self.dice.roll(3) {
                0 => collection.delete_one(doc! {"_id": id}).session(&mut session).await.map(drop),
                1 => collection.replace_one(doc! {"_id": id}, whole).upsert(true).session(&mut session).await.map(drop),
                _ => {
                    collection.update_one(doc! {"_id": id}, doc! {"$set": {"in transaction": whole}}).session(&mut session).await.map(drop)
                }
            };
            if result.is_err() {
                let _ = session.abort_transaction().await;
                return Ok(());
            }
        }
        let ended = if self.dice.roll(4) == 0 { session.abort_transaction().await } else { session.commit_transaction().await };
        match ended {
            Err(error) if error.contains_label(mongodb::error::TRANSIENT_TRANSACTION_ERROR) => Ok(()),
            ended => Ok(ended?),
        }
    }

    /// What was there moves away, or is dropped, and a new collection takes the name.
    async fn rename(&mut self) -> anyhow::Result<()> {
        let from = ["one", "three"][self.dice.roll(2) as usize];
        let to = format!("chance.old {}", self.dice.roll(2));
        let command = doc! {"renameCollection": format!("chance.{from}"), "to": to, "dropTarget": true};
        // It may have gone already, and no document may have come since.
        let _ = self.client.database("admin").run_command(command).await;
        self.client.database("chance").collection(from).insert_one(doc! {"made": self.dice.roll(1_000)}).await?;
        Ok(())
    }
}

async fn check(version: Version) -> anyhow::Result<()> {
    let seed = std::env::var("OPLOGUE_SEED").ok().map_or(Ok(20_261_125), |seed| seed.parse()).context("OPLOGUE_SEED is a number")?;
    check_seed(version, seed).await.with_context(|| format!("on {version} with OPLOGUE_SEED={seed}"))
}

async fn check_seed(version: Version, seed: u64) -> anyhow::Result<()> {
    let mut stage = Stage::open(ReplicaSetOptions::default().version(version).set_parameter("ttlMonitorEnabled", false)).await?;
    let client = stage.client.clone();
    for name in ["one", "two", "three"] {
        run(&client, "chance", doc! {"create": name}).await?;
    }
    let mut chance = Chance { client: client.clone(), dice: Dice::new(seed) };
    for _ in 0..TURNS[0] {
        chance.turn().await?;
    }
    // Enough to read that several turns pass meanwhile.
    stage::fill(&client, "chance", "a ballast", 0, 20_000).await?;
    let request = setup::backup_request(&stage.set, &stage.repository).await?;
    let backup = tokio::spawn(async move {
        let silent = std::sync::Arc::new(oplogue_engine::progress::Silent);
        oplogue_engine::backup::run(request, silent, tokio_util::sync::CancellationToken::new()).await
    });
    let mut turns = 0;
    while turns < TURNS[1] || !backup.is_finished() && turns < 20 * TURNS[1] {
        chance.turn().await?;
        turns += 1;
    }
    backup.await?.context("backup")?;
    stage.slice().await?;
    for _ in 0..TURNS[2] {
        chance.turn().await?;
    }
    let then = stage.record().await?;
    stage.end_slicing().await?;
    let temporary = tempfile::tempdir()?;
    for replay in [Replay::default(), tiny_fold(temporary.path()), Replay::OnServer] {
        let mut request = stage.request(then.time).await?;
        request.replay = replay.clone();
        let prepared = stage::prepare(request.clone()).await?;
        if replay != Replay::OnServer {
            let replayed: Vec<_> = prepared.plan.collections.iter().filter_map(|one| one.replayed_because.as_ref()).collect();
            assert!(replayed.is_empty(), "{replayed:?}");
        }
        let report = stage::restore(request).await?;
        stage.must_be(&then.state).await.with_context(|| format!("{replay:?}"))?;
        assert!(report.notes.is_empty(), "{:?}", report.notes);
        assert_eq!(report.operations_folded > 0, replay != Replay::OnServer);
    }
    assert_eq!(std::fs::read_dir(temporary.path())?.count(), 0, "the temporary files are gone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_chance_is_folded_as_6_0_applies_it() -> anyhow::Result<()> {
    check(Version::V6_0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_chance_is_folded_as_5_0_applies_it() -> anyhow::Result<()> {
    check(Version::V5_0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_chance_is_folded_as_4_4_applies_it() -> anyhow::Result<()> {
    check(Version::V4_4).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_chance_is_folded_as_4_2_applies_it() -> anyhow::Result<()> {
    check(Version::V4_2).await
}
