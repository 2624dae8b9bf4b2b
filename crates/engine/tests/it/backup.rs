//! Backups of real replica sets: what is in them, and what is not there when they fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bson::{Document, RawDocumentBuf, doc};
use futures::{StreamExt, TryStreamExt};
use mongodb::Client;
use oplogue_domain::{Backup, BackupName, NamespaceSelection, OplogSource, ReplicaSetName};
use oplogue_engine::backup::{self, BackupReport, BackupRequest};
use oplogue_engine::failure::{Ending, advice, ending};
use oplogue_engine::progress::{Progress, Silent, Step, Unit};
use oplogue_format::compression::Compression;
use oplogue_mongo::{ConnectOptions, Connection};
use oplogue_repository::{BatchStream, CollectionKind, Repository, SnapshotContents};
use oplogue_storage::Storage;
use oplogue_storage::faulty::{StorageFault, faulty};
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, Version, wait};
use tokio_util::sync::CancellationToken;

use crate::setup;

fn memory() -> Repository {
    Repository::new(Storage::memory())
}

async fn take(request: BackupRequest) -> anyhow::Result<BackupReport> {
    backup::run(request, Arc::new(Silent), CancellationToken::new()).await
}

/// The one backup that is listed, and what it holds.
async fn open(repository: &Repository, report: &BackupReport) -> anyhow::Result<(Backup, SnapshotContents)> {
    let catalog = repository.catalog().await?;
    ensure!(catalog.unreadable.is_empty(), "{:?}", catalog.unreadable);
    let backup = catalog.backup(&report.name).context("the backup is not listed")?.clone();
    ensure!(backup.problem.is_none(), "{:?}", backup.problem);
    let contents = repository.snapshot(&backup, &report.replica_set).await?;
    Ok((backup, contents))
}

async fn all<T>(mut stream: BatchStream<Vec<T>>) -> anyhow::Result<Vec<T>> {
    let mut all = Vec::new();
    while let Some(batch) = stream.next_batch().await? {
        all.extend(batch);
    }
    Ok(all)
}

/// Every collection's documents by the bytes of their `_id`, compared with what the server has now.
async fn holds_what_the_server_has(client: &Client, repository: &Repository, contents: &SnapshotContents) -> anyhow::Result<()> {
    for collection in &contents.collections {
        repository.verify_documents(collection).await?;
        let stored = match &collection.object {
            Some(object) => all(repository.read_documents(object)).await?,
            None => Vec::new(),
        };
        let data = match collection.kind {
            CollectionKind::View => continue,
            CollectionKind::TimeSeries => collection.namespace.buckets(),
            CollectionKind::Collection => collection.namespace.clone(),
        };
        let live: Vec<RawDocumentBuf> =
            client.database(&data.database).collection::<RawDocumentBuf>(&data.collection).find(doc! {}).await?.try_collect().await?;
        ensure!(by_id(&stored)? == by_id(&live)?, "{} differs: {} stored, {} there", collection.namespace, stored.len(), live.len());
    }
    Ok(())
}

fn by_id(documents: &[RawDocumentBuf]) -> anyhow::Result<BTreeMap<String, &[u8]>> {
    documents.iter().map(|document| Ok((format!("{:?}", document.get("_id")?), document.as_bytes()))).collect()
}

async fn fill(client: &Client, database: &str, collection: &str, count: i64) -> anyhow::Result<()> {
    let documents = (0..count).map(|n| doc! { "_id": n, "n": n, "text": "x".repeat((n % 50) as usize) });
    client.database(database).collection(collection).insert_many(documents).await?;
    Ok(())
}

const ODD_NAMES: [&str; 12] =
    ["plain", "with space", "dots.in.it", "a/b", "a//b", "a/../b", "ünï😀", "q\"uote\\", "per%20cent", "tab\there", "-dash", "foo.gz"];

