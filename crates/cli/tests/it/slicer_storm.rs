//! The slicing process is killed again and again, at moments nobody chose, and its disk is full for a while.
//!
//! Afterwards: what was ever said to be stored is stored; what was restorable in between is restorable still; slices join, none is there
//! twice, and they hold exactly what the server's own oplog holds; and the last of those moments is restored and compared.

use std::process::Stdio;
use std::time::Duration;

use bson::{Document, RawDocumentBuf, Timestamp, doc};
use futures::TryStreamExt;
use mongodb::Client;
use oplogue_domain::{OplogSource, OplogTime, timeline};
use oplogue_repository::Repository;
use oplogue_storage::{Storage, StorageOptions};
use oplogue_testkit::{Dice, ReplicaSet, ReplicaSetOptions, SmallDisk, capture, differences, wait};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::program::{command, oplogue};
use crate::stage::{newest, newest_moment};

const KILLS: u32 = 50;
/// Another one is another storm; this one is always the same, as far as the machine's pace lets it be.
const SEED: u64 = 0x0410_9E05_51CE_5EED;
const DISK_BYTES: u64 = 32 << 20;

/// Clients: inserts, updates, and a transaction now and then.
fn load(client: Client, stop: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        let orders = client.database("shop").collection::<Document>("orders");
        let mut turn = 0_i64;
        // Its last turn has a transaction.
        while !stop.is_cancelled() || turn % 5 != 0 {
            turn += 1;
            let documents = (0..20).map(|n| doc! {"_id": turn * 100 + n, "turn": turn, "text": "x".repeat(100)});
            orders.insert_many(documents).await.expect("inserted");
            orders.update_many(doc! {"turn": turn - 3}, doc! {"$inc": {"changed": 1}}).await.expect("updated");
            if turn % 5 == 0 {
                let mut session = client.start_session().await.expect("a session");
                session.start_transaction().await.expect("begun");
                let one = doc! {"_id": turn * 100 + 50, "turn": turn};
                orders.insert_one(one).session(&mut session).await.expect("inserted");
                orders.delete_one(doc! {"_id": turn * 100}).session(&mut session).await.expect("deleted");
                session.commit_transaction().await.expect("committed");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
}

fn time(value: &Value) -> OplogTime {
    let part = |name: &str| value[name].as_u64().and_then(|part| u32::try_from(part).ok()).expect("a moment");
    OplogTime::new(part("t"), part("i"))
}

/// What a slicer told before it was killed: whole lines only.
fn told(output: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(output);
    let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
    whole.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn stamp(time: OplogTime) -> Timestamp {
    Timestamp { time: time.seconds, increment: time.ordinal }
}

/// Panics unless slices join from `from` on and hold the server's oplog, entry by entry. Returns where they end.
async fn check_against_the_server(client: &Client, repository: &Repository, from: OplogTime) -> OplogTime {
    let rs0 = "rs0".parse().expect("a name");
    let catalog = repository.catalog().await.expect("listed");
    assert!(catalog.recorded_gaps.is_empty(), "{:?}", catalog.recorded_gaps);
    let slices = catalog.slices_of(&rs0);
    let (mut end, mut sliced) = (from, Vec::<RawDocumentBuf>::new());
    for slice in slices {
        assert_eq!(slice.range.after, end, "two slices do not join, or overlap: {slice:?}");
        end = slice.range.through;
        let mut stream = repository.read_oplog(&rs0, &OplogSource::Slice(slice.clone())).await.expect("opened");
        let mut entries = Vec::new();
        while let Some(batch) = stream.next_batch().await.expect("read to its end") {
            entries.extend(batch);
        }
        sliced.extend(entries.into_iter().map(|(_, entry)| entry).skip(usize::from(!sliced.is_empty())));
    }
    let oplog = client.database("local").collection::<RawDocumentBuf>("oplog.rs");
    let filter = doc! {"ts": {"$gte": stamp(from), "$lte": stamp(end)}};
    let there = oplog.find(filter).sort(doc! {"$natural": 1}).await.expect("asked");
    let there: Vec<RawDocumentBuf> = there.try_collect().await.expect("the server's oplog");
    assert_eq!(there.len(), sliced.len(), "entries of the server, and of the slices");
    assert!(there == sliced, "an entry differs");
    println!("{} slices with {} entries", slices.len(), sliced.len());
    end
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_and_a_full_disk_lose_nothing_that_was_ever_restorable() {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("a replica set starts");
    let client = set.client().await.expect("it answers");
    client.database("shop").collection("orders").insert_one(doc! {"_id": 0}).await.expect("inserted");
    let (folder, disk) = (tempfile::tempdir().expect("a folder"), SmallDisk::mount(DISK_BYTES).await.expect("asked for"));
    let place = disk.as_ref().map_or(folder.path(), SmallDisk::path);
    let (uri, storage) = (set.uri(), format!("file://{}", place.display()));
    let repository = Repository::new(Storage::open(&storage, &StorageOptions::default()).expect("a storage"));
    oplogue(&["backup", "--uri", &uri, "--storage", &storage, "--name", "base"]).await.done();
    let from = repository.catalog().await.expect("listed").backups[0].consistent_at();

    let stop = CancellationToken::new();
    let loading = load(client.clone(), stop.clone());
    let (mut dice, mut reported, mut restorable, mut starts, mut failures) = (Dice::new(SEED), Vec::new(), Vec::new(), 0, 0);
    for kill in 0..KILLS {
        // For ten of its lives it has no room.
        if let Some(disk) = disk.as_ref().filter(|_| kill == 20) {
            disk.fill().expect("filled");
        }
        if let Some(disk) = disk.as_ref().filter(|_| kill == 30) {
            disk.empty().expect("emptied");
        }
        let words = ["slice", "--uri", &uri, "--storage", &storage, "--span", "50ms", "--lease", "500ms", "--wait", "--json"];
        let mut slicer = command(&words).stderr(Stdio::null()).spawn().expect("it starts");
        // Long enough for some to slice, short enough to catch others while they start or wait.
        tokio::time::sleep(Duration::from_millis(100 + dice.below(1_300))).await;
        slicer.start_kill().expect("killed");
        let output = slicer.wait_with_output().await.expect("it ended");
        for event in told(&output.stdout) {
            match event["event"].as_str().expect("an event") {
                "started" => starts += 1,
                "stored" => reported.push((time(&event["range"]["after"]), time(&event["range"]["through"]))),
                "retrying" => failures += 1,
                "gap" => panic!("a hole: {event}"),
                _ => {}
            }
        }
        let catalog = repository.catalog().await.expect("listed");
        restorable.extend(timeline(&catalog).cluster.iter().map(|range| (range.from, range.through)));
    }
    stop.cancel();
    loading.await.expect("the load ran");
    // The commit of a transaction is a command.
    let last = newest(&client, doc! {"o.applyOps.ns": "shop.orders"}).await;
    let until = format!("{},{}", last.time, last.increment);
    oplogue(&["slice", "--uri", &uri, "--storage", &storage, "--span", "50ms", "--wait", "--until", &until]).await.done();

    println!("{KILLS} kills, {starts} of them while it sliced; {} slices told, {failures} failures told", reported.len());
    assert!(starts > KILLS / 4 && reported.len() > 20, "the storm was a breeze: {starts} starts, {} slices", reported.len());
    assert!(disk.is_none() || failures > 0, "the disk was never full");
    let end = check_against_the_server(&client, &repository, from).await;
    assert!(end >= OplogTime::new(last.time, last.increment));
    let catalog = repository.catalog().await.expect("listed");
    let slices = catalog.slices_of(&"rs0".parse().expect("a name"));
    for (after, through) in &reported {
        assert!(
            slices.iter().any(|slice| (slice.range.after, slice.range.through) == (*after, *through)),
            "{through} was told and is gone"
        );
    }
    let now = timeline(&catalog);
    for (after, through) in restorable {
        assert!(now.cluster.iter().any(|range| range.from <= after && through <= range.through), "{through} was restorable: {now:?}");
    }

    let state = capture(&client).await.expect("captured");
    let target = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("a replica set starts");
    oplogue(&["restore", "--uri", &target.uri(), "--storage", &storage, "--time", &until, "--yes"]).await.done();
    let wrong = differences(&state, &capture(&target.client().await.expect("it answers")).await.expect("captured"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Without a word: its machine is gone. Somebody else stands by.
#[tokio::test(flavor = "multi_thread")]
async fn another_slicer_takes_over_when_one_is_killed() {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("a replica set starts");
    let client = set.client().await.expect("it answers");
    let orders = client.database("shop").collection::<Document>("orders");
    orders.insert_one(doc! {"_id": 0}).await.expect("inserted");
    let folder = tempfile::tempdir().expect("a folder");
    let (uri, storage) = (set.uri(), format!("file://{}", folder.path().display()));
    let repository = Repository::new(Storage::open(&storage, &StorageOptions::default()).expect("a storage"));
    oplogue(&["backup", "--uri", &uri, "--storage", &storage, "--name", "base"]).await.done();
    let from = repository.catalog().await.expect("listed").backups[0].consistent_at();
    let rs0 = "rs0".parse().expect("a name");
    let slice = || command(&["slice", "--uri", &uri, "--storage", &storage, "--span", "200ms", "--wait"]).spawn().expect("it starts");
    let sliced_through = |written: Timestamp| {
        let (repository, rs0) = (&repository, &rs0);
        wait::until("a slice", move || async move {
            let newest = repository.catalog().await?.newest_slice(rs0).map(|slice| slice.range.through);
            Ok(newest.filter(|newest| *newest >= OplogTime::new(written.time, written.increment)).map(drop))
        })
    };
    let mut first = slice();
    orders.insert_one(doc! {"_id": 1}).await.expect("inserted");
    sliced_through(newest_moment(&client, "shop.orders").await).await.expect("sliced");
    let _second = slice();
    first.kill().await.expect("killed");
    let begun = tokio::time::Instant::now();
    orders.insert_one(doc! {"_id": 2}).await.expect("inserted");
    sliced_through(newest_moment(&client, "shop.orders").await).await.expect("taken over");
    println!("taken over after {:.1} s", begun.elapsed().as_secs_f64());
    check_against_the_server(&client, &repository, from).await;
}
