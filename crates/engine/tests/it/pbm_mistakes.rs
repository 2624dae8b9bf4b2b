//! Mistakes of Percona Backup for MongoDB that lose data or make a restore impossible, each with a test that it is not repeated. The
//! numbers are those of docs/pbm-mistakes.md. Some are shown where their stories are told:
//!
//! | mistake | shown in |
//! |---|---|
//! | W1 slices of a backup replayed in random order | here |
//! | W2 consistent only up to the slowest shard | `oplogue-domain` (`Backup::consistent_at`) |
//! | W3 users deleted because the backup has none | `principals.rs` |
//! | W4 indexes lost by rename, `$out`, `_id_hashed`; `hidden`, `prepareUnique` | here; options in `exactness.rs` |
//! | W5 time series by name lose documents and oplog | here; in place and renamed in `selective.rs` |
//! | W6 names that collide | `exactness.rs` |
//! | W7 halves of transactions; collections that are not in the backup stay | `exactness.rs`; here |
//! | W9 no checksum of slices | `damage.rs` |
//! | W11 entries above 16 MiB | `exactness.rs` |
//! | W12 `system.js`; a collection renamed since the backup | `target.rs` |
//! | W13 an unknown command stops the replay half-way | here |
//! | W15 a restore that failed cannot be finished | `cancel.rs` |
//! | W16 slicing stops for backups, and for ever after a restore | `target.rs` |
//! | W17 the newest base or none | here |
//! | W19 parts of large objects are silently left out | here |

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bson::{Document, RawDocumentBuf, Timestamp, doc, rawdoc};
use futures::TryStreamExt;
use oplogue_domain::plan::Moment;
use oplogue_domain::{OplogRange, OplogTime};
use oplogue_format::bson_stream::DocumentReader;
use oplogue_format::compression::{self, Compression};
use oplogue_format::pbm::layout;
use oplogue_repository::SliceBuilder;

use crate::setup;
use crate::stage::{self, Stage, copy_folder, fill, measure, mix, only, run};

/// All files below a folder.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn documents(path: &Path) -> anyhow::Result<Vec<RawDocumentBuf>> {
    let name = path.to_string_lossy();
    let stored = std::io::Cursor::new(std::fs::read(path)?);
    let mut reader = DocumentReader::new(compression::decoder(Compression::of_name(&name), Box::new(stored)));
    let mut documents = Vec::new();
    while let Some(document) = reader.next_document()? {
        documents.push(document);
    }
    Ok(documents)
}

fn time(entry: &RawDocumentBuf) -> anyhow::Result<OplogTime> {
    let time = entry.get_timestamp("ts")?;
    Ok(OplogTime::new(time.time, time.increment))
}

fn raw(documents: &[RawDocumentBuf]) -> Vec<u8> {
    documents.iter().flat_map(|document| document.as_bytes().to_vec()).collect()
}

