//! Slicing by wish: one agent of the replica set at a time, and nothing when nobody wishes it.

use bson::doc;
use oplogue_agent::AgentConfig;
use oplogue_api::services::SlicingState;
use oplogue_testkit::ReplicaSetOptions;

use crate::fake_server::FakeServer;
use crate::stage::{Running, Stage};

/// Whether somebody holds the slicer's lease.
async fn is_leased(stage: &Stage) -> anyhow::Result<bool> {
    let found = stage.client.database("config").collection::<bson::Document>("oplogueLeases").find_one(doc! {"_id": "slicer"}).await?;
    Ok(found.is_some_and(|lease| lease.get_datetime("expires").is_ok_and(|expires| *expires > bson::DateTime::now())))
}

#[tokio::test(flavor = "multi_thread")]
async fn slicing_follows_the_wish_and_gives_the_lease_back() -> anyhow::Result<()> {
    let stage = Stage::open().await?;
    let agent = Running::start(stage.config());
    // Without a base it waits, and says what for.
    stage.server.wish(|wishes| wishes.slicing = Some(stage.slicing()));
    let waiting = |told: &crate::fake_server::Told| {
        let facts = told.last_sync()?.slicing.clone()?;
        (facts.state == SlicingState::StandingBy && facts.message.as_ref()?.contains("waiting for a full backup")).then_some(())
    };
    stage.server.until("it waits for a backup", waiting).await?;
    stage.base().await?;
    let time = stage.write(1).await?;
    stage.sliced_through(time).await?;
    let facts = stage
        .server
        .until("facts of slicing", |told| {
            let facts = told.last_sync()?.slicing.clone()?;
            (facts.state == SlicingState::Slicing && facts.newest.as_ref()?.time() >= time).then_some(facts)
        })
        .await?;
    assert!(facts.lag_seconds.is_some() && facts.headroom_seconds.is_some(), "{facts:?}");
    assert!(is_leased(&stage).await?);

    stage.server.wish(|wishes| wishes.slicing = None);
    stage.server.until("it is off", |told| (told.last_sync()?.slicing.as_ref()?.state == SlicingState::Off).then_some(())).await?;
    assert!(!is_leased(&stage).await?);
    assert!(!stage.data_dir().join("slicing.json").exists());

    // Told to stop, it stores what there is and gives the lease back.
    stage.server.wish(|wishes| wishes.slicing = Some(oplogue_api::agent::SlicingWish { span_seconds: 3600, ..stage.slicing() }));
    stage
        .server
        .until("it slices again", |told| (told.last_sync()?.slicing.as_ref()?.state == SlicingState::Slicing).then_some(()))
        .await?;
    let last = stage.write(2).await?;
    agent.stop().await?;
    assert!(!is_leased(&stage).await?);
    stage.sliced_through(last).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_agents_one_slices_and_the_other_takes_over() -> anyhow::Result<()> {
    let stage = Stage::open_with(ReplicaSetOptions::default().members(2)).await?;
    let (other, other_data) = (FakeServer::start().await?, tempfile::tempdir()?);
    let first = Running::start(stage.config());
    stage.base().await?;
    stage.server.wish(|wishes| wishes.slicing = Some(stage.slicing()));
    stage.sliced_through(stage.write(1).await?).await?;
    let second = Running::start(AgentConfig {
        server: format!("http://{}", other.address()),
        data_dir: other_data.path().to_owned(),
        ..stage.config_beside(1)
    });
    other.wish(|wishes| wishes.slicing = Some(stage.slicing()));
    let standing_by = |told: &crate::fake_server::Told| {
        let facts = told.last_sync()?.slicing.clone()?;
        (facts.state == SlicingState::StandingBy && facts.message.as_ref()?.contains("is being sliced by")).then_some(())
    };
    other.until("the second stands by", standing_by).await?;
    first.crash().await;
    let time = stage.write(2).await?;
    other.until("the second slices", |told| (told.last_sync()?.slicing.as_ref()?.state == SlicingState::Slicing).then_some(())).await?;
    stage.sliced_through(time).await?;
    anyhow::ensure!(oplogue_domain::timeline(&stage.catalog().await?).cluster.len() == 1);
    second.stop().await?;
    Ok(())
}
