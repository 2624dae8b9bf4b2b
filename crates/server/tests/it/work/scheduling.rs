//! No run is lost and none comes twice: over crashes, jumps of the clock, and agents that come and go.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use oplogue_api::ErrorCode;
use oplogue_api::jobs::JobState;
use oplogue_api::schedules::ScheduleInput;

use super::agent::{Agent, failed, well};
use super::world::{World, anna, at};

/// Small, and the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[tokio::test]
async fn every_occurrence_is_run_once_or_told_as_missed_over_crashes_at_random_moments() {
    for seed in 0..3 {
        let mut world = World::new();
        let mut dice = Dice(seed);
        let mut agents = [world.agent("a").await, world.agent("b").await];
        let crons = ["*/5 * * * *", "0 * * * *", "*/7 * * * *"];
        let ids: Vec<String> = crons
            .iter()
            .enumerate()
            .map(|(index, cron)| {
                let input = world.schedule(&format!("s{index}"), &agents[index % 2], cron);
                world.app.create_schedule(&anna(), world.retried(input, 2, 30)).expect("a schedule").id
            })
            .collect();
        let begin = world.now();
        for _ in 0..200 {
            match dice.roll(10) {
                0 => world.crash(),
                1 => world.pass(dice.roll(3000) as i64),
                _ => world.pass(dice.roll(60) as i64),
            }
            let agent = &mut agents[dice.roll(2) as usize];
            match dice.roll(12) {
                0 => agent.restart(&world.app),
                // Not heard of for a while.
                1..=3 => {}
                4 => agent.work(&world.app, |_| failed("away", true)).await,
                _ => agent.work(&world.app, well).await,
            }
        }
        // Calm: everything comes to an end.
        for _ in 0..40 {
            for agent in &mut agents {
                agent.work(&world.app, well).await;
            }
            world.pass(31);
        }
        let jobs = world.jobs();
        for (id, cron) in ids.iter().zip(crons) {
            let runs: Vec<_> = jobs.iter().filter(|job| job.schedule_id.as_deref() == Some(id)).collect();
            let asked_for = |job: &&&oplogue_api::jobs::Job| {
                let log = world.log_text(&job.id);
                let at = log.lines().next().and_then(|line| line.split(", for ").nth(1)).expect("the occurrence it is of").to_owned();
                let missed = log
                    .lines()
                    .find_map(|line| line.strip_prefix("server: ")?.split_once(" earlier times")?.0.parse::<usize>().ok())
                    .unwrap_or(0);
                (at, missed)
            };
            let told: Vec<(String, usize)> = runs.iter().map(|job| asked_for(&job)).collect();
            let distinct: BTreeSet<&String> = told.iter().map(|(at, _)| at).collect();
            assert_eq!(distinct.len(), told.len(), "seed {seed}, {cron}: no occurrence twice");
            let times = oplogue_domain::Schedule::parse(cron, "UTC", None).expect("a schedule");
            let last = told.iter().map(|(at, _)| at.parse::<jiff::Timestamp>().expect("a time")).max().expect("it has run");
            let expected =
                std::iter::successors(times.next_after(begin), |one| times.next_after(*one)).take_while(|one| *one <= last).count();
            let missed: usize = told.iter().map(|(_, missed)| missed).sum();
            assert_eq!(told.len() + missed, expected, "seed {seed}, {cron}: none is lost");
            let open = runs.iter().filter(|job| !job.state.is_over()).count();
            assert!(open <= 1, "seed {seed}: no job is forgotten");
            let next = times.next_after(last).expect("for ever");
            assert!(open == 1 || next > world.now(), "seed {seed}, {cron}: nothing that is due is left: {next}, it is {}", world.now());
        }
        assert_eq!(agents.iter().map(|agent| agent.offered_again).sum::<u32>(), 0, "no attempt is handed out again after its end");
    }
}

#[tokio::test]
async fn a_server_that_was_down_runs_once_for_all_it_missed() {
    let mut world = World::new();
    let mut agent = world.agent("shop").await;
    let schedule = world.app.create_schedule(&anna(), world.schedule("hourly", &agent, "0 * * * *")).expect("a schedule");
    world.clock.set(at("2026-11-25T15:20:00Z"));
    world.crash();
    agent.sync(&world.app).await;
    world.pass(0);
    world.pass(1);
    let jobs = world.jobs();
    assert_eq!(jobs.len(), 1);
    let log = world.log_text(&jobs[0].id);
    assert!(log.contains("for 2026-11-25T15:00:00Z") && log.contains("4 earlier times passed without a run"), "{log}");
    agent.work(&world.app, well).await;
    let shown = world.app.schedule(&schedule.id).expect("shown");
    assert_eq!((shown.next_runs[0].to_string().as_str(), shown.last_run.and_then(|run| run.ok)), ("2026-11-25T16:00:00Z", Some(true)));
    assert_eq!((shown.frequency.as_str(), shown.next_runs.len()), ("every hour", 5));
}

