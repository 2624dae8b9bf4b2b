//! A restore that is killed, at moments nobody chose, and started again: it goes on, and ends with what an undisturbed one ends with.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bson::{DateTime, Document, doc};
use mongodb::Client;
use oplogue_domain::OplogTime;
use oplogue_domain::plan::Moment;
use oplogue_engine::progress::Silent;
use oplogue_engine::restore::{self, RestoreRequest};
use oplogue_mongo::{ConnectOptions, Connection};
use oplogue_testkit::{Dice, ReplicaSet, ReplicaSetOptions, State, capture, differences, wait};
use tokio_util::sync::CancellationToken;

use crate::setup::{self, Slicing};

const KILLS: u32 = 20;
/// Where the process that is to be killed finds what to do.
const VICTIM: &str = "OPLOGUE_TEST_RESTORE";
const COLLECTIONS: i64 = 14;

/// Many collections, of many kinds, of which a base holds one state and the oplog leads to another.
struct Source {
    folder: tempfile::TempDir,
    moment: OplogTime,
    earlier: OplogTime,
    state: State,
}

async fn source() -> anyhow::Result<Source> {
    let set = ReplicaSet::start(options()).await?;
    let client = set.client().await?;
    let shop = client.database("shop");
    for n in 0..COLLECTIONS {
        let documents = (0..1_500).map(|id| doc! {"_id": id, "n": n, "text": format!("{n} {id} ").repeat(40)});
        shop.collection(&format!("c{n}")).insert_many(documents).await?;
        let indexes = vec![doc! {"key": {"n": 1}, "name": "n_1"}, doc! {"key": {"text": 1, "n": -1}, "name": "both"}];
        shop.run_command(doc! {"createIndexes": format!("c{n}"), "indexes": indexes}).await?;
    }
    shop.run_command(doc! {"create": "ring", "capped": true, "size": 64_000}).await?;
    shop.run_command(doc! {"create": "weather", "timeseries": {"timeField": "at", "metaField": "where"}}).await?;
    let measured = |n: i64| doc! {"at": DateTime::from_millis(1_700_000_000_000 + n * 1_000), "where": n % 3, "t": n};
    shop.collection("weather").insert_many((0..300).map(measured)).await?;
    shop.run_command(doc! {"create": "cheap", "viewOn": "c0", "pipeline": [{"$match": {"n": 0}}]}).await?;
    client.database("admin").run_command(doc! {"createUser": "clerk", "pwd": "secret", "roles": ["readAnyDatabase"]}).await?;

    let folder = tempfile::tempdir()?;
    let repository = setup::repository(folder.path())?;
    setup::backup(&set, &repository).await?;
    let slicing = Slicing::start(&set, &repository).await?;
    for n in 0..COLLECTIONS {
        let collection = shop.collection::<Document>(&format!("c{n}"));
        collection.update_many(doc! {"_id": {"$lt": 100}}, doc! {"$set": {"changed": n}}).await?;
        collection.delete_many(doc! {"_id": {"$gte": 1_400}}).await?;
    }
    let earlier = setup::newest_entry(&client).await?;
    shop.collection("ring").insert_many((0..200).map(|n| doc! {"_id": n, "text": "ring ".repeat(50)})).await?;
    shop.collection("weather").insert_many((300..400).map(measured)).await?;
    client.database("admin").run_command(doc! {"renameCollection": "shop.c1", "to": "shop.renamed"}).await?;
    shop.collection::<Document>("c2").drop().await?;
    shop.collection("later").insert_many((0..300).map(|id| doc! {"_id": id})).await?;
    let moment = setup::newest_entry(&client).await?;
    slicing.stop_after(moment).await?;
    Ok(Source { folder, moment, earlier, state: capture(&client).await? })
}

fn options() -> ReplicaSetOptions {
    ReplicaSetOptions::default().set_parameter("ttlMonitorEnabled", false)
}

async fn request(uri: &str, folder: &Path, moment: OplogTime) -> anyhow::Result<RestoreRequest> {
    let set = Connection::open(uri, &ConnectOptions::default()).await?;
    setup::restore_request_on(set, &setup::repository(folder)?, Moment::At(moment))
}

