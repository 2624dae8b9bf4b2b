//! Slices of a live replica set, joined: the same moments come back, also for a restore that was planned before.

use std::sync::Arc;

use anyhow::{Context, ensure};
use oplogue_domain::compact::Policy;
use oplogue_domain::timeline;
use oplogue_engine::compact::{self, CompactRequest};
use oplogue_engine::progress::Silent;
use oplogue_engine::restore;
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
