//! Slicing real replica sets: nothing missing, nothing twice, one slicer at a time, and holes that are told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, ensure};
use bson::{RawDocumentBuf, Timestamp, doc, rawdoc};
use futures::TryStreamExt;
use mongodb::Client;
use oplogue_domain::{GapReason, OplogRange, OplogSource, OplogTime, ReplicaSetName, Slice};
use oplogue_engine::failure::{Ending, ending};
use oplogue_engine::slice::{self, SliceEvent, SliceRequest};
use oplogue_format::compression::Compression;
use oplogue_repository::{Repository, SliceBuilder};
use oplogue_storage::Storage;
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, wait};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::setup;

pub fn memory() -> Repository {
    Repository::new(Storage::memory())
}

pub fn rs0() -> ReplicaSetName {
    "rs0".parse().expect("a name of the tests")
}

pub async fn request(set: &ReplicaSet, repository: &Repository, holder: &str) -> anyhow::Result<SliceRequest> {
    Ok(SliceRequest {
        connection: setup::connection(set).await?,
        repository: repository.clone(),
        compression: Compression::Zstd,
        span: Duration::from_millis(300),
        bytes_max: 64 << 20,
        holder: holder.to_owned(),
        lease_ttl: Duration::from_secs(10),
        wait_for_lease: false,
        until: None,
    })
}

/// A slicer in the background, and everything it told.
pub struct Running {
    events: Arc<Mutex<Vec<SliceEvent>>>,
    changed: Arc<Notify>,
    cancel: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub fn start(request: SliceRequest) -> Self {
        let (events, changed, cancel) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()), CancellationToken::new());
        let (heard, told, stop) = (events.clone(), changed.clone(), cancel.clone());
        let task = tokio::spawn(async move {
            let tell = move |event| {
                heard.lock().expect("no test panics while it holds the events").push(event);
                told.notify_waiters();
            };
            slice::run(request, &tell, stop).await
        });
        Self { events, changed, cancel, task }
    }

    pub fn events(&self) -> Vec<SliceEvent> {
        self.events.lock().expect("no test panics while it holds the events").clone()
    }

    /// Waits for an event that `find` makes something of.
    pub async fn wait<T>(&self, what: &str, find: impl Fn(&SliceEvent) -> Option<T>) -> anyhow::Result<T> {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(found) = self.events().iter().find_map(&find) {
                    return Ok(found);
                }
                ensure!(!self.task.is_finished(), "the slicer ended while waiting for {what}: {:#?}", self.events());
                let _ = tokio::time::timeout(Duration::from_secs(1), changed).await;
            }
        };
        tokio::time::timeout(wait::PATIENCE, waiting).await.with_context(|| format!("waited for {what}: {:#?}", self.events()))?
    }

    pub async fn sliced_through(&self, time: OplogTime) -> anyhow::Result<()> {
        self.wait(&format!("a slice up to {time}"), |event| match event {
            SliceEvent::Stored { slice, .. } if slice.range.through >= time => Some(()),
            _ => None,
        })
        .await
    }

    pub async fn stop(self) -> anyhow::Result<Vec<SliceEvent>> {
        self.cancel.cancel();
        self.task.await??;
        let events = self.events.lock().expect("no test panics while it holds the events").clone();
        Ok(events)
    }
}

/// Ends the slicer once it has sliced what is written now, and compares all slices with the server's oplog from `from` on.
pub async fn end_whole(slicer: Running, client: &Client, repository: &Repository, from: OplogTime) -> anyhow::Result<()> {
    let written = write(client, 100).await?;
    slicer.sliced_through(written).await?;
    slicer.stop().await?;
    check(client, repository, from).await?;
    Ok(())
}

/// A folder in which slicing goes on where the server's oplog is now.
pub async fn with_a_beginning(set: &ReplicaSet) -> anyhow::Result<(Repository, OplogTime)> {
    let repository = memory();
    setup::backup(set, &repository).await?;
    let catalog = repository.catalog().await?;
    let end = catalog.backups.first().context("no backup")?.consistent_at();
    Ok((repository, end))
}

pub async fn write(client: &Client, count: i64) -> anyhow::Result<OplogTime> {
    client.database("shop").collection("orders").insert_many((0..count).map(|n| doc! { "n": n, "text": "x".repeat(200) })).await?;
    setup::newest_entry(client).await
}

