//! Slices of a live replica set, joined: the same moments come back, also for a restore that was planned before.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bson::{Timestamp, rawdoc};
use oplogue_domain::compact::Policy;
use oplogue_domain::{OplogTime, ReplicaSetName, timeline};
use oplogue_engine::compact::{self, CompactRequest};
use oplogue_engine::progress::Silent;
use oplogue_engine::restore;
use oplogue_format::compression::Compression;
use oplogue_repository::{Repository, SliceBuilder};
use oplogue_storage::Storage;
use oplogue_testkit::wait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::stage::{Stage, fill, prepare, restore as restore_to, run};

/// Ten days from now everything is old.
async fn compact_all(stage: &Stage) -> anyhow::Result<compact::CompactReport> {
    let now = stage.now().await?.seconds + 10 * 86_400;
    let request = CompactRequest {
        repository: stage.repository.clone(),
        policies: Policy::USUAL.to_vec(),
        compression: None,
        replica_set: None,
        now,
    };
    compact::run(&request, &|_| {}, &CancellationToken::new()).await
}

#[tokio::test]
async fn moments_come_back_from_joined_slices_and_a_restore_under_way_reads_them_instead() -> anyhow::Result<()> {
    let mut stage = Stage::usual().await?;
    let shop = stage.client.clone();
    fill(&shop, "shop", "orders", 0, 200).await?;
    stage.base().await?;
    let mut moments = Vec::new();
    for round in 1..=3_i64 {
        fill(&shop, "shop", "orders", round * 1_000, 300).await?;
        let admin = bson::doc! {"renameCollection": "shop.orders", "to": format!("shop.orders{round}")};
        run(&shop, "admin", admin).await?;
        fill(&shop, "shop", "orders", round * 10_000, 300).await?;
        moments.push(stage.record().await?);
        stage.sliced().await?;
    }
    stage.end_slicing().await?;
    let before = stage.repository.catalog().await?;
    let short = before.slices.values().map(Vec::len).sum::<usize>();
    ensure!(short >= 4, "only {short} slices");

    let planned = prepare(stage.request(moments[1].time).await?).await?;
    let report = compact_all(&stage).await?;
    ensure!(report.failed.is_empty() && !report.long.is_empty(), "{report:?}");
    let after = stage.repository.catalog().await?;
    ensure!(timeline(&after) == timeline(&before), "the timeline is another");
    // The newest stays, and a full hour may have passed in between.
    let left = after.slices.values().map(Vec::len).sum::<usize>();
    ensure!(left <= 3 && left < short, "{short} slices became {left}");

    restore::carry_out(planned, Arc::new(Silent), CancellationToken::new()).await.context("a restore that was planned before")?;
    stage.must_be(&moments[1].state).await?;
    for moment in &moments {
        restore_to(stage.request(moment.time).await?).await?;
        stage.must_be(&moment.state).await?;
    }
    ensure!(compact_all(&stage).await?.long.is_empty(), "everything is joined already");
    Ok(())
}

#[tokio::test]
async fn who_slices_joins_old_slices_beside_it_until_told_to_stop() -> anyhow::Result<()> {
    let repository = Repository::new(Storage::memory());
    let rs0: ReplicaSetName = "rs0".parse()?;
    // From the beginning of an hour of 2023.
    let hour = 472_223 * 3_600;
    for number in 0..6 {
        let mut builder = SliceBuilder::new(rs0.clone(), OplogTime::new(hour + number * 10, 1), Compression::None);
        for time in [hour + number * 10, hour + (number + 1) * 10] {
            builder.push(&rawdoc! { "ts": Timestamp { time, increment: 1 }, "op": "n" }).await?;
        }
        repository.write_slice(builder).await?;
    }
    let (sliced, is_sliced) = watch::channel(None);
    let cancel = CancellationToken::new();
    let (there, stop) = (repository.clone(), cancel.clone());
    let keeping = tokio::spawn(async move { compact::keep(&there, is_sliced, Duration::from_secs(3_600), &stop).await });
    sliced.send_replace(Some(rs0.clone()));
    wait::until("five slices have become one", || async {
        let catalog = repository.catalog().await?;
        Ok::<_, anyhow::Error>((catalog.slices_of(&rs0).len() == 2).then_some(()))
    })
    .await?;
    cancel.cancel();
    Ok(keeping.await?)
}
