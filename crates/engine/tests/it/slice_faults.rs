//! Slicing while things break: elections, members that fall silent or roll back, networks that stall, storages that are away, full, or
//! answer late. After each of them the slices are what the server's own oplog is, entry by entry, and no range is there twice.
//!
//! The process itself is killed in the stories of the program (`cli/tests/it/slicer_storm.rs`).

use std::time::Duration;

use anyhow::{Context, ensure};
use bson::doc;
use oplogue_domain::{OplogTime, Slice};
use oplogue_engine::slice::{LEASE_PURPOSE, SliceEvent};
use oplogue_mongo::{ConnectOptions, Connection};
use oplogue_repository::Repository;
use oplogue_storage::Storage;
use oplogue_storage::faulty::{StorageFault, faulty};
use oplogue_testkit::{Fault, ReplicaSet, ReplicaSetOptions, wait};

use crate::setup;
use crate::slice::{Running, check, end_whole, fail_point, request, rs0, started, with_a_beginning, write};

fn retrying(event: &SliceEvent) -> Option<String> {
    match event {
        SliceEvent::Retrying { error, .. } => Some(error.clone()),
        _ => None,
    }
}

fn node(event: &SliceEvent) -> Option<String> {
    match event {
        SliceEvent::Started { node, .. } => Some(node.clone()),
        _ => None,
    }
}

/// A storage whose slicer can be made to fail, and the same one for everybody else; with a backup to begin at.
async fn with_faults(set: &ReplicaSet) -> anyhow::Result<(Repository, Repository, oplogue_storage::faulty::Faults, OplogTime)> {
    let storage = Storage::memory();
    let (broken, faults) = faulty(&storage);
    let repository = Repository::new(storage);
    setup::backup(set, &repository).await?;
    let from = repository.catalog().await?.backups.first().context("no backup")?.consistent_at();
    Ok((repository, Repository::new(broken), faults, from))
}

/// Told, and waited for, one after the other; nothing of what was written meanwhile is lost, and there is no second cut of any range.
#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_is_away_full_or_loses_answers_delays_slices_and_changes_none() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    let (repository, broken, faults, from) = with_faults(&set).await?;
    let slicer = Running::start(request(&set, &broken, "test").await?);
    for (fault, says) in
        [(StorageFault::Away, "cannot be reached"), (StorageFault::Full, "no space left"), (StorageFault::AnswerLost, "cannot be reached")]
    {
        slicer.sliced_through(write(&client, 10).await?).await?;
        faults.set(fault);
        let before = slicer.events().len();
        write(&client, 500).await?;
        let told = || async { Ok(slicer.events()[before..].iter().filter_map(retrying).any(|error| error.contains(says)).then_some(())) };
        wait::until(&format!("it to tell of {fault:?}"), told).await?;
        let newest = repository.catalog().await?.newest_slice(&rs0()).map(|slice| slice.range.through);
        faults.set(StorageFault::None);
        let written = write(&client, 10).await?;
        slicer.sliced_through(written).await?;
        let slices = check(&client, &repository, from).await?;
        // What was there before the fault or during it is there still.
        ensure!(slices.iter().any(|slice| Some(slice.range.through) == newest), "{newest:?} {slices:?}");
    }
    let ended = slicer.stop().await?;
    ensure!(!ended.iter().any(|event| matches!(event, SliceEvent::Gap(_))), "{ended:?}");
    Ok(())
}