async fn count_to(stage: &Stage, from: i32, to: i32) -> anyhow::Result<()> {
    let counters = stage.client.database("shop").collection::<Document>("counters");
    for n in from..to {
        counters.update_one(doc! {"_id": 1}, doc! {"$set": {"n": n}, "$push": {"seen": n}}).upsert(true).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn w1_slices_of_a_backup_are_replayed_in_the_order_of_their_times() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    fill(&stage.client, "shop", "people", 0, 50).await?;
    stage.backup_named("base").await?;
    // Forty neighbouring ordinals: as names `-10` comes before `-9`.
    count_to(&stage, 0, 1).await?;
    let updates: Vec<Document> = (1..40).map(|n| doc! {"q": {"_id": 1}, "u": {"$set": {"n": n}, "$push": {"seen": n}}}).collect();
    run(&stage.client, "shop", doc! {"update": "counters", "updates": updates}).await?;
    let then = stage.record().await?;
    stage.slice().await?;
    stage.client.database("shop").drop().await?;
    stage.end_slicing().await?;

    // A backup whose dump lasted until then: PBM cuts its oplog into many slices, which share their boundaries.
    let copy = copy_folder(stage.folder.path())?;
    std::fs::remove_dir_all(copy.path().join("oplogue"))?;
    let mut entries = Vec::new();
    for path in files(&copy.path().join("pbmPitr"))?.into_iter().chain(files(&copy.path().join("base/rs0/oplog"))?) {
        entries.extend(documents(&path)?.into_iter().map(|entry| anyhow::Ok((time(&entry)?, entry))).collect::<Result<Vec<_>, _>>()?);
    }
    entries.sort_by_key(|(time, _)| *time);
    entries.dedup_by_key(|(time, _)| *time);
    entries.retain(|(time, _)| *time <= then.time);
    std::fs::remove_dir_all(copy.path().join("pbmPitr"))?;
    std::fs::remove_dir_all(copy.path().join("base/rs0/oplog"))?;
    std::fs::create_dir_all(copy.path().join("base/rs0/oplog"))?;
    let (backup, replica_set) = ("base".parse()?, "rs0".parse()?);
    let mut slices = 0;
    let mut start = 0;
    while start + 1 < entries.len() {
        let end = (start + 3).min(entries.len() - 1);
        let range = OplogRange::new(entries[start].0, entries[end].0);
        let inside: Vec<RawDocumentBuf> = entries[start..=end].iter().map(|(_, entry)| entry.clone()).collect();
        let name = layout::backup_oplog(&backup, &replica_set, range, Compression::S2);
        std::fs::write(copy.path().join(name), compression::encode_frame(Compression::S2, &raw(&inside)))?;
        (slices, start) = (slices + 1, end);
    }
    assert!(slices > 10, "{slices} slices of {} entries", entries.len());
    let json = copy.path().join("base.pbm.json");
    let mut metadata: serde_json::Value = serde_json::from_slice(&std::fs::read(&json)?)?;
    let last = serde_json::json!({"T": then.time.seconds, "I": then.time.ordinal});
    metadata["last_write_ts"] = last.clone();
    metadata["replsets"][0]["last_write_ts"] = last;
    std::fs::write(&json, serde_json::to_vec(&metadata)?)?;

    let mut request = stage.request(then.time).await?;
    request.repository = setup::repository(copy.path())?;
    request.moment = Moment::Backup(backup);
    let report = stage::restore(request).await?;
    assert_eq!(report.through, then.time);
    stage.must_be(&then.state).await
}

#[tokio::test(flavor = "multi_thread")]
async fn w4_rename_and_out_keep_indexes_and_leave_no_ghosts() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    let index = |name: &str| doc! {"createIndexes": name, "indexes": [{"key": {"n": 1}, "name": "n_1"}, {"key": {"_id": "hashed"}, "name": "_id_hashed"}]};
    for name in ["before", "between"] {
        fill(&client, "shop", name, 0, 50).await?;
        run(&client, "shop", index(name)).await?;
    }
    stage.base().await?;
    let out = async |to: &str| {
        let pipeline = [doc! {"$match": {"n": {"$lt": 10}}}, doc! {"$out": to}];
        client.database("shop").collection::<Document>("between").aggregate(pipeline).await?.try_collect::<Vec<_>>().await
    };
    run(&client, "admin", doc! {"renameCollection": "shop.before", "to": "shop.after"}).await?;
    run(&client, "shop", doc! {"createIndexes": "after", "indexes": [{"key": {"name": 1}, "name": "later"}]}).await?;
    out("made").await?;
    run(&client, "shop", index("made")).await?;
    // Replaces it, and keeps the indexes it had.
    out("made").await?;
    out("made").await?;
    run(&client, "admin", doc! {"renameCollection": "shop.made", "to": "shop.remade"}).await?;
    out("between").await?;
    let then = stage.record().await?;
    client.database("shop").drop().await?;
    stage.end_slicing().await?;
    stage::restore(stage.request(then.time).await?).await?;
    stage.must_be(&then.state).await?;
    let state = stage.state().await?;
    assert_eq!(state.names(), ["shop.after", "shop.between", "shop.remade"]);
    assert!(state.collections.values().all(|one| one.indexes.contains_key("_id_hashed") && one.indexes.contains_key("n_1")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn w5_a_time_series_by_name_brings_its_documents_and_its_oplog() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    run(&client, "shop", doc! {"create": "weather", "timeseries": {"timeField": "at", "metaField": "room"}}).await?;
    measure(&client, "shop", "weather", 0, 60).await?;
    fill(&client, "shop", "people", 0, 10).await?;
    stage.base().await?;
    let mut request = setup::backup_request(&stage.set, &stage.repository).await?;
    request.selection = only(&["shop.weather"])?;
    request.name = Some("weather".parse()?);
    oplogue_engine::backup::run(request, std::sync::Arc::new(oplogue_engine::progress::Silent), tokio_util::sync::CancellationToken::new())
        .await?;
    let base = stage.record().await?;
    measure(&client, "shop", "weather", 60, 60).await?;
    let then = stage.record().await?;
    client.database("shop").collection::<Document>("weather").drop().await?;
    stage.end_slicing().await?;
    let live = stage.state().await?;

    for (moment, state) in [(Moment::At(then.time), &then.state), (Moment::Backup("weather".parse()?), &base.state)] {
        let mut request = stage.request(then.time).await?;
        request.moment = moment;
        request.selection = only(&["shop.weather"])?;
        assert_eq!(stage::prepare(request.clone()).await?.plan.base.as_str(), "weather");
        stage::restore(request).await?;
        stage.must_be(&mix(&live, state, |name| name == "shop.weather")).await?;
    }
    // What it does not hold, it does not pretend to hold.
    let mut request = stage.request(then.time).await?;
    request.moment = Moment::Backup("weather".parse()?);
    request.selection = only(&["shop.people"])?;
    let refused = stage::refusal(request).await?;
    assert!(refused.contains("holds only shop.weather"), "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn w7_what_is_not_in_the_backup_does_not_survive_a_full_restore() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    fill(&client, "shop", "people", 0, 10).await?;
    stage.base().await?;
    let then = stage.record().await?;
    fill(&client, "shop", "made later", 0, 10).await?;
    fill(&client, "later", "too", 0, 10).await?;
    stage.end_slicing().await?;
    stage::restore(stage.request(then.time).await?).await?;
    stage.must_be(&then.state).await
}

#[tokio::test(flavor = "multi_thread")]
async fn w13_a_command_nobody_knows_is_refused_before_harm() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    fill(&client, "shop", "people", 0, 10).await?;
    run(
        &client,
        "shop",
        doc! {"createIndexes": "people", "indexes": [{"key": {"n": 1}, "name": "n_1", "expireAfterSeconds": 1_000_000_000}]},
    )
    .await?;
    stage.base().await?;
    fill(&client, "shop", "people", 10, 10).await?;
    // PBM knows only the indexes of its own catalogue, and fails here after `dropIndexes`.
    run(&client, "shop", doc! {"collMod": "people", "index": {"name": "n_1", "expireAfterSeconds": 2_000_000_000}}).await?;
    run(&client, "shop", doc! {"collMod": "people", "index": {"keyPattern": {"n": 1}, "hidden": true}}).await?;
    run(&client, "shop", doc! {"dropIndexes": "people", "index": "n_1"}).await?;
    let then = stage.record().await?;
    client.database("shop").collection::<Document>("people").drop().await?;
    stage.end_slicing().await?;
    let live = stage.state().await?;

    let catalog = stage.repository.catalog().await?;
    let newest = catalog.slices.values().flatten().map(|slice| slice.range.through).max().context("there are slices")?;
    let strange = OplogTime::new(newest.seconds + 10, 1);
    let stamp = |time: OplogTime| Timestamp { time: time.seconds, increment: time.ordinal };
    let mut slice = SliceBuilder::new("rs0".parse()?, newest, Compression::Zstd);
    slice
        .push(&rawdoc! {"ts": stamp(strange), "t": 1_i64, "v": 2_i64, "op": "c", "ns": "shop.$cmd", "o": {"transmogrify": "people"}})
        .await?;
    stage.repository.write_slice(slice).await?;

    let refused = stage::refusal(stage.request(strange).await?).await?;
    assert!(refused.contains("transmogrify") && refused.contains(&format!("{strange:?}")), "{refused}");
    stage.must_be(&live).await?;
    stage::restore(stage.request(then.time).await?).await?;
    stage.must_be(&then.state).await
}

#[tokio::test(flavor = "multi_thread")]
async fn w17_an_older_base_is_taken_when_the_newest_cannot_lead_there() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    fill(&client, "shop", "people", 0, 10).await?;
    stage.base().await?;
    fill(&client, "shop", "people", 10, 10).await?;
    stage.backup_named("second").await?;
    fill(&client, "shop", "people", 20, 10).await?;
    let then = stage.record().await?;
    client.database("shop").drop().await?;
    stage.end_slicing().await?;

    // Exactly the end of a backup: PBM refuses equality.
    let catalog = stage.repository.catalog().await?;
    let second = catalog.backup(&"second".parse()?).context("the second backup")?.consistent_at();
    let prepared = stage::prepare(stage.request(second).await?).await?;
    assert_eq!(prepared.plan.base.as_str(), "second");

    // Without the oplog of the second, nobody can use it; the first and the slices still lead there.
    std::fs::remove_dir_all(stage.folder.path().join("second/rs0/oplog"))?;
    let prepared = stage::prepare(stage.request(then.time).await?).await?;
    assert_eq!(prepared.plan.base.as_str(), "base");
    assert!(prepared.plan.passed_over.iter().any(|why| why.contains("second")), "{:?}", prepared.plan.passed_over);
    stage::restore(stage.request(then.time).await?).await?;
    stage.must_be(&then.state).await
}

/// Also: no-ops inside slices, boundaries shared by neighbours, and `.snappy` objects that hold S2, as PBM wrote them before 1.7.
#[tokio::test(flavor = "multi_thread")]
async fn w19_objects_in_parts_and_old_snappy_slices_are_read_whole() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    let client = stage.client.clone();
    fill(&client, "shop", "people", 0, 3_000).await?;
    stage.base().await?;
    count_to(&stage, 0, 30).await?;
    for _ in 0..3 {
        stage.now().await?;
    }
    let then = stage.record().await?;
    client.database("shop").drop().await?;
    stage.end_slicing().await?;
    std::fs::remove_dir_all(stage.folder.path().join("oplogue"))?;

    for path in files(&stage.folder.path().join("pbmPitr"))? {
        let entries = documents(&path)?;
        let name = path.to_string_lossy().replace(".zst", ".snappy");
        std::fs::write(name, compression::encode_frame(Compression::S2, &raw(&entries)))?;
        std::fs::remove_file(&path)?;
    }
    let mut parts = 0;
    for path in files(&stage.folder.path().join("base/rs0"))?.into_iter().chain(files(&stage.folder.path().join("pbmPitr"))?) {
        let name = path.to_string_lossy().into_owned();
        if name.ends_with(".json") || name.ends_with("meta.pbm") {
            continue;
        }
        let mut bytes = Vec::new();
        std::fs::File::open(&path)?.read_to_end(&mut bytes)?;
        // Parts of a third each, the last one shorter.
        let size = bytes.len().div_ceil(3);
        for (number, part) in bytes.chunks(size).enumerate() {
            std::fs::write(if number == 0 { name.clone() } else { format!("{name}.pbmpart.{number}") }, part)?;
            parts += usize::from(number > 0);
        }
    }
    assert!(parts >= 6, "{parts} parts were made");
    stage::restore(stage.request(then.time).await?).await?;
    stage.must_be(&then.state).await?;

    // A part that is lost is not overlooked.
    let lost = files(&stage.folder.path().join("base/rs0"))?
        .into_iter()
        .find(|path| path.to_string_lossy().contains("shop.people") && path.to_string_lossy().ends_with(".pbmpart.2"));
    std::fs::remove_file(lost.context("shop.people is in parts")?)?;
    let refused = stage::refusal(stage.request(then.time).await?).await?;
    assert!(refused.contains("base/rs0/shop.people"), "{refused}");
    Ok(())
}