/// What is killed: one restore, in a process of its own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test below, as a process of its own"]
async fn the_victim() -> anyhow::Result<()> {
    let words = std::env::var(VICTIM).context("only to be started by its test")?;
    let [uri, folder, seconds, ordinal] = words.split(' ').collect::<Vec<_>>()[..] else { bail!("not four words: {words}") };
    let moment = OplogTime::new(seconds.parse()?, ordinal.parse()?);
    let prepared = restore::prepare(request(uri, Path::new(folder), moment).await?, Arc::new(Silent), CancellationToken::new()).await?;
    let kept = prepared.plan.continues.as_ref().map(|continues| (continues.kept.len(), continues.changed));
    eprintln!("VICTIM BEGINS {kept:?}");
    restore::carry_out(prepared, Arc::new(Silent), CancellationToken::new()).await?;
    eprintln!("VICTIM ENDS");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_at_twenty_moments_ends_as_if_it_had_not_been() -> anyhow::Result<()> {
    let source = source().await?;
    let target = ReplicaSet::start(options()).await?;
    let client = target.client().await?;
    client.database("shop").collection("c3").insert_one(doc! {"_id": "in the way"}).await?;
    client.database("old").collection("gone").insert_one(doc! {"_id": 1}).await?;
    let words = format!("{} {} {} {}", target.uri(), source.folder.path().display(), source.moment.seconds, source.moment.ordinal);
    let start = || {
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        command.args(["--exact", "resume::the_victim", "--ignored", "--nocapture"]).env(VICTIM, &words);
        anyhow::Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?)
    };
    let (mut dice, mut kills, mut ends, mut went_on, mut kept) = (Dice::new(20), 0, 0, 0, 0);
    // What an undisturbed run takes: the kills are spread over that.
    let begun = tokio::time::Instant::now();
    let first = start()?.wait_with_output().await?;
    ensure!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let whole = u64::try_from(begun.elapsed().as_millis())?;
    check(&source, &client).await?;
    while kills < KILLS {
        let mut victim = start()?;
        let ended = tokio::time::timeout(Duration::from_millis(dice.below(whole)), victim.wait()).await;
        if ended.is_err() {
            victim.start_kill()?;
            kills += 1;
        }
        let output = victim.wait_with_output().await?;
        let told = String::from_utf8_lossy(&output.stderr);
        if ended.is_ok() && !too_early(&told) {
            ensure!(told.contains("VICTIM ENDS"), "{told}");
            check(&source, &client).await?;
            ends += 1;
        }
        let continued = told.lines().find_map(|line| line.strip_prefix("VICTIM BEGINS Some((")?.split_once(", ")?.0.parse::<u64>().ok());
        went_on += u64::from(continued.is_some());
        kept += continued.unwrap_or(0);
        ensure!(!told.contains("VICTIM BEGINS Some") || told.contains(", 0))"), "nobody else changed anything: {told}");
    }
    loop {
        let last = start()?.wait_with_output().await?;
        let told = String::from_utf8_lossy(&last.stderr);
        ensure!(last.status.success() || too_early(&told), "{told}");
        if last.status.success() {
            break;
        }
    }
    check(&source, &client).await?;
    println!("{kills} kills within {whole} ms each, {ends} ends before; {went_on} went on and kept {kept} collections");
    ensure!(went_on > 0 && kept > 0, "no kill left anything to go on with");
    let left = Connection::open(&target.uri(), &ConnectOptions::default()).await?.restore_journal().await?;
    ensure!(left.is_none(), "{left:?}");
    Ok(())
}

/// A server may still have been creating a collection for the one that was killed, when the next one had already looked. It says so, and
/// has touched nothing.
fn too_early(told: &str) -> bool {
    told.contains("has appeared on the target since the plan was made")
}