/// The agent is heard of, what is queued begins, and ends well.
async fn work_now(world: &World, agent: &mut Agent) {
    agent.sync(&world.app).await;
    world.pass(0);
    agent.work(&world.app, well).await;
}

#[tokio::test]
async fn a_clock_that_jumps_back_starts_nothing_twice() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    world.app.create_schedule(&anna(), world.schedule("hourly", &agent, "0 * * * *")).expect("a schedule");
    for time in ["2026-11-25T11:00:00Z", "2026-11-25T10:30:00Z", "2026-11-25T11:00:00Z", "2026-11-25T11:59:59Z"] {
        world.pass_until(time);
        work_now(&world, &mut agent).await;
    }
    assert_eq!(world.jobs().len(), 1);
    // Far into the future by mistake, and back: from then on as if nothing had been.
    world.pass_until("2030-01-01T00:00:00Z");
    work_now(&world, &mut agent).await;
    world.pass_until("2026-11-25T12:00:00Z");
    work_now(&world, &mut agent).await;
    let before = world.jobs().len();
    world.pass_until("2026-11-25T13:00:00Z");
    work_now(&world, &mut agent).await;
    assert_eq!(world.jobs().len(), before + 1);
}

#[tokio::test]
async fn a_run_that_is_not_over_holds_up_the_next_and_then_there_is_one() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    world.app.create_schedule(&anna(), world.schedule("often", &agent, "* * * * *")).expect("a schedule");
    world.pass(60);
    agent.sync(&world.app).await;
    world.pass(0);
    agent.sync(&world.app).await;
    world.pass(600);
    assert_eq!(world.jobs().len(), 1);
    agent.work(&world.app, well).await;
    world.pass(0);
    let jobs = world.jobs();
    assert_eq!(jobs.len(), 2);
    assert!(world.log_text(&jobs[1].id).contains("9 earlier times"), "{}", world.log_text(&jobs[1].id));
}

#[tokio::test]
async fn time_that_passed_while_it_was_disabled_is_not_made_up_for() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    let schedule = world.app.create_schedule(&anna(), world.schedule("hourly", &agent, "0 * * * *")).expect("a schedule");
    world.app.enable_schedule(&anna(), &schedule.id, false).expect("disabled");
    assert!(world.app.schedule(&schedule.id).expect("shown").next_runs.is_empty());
    world.pass(5 * 3600 + 10);
    agent.sync(&world.app).await;
    world.app.enable_schedule(&anna(), &schedule.id, true).expect("enabled");
    world.pass(1);
    assert!(world.jobs().is_empty());
    world.pass(3600);
    assert_eq!(world.jobs().len(), 1);
    let busy = world.app.run_schedule(&anna(), &schedule.id).expect_err("it runs");
    assert_eq!(busy.code, ErrorCode::Conflict);
}

#[tokio::test]
async fn runs_that_wait_go_with_their_schedule_and_those_at_work_end() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    let one = world.app.create_schedule(&anna(), world.schedule("one", &agent, "0 11 * * *")).expect("a schedule");
    let two = world.app.create_schedule(&anna(), world.schedule("two", &agent, "0 11 * * *")).expect("a schedule");
    world.clock.set(at("2026-11-25T11:00:00Z"));
    agent.sync(&world.app).await;
    world.pass(0);
    let jobs = world.jobs();
    assert_eq!(jobs.iter().map(|job| job.state).collect::<Vec<_>>(), [JobState::Running, JobState::Queued]);
    world.app.delete_schedule(&anna(), &one.id).expect("deleted");
    world.app.enable_schedule(&anna(), &two.id, false).expect("disabled");
    assert_eq!([&jobs[0], &jobs[1]].map(|job| world.state(&job.id)), [JobState::Running, JobState::Cancelled]);
    agent.work(&world.app, well).await;
    assert_eq!(world.state(&jobs[0].id), JobState::Done);
}

