//! While the server is away, work goes on; when it is back, it hears everything.

use oplogue_api::agent::Outcome;
use oplogue_testkit::{Fault, ReplicaSetOptions};

use crate::stage::{Running, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn slicing_goes_on_without_the_server_also_over_a_restart() -> anyhow::Result<()> {
    let stage = Stage::open().await?;
    let agent = Running::start(stage.config());
    stage.base().await?;
    stage.server.wish(|wishes| wishes.slicing = Some(stage.slicing()));
    stage.sliced_through(stage.write(1).await?).await?;
    stage.wire.set(Fault::Refuse);
    stage.sliced_through(stage.write(2).await?).await?;
    agent.crash().await;
    let agent = Running::start(stage.config());
    stage.sliced_through(stage.write(3).await?).await?;
    agent.stop().await?;
    let catalog = stage.catalog().await?;
    let timeline = oplogue_domain::timeline(&catalog);
    anyhow::ensure!(timeline.cluster.len() == 1, "one stretch without a gap: {timeline:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_runs_while_the_server_is_away_is_told_when_it_is_back() -> anyhow::Result<()> {
    let stage = Stage::open_with(ReplicaSetOptions::default().test_commands(true)).await?;
    let agent = Running::start(stage.config());
    stage.hang("listCollections", 3_000).await?;
    stage.server.wish(|wishes| wishes.attempts.push(stage.backup("lonely")));
    stage.server.until("a report while it works", |told| told.reports.first().cloned()).await?;
    stage.wire.set(Fault::BlackHole);
    oplogue_testkit::wait::until("the end in the journal", || async { Ok(ended(&stage).then_some(())) }).await?;
    assert!(stage.server.told().outcomes("lonely").is_empty() && stage.catalog().await?.backups.len() == 1);
    stage.wire.set(Fault::None);
    let outcome = stage.server.outcome("lonely").await?;
    assert!(matches!(outcome, Outcome::BackedUp { .. }), "{outcome:?}");
    stage.server.until_nothing_is_untold().await?;
    agent.stop().await?;
    Ok(())
}

/// The journal says that the attempt has ended.
fn ended(stage: &Stage) -> bool {
    std::fs::read_to_string(stage.data_dir().join("attempts/lonely.1.json")).is_ok_and(|text| text.contains("ended"))
}