/// The backlog stays in the oplog, and somebody hears of it before it does not.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_storage_is_away_it_is_told_that_the_oplog_gets_short() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    let (repository, broken, faults, from) = with_faults(&set).await?;
    let slicer = Running::start(request(&set, &broken, "test").await?);
    slicer.wait("its start", started).await?;
    faults.set(StorageFault::Away);
    let headroom = async {
        loop {
            write(&client, 10).await?;
            let told = slicer.events().iter().find_map(|event| match event {
                SliceEvent::HeadroomShort(headroom) => Some(*headroom),
                _ => None,
            });
            if let Some(headroom) = told {
                return anyhow::Ok(headroom);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let headroom = tokio::time::timeout(wait::PATIENCE, headroom).await.context("nobody was told")??;
    ensure!(headroom.is_short() && headroom.lag_seconds > headroom.headroom_seconds, "{headroom:?}");
    let status = oplogue_engine::status::status(&setup::connection(&set).await?, &repository).await?;
    ensure!(status.newest_slice.is_none() || status.headroom_is_short == Some(true), "{:?}", status.headroom_seconds);
    faults.set(StorageFault::None);
    end_whole(slicer, &client, &repository, from).await
}

/// A slicer is frozen in the middle of an upload, by its machine or its storage. Another takes over. Then the first wakes up.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_upload_of_a_former_slicer_is_the_slice_its_successor_made() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    let (repository, broken, faults, from) = with_faults(&set).await?;
    let mut patient = request(&set, &broken, "first").await?;
    patient.wait_for_lease = true;
    let lease = patient.connection.clone();
    let first = Running::start(patient);
    first.sliced_through(write(&client, 10).await?).await?;
    for round in 0..3 {
        faults.set(StorageFault::PublishHeld);
        let held = write(&client, 300).await?;
        let announced = || async {
            let state =
                client.database("config").collection::<bson::Document>("oplogueLeases").find_one(doc! {"_id": LEASE_PURPOSE}).await?;
            let through = state.context("no lease")?.get_document("announced").context("nothing announced")?.get_timestamp("through")?;
            Ok((OplogTime::new(through.time, through.increment) >= held).then_some(()))
        };
        wait::until("the slice to be announced", announced).await?;
        let more = write(&client, 300).await?;
        lease.expire_lease(LEASE_PURPOSE).await?;
        let second = Running::start(request(&set, &repository, &format!("second, {round}")).await?);
        second.sliced_through(more).await?;
        let seen = check(&client, &repository, from).await?;
        faults.set(StorageFault::None);
        let late = || async {
            Ok(first.events().iter().any(|event| stored(event).is_some_and(|slice| slice.range.through >= held)).then_some(()))
        };
        wait::until("the late upload", late).await?;
        let after = check(&client, &repository, from).await?;
        ensure!(after[..seen.len()] == seen[..], "the late upload changed what was there: {seen:?} {after:?}");
        second.stop().await?;
        // The first comes back to it.
        first.sliced_through(write(&client, 10).await?).await?;
    }
    first.stop().await?;
    check(&client, &repository, from).await?;
    Ok(())
}

fn stored(event: &SliceEvent) -> Option<&Slice> {
    match event {
        SliceEvent::Stored { slice, .. } => Some(slice),
        _ => None,
    }
}

/// The network between slicer and server: refused, cut in the middle of answers, silent, stalled.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_cut_or_stalls_delays_slices_and_changes_none() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default().proxied(true)).await?;
    let client = set.client_of(0).await?;
    let storage = Storage::memory();
    let repository = Repository::new(storage);
    setup::backup(&set, &repository).await?;
    let from = repository.catalog().await?.backups.first().context("no backup")?.consistent_at();
    let mut asked = request(&set, &repository, "test").await?;
    let short = Duration::from_secs(2);
    let options = ConnectOptions { connect_timeout: short, command_timeout: short, batch_timeout: short, ..ConnectOptions::default() };
    asked.connection = Connection::open(&set.uri(), &options).await?;
    asked.lease_ttl = Duration::from_secs(3);
    let slicer = Running::start(asked);
    slicer.sliced_through(write(&client, 10).await?).await?;
    for fault in [Fault::Refuse, Fault::CutAfter(5_000), Fault::BlackHole, Fault::Stall] {
        if let Fault::CutAfter(_) = fault {
            // It holds for connections made from now on.
            let before = slicer.events().len();
            set.proxy(0).set(Fault::Refuse);
            troubled(&slicer, before, "the connections to be closed").await?;
        }
        let before = slicer.events().len();
        set.proxy(0).set(fault);
        let written = write(&client, 2_000).await?;
        troubled(&slicer, before, &format!("{fault:?}")).await?;
        set.proxy(0).set(Fault::None);
        slicer.sliced_through(written).await.with_context(|| format!("after {fault:?}"))?;
    }
    slicer.stop().await?;
    check(&client, &repository, from).await?;
    Ok(())
}

async fn troubled(slicer: &Running, before: usize, by: &str) -> anyhow::Result<()> {
    let trouble = |event: &SliceEvent| matches!(event, SliceEvent::Retrying { .. } | SliceEvent::Waiting { .. });
    wait::until(&format!("it to notice {by}"), || async { Ok(slicer.events()[before..].iter().any(trouble).then_some(())) }).await
}

/// Ten step-downs in a row while clients write, then the member read falls silent without a word, then another dies.
#[tokio::test(flavor = "multi_thread")]
async fn ten_step_downs_a_silent_member_and_a_dead_one_leave_no_hole() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default().members(3)).await?;
    let client = set.client().await?;
    write(&client, 100).await?;
    let (repository, from) = with_a_beginning(&set).await?;
    let mut asked = request(&set, &repository, "test").await?;
    asked.lease_ttl = Duration::from_secs(7);
    let slicer = Running::start(asked);
    slicer.wait("its start", started).await?;
    let mut reported = OplogTime::MIN;
    for _ in 0..10 {
        // Clients go on through the election, some acknowledged by the primary alone.
        let writing = tokio::spawn(write_carelessly(client.clone()));
        set.step_down().await?;
        let written = writing.await??;
        reported = slicer.events().iter().filter_map(stored).map(|slice| slice.range.through).max().unwrap_or(reported);
        slicer.sliced_through(written.min(write(&client, 20).await?)).await?;
    }
    slicer.sliced_through(write(&client, 20).await?).await?;

    let read = slicer.events().iter().rev().find_map(node).context("nobody is read")?;
    let silent = set.hosts().iter().position(|host| *host == read).context("an unknown member is read")?;
    set.pause(silent).await?;
    let begun = tokio::time::Instant::now();
    let patient = set.wait_primary().await;
    slicer.sliced_through(write(&client, 50).await?).await?;
    println!("the silent member was left after {:.1} s", begun.elapsed().as_secs_f64());
    patient?;
    set.resume(silent).await?;
    set.wait_members().await?;

    let read = slicer.events().iter().rev().find_map(node).context("nobody is read")?;
    let dead = set.hosts().iter().position(|host| *host == read).context("an unknown member is read")?;
    set.kill(dead).await?;
    let begun = tokio::time::Instant::now();
    set.wait_primary().await?;
    slicer.sliced_through(write(&set.client().await?, 50).await?).await?;
    println!("the dead member was left after {:.1} s", begun.elapsed().as_secs_f64());
    slicer.stop().await?;
    let slices = check(&set.client().await?, &repository, from).await?;
    ensure!(reported > OplogTime::MIN && slices.iter().any(|slice| slice.range.through >= reported));
    Ok(())
}

