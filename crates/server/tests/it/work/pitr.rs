//! PITR: its rule, its slicing, and what a restore does to it.

use oplogue_api::ErrorCode;
use oplogue_api::agent::{Outcome, Work};
use oplogue_api::jobs::{JobKind, JobState};
use oplogue_api::restores::{RestoreConfirmation, RestoreInput, RestoreMoment};

use super::agent::{Agent, failed, planned, well};
use super::world::{World, anna};

const NO_PITR_BESIDE_OTHERS: &str =
    "A PITR backup for the cluster 'shop' can be enabled only if there are no other scheduled backups for this cluster.";
const NO_OTHERS_BESIDE_PITR: &str =
    "A snapshot backup for cluster 'shop' can be performed only if there is no enabled PITR backup for this cluster.";

/// A restore of the agent's cluster, planned (beside whatever it works on) and confirmed.
pub async fn queue_restore(world: &World, agent: &mut Agent) -> String {
    let input = RestoreInput {
        service_id: agent.service_id.clone(),
        location_id: world.location.clone(),
        folder: "shop".to_owned(),
        moment: RestoreMoment::Latest,
        namespaces: Vec::new(),
        renames: Vec::new(),
        users_and_roles: false,
        source_replica_set: None,
    };
    let plan = world.app.plan_restore(&anna(), &input).expect("a plan").id;
    agent.sync(&world.app).await;
    let id = agent.working.keys().find(|id| id.job_id == plan).expect("it plans").clone();
    agent.report(&world.app, &id, Some(planned("rs0")));
    let confirmation = RestoreConfirmation { plan_job_id: plan, confirm: "shop".to_owned() };
    world.app.start_restore(&anna(), &confirmation).expect("a restore").id
}

#[tokio::test]
async fn pitr_and_other_schedules_exclude_each_other_on_one_cluster() {
    let world = World::new();
    let (shop, blog) = (world.agent("shop").await, world.agent("blog").await);
    let nightly = world.app.create_schedule(&anna(), world.schedule("nightly", &shop, "0 3 * * *")).expect("a schedule");
    world.app.create_schedule(&anna(), world.schedule("weekly", &shop, "0 3 * * 0")).expect("as many as one likes");

    let refused = world.app.create_schedule(&anna(), world.pitr("pitr", &shop, "0 3 * * *")).expect_err("refused");
    assert_eq!((refused.code, refused.message.as_str()), (ErrorCode::Conflict, NO_PITR_BESIDE_OTHERS));
    assert!(refused.hint.as_deref().is_some_and(|hint| hint.contains("nightly, weekly")), "{refused:?}");
    world.app.create_schedule(&anna(), world.pitr("blog", &blog, "0 3 * * *")).expect("another cluster is not concerned");

    let disabled = oplogue_api::schedules::ScheduleInput { enabled: false, ..world.pitr("pitr", &shop, "0 3 * * *") };
    let pitr = world.app.create_schedule(&anna(), disabled).expect("a disabled one may be there");
    let refused = world.app.enable_schedule(&anna(), &pitr.id, true).expect_err("refused");
    assert_eq!(refused.message, NO_PITR_BESIDE_OTHERS);
    let weekly = world.app.schedules().expect("schedules").into_iter().find(|one| one.input.name == "weekly").expect("there");
    for id in [&nightly.id, &weekly.id] {
        world.app.enable_schedule(&anna(), id, false).expect("disabled");
    }
    world.app.enable_schedule(&anna(), &pitr.id, true).expect("now it may");

    let refused = world.app.enable_schedule(&anna(), &nightly.id, true).expect_err("the reverse");
    assert_eq!((refused.code, refused.message.as_str()), (ErrorCode::Conflict, NO_OTHERS_BESIDE_PITR));
    assert!(refused.hint.as_deref().is_some_and(|hint| hint.contains("pitr")), "{refused:?}");
    let refused = world.app.update_schedule(&anna(), &nightly.id, world.schedule("nightly", &shop, "0 4 * * *")).expect_err("by a change");
    assert_eq!(refused.message, NO_OTHERS_BESIDE_PITR);
    world.app.create_backup(&anna(), &world.backup("release", &shop)).expect("on demand stays allowed");
}

#[tokio::test]
async fn pitr_takes_its_first_snapshot_at_once_and_slices_from_its_end_until_the_user_says_no() {
    let mut world = World::new();
    let mut agent = world.agent("shop").await;
    let schedule = world.app.create_schedule(&anna(), world.pitr("pitr", &agent, "0 3 * * *")).expect("a schedule");
    assert!(schedule.slicing.as_deref().is_some_and(|text| text.contains("first snapshot")), "{schedule:?}");
    world.pass(1);
    let jobs = world.jobs();
    assert_eq!((jobs.len(), jobs[0].state, jobs[0].requested_by.as_str()), (1, JobState::Running, "the first snapshot of PITR"));
    assert!(agent.sync(&world.app).await.slicing.is_none(), "not before there is a base");
    agent.work(&world.app, |_| failed("away", true)).await;
    assert!(agent.sync(&world.app).await.slicing.is_none(), "nor after a failure");
    world.app.run_schedule(&anna(), &schedule.id).expect("by hand");
    world.crash();
    agent.work(&world.app, well).await;
    let wish = agent.sync(&world.app).await.slicing.expect("now the oplog is stored");
    assert_eq!((wish.schedule_id.as_str(), wish.span_seconds, wish.place.folder.as_str()), (schedule.id.as_str(), 10, "shop"));

    // A failing snapshot later does not stop it, nor does a restart, nor time.
    world.pass_until("2026-11-26T03:00:00Z");
    agent.sync(&world.app).await;
    world.pass(1);
    agent.work(&world.app, |_| failed("away", false)).await;
    world.crash();
    assert!(agent.sync(&world.app).await.slicing.is_some());

    world.app.enable_schedule(&anna(), &schedule.id, false).expect("disabled");
    assert!(agent.sync(&world.app).await.slicing.is_none());
    // On again: slicing goes on where it was, and a fresh snapshot makes up for what may have been lost meanwhile.
    world.app.enable_schedule(&anna(), &schedule.id, true).expect("enabled");
    assert!(agent.sync(&world.app).await.slicing.is_some());
    world.pass(1);
    assert!(matches!(agent.sync(&world.app).await.attempts.as_slice(), [one] if matches!(one.work, Work::Backup { .. })));
    world.app.delete_schedule(&anna(), &schedule.id).expect("deleted");
    assert!(agent.sync(&world.app).await.slicing.is_none());
}

