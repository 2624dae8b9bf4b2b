//! One job at a time per cluster, at most once, whatever gets lost on the way.

use oplogue_api::jobs::{JobKind, JobState};
use oplogue_api::restores::{RestoreConfirmation, RestoreInput, RestoreMoment};

use super::agent::{backed_up, failed, well};
use super::world::{World, anna};

fn restore_input(world: &World, service_id: &str) -> RestoreInput {
    RestoreInput {
        service_id: service_id.to_owned(),
        location_id: world.location.clone(),
        folder: "shop".to_owned(),
        moment: RestoreMoment::Latest,
        namespaces: Vec::new(),
        renames: Vec::new(),
        users_and_roles: false,
        source_replica_set: None,
    }
}

#[tokio::test]
async fn jobs_of_a_cluster_run_one_after_another_and_those_of_others_beside_them() {
    let world = World::new();
    let (mut shop, mut blog) = (world.agent("shop").await, world.agent("blog").await);
    let first = world.app.create_backup(&anna(), &world.backup("one", &shop)).expect("a job");
    let second = world.app.create_backup(&anna(), &world.backup("two", &shop)).expect("a job");
    let other = world.app.create_backup(&anna(), &world.backup("three", &blog)).expect("a job");
    let plan = world.app.plan_restore(&anna(), &restore_input(&world, &shop.service_id)).expect("a job");
    assert_eq!(
        [&first, &second, &other, &plan].map(|job| world.state(&job.id)),
        [JobState::Running, JobState::Queued, JobState::Running, JobState::Running]
    );
    assert_eq!(world.job(&second.id).waiting_for.as_deref(), Some("Back up shop to disk"));

    shop.sync(&world.app).await;
    blog.sync(&world.app).await;
    assert_eq!((shop.working.len(), blog.working.len()), (2, 1));
    shop.work(&world.app, well).await;
    assert_eq!(
        (world.state(&first.id), world.state(&plan.id), world.state(&second.id)),
        (JobState::Done, JobState::Done, JobState::Running)
    );
    shop.work(&world.app, well).await;
    assert_eq!(world.state(&second.id), JobState::Done);
    let names: Vec<_> = [&first, &second].map(|job| world.job(&job.id).backup_name).into_iter().flatten().collect();
    assert_eq!(names, ["one_2026-11-25T10:00:00Z", "two_2026-11-25T10:00:00Z"]);
}

#[tokio::test]
async fn a_restore_is_alone_and_needs_its_plan_and_the_typed_name() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    let confirm = |plan: &str, name: &str| {
        let confirmation = RestoreConfirmation { plan_job_id: plan.to_owned(), confirm: name.to_owned() };
        world.app.start_restore(&anna(), &confirmation)
    };
    let plan = world.app.plan_restore(&anna(), &restore_input(&world, &agent.service_id)).expect("a job");
    let early = confirm(&plan.id, "shop").expect_err("it is not done");
    assert!(early.message.contains("the plan is running"), "{early}");
    agent.work(&world.app, well).await;
    let mistyped = confirm(&plan.id, "shpo").expect_err("mistyped");
    assert_eq!((mistyped.fields[0].field.as_str(), mistyped.message.contains("shop")), ("confirm", true));
    assert!(confirm("job_unknown", "shop").is_err());

    let backup = world.app.create_backup(&anna(), &world.backup("one", &agent)).expect("a job");
    let restore = confirm(&plan.id, "shop").expect("it is queued");
    let later = world.app.plan_restore(&anna(), &restore_input(&world, &agent.service_id)).expect("a job");
    assert_eq!([&backup, &restore, &later].map(|job| world.state(&job.id)), [JobState::Running, JobState::Queued, JobState::Queued]);
    assert!(confirm(&plan.id, "shop").expect_err("another is open").message.contains("another restore"));
    agent.work(&world.app, well).await;
    assert_eq!([&backup, &restore, &later].map(|job| world.state(&job.id)), [JobState::Done, JobState::Running, JobState::Queued]);
    agent.work(&world.app, well).await;
    assert_eq!([&restore, &later].map(|job| world.state(&job.id)), [JobState::Done, JobState::Running]);
    let shown = world.app.restore(&restore.id).expect("its history");
    assert_eq!((shown.base.as_str(), shown.report.map(|report| report.documents_loaded)), ("nightly_2026-11-25T03:00:00Z", Some(10)));
    assert_eq!(world.app.restores(None, 10).expect("history").items.len(), 1);
    assert!(world.app.retry_job(&anna(), &restore.id).is_err());
}

#[tokio::test]
async fn an_attempt_is_begun_once_though_answers_get_lost_and_come_twice() {
    let mut world = World::new();
    let mut agent = world.agent("shop").await;
    let job = world.app.create_backup(&anna(), &world.backup("one", &agent)).expect("a job");
    // Lost on the way.
    let lost = world.app.sync(&agent.service_id, agent.question()).await.expect("an answer");
    assert_eq!(lost.attempts.len(), 1);
    world.crash();
    let stale = agent.question();
    let wishes = agent.sync(&world.app).await;
    agent.hear(&wishes);
    agent.hear(&lost);
    assert_eq!((agent.begun.len(), agent.working.len()), (1, 1));
    // The question of before arrives late, a second time: the attempt is offered again, and nothing else happens.
    let late = world.app.sync(&agent.service_id, stale).await.expect("an answer");
    assert_eq!(late.attempts.len(), 1);
    agent.hear(&late);
    let id = agent.attempt();
    let progress = agent.report(&world.app, &id, None);
    world.crash();
    let end = agent.report(&world.app, &id, Some(backed_up()));
    for report in [&progress, &end, &progress] {
        world.app.report(&agent.service_id, &id.job_id, report).expect("acknowledged again");
    }
    let shown = world.job(&job.id);
    assert_eq!((shown.state, shown.attempt), (JobState::Done, 1));
    let reports = world.log(&job.id).iter().filter(|line| line.text.starts_with("report ")).count();
    assert_eq!(reports, 2, "each report counts once:\n{}", world.log_text(&job.id));
    let wishes = agent.sync(&world.app).await;
    assert!(wishes.attempts.is_empty() && wishes.cancel.is_empty());
}