/// Writes that an election may undo, one by one, whatever becomes of them; then the time of one that a majority has.
async fn write_carelessly(client: mongodb::Client) -> anyhow::Result<OplogTime> {
    for n in 0..60_i64 {
        let insert = doc! { "insert": "careless", "documents": [{ "n": n }], "writeConcern": { "w": 1 } };
        // Refused while there is no primary.
        let _ = client.database("shop").run_command(insert).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    wait::until("a majority's answer", || async { Ok(setup::newest_entry(&client).await.ok()) }).await
}

/// A primary that nobody follows any more takes writes. It is the member read, and it is frozen before it can know better; the others elect
/// another. When it wakes up it rolls back, under the eyes of its slicer.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_member_read_rolls_back_never_was_in_a_slice() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default().members(3).test_commands(true)).await?;
    let client = set.client().await?;
    write(&client, 100).await?;
    let (repository, from) = with_a_beginning(&set).await?;
    let primary = set.primary().await?.context("no primary")?;
    let others: Vec<usize> = (0..3).filter(|member| *member != primary).collect();
    let mut asked = request(&set, &repository, "beside the primary").await?;
    // Reads this member and no other.
    asked.connection = Connection::open(&set.uri_of(primary), &ConnectOptions::default()).await?;
    asked.lease_ttl = Duration::from_secs(4);
    asked.wait_for_lease = true;
    let slicer = Running::start(asked);
    slicer.sliced_through(write(&client, 10).await?).await?;

    for member in &others {
        fail_point(&set, *member, "alwaysOn").await?;
    }
    let alone = set.client_of(primary).await?;
    let documents: Vec<_> = (0..200).map(|n| doc! { "alone": n }).collect();
    let wrote = alone.database("shop").run_command(doc! { "insert": "orders", "documents": documents, "writeConcern": { "w": 1 } }).await?;
    let wrote = wrote.get_timestamp("operationTime")?;
    let wrote_at = OplogTime::new(wrote.time, wrote.increment);
    let direct = Connection::open(&set.uri_of(primary), &ConnectOptions::default()).await?;
    // Several looks of the slicer later none of it is there.
    for _ in 0..10 {
        ensure!(direct.majority_time().await? < wrote_at, "the fail point does not hold");
        let newest = repository.catalog().await?.newest_slice(&rs0()).map(|slice| slice.range.through);
        ensure!(newest < Some(wrote_at), "{newest:?} is sliced, and only one member has {wrote_at:?}");
        tokio::time::sleep(Duration::from_millis(70)).await;
    }
    set.pause(primary).await?;
    for member in &others {
        fail_point(&set, *member, "off").await?;
    }
    let next = set.wait_primary().await?;
    ensure!(next != primary, "the frozen member is primary");
    let there = set.client_of(next).await?;
    let new_history = write(&there, 100).await?;
    set.resume(primary).await?;
    set.wait_members().await?;
    // It has the new history, and not its own.
    let rolled_back = || async {
        let oplog = set.client_of(primary).await?.database("local").collection::<bson::Document>("oplog.rs");
        let old = oplog.find_one(doc! { "ts": wrote, "o.alone": { "$exists": true } }).await?;
        let new = oplog.find_one(doc! { "ts": bson::Timestamp { time: new_history.seconds, increment: new_history.ordinal } }).await?;
        Ok((old.is_none() && new.is_some()).then_some(()))
    };
    wait::until("the rollback", rolled_back).await?;
    // Its slicer has no lease as long as it is no primary, and comes back with it.
    wait::until("it to be primary again", || async {
        let _ = set.client_of(primary).await?.database("admin").run_command(doc! { "replSetStepUp": 1 }).await;
        Ok(set.primary().await?.filter(|now| *now == primary))
    })
    .await?;
    let written = write(&set.client().await?, 10).await?;
    slicer.sliced_through(written).await?;
    slicer.stop().await?;
    let slices = check(&set.client_of(primary).await?, &repository, from).await?;
    let later = Running::start(request(&set, &repository, "any").await?);
    later.sliced_through(write(&set.client().await?, 10).await?).await?;
    later.stop().await?;
    ensure!(check(&set.client_of(next).await?, &repository, from).await?.len() > slices.len());
    Ok(())
}