#[tokio::test]
async fn a_later_start_is_waited_for() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    let start_at = Some(super::world::at("2026-12-01T00:00:00Z"));
    let input = oplogue_api::schedules::ScheduleInput { start_at, ..world.pitr("pitr", &agent, "0 3 * * *") };
    let schedule = world.app.create_schedule(&anna(), input).expect("a schedule");
    assert_eq!(schedule.next_runs[0].to_string(), "2026-12-01T03:00:00Z");
    world.pass_until("2026-12-01T02:59:59Z");
    assert!(world.jobs().is_empty());
    agent.sync(&world.app).await;
    world.pass(1);
    assert_eq!(world.jobs().len(), 1);
}

#[tokio::test]
async fn a_restore_interrupts_protection_only_while_it_runs_and_a_fresh_snapshot_follows() {
    let mut world = World::new();
    let mut agent = world.agent("shop").await;
    let schedule = world.app.create_schedule(&anna(), world.pitr("pitr", &agent, "30 * * * *")).expect("a schedule");
    world.pass(1);
    agent.work(&world.app, well).await;
    assert!(agent.sync(&world.app).await.slicing.is_some());
    world.pass(5);
    let restore = queue_restore(&world, &mut agent).await;
    let wishes = agent.sync(&world.app).await;
    assert_eq!((world.state(&restore), wishes.slicing.is_none()), (JobState::Running, true));
    let paused = world.app.schedule(&schedule.id).expect("shown");
    assert!(paused.input.enabled && paused.paused.as_deref().is_some_and(|why| why.contains("Restore shop")), "{paused:?}");

    // Its time comes while the restore runs, and passes.
    world.crash();
    world.pass(3600);
    agent.sync(&world.app).await;
    assert_eq!(world.jobs().iter().filter(|job| job.kind == JobKind::Backup).count(), 1);
    let id = agent.attempt();
    agent.report(&world.app, &id, Some(well(&agent.working[&id].0.clone())));
    assert!(agent.sync(&world.app).await.slicing.is_none(), "the oplog of before does not lead to the data of after");
    world.crash();
    agent.sync(&world.app).await;
    world.pass(1);
    let base = world.jobs().pop().expect("a job");
    assert_eq!(
        (base.kind, base.requested_by.as_str(), base.schedule_id.as_deref()),
        (JobKind::Backup, "after a restore", Some(schedule.id.as_str()))
    );
    // It is tried again although the schedule says nothing of that: until then nothing is protected.
    agent.work(&world.app, |_| failed("away", true)).await;
    assert_eq!(world.state(&base.id), JobState::WaitingToRetry);
    world.pass(60);
    agent.sync(&world.app).await;
    world.pass(1);
    agent.work(&world.app, well).await;
    let wishes = agent.sync(&world.app).await;
    assert!(wishes.slicing.is_some() && wishes.attempts.is_empty(), "{wishes:?}");
    assert_eq!(world.app.schedule(&schedule.id).expect("shown").paused, None);
    let runs = world.jobs().iter().filter(|job| job.kind == JobKind::Backup).count();
    assert_eq!(runs, 2, "the time that passed meanwhile is settled by the fresh snapshot");
}

#[tokio::test]
async fn a_restore_that_was_refused_before_it_touched_anything_changes_nothing() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    world.app.create_schedule(&anna(), world.pitr("pitr", &agent, "0 3 * * *")).expect("a schedule");
    world.pass(1);
    agent.work(&world.app, well).await;
    let restore = queue_restore(&world, &mut agent).await;
    agent.work(&world.app, |_| Outcome::Refused { reason: "an object is missing".to_owned(), hint: None }).await;
    assert_eq!(world.state(&restore), JobState::Failed);
    assert!(agent.sync(&world.app).await.slicing.is_some());
    world.pass(1);
    assert!(agent.sync(&world.app).await.attempts.is_empty());
}

#[tokio::test]
async fn a_move_to_another_folder_begins_anew() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    let schedule = world.app.create_schedule(&anna(), world.pitr("pitr", &agent, "0 3 * * *")).expect("a schedule");
    world.pass(1);
    agent.work(&world.app, well).await;
    let input = world.pitr("renamed", &agent, "0 4 * * *");
    world.app.update_schedule(&anna(), &schedule.id, input.clone()).expect("a new name and time");
    assert!(agent.sync(&world.app).await.slicing.is_some());
    let moved = oplogue_api::schedules::ScheduleInput { folder: Some("elsewhere".to_owned()), ..input };
    world.app.update_schedule(&anna(), &schedule.id, moved).expect("moved");
    assert!(agent.sync(&world.app).await.slicing.is_none());
    world.pass(1);
    agent.work(&world.app, well).await;
    assert_eq!(agent.sync(&world.app).await.slicing.expect("again").place.folder, "elsewhere");
}