#[tokio::test]
async fn wrong_fields_are_told_together_and_nothing_is_saved() {
    let world = World::new();
    let agent = world.agent("shop").await;
    let input = ScheduleInput {
        name: "a b".to_owned(),
        cron: "61 * * * *".to_owned(),
        time_zone: "UTC".to_owned(),
        retries: 11,
        folder: Some("/x".to_owned()),
        namespaces: vec!["admin.*".to_owned()],
        ..world.pitr("x", &agent, "")
    };
    let refused = world.app.create_schedule(&anna(), input).expect_err("refused");
    let fields: BTreeSet<&str> = refused.fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(fields, BTreeSet::from(["name", "cron", "retries", "folder", "namespaces"]));
    let unknown = ScheduleInput { service_id: "svc_none".to_owned(), ..world.schedule("x", &agent, "0 3 * * *") };
    assert_eq!(world.app.create_schedule(&anna(), unknown).expect_err("refused").fields[0].field, "service_id");
    let nowhere = ScheduleInput { location_id: "loc_none".to_owned(), ..world.schedule("x", &agent, "0 3 * * *") };
    assert_eq!(world.app.create_schedule(&anna(), nowhere).expect_err("refused").fields[0].field, "location_id");
    let physical = ScheduleInput { data_model: oplogue_api::backups::DataModel::Physical, ..world.pitr("x", &agent, "0 3 * * *") };
    assert_eq!(world.app.create_schedule(&anna(), physical).expect_err("refused").message, "PITR is only supported for logical backups");
    world.app.create_schedule(&anna(), world.schedule("x", &agent, "0 3 * * *")).expect("a schedule");
    assert_eq!(
        world.app.create_schedule(&anna(), world.schedule("x", &agent, "0 4 * * *")).expect_err("the name is taken").code,
        ErrorCode::Conflict
    );
    assert_eq!(world.app.schedules().expect("schedules").len(), 1);
}

#[tokio::test]
async fn a_service_without_a_label_is_told_what_to_do() {
    let world = World::new();
    let agent = Agent::enrol(&world.app, None, "db1:27017").expect("it enrols");
    let refused = world.app.create_backup(&anna(), &world.backup("x", &agent)).expect_err("refused");
    assert_eq!(
        (refused.message.as_str(), refused.fields[0].field.as_str()),
        ("Service db1:27017 must be a member of a cluster", "service_id")
    );
    assert!(
        refused.hint.as_deref().is_some_and(|hint| hint.contains("oplogue admin add mongodb") && hint.contains("--cluster mycluster")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn clusters_do_not_share_folders_however_the_location_is_called() {
    let world = World::new();
    let (shop, mut blog) = (world.agent("shop").await, world.agent("blog").await);
    world.app.create_schedule(&anna(), world.schedule("nightly", &shop, "0 3 * * *")).expect("a schedule");
    let same = world.new_location("same disk", "storage");
    let inside = world.new_location("inside", "storage/shop");
    let other = world.new_location("other", "elsewhere");
    let try_it = |location: &str, folder: &str| {
        let input = oplogue_api::backups::BackupInput {
            location_id: location.to_owned(),
            folder: Some(folder.to_owned()),
            ..world.backup("x", &blog)
        };
        world.app.create_backup(&anna(), &input)
    };
    for (location, folder) in [(&world.location, "shop"), (&same, "shop"), (&same, "shop/deeper"), (&same, ""), (&inside, "")] {
        let refused = try_it(location, folder).expect_err(folder);
        assert_eq!(
            refused.message, "Same location and folder already used for scheduled task nightly of other service: shop.example:27017",
            "{folder}"
        );
    }
    try_it(&other, "shop").expect("another disk");
    blog.work(&world.app, well).await;
    let input = ScheduleInput { location_id: other, ..world.schedule("shop2", &shop, "0 3 * * *") };
    let refused = world.app.create_schedule(&anna(), input).expect_err("a backup of another cluster lies there");
    assert_eq!(
        refused.message,
        "Same location and folder already used for artifact x_2026-11-25T10:00:00Z of other service: blog.example:27017"
    );
}

#[tokio::test]
async fn a_cron_expression_is_explained_in_its_zone() {
    let world = World::new();
    let preview = world.app.preview_cron("30 2 * * *", "Europe/Berlin", None).expect("explained");
    assert_eq!((preview.frequency.as_str(), preview.next_runs[0].to_string().as_str()), ("at 02:30 every day", "2026-11-26T01:30:00Z"));
    assert_eq!(world.app.preview_cron("30 2 * *", "UTC", None).expect_err("wrong").fields[0].field, "cron");
    assert_eq!(world.app.preview_cron("30 2 * * *", "Mars/Base", None).expect_err("wrong").fields[0].field, "time_zone");
    let later = world.app.preview_cron("0 0 * * *", "UTC", Some(world.now() + SignedDuration::from_hours(48))).expect("explained");
    assert_eq!(later.next_runs[0].to_string(), "2026-11-28T00:00:00Z");
}