#[tokio::test]
async fn a_failed_attempt_is_followed_by_another_also_over_restarts() {
    let mut world = World::new();
    let mut agent = world.agent("shop").await;
    let input = oplogue_api::backups::BackupInput {
        retry_mode: oplogue_api::backups::RetryMode::Auto,
        retries: 2,
        retry_interval_seconds: 600,
        ..world.backup("one", &agent)
    };
    let job = world.app.create_backup(&anna(), &input).expect("a job");
    agent.work(&world.app, |_| failed("the storage is away", true)).await;
    let waiting = world.job(&job.id);
    assert_eq!((waiting.state, waiting.error.as_deref()), (JobState::WaitingToRetry, Some("the storage is away")));
    assert_eq!(waiting.retry_at.map(|at| at.to_string()).as_deref(), Some("2026-11-25T10:10:00Z"));
    world.crash();
    agent.sync(&world.app).await;
    world.pass(599);
    assert_eq!(world.state(&job.id), JobState::WaitingToRetry);
    agent.sync(&world.app).await;
    world.pass(1);
    assert_eq!((world.state(&job.id), world.job(&job.id).attempt), (JobState::Running, 2));
    // The agent dies in the middle of it, and says so.
    agent.sync(&world.app).await;
    agent.restart(&world.app);
    assert_eq!(world.state(&job.id), JobState::WaitingToRetry);
    world.crash();
    agent.sync(&world.app).await;
    world.pass(5000);
    agent.sync(&world.app).await;
    world.pass(1);
    agent.work(&world.app, |_| failed("still away", true)).await;
    let over = world.job(&job.id);
    assert_eq!((over.state, over.attempt, over.error.as_deref()), (JobState::Failed, 3, Some("still away")));
    assert_eq!(agent.begun.len(), 3, "each attempt once");

    // By hand, once more.
    world.app.retry_job(&anna(), &job.id).expect("tried again");
    agent.work(&world.app, well).await;
    assert_eq!((world.state(&job.id), world.job(&job.id).attempt), (JobState::Done, 4));
}

#[tokio::test]
async fn what_a_check_refused_is_not_tried_again() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    let input = oplogue_api::backups::BackupInput {
        retry_mode: oplogue_api::backups::RetryMode::Auto,
        retries: 5,
        retry_interval_seconds: 1,
        ..world.backup("one", &agent)
    };
    let job = world.app.create_backup(&anna(), &input).expect("a job");
    let refused = oplogue_api::agent::Outcome::Refused { reason: "no rights".to_owned(), hint: Some("grant them".to_owned()) };
    agent.work(&world.app, |_| refused.clone()).await;
    let over = world.job(&job.id);
    assert_eq!((over.state, over.error.as_deref(), over.hint.as_deref()), (JobState::Failed, Some("no rights"), Some("grant them")));
}

#[tokio::test]
async fn a_job_waits_for_an_agent_and_says_so_and_others_pass_it() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    world.pass(3600);
    let job = world.app.create_backup(&anna(), &world.backup("one", &agent)).expect("a job");
    let waiting = world.job(&job.id);
    assert_eq!((waiting.state, waiting.waiting_for.as_deref()), (JobState::Queued, Some("an agent: shop.example:27017 (offline)")));
    // Another member of the replica set comes up.
    let mut second = super::agent::Agent::enrol(&world.app, Some("shop"), "other.example:27017").expect("it enrols");
    second.sync(&world.app).await;
    world.pass(1);
    second.work(&world.app, well).await;
    assert_eq!(world.state(&job.id), JobState::Done);
    assert!(agent.sync(&world.app).await.attempts.is_empty());
    assert_eq!(world.jobs().iter().filter(|job| job.kind == JobKind::Backup).count(), 1);
}

#[tokio::test]
async fn an_agent_that_waits_hears_of_its_job_at_once() {
    let world = World::new();
    let agent = world.agent("shop").await;
    let app = world.app.clone();
    let service = agent.service_id.clone();
    let revision = agent.wishes.as_ref().expect("it has asked").revision;
    let question = oplogue_api::agent::Sync { revision, wait_seconds: 30, ..agent.question() };
    let waiting = tokio::spawn(async move { app.sync(&service, question).await });
    // It waits: nothing is new.
    tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while world.app.wishes.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it asks");
    world.app.create_backup(&anna(), &world.backup("one", &agent)).expect("a job");
    let wishes = tokio::time::timeout(std::time::Duration::from_secs(20), waiting)
        .await
        .expect("long before its patience ends")
        .expect("no panic")
        .expect("wishes");
    assert_eq!(wishes.attempts.len(), 1);
}