#[tokio::test(flavor = "multi_thread")]
async fn every_legal_name_and_every_kind_of_collection_is_in_a_backup() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    let shop = client.database("shop");
    let long = "l".repeat(230);
    for name in ODD_NAMES.into_iter().chain([long.as_str()]) {
        fill(&client, "shop", name, 25).await?;
    }
    fill(&client, "metadata", "json", 3).await?;
    fill(&client, "meta", "pbm", 3).await?;
    for command in [
        doc! { "create": "empty" },
        doc! { "create": "capped", "capped": true, "size": 4096 },
        doc! { "create": "clustered", "clusteredIndex": { "key": { "_id": 1 }, "unique": true } },
        doc! { "create": "view", "viewOn": "plain", "pipeline": [{ "$match": { "n": 1 } }] },
        doc! { "create": "temps", "timeseries": { "timeField": "at", "metaField": "room" } },
        doc! { "createIndexes": "temps", "indexes": [{ "key": { "room": 1, "at": 1 }, "name": "by_room" }] },
        doc! { "createIndexes": "plain", "indexes": [{ "key": { "n": 1 }, "name": "hidden_n", "hidden": true }, { "key": { "text": 1 }, "name": "p", "partialFilterExpression": { "n": { "$gt": 3 } } }] },
        doc! { "insert": "system.js", "documents": [{ "_id": "one", "value": 1 }] },
        doc! { "insert": "temps", "documents": [{ "at": bson::DateTime::from_millis(0), "room": 1, "c": 20 }, { "at": bson::DateTime::from_millis(9), "room": 2, "c": 21 }] },
    ] {
        let what = format!("{command}");
        shop.run_command(command).await.with_context(|| what)?;
    }
    fill(&client, "shop", "capped", 10).await?;
    fill(&client, "shop", "clustered", 10).await?;
    client.database("admin").run_command(doc! { "createUser": "ann", "pwd": "secret", "roles": ["read"] }).await?;
    shop.run_command(doc! { "createRole": "clerk", "privileges": [], "roles": ["read"] }).await?;

    let repository = memory();
    let mut request = setup::backup_request(&set, &repository).await?;
    request.name = Some("everything".parse()?);
    let report = take(request).await?;
    let (backup, contents) = open(&repository, &report).await?;
    holds_what_the_server_has(&client, &repository, &contents).await?;

    let found: Vec<String> = contents.collections.iter().map(|collection| collection.namespace.to_string()).collect();
    for name in ODD_NAMES.into_iter().chain([long.as_str(), "empty", "capped", "clustered", "view", "temps", "system.js"]) {
        ensure!(found.contains(&format!("shop.{name}")), "shop.{name} is missing from {found:?}");
    }
    let collection = |name: &str| contents.collections.iter().find(|collection| collection.namespace.collection == name).context("missing");
    let hidden = collection("plain")?
        .indexes
        .iter()
        .find(|index| index.get_str("name").is_ok_and(|name| name == "hidden_n"))
        .context("an index is missing")?;
    ensure!(hidden.get_bool("hidden").is_ok_and(|hidden| hidden), "{hidden}");
    ensure!(collection("clustered")?.options.contains_key("clusteredIndex"));
    ensure!(collection("view")?.options.get_str("viewOn").is_ok_and(|on| on == "plain"));
    let temps = collection("temps")?;
    ensure!(temps.kind == CollectionKind::TimeSeries && temps.buckets_uuid.is_some() && temps.documents == Some(2));
    ensure!(temps.indexes.iter().any(|index| index.get_document("key").is_ok_and(|key| key.contains_key("room"))), "{:?}", temps.indexes);
    ensure!(
        temps.bucket_indexes.as_ref().is_some_and(|indexes| indexes.iter().any(|index| format!("{index}").contains("meta"))),
        "{temps:?}"
    );

    let users =
        all(repository.read_documents(contents.users.as_ref().and_then(|users| users.object.as_ref()).context("no users")?)).await?;
    ensure!(users.iter().any(|user| user.get_str("_id").is_ok_and(|id| id == "admin.ann")));
    let roles =
        all(repository.read_documents(contents.roles.as_ref().and_then(|roles| roles.object.as_ref()).context("no roles")?)).await?;
    ensure!(roles.iter().any(|role| role.get_str("_id").is_ok_and(|id| id == "shop.clerk")));

    ensure!(report.notes.iter().any(|note| note.contains("a//b")), "names PBM cannot restore are told: {:?}", report.notes);
    ensure!(backup.consistent_at() == report.restores_to && backup.is_base());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_compressions_hold_the_same() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    fill(&client, "shop", "orders", 20_000).await?;
    // Some that begin in one piece of a file and end pieces later: uncompressed, files are written as pieces come.
    for n in 0..4 {
        let large = doc! { "_id": format!("large {n}"), "text": "x".repeat(1_500_000 * n) };
        client.database("shop").collection("orders").insert_one(large).await?;
    }
    let folder = tempfile::tempdir()?;
    let repository = setup::repository(folder.path())?;
    for compression in Compression::ALL {
        let mut request = setup::backup_request(&set, &repository).await?;
        request.name = Some(format!("with {compression}").parse()?);
        request.compression = compression;
        let report = take(request).await?;
        let (backup, contents) = open(&repository, &report).await?;
        ensure!(backup.compression == compression.to_string());
        holds_what_the_server_has(&client, &repository, &contents).await.with_context(|| compression.to_string())?;
        let source = OplogSource::BackupOplog { backup: backup.name };
        let entries = all(repository.read_oplog(&report.replica_set, &source).await?).await?;
        ensure!(entries.len() as u64 == report.oplog_entries, "{compression}");
        let ends = [entries.first(), entries.last()].map(|entry| entry.map(|(time, _)| *time));
        ensure!(
            ends == [Some(report.oplog.after), Some(report.oplog.through)],
            "{compression}: the oplog has its first and its last entry"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_collection_is_read_in_parts_into_one_object() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    fill(&client, "shop", "orders", 50_000).await?;
    // Every kind of `_id` must be in exactly one part.
    let odd = [
        bson::Bson::Null,
        "text".into(),
        1.5.into(),
        true.into(),
        bson::oid::ObjectId::new().into(),
        doc! { "a": 1 }.into(),
        bson::Bson::MaxKey,
        bson::Bson::MinKey,
    ];
    client.database("shop").collection("orders").insert_many(odd.map(|id| doc! { "_id": id })).await?;
    // Of several batches each, which must not end within a document.
    client.database("shop").collection("large").insert_many((0..200).map(|n| doc! { "_id": n, "text": "x".repeat(100_000) })).await?;
    let repository = memory();
    for (compression, part_bytes) in [(Compression::Zstd, 100_000), (Compression::None, 100_000), (Compression::None, 4_000_000)] {
        let mut request = setup::backup_request(&set, &repository).await?;
        request.name = Some(format!("{compression} in parts of {part_bytes}").parse()?);
        (request.compression, request.parallel, request.part_bytes) = (compression, 4, part_bytes);
        let report = take(request).await?;
        let (_, contents) = open(&repository, &report).await?;
        holds_what_the_server_has(&client, &repository, &contents).await?;
        for (name, count) in [("orders", 50_008), ("large", 200)] {
            let found = contents.collections.iter().find(|collection| collection.namespace.collection == name).context("missing")?;
            ensure!(found.documents == Some(count), "{name}: {:?}", found.documents);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selective_backup_holds_what_was_asked_for_and_a_time_series_by_its_name() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    for (database, name) in [("shop", "orders"), ("shop", "other"), ("blog", "posts"), ("blog", "tags")] {
        fill(&client, database, name, 10).await?;
    }
    let shop = client.database("shop");
    shop.run_command(doc! { "create": "temps", "timeseries": { "timeField": "at" } }).await?;
    shop.run_command(doc! { "insert": "temps", "documents": [{ "at": bson::DateTime::from_millis(0), "c": 20 }] }).await?;
    shop.run_command(doc! { "createUser": "shopkeeper", "pwd": "x", "roles": [] }).await?;
    client.database("blog").run_command(doc! { "createUser": "author", "pwd": "x", "roles": [] }).await?;
    let repository = memory();
    let mut request = setup::backup_request(&set, &repository).await?;
    request.selection = selection(&["shop.temps", "shop.orders", "shop.absent"])?;
    request.users_and_roles = true;
    let report = take(request).await?;
    let (backup, contents) = open(&repository, &report).await?;
    let names: Vec<String> = contents.collections.iter().map(|collection| collection.namespace.to_string()).collect();
    ensure!(names == ["shop.orders", "shop.temps"], "{names:?}");
    ensure!(contents.collections[1].documents == Some(1), "PBM stores a time series without its documents here");
    ensure!(!backup.is_base() && backup.users_and_roles && backup.selection.patterns().len() == 3);
    ensure!(report.notes.iter().any(|note| note.contains("shop.absent")), "{:?}", report.notes);
    let users =
        all(repository.read_documents(contents.users.as_ref().and_then(|users| users.object.as_ref()).context("no users")?)).await?;
    let users: Vec<&str> = users.iter().filter_map(|user| user.get_str("user").ok()).collect();
    ensure!(users == ["shopkeeper"], "{users:?}");

    let mut request = setup::backup_request(&set, &repository).await?;
    request.name = Some("database".parse()?);
    request.selection = selection(&["blog.*"])?;
    let report = take(request).await?;
    let (backup, contents) = open(&repository, &report).await?;
    ensure!(contents.collections.len() == 2 && contents.users.is_none() && !backup.users_and_roles);
    Ok(())
}

fn selection(patterns: &[&str]) -> anyhow::Result<NamespaceSelection> {
    Ok(NamespaceSelection::from_patterns(patterns.iter().map(|pattern| pattern.parse()).collect::<Result<_, _>>()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_name_and_a_selection_of_nothing_are_refused_and_nothing_is_stored() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    fill(&set.client().await?, "shop", "orders", 10).await?;
    let repository = memory();
    let mut request = setup::backup_request(&set, &repository).await?;
    request.name = Some("daily".parse()?);
    request.selection = selection(&["shop.absent", "nowhere.*"])?;
    let error = take(request.clone()).await.err().context("it was taken")?;
    ensure!(ending(&error) == Ending::Refused && error.to_string().contains("shop.absent, nowhere.*"), "{error:#}");
    ensure!(repository.storage().list("").await?.is_empty());

    request.selection = NamespaceSelection::Everything;
    take(request.clone()).await?;
    let before = repository.storage().list("").await?;
    let error = take(request).await.err().context("it was taken")?;
    ensure!(ending(&error) == Ending::Refused && advice(&error).is_some() && error.to_string().contains("daily"), "{error:#}");
    ensure!(repository.storage().list("").await? == before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_that_begin_in_one_second_get_names_of_their_own() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    fill(&set.client().await?, "shop", "orders", 10).await?;
    let repository = memory();
    let request = setup::backup_request(&set, &repository).await?;
    let (first, second, third) = tokio::try_join!(take(request.clone()), take(request.clone()), take(request))?;
    let names = BTreeSet::from([first.name, second.name, third.name]);
    ensure!(names.len() == 3, "{names:?}");
    let listed: BTreeSet<BackupName> = repository.catalog().await?.backups.into_iter().map(|backup| backup.name).collect();
    ensure!(listed == names, "{listed:?} {names:?}");
    Ok(())
}

/// Does something when the first documents have been read.
struct AtFirstDocuments<F>(F);

impl<F: Fn() + Send + Sync> Progress for AtFirstDocuments<F> {
    fn begin(&self, _: Step, _: Unit, _: Option<u64>) {}
    fn advance(&self, step: Step, _: u64) {
        if step == Step::Snapshot {
            (self.0)();
        }
    }
    fn end(&self, _: Step) {}
    fn note(&self, _: &str) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_backup_leaves_nothing() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    for n in 0..20 {
        fill(&client, "shop", &format!("c{n}"), 500).await?;
    }
    let folder = tempfile::tempdir()?;
    let repository = setup::repository(folder.path())?;
    let request = setup::backup_request(&set, &repository).await?;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let error = backup::run(request, Arc::new(AtFirstDocuments(move || stop.cancel())), cancel).await.err().context("it was taken")?;
    ensure!(ending(&error) == Ending::Cancelled, "{error:#}");
    ensure!(repository.storage().list("").await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_storage_still_publishes_after_a_cancel_is_discarded_too() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    fill(&set.client().await?, "shop", "orders", 500).await?;
    let (storage, faults) = faulty(&Storage::memory());
    let repository = Repository::new(storage);
    let request = setup::backup_request(&set, &repository).await?;
    let cancel = CancellationToken::new();
    let hold = faults.clone();
    let progress = AtFirstDocuments(move || hold.set(StorageFault::PublishHeld));
    let running = tokio::spawn(backup::run(request, Arc::new(progress), cancel.clone()));
    wait::until("documents to be published", async || Ok(faults.holds_something().then_some(()))).await?;
    cancel.cancel();
    // Whoever does not wait for it is done with discarding now.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    faults.set(StorageFault::None);
    let error = running.await?.err().context("it was taken")?;
    ensure!(ending(&error) == Ending::Cancelled, "{error:#}");
    ensure!(repository.storage().list("").await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_member_dies_fails_and_leaves_nothing() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    for n in 0..40 {
        fill(&client, "shop", &format!("c{n}"), 2_000).await?;
    }
    let repository = memory();
    let mut request = setup::backup_request(&set, &repository).await?;
    let impatient = ConnectOptions { connect_timeout: Duration::from_secs(2), ..ConnectOptions::default() };
    request.connection = Connection::open(&set.uri(), &impatient).await?;
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let progress = AtFirstDocuments(move || {
        // Full after the first time, and one is enough.
        let _ = tell.try_send(());
    });
    let cancel = CancellationToken::new();
    let mut running = tokio::spawn(backup::run(request, Arc::new(progress), cancel.clone()));
    told.recv().await.context("nothing was read")?;
    set.kill(0).await?;
    // It waits for the member for ten minutes, unless somebody has less patience.
    let ended = match tokio::time::timeout(Duration::from_secs(10), &mut running).await {
        Ok(ended) => ended?,
        Err(_) => {
            cancel.cancel();
            running.await?
        }
    };
    // It may have been faster than the kill; then it is whole.
    match ended {
        Err(error) => {
            ensure!(matches!(ending(&error), Ending::Failed | Ending::Cancelled), "{error:#}");
            ensure!(repository.storage().list("").await?.is_empty());
        }
        Ok(report) => drop(open(&repository, &report).await?),
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_ddl_does_not_break_a_backup() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    for n in 0..12 {
        fill(&client, "storm", &format!("c{n}"), 1_000).await?;
    }
    client.database("storm").run_command(doc! { "create": "ring", "capped": true, "size": 65_536 }).await?;
    let stop = CancellationToken::new();
    let storm = tokio::spawn(storm(client.clone(), stop.clone()));
    let repository = memory();
    for n in 0..3 {
        let mut request = setup::backup_request(&set, &repository).await?;
        request.name = Some(format!("storm {n}").parse()?);
        let report = take(request).await?;
        let (_, contents) = open(&repository, &report).await?;
        for collection in &contents.collections {
            repository.verify_documents(collection).await?;
        }
    }
    stop.cancel();
    storm.await??;
    Ok(())
}

/// Renames, drops, creates, fills and overwrites collections of the database `storm`.
async fn storm(client: Client, stop: CancellationToken) -> anyhow::Result<()> {
    let (database, admin) = (client.database("storm"), client.database("admin"));
    let mut turn = 0_i64;
    while !stop.is_cancelled() {
        turn += 1;
        let name = format!("c{}", turn % 12);
        let other = format!("storm.renamed{}", turn % 12);
        let rename = |from: String, to: String| admin.run_command(doc! { "renameCollection": from, "to": to, "dropTarget": true });
        // Whether it is there depends on the turns before.
        let _ = rename(format!("storm.{name}"), other.clone()).await;
        if turn % 3 == 0 {
            let _ = rename(other, format!("storm.{name}")).await;
        }
        if turn % 5 == 0 {
            database.collection::<Document>(&name).drop().await?;
        }
        fill(&client, "storm", &format!("new{turn}"), 5).await?;
        let _ = fill(&client, "storm", &name, 50).await;
        let ring = (0..200).map(|n| doc! { "turn": turn, "n": n });
        database.collection("ring").insert_many(ring).await?;
        let out = vec![doc! { "$match": {} }, doc! { "$out": "result" }];
        database.collection::<Document>("ring").aggregate(out).await?.next().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oplog_of_a_backup_begins_where_an_open_transaction_began() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default().test_commands(true)).await?;
    let client = set.client().await?;
    fill(&client, "shop", "orders", 3).await?;
    let mut session = client.start_session().await?;
    session.start_transaction().await?;
    client.database("shop").collection("orders").insert_one(doc! { "_id": "prepared" }).session(&mut session).await?;
    let prepared = client
        .database("admin")
        .run_command(doc! { "prepareTransaction": 1, "writeConcern": { "w": "majority" } })
        .session(&mut session)
        .await?;
    let began = prepared.get_timestamp("prepareTimestamp")?;
    fill(&client, "shop", "later", 10).await?;

    let repository = memory();
    let report = take(setup::backup_request(&set, &repository).await?).await?;
    let began = oplogue_domain::OplogTime::new(began.time, began.increment);
    ensure!(report.oplog.after <= began, "{:?} is later than {began:?}", report.oplog);
    let source = OplogSource::BackupOplog { backup: report.name };
    let entries = all(repository.read_oplog(&report.replica_set, &source).await?).await?;
    ensure!(entries.iter().any(|(time, _)| *time == began));
    client.database("admin").run_command(doc! { "abortTransaction": 1, "autocommit": false }).session(&mut session).await.ok();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_member_is_read_before_the_others() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default().members(3).member(2, doc! { "hidden": true, "priority": 0 })).await?;
    fill(&set.client().await?, "shop", "orders", 100).await?;
    let repository = memory();
    let report = take(setup::backup_request(&set, &repository).await?).await?;
    ensure!(report.node == set.hosts()[2], "{} ({})", report.node, report.node_reason);
    let (backup, contents) = open(&repository, &report).await?;
    ensure!(backup.snapshots[0].node.as_deref() == Some(report.node.as_str()));
    // Acknowledged by a majority only; the member read had them all the same.
    ensure!(contents.collections[0].documents == Some(100), "{:?}", contents.collections[0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn older_servers_are_backed_up_too() -> anyhow::Result<()> {
    for version in [Version::V4_2, Version::V4_4, Version::V5_0] {
        let set = ReplicaSet::start(ReplicaSetOptions::default().version(version)).await?;
        let client = set.client().await?;
        for name in ODD_NAMES {
            fill(&client, "shop", name, 20).await.with_context(|| format!("{version:?} {name}"))?;
        }
        let repository = memory();
        let mut request = setup::backup_request(&set, &repository).await?;
        request.part_bytes = 1_000;
        let report = take(request).await.with_context(|| format!("{version:?}"))?;
        let (_, contents) = open(&repository, &report).await?;
        holds_what_the_server_has(&client, &repository, &contents).await.with_context(|| format!("{version:?}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_lies_on_s3_as_it_lies_in_a_folder() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    let client = set.client().await?;
    for name in ODD_NAMES {
        fill(&client, "shop", name, 20).await?;
    }
    // Over the limit of one part, whatever the codec does.
    let noise = (0..24).map(
        |n: i32| doc! { "_id": n, "noise": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: noise(n as u64, 1 << 20) } },
    );
    client.database("shop").collection("noise").insert_many(noise).await?;
    let bucket = oplogue_testkit::S3Server::shared().await?.new_bucket().await?;
    let options = oplogue_storage::StorageOptions {
        access_key: Some(bucket.access_key.clone()),
        secret_key: Some(bucket.secret_key.clone()),
        ..Default::default()
    };
    let repository = Repository::new(Storage::open(&bucket.url(), &options)?.within("cluster"));
    let report = take(setup::backup_request(&set, &repository).await?).await?;
    let (_, contents) = open(&repository, &report).await?;
    holds_what_the_server_has(&client, &repository, &contents).await?;
    repository.discard_backup(&report.name).await?;
    ensure!(repository.catalog().await?.backups.is_empty());
    Ok(())
}

/// Bytes no codec makes smaller.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..count / 8).flat_map(|_| next().to_le_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_names_what_is_there() -> anyhow::Result<()> {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await?;
    fill(&set.client().await?, "shop", "orders", 10).await?;
    let repository = memory();
    let connection = setup::connection(&set).await?;
    let before = oplogue_engine::status::status(&connection, &repository).await?;
    ensure!(before.last_backup.is_none() && before.newest_slice.is_none() && before.slicer.is_none());
    let report = take(setup::backup_request(&set, &repository).await?).await?;
    let after = oplogue_engine::status::status(&connection, &repository).await?;
    ensure!(after.last_backup.map(|backup| backup.name) == Some(report.name));
    ensure!(after.replica_set == "rs0".parse::<ReplicaSetName>()? && after.server_version == "6.0.5" && after.fcv == "6.0");
    Ok(())
}