/// All slices join, begin at `from`, and hold exactly what the server's oplog holds there.
pub async fn check(client: &Client, repository: &Repository, from: OplogTime) -> anyhow::Result<Vec<Slice>> {
    let catalog = repository.catalog().await?;
    let slices = catalog.slices_of(&rs0()).to_vec();
    ensure!(slices.first().context("no slices")?.range.after == from, "{:?} is not {from:?}", slices[0].range);
    let mut sliced: Vec<RawDocumentBuf> = Vec::new();
    for pair in slices.windows(2) {
        ensure!(pair[0].range.through == pair[1].range.after, "{:?} and {:?} do not join", pair[0].range, pair[1].range);
    }
    for slice in &slices {
        let mut stream = repository.read_oplog(&rs0(), &OplogSource::Slice(slice.clone())).await?;
        let mut entries = Vec::new();
        while let Some(batch) = stream.next_batch().await? {
            entries.extend(batch);
        }
        let ends = [entries.first(), entries.last()].map(|entry| entry.map(|(time, _)| *time));
        ensure!(
            ends == [Some(slice.range.after), Some(slice.range.through)],
            "a slice has the entries at both its ends: {ends:?} {:?}",
            slice.range
        );
        sliced.extend(entries.into_iter().map(|(_, entry)| entry).skip(usize::from(!sliced.is_empty())));
    }
    let last = slices.last().context("no slices")?.range.through;
    let stamp = |time: OplogTime| Timestamp { time: time.seconds, increment: time.ordinal };
    let filter = doc! { "ts": { "$gte": stamp(from), "$lte": stamp(last) } };
    let oplog = client.database("local").collection::<RawDocumentBuf>("oplog.rs");
    let there: Vec<RawDocumentBuf> = oplog.find(filter).sort(doc! { "$natural": 1 }).await?.try_collect().await?;
    ensure!(there == sliced, "{} entries are in the oplog, {} in the slices", there.len(), sliced.len());
    Ok(slices)
}

