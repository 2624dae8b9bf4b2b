//! Attempts are carried out at most once, tell how they go, and can be stopped.

use oplogue_api::agent::{Outcome, TestWish};
use oplogue_api::jobs::{LogLevel, StepState};
use oplogue_testkit::ReplicaSetOptions;

use crate::stage::{LONG, Running, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_taken_told_and_never_taken_again() -> anyhow::Result<()> {
    let stage = Stage::open().await?;
    let agent = Running::start(stage.config());
    stage.server.wish(|wishes| wishes.attempts.push(stage.backup("nightly")));
    let outcome = stage.server.outcome("nightly").await?;
    let catalog = stage.catalog().await?;
    let taken = catalog.backups.first().expect("a backup on the storage");
    let Outcome::BackedUp { bytes, documents, restores_to, .. } = outcome else { panic!("{outcome:?}") };
    assert!(documents >= 500 && bytes > 0 && restores_to.time() == taken.consistent_at(), "{documents} {bytes} {restores_to:?}");

    stage.server.until_nothing_is_untold().await?;
    let reports: Vec<_> = stage.server.told().reports.iter().map(|(_, report)| report.clone()).collect();
    assert!(reports.windows(2).all(|pair| pair[0].number < pair[1].number), "numbers grow");
    let last = reports.last().expect("the last report");
    assert!(last.steps.iter().any(|step| step.name == "reading documents" && step.state == StepState::Done && step.done > 0), "{last:?}");
    let lines: Vec<_> = reports.iter().flat_map(|report| &report.lines).collect();
    assert_eq!(lines.iter().filter(|line| line.text == "reading documents").count(), 1, "each line once: {lines:?}");
    assert!(lines.iter().any(|line| line.text.starts_with("backed up: ")), "{lines:?}");

    // A server that has lost its memory asks again: after a restart of the agent, too.
    agent.stop().await?;
    let agent = Running::start(stage.config());
    stage.server.wish(|wishes| wishes.attempts.push(stage.backup("nightly")));
    let again = stage.server.until("the outcome once more", |told| told.outcomes("nightly").get(1).cloned()).await?;
    assert!(matches!(again, Outcome::BackedUp { .. }), "{again:?}");
    assert_eq!(stage.catalog().await?.backups.len(), 1);
    stage.server.until_nothing_is_untold().await?;
    agent.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_with_its_reason() -> anyhow::Result<()> {
    let stage = Stage::open().await?;
    let agent = Running::start(stage.config());
    stage.base().await?;
    let mut taken = stage.backup("base");
    taken.id.attempt = 2;
    stage.server.wish(|wishes| wishes.attempts.push(taken));
    let outcome = stage.server.until("a refusal", |told| told.outcomes("base").get(1).cloned()).await?;
    assert!(matches!(&outcome, Outcome::Refused { reason, hint: Some(_) } if reason.contains("base")), "{outcome:?}");
    agent.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_backup_is_cancelled_and_nothing_of_it_is_kept() -> anyhow::Result<()> {
    let stage = Stage::open_with(ReplicaSetOptions::default().test_commands(true)).await?;
    let agent = Running::start(stage.config());
    stage.hang("listCollections", LONG).await?;
    stage.server.wish(|wishes| wishes.attempts.push(stage.backup("slow")));
    stage.server.until("a report while it works", |told| told.reports.first().cloned()).await?;
    let id = stage.backup("slow").id;
    stage.server.wish(|wishes| {
        wishes.attempts.clear();
        wishes.cancel.push(id);
    });
    let outcome = stage.server.outcome("slow").await?;
    assert!(matches!(&outcome, Outcome::Cancelled { state } if state.contains("nothing of backup slow is kept")), "{outcome:?}");
    stage.server.until_nothing_is_untold().await?;
    assert!(stage.catalog().await?.backups.is_empty());

    // One that never came here is not begun any more.
    let id = stage.backup("never").id;
    stage.server.wish(|wishes| wishes.cancel.push(id));
    let outcome = stage.server.outcome("never").await?;
    assert!(matches!(&outcome, Outcome::Cancelled { state } if state.contains("not begun")), "{outcome:?}");
    agent.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_broken_off_by_a_crash_is_told_cleared_away_and_not_begun_again() -> anyhow::Result<()> {
    let stage = Stage::open_with(ReplicaSetOptions::default().test_commands(true)).await?;
    let agent = Running::start(stage.config());
    stage.hang("listCollections", LONG).await?;
    stage.server.wish(|wishes| wishes.attempts.push(stage.backup("broken")));
    stage.server.until("a report while it works", |told| told.reports.first().cloned()).await?;
    agent.crash().await;
    stage.let_go().await?;

    let agent = Running::start(stage.config());
    let outcome = stage.server.outcome("broken").await?;
    let Outcome::Failed { error, retryable: true, .. } = &outcome else { panic!("{outcome:?}") };
    assert!(
        error.contains("the agent was stopped while it worked") && error.contains("nothing of the unfinished backup is kept"),
        "{error}"
    );
    stage.server.until_nothing_is_untold().await?;
    assert!(stage.catalog().await?.backups.is_empty());

    // The next attempt may have the same name.
    let mut next = stage.backup("broken");
    next.id.attempt = 2;
    stage.server.wish(|wishes| wishes.attempts.push(next));
    let outcome = stage.server.until("the second outcome", |told| told.outcomes("broken").get(1).cloned()).await?;
    assert!(matches!(outcome, Outcome::BackedUp { .. }), "{outcome:?}");
    agent.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_told_to_stop_tells_what_it_broke_off() -> anyhow::Result<()> {
    let stage = Stage::open_with(ReplicaSetOptions::default().test_commands(true)).await?;
    let agent = Running::start(stage.config());
    stage.hang("listCollections", LONG).await?;
    stage.server.wish(|wishes| wishes.attempts.push(stage.backup("slow")));
    stage.server.until("a report while it works", |told| told.reports.first().cloned()).await?;
    agent.stop().await?;
    let outcome = stage.server.told().outcomes("slow").pop();
    assert!(
        matches!(&outcome, Some(Outcome::Failed { error, retryable: true, .. }) if error.contains("nothing of backup slow is kept")),
        "{outcome:?}"
    );
    assert!(stage.server.told().reports.iter().flat_map(|(_, report)| &report.lines).any(|line| line.level == LogLevel::Error));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn locations_are_really_tried() -> anyhow::Result<()> {
    let stage = Stage::open().await?;
    let agent = Running::start(stage.config());
    let good = TestWish { test_id: "good".into(), place: stage.place() };
    let mut bad = TestWish { test_id: "bad".into(), place: stage.place() };
    // A file is no folder.
    let file = stage.backups.path().join("file");
    std::fs::write(&file, "")?;
    bad.place.settings.path = file.display().to_string();
    stage.server.wish(|wishes| wishes.tests = vec![good, bad]);
    let answers = stage.server.until("both answers", |told| Some(told.last_sync()?.tests.clone()).filter(|tests| tests.len() == 2)).await?;
    let of = |id: &str| answers.iter().find(|answer| answer.test_id == id).expect("answered").clone();
    assert!(of("good").problem.is_none() && of("good").steps.iter().all(|step| step.problem.is_none()), "{answers:?}");
    assert_eq!(of("good").steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), ["write", "read", "list", "delete"]);
    let told = of("bad").problem.is_some() || of("bad").steps.iter().any(|step| step.problem.is_some());
    assert!(told, "{answers:?}");
    stage.server.wish(|wishes| wishes.tests.clear());
    stage.server.until("answers are forgotten", |told| told.last_sync()?.tests.is_empty().then_some(())).await?;
    agent.stop().await?;
    Ok(())
}
