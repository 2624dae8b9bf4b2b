//! Cancelling: in the queue, at work, and with an agent that is not heard of.

use oplogue_api::agent::Outcome;
use oplogue_api::jobs::JobState;

use super::agent::{backed_up, failed, well};
use super::world::{World, anna};

#[tokio::test]
async fn what_was_not_begun_is_cancelled_at_once() {
    let world = World::new();
    let agent = world.agent("shop").await;
    world.app.create_backup(&anna(), &world.backup("one", &agent)).expect("a job");
    let queued = world.app.create_backup(&anna(), &world.backup("two", &agent)).expect("a job");
    let cancelled = world.app.cancel_job(&anna(), &queued.id).expect("cancelled");
    assert_eq!(cancelled.state, JobState::Cancelled);
    assert!(world.app.cancel_job(&anna(), &queued.id).expect_err("it is over").message.contains("cannot be cancelled"));
    world.app.retry_job(&anna(), &queued.id).expect("tried again after all");
    assert_eq!(world.state(&queued.id), JobState::Queued);
}

#[tokio::test]
async fn an_agent_at_work_is_told_and_its_end_ends_the_job() {
    let mut world = World::new();
    let mut agent = world.agent("shop").await;
    for (outcome, state) in [
        (Outcome::Cancelled { state: "nothing was stored".to_owned() }, JobState::Cancelled),
        (failed("the connection was cut", true), JobState::Cancelled),
        (backed_up(), JobState::Done),
    ] {
        let job = world.app.create_backup(&anna(), &world.backup("one", &agent)).expect("a job");
        agent.sync(&world.app).await;
        assert_eq!(world.app.cancel_job(&anna(), &job.id).expect("asked").state, JobState::Cancelling);
        world.crash();
        let id = agent.attempt();
        assert_eq!(agent.sync(&world.app).await.cancel, std::slice::from_ref(&id));
        agent.report(&world.app, &id, Some(outcome));
        assert_eq!(world.state(&job.id), state);
        world.pass(10);
    }
}

#[tokio::test]
async fn what_the_agent_never_got_is_cancelled_when_it_asks_next() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    let job = world.app.create_backup(&anna(), &world.backup("one", &agent)).expect("a job");
    assert_eq!(world.app.cancel_job(&anna(), &job.id).expect("asked").state, JobState::Cancelling);
    let wishes = agent.sync(&world.app).await;
    assert!(wishes.attempts.is_empty());
    assert_eq!(world.state(&job.id), JobState::Cancelled);
}

#[tokio::test]
async fn a_silent_agent_keeps_its_job_until_the_user_cancels_twice() {
    let mut world = World::new();
    let mut agent = world.agent("shop").await;
    let job = world.app.create_backup(&anna(), &world.backup("one", &agent)).expect("a job");
    agent.sync(&world.app).await;
    world.crash();
    world.pass(24 * 3600);
    let silent = world.job(&job.id);
    assert_eq!(silent.state, JobState::Running);
    assert!(silent.waiting_for.as_deref().is_some_and(|text| text.contains("not heard of since 2026-11-25T10:00:00Z")), "{silent:?}");
    let once = world.app.cancel_job(&anna(), &job.id).expect("asked");
    assert_eq!(once.state, JobState::Cancelling);
    assert!(once.waiting_for.as_deref().is_some_and(|text| text.contains("cancel once more")), "{once:?}");
    assert_eq!(world.app.cancel_job(&anna(), &job.id).expect("given up").state, JobState::Cancelled);
    // The queue goes on.
    let next = world.app.create_backup(&anna(), &world.backup("two", &agent)).expect("a job");
    assert_eq!(world.state(&next.id), JobState::Queued);

    // It was only cut off, and comes back with what it has.
    let id = agent.attempt();
    let wishes = agent.sync(&world.app).await;
    assert_eq!(wishes.cancel, std::slice::from_ref(&id));
    agent.report(&world.app, &id, Some(backed_up()));
    assert_eq!(world.state(&job.id), JobState::Cancelled, "what is over stays over");
    assert!(world.log_text(&job.id).contains("was over here already"), "{}", world.log_text(&job.id));
    world.pass(1);
    agent.work(&world.app, well).await;
    assert_eq!(world.state(&next.id), JobState::Done);
}

#[tokio::test]
async fn a_restore_that_was_never_begun_leaves_pitr_as_it_is() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    world.app.create_schedule(&anna(), world.pitr("pitr", &agent, "0 3 * * *")).expect("a schedule");
    world.pass(1);
    agent.work(&world.app, well).await;
    assert!(agent.sync(&world.app).await.slicing.is_some());
    let backup = world.app.create_backup(&anna(), &world.backup("one", &agent)).expect("a job");
    let restore = super::pitr::queue_restore(&world, &mut agent).await;
    assert_eq!(world.state(&backup.id), JobState::Running);
    world.app.cancel_job(&anna(), &restore).expect("cancelled");
    assert_eq!(world.state(&restore), JobState::Cancelled);
    assert!(agent.sync(&world.app).await.slicing.is_some());
}