#[tokio::test(flavor = "multi_thread")]
async fn slices_hold_the_whole_oplog_and_a_new_slicer_goes_on_where_the_last_one_ended() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    write(&client, 100).await?;
    let (repository, from) = with_a_beginning(&set).await?;
    for round in 0..3 {
        let slicer = Running::start(request(&set, &repository, &format!("slicer {round}")).await?);
        for _ in 0..4 {
            let written = write(&client, 500).await?;
            slicer.sliced_through(written).await?;
        }
        let last = write(&client, 10).await?;
        let events = slicer.stop().await?;
        // What a majority has when it is asked to stop is in the last slice.
        ensure!(matches!(events.last(), Some(SliceEvent::Stopped { newest: Some(newest) }) if *newest >= last), "{events:#?}");
        // Written while nobody slices.
        write(&client, 50).await?;
    }
    let slices = check(&client, &repository, from).await?;
    ensure!(slices.len() >= 12, "{} slices", slices.len());
    let catalog = repository.catalog().await?;
    ensure!(catalog.recorded_gaps.is_empty());
    let timeline = oplogue_domain::timeline(&catalog);
    ensure!(timeline.cluster.len() == 1 && timeline.cluster[0].through == slices[slices.len() - 1].range.through, "{timeline:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slice_is_cut_when_it_is_big() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    let (repository, from) = with_a_beginning(&set).await?;
    let last = write(&client, 5_000).await?;
    let mut request = request(&set, &repository, "test").await?;
    request.span = Duration::from_secs(3600);
    request.bytes_max = 200_000;
    request.until = Some(last.predecessor());
    // The last, small slice is cut because it is asked to stop.
    let slicer = Running::start(request);
    slicer.wait("several slices", |event| matches!(event, SliceEvent::Stored { .. }).then_some(())).await?;
    slicer.stop().await?;
    let slices = check(&client, &repository, from).await?;
    ensure!(slices.len() > 5 && slices[slices.len() - 1].range.through >= last, "{slices:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_does_not_pause_slicing() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    let (repository, from) = with_a_beginning(&set).await?;
    let slicer = Running::start(request(&set, &repository, "test").await?);
    write(&client, 30_000).await?;
    let mut backup = setup::backup_request(&set, &repository).await?;
    backup.name = Some("second".parse()?);
    let report = oplogue_engine::backup::run(backup, Arc::new(oplogue_engine::progress::Silent), CancellationToken::new()).await?;
    let last = write(&client, 10).await?;
    slicer.sliced_through(last).await?;
    slicer.stop().await?;
    let slices = check(&client, &repository, from).await?;
    ensure!(slices.iter().any(|slice| slice.range.through >= report.oplog.through));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_slicers_one_is_refused_or_waits_its_turn() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    let (repository, from) = with_a_beginning(&set).await?;
    let first = Running::start(request(&set, &repository, "first").await?);
    let fence = first.wait("its start", started).await?;

    let refused = slice::run(request(&set, &repository, "second").await?, &|_| {}, CancellationToken::new()).await;
    let error = refused.err().context("two slice at once")?;
    ensure!(ending(&error) == Ending::Refused && error.to_string().contains("first"), "{error:#}");

    let mut patient = request(&set, &repository, "second").await?;
    patient.wait_for_lease = true;
    let second = Running::start(patient);
    let why = second
        .wait("it to wait", |event| match event {
            SliceEvent::Waiting { why } => Some(why.clone()),
            _ => None,
        })
        .await?;
    ensure!(why.contains("first"), "{why}");
    let written = write(&client, 100).await?;
    first.sliced_through(written).await?;
    first.stop().await?;
    ensure!(second.wait("its turn", started).await? > fence);
    let written = write(&client, 100).await?;
    second.sliced_through(written).await?;
    second.stop().await?;
    check(&client, &repository, from).await?;
    Ok(())
}

pub fn started(event: &SliceEvent) -> Option<i64> {
    match event {
        SliceEvent::Started { fence, .. } => Some(*fence),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slicer_whose_lease_is_taken_publishes_nothing_more_until_it_is_back() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    let (repository, from) = with_a_beginning(&set).await?;
    let mut asked = request(&set, &repository, "first").await?;
    asked.lease_ttl = Duration::from_secs(2);
    let connection = asked.connection.clone();
    let slicer = Running::start(asked);
    let fence = slicer.wait("its start", started).await?;
    // Somebody takes it, as after a long pause of the first.
    connection.expire_lease(slice::LEASE_PURPOSE).await?;
    let taken = connection.acquire_lease(slice::LEASE_PURPOSE, "thief", Duration::from_secs(3)).await?;
    ensure!(matches!(taken, oplogue_mongo::Acquired::Lease(_)), "{taken:?}");
    slicer.wait("the loss to be noticed", |event| matches!(event, SliceEvent::Waiting { .. }).then_some(())).await?;
    slicer.wait("the lease to come back", |event| started(event).filter(|again| *again > fence)).await?;
    end_whole(slicer, &client, &repository, from).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_backup_the_slicer_waits_for_one() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    let repository = memory();
    let slicer = Running::start(request(&set, &repository, "test").await?);
    let why = slicer
        .wait("it to wait", |event| match event {
            SliceEvent::Waiting { why } => Some(why.clone()),
            _ => None,
        })
        .await?;
    ensure!(why.contains("backup"), "{why}");
    setup::backup(&set, &repository).await?;
    let from = repository.catalog().await?.backups[0].consistent_at();
    end_whole(slicer, &client, &repository, from).await
}

/// A slice of long ago, whose continuation no server has.
async fn old_slice(repository: &Repository) -> anyhow::Result<OplogTime> {
    let mut builder = SliceBuilder::new(rs0(), OplogTime::new(100, 1), Compression::None);
    for ordinal in 1..=3 {
        builder.push(&rawdoc! { "ts": Timestamp { time: 100, increment: ordinal }, "op": "n", "o": {} }).await?;
    }
    Ok(repository.write_slice(builder).await?.slice.range.through)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_is_recorded_with_its_reason_and_slicing_goes_on_at_the_newest_backup() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    let repository = memory();
    let lost_after = old_slice(&repository).await?;
    setup::backup(&set, &repository).await?;
    let base = repository.catalog().await?.backups[0].snapshots[0].oplog;
    let slicer = Running::start(request(&set, &repository, "test").await?);
    let gap = slicer
        .wait("the hole", |event| match event {
            SliceEvent::Gap(gap) => Some(gap.clone()),
            _ => None,
        })
        .await?;
    ensure!(gap.range == OplogRange::new(lost_after, base.after) && gap.reason == GapReason::OplogRolledOver, "{gap:?}");
    let written = write(&client, 10).await?;
    slicer.sliced_through(written).await?;
    slicer.stop().await?;
    let catalog = repository.catalog().await?;
    ensure!(catalog.recorded_gaps.get(&rs0()) == Some(&vec![gap]), "{:?}", catalog.recorded_gaps);
    let newest = &catalog.slices_of(&rs0())[1..];
    ensure!(newest[0].range.after == base.through, "{newest:?}");

    // A second slicer finds nothing new to record.
    let slicer = Running::start(request(&set, &repository, "test").await?);
    slicer.wait("its start", started).await?;
    let events = slicer.stop().await?;
    ensure!(!events.iter().any(|event| matches!(event, SliceEvent::Gap(_))), "{events:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_without_a_newer_backup_is_recorded_and_waits_for_one() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let repository = memory();
    let lost_after = old_slice(&repository).await?;
    let slicer = Running::start(request(&set, &repository, "test").await?);
    let gap = slicer
        .wait("the hole", |event| match event {
            SliceEvent::Gap(gap) => Some(gap.clone()),
            _ => None,
        })
        .await?;
    ensure!(gap.range.after == lost_after, "{gap:?}");
    slicer.wait("it to wait", |event| matches!(event, SliceEvent::Waiting { .. }).then_some(())).await?;
    slicer.stop().await?;
    ensure!(repository.catalog().await?.recorded_gaps.get(&rs0()) == Some(&vec![gap]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_election_and_a_lost_member_do_not_end_slicing() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default().members(3)).await?;
    let client = set.client().await?;
    write(&client, 100).await?;
    let (repository, from) = with_a_beginning(&set).await?;
    let slicer = Running::start(request(&set, &repository, "test").await?);
    let node = slicer
        .wait("its start", |event| match event {
            SliceEvent::Started { node, .. } => Some(node.clone()),
            _ => None,
        })
        .await?;
    set.step_down().await?;
    set.wait_primary().await?;
    let written = write(&client, 100).await?;
    slicer.sliced_through(written).await?;

    let member = set.hosts().iter().position(|host| *host == node).context("an unknown member is read")?;
    set.kill(member).await?;
    set.wait_primary().await?;
    let written = write(&set.client().await?, 100).await?;
    slicer.sliced_through(written).await?;
    set.restart(member).await?;
    slicer.stop().await?;
    check(&set.client().await?, &repository, from).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_majority_has_is_sliced() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default().members(3).test_commands(true)).await?;
    let client = set.client().await?;
    write(&client, 10).await?;
    let (repository, _) = with_a_beginning(&set).await?;
    let mut asked = request(&set, &repository, "test").await?;
    asked.lease_ttl = Duration::from_secs(120);
    let slicer = Running::start(asked);
    let written = write(&client, 10).await?;
    slicer.sliced_through(written).await?;

    let primary = set.primary().await?.context("no primary")?;
    let secondaries: Vec<usize> = (0..3).filter(|member| *member != primary).collect();
    for member in &secondaries {
        fail_point(&set, *member, "alwaysOn").await?;
    }
    let alone = client
        .database("shop")
        .run_command(doc! { "insert": "orders", "documents": [{ "_id": "alone" }], "writeConcern": { "w": 1 } })
        .await?;
    let alone = alone.get_timestamp("operationTime")?;
    let alone = OplogTime::new(alone.time, alone.increment);
    // Several looks of the slicer later it is still not there.
    let connection = setup::connection(&set).await?;
    for _ in 0..20 {
        ensure!(connection.majority_time().await? < alone, "the fail point does not hold");
        let newest = repository.catalog().await?.newest_slice(&rs0()).map(|slice| slice.range.through);
        ensure!(newest < Some(alone), "{newest:?} is sliced, and only one member has {alone:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for member in &secondaries {
        fail_point(&set, *member, "off").await?;
    }
    slicer.sliced_through(alone).await?;
    slicer.stop().await?;
    Ok(())
}

pub async fn fail_point(set: &ReplicaSet, member: usize, mode: &str) -> anyhow::Result<()> {
    let client = set.client_of(member).await?;
    client.database("admin").run_command(doc! { "configureFailPoint": "stopReplProducer", "mode": mode }).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_is_away_is_waited_for_and_nothing_is_lost() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    let folder = tempfile::tempdir()?;
    let (there, away) = (folder.path().join("storage"), folder.path().join("away"));
    let repository = setup::repository(&there)?;
    setup::backup(&set, &repository).await?;
    let from = repository.catalog().await?.backups[0].consistent_at();
    let slicer = Running::start(request(&set, &repository, "test").await?);
    let written = write(&client, 10).await?;
    slicer.sliced_through(written).await?;
    std::fs::rename(&there, &away)?;
    std::fs::write(&there, "in the way")?;
    write(&client, 10).await?;
    slicer.wait("a failure", |event| matches!(event, SliceEvent::Retrying { .. }).then_some(())).await?;
    std::fs::remove_file(&there)?;
    std::fs::rename(&away, &there)?;
    end_whole(slicer, &client, &repository, from).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_set_that_is_not_the_one_sliced_before_is_refused() -> anyhow::Result<()> {
    let first = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let (one, other) = (memory(), ReplicaSet::start(ReplicaSetOptions::default()).await?);
    setup::backup(&other, &memory()).await?;
    // Made so that the other's oplog reaches back to the end of the first's slices.
    setup::backup(&first, &one).await?;
    let slicer = Running::start(request(&first, &one, "test").await?);
    slicer.wait("its start", started).await?;
    let written = write(&first.client().await?, 100).await?;
    slicer.sliced_through(written).await?;
    slicer.stop().await?;
    write(&other.client().await?, 1).await?;
    let refused = slice::run(request(&other, &one, "test").await?, &|_| {}, CancellationToken::new()).await;
    let error = refused.err().context("two histories were joined")?;
    ensure!(ending(&error) == Ending::Refused && error.to_string().contains("same name"), "{error:#}");
    Ok(())
}