async fn check(source: &Source, target: &Client) -> anyhow::Result<()> {
    let wrong = differences(&source.state, &capture(target).await?);
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Begins a restore, and stops it when some collections are done.
async fn interrupt(request: RestoreRequest) -> anyhow::Result<usize> {
    let (connection, cancel) = (request.connection.clone(), CancellationToken::new());
    let request = RestoreRequest { parallel: 1, ..request };
    let prepared = restore::prepare(request, Arc::new(Silent), CancellationToken::new()).await?;
    let stop = async {
        let some = || async { Ok(connection.restore_journal().await?.filter(|journal| journal.done.len() >= 3).map(drop)) };
        let waited = wait::until("three collections to be done", some).await;
        cancel.cancel();
        waited
    };
    let (ended, waited) = tokio::join!(restore::carry_out(prepared, Arc::new(Silent), cancel.clone()), stop);
    waited?;
    ensure!(ended.is_err(), "it ended before it was stopped");
    Ok(connection.restore_journal().await?.context("the journal is gone")?.done.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_same_restore_goes_on_and_only_with_what_is_as_it_was() -> anyhow::Result<()> {
    let source = source().await?;
    let target = ReplicaSet::start(options()).await?;
    let client = target.client().await?;
    let uri = target.uri();
    let whole = || request(&uri, source.folder.path(), source.moment);
    let prepare = |request| restore::prepare(request, Arc::new(Silent), CancellationToken::new());

    let done = interrupt(whole().await?).await?;
    // Another moment is another restore, and says so.
    let other = prepare(request(&uri, source.folder.path(), source.earlier).await?).await?;
    let says = |plan: &restore::RestorePlan, what: &str| plan.warnings.iter().any(|warning| warning.contains(what));
    ensure!(other.plan.continues.is_none() && says(&other.plan, "was another one"), "{:?}", other.plan.warnings);
    let anew = prepare(RestoreRequest { from_scratch: true, ..whole().await? }).await?;
    ensure!(anew.plan.continues.is_none() && anew.plan.drops.len() >= done, "{:?}", anew.plan);
    // The same one keeps what is done, and drops nothing of it.
    let same = prepare(whole().await?).await?;
    let continues = same.plan.continues.clone().context("it does not go on")?;
    ensure!(continues.kept.len() == done && continues.changed == 0 && says(&same.plan, "continues the restore begun at"), "{continues:?}");
    ensure!(!same.plan.drops.iter().any(|drop| continues.kept.contains(&drop.namespace)), "{:?}", same.plan.drops);
    drop((other, anew, same));

    // Somebody works on what was done: one collection loses documents, one is replaced by a namesake.
    let mut kept = continues.kept.iter().filter(|name| name.collection.starts_with('c')).map(|name| name.collection.clone());
    let (first, second) = (kept.next().context("none is kept")?, kept.next().context("one is kept")?);
    let shop = client.database("shop");
    shop.collection::<Document>(&first).delete_one(doc! {"_id": 7}).await?;
    let all: Vec<Document> = futures::TryStreamExt::try_collect(shop.collection(&second).find(doc! {}).await?).await?;
    shop.collection::<Document>(&second).drop().await?;
    shop.collection(&second).insert_many(all).await?;
    let again = prepare(whole().await?).await?;
    let continues = again.plan.continues.clone().context("it does not go on")?;
    ensure!(continues.kept.len() == done - 2 && continues.changed == 2, "{continues:?}");
    let report = restore::carry_out(again, Arc::new(Silent), CancellationToken::new()).await?;
    ensure!(report.notes.iter().any(|note| note.contains("continues the restore")), "{:?}", report.notes);
    check(&source, &client).await?;

    // An election in between changes nothing of it; nor does another restore, which begins anew.
    interrupt(request(&uri, source.folder.path(), source.earlier).await?).await?;
    target.step_down().await?;
    target.wait_primary().await?;
    let last = prepare(whole().await?).await?;
    ensure!(last.plan.continues.is_none(), "{:?}", last.plan.continues);
    restore::carry_out(last, Arc::new(Silent), CancellationToken::new()).await?;
    check(&source, &client).await?;
    Ok(())
}
