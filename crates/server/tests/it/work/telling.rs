//! What is told of backups and logs.

use oplogue_api::ErrorCode;
use oplogue_api::agent::{Report, ReportLine};
use oplogue_api::backups::{BackupMode, BackupStatus, Trigger};
use oplogue_api::jobs::{JobStep, LogLevel, StepState, StepUnit};
use oplogue_server::app::backups::BackupFilter;

use super::agent::{failed, well};
use super::world::{World, anna};

#[tokio::test]
async fn a_backup_is_listed_from_the_moment_it_is_wanted() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    let list = |world: &World| world.app.backups(&BackupFilter::default(), None, 100).expect("backups").items;
    let input = oplogue_api::backups::BackupInput { description: "before the release".to_owned(), ..world.backup("release", &agent) };
    let job = world.app.create_backup(&anna(), &input).expect("a job");
    let running = list(&world).remove(0);
    assert_eq!(
        (running.status, running.trigger, running.job_id.as_deref()),
        (BackupStatus::InProgress, Trigger::OnDemand, Some(job.id.as_str()))
    );
    assert_eq!((running.name.as_str(), running.description.as_str()), ("release_2026-11-25T10:00:00Z", "before the release"));
    assert!(running.restore_refusal.is_some() && running.delete_refusal.is_some());
    assert_eq!(world.app.delete_backup(&anna(), &running.id, true, false).expect_err("it runs").code, ErrorCode::Refused);

    agent.sync(&world.app).await;
    let id = agent.attempt();
    let step = JobStep {
        name: "reading documents".to_owned(),
        state: StepState::Running,
        done: 25,
        total: Some(100),
        unit: StepUnit::Bytes,
        per_second: Some(10.0),
        seconds_left: Some(8),
        seconds: 2.5,
    };
    let report = Report { attempt: 1, number: 1, steps: vec![step], lines: Vec::new(), outcome: None };
    world.app.report(&agent.service_id, &id.job_id, &report).expect("heard");
    agent.working.get_mut(&id).expect("it works").1 = 2;
    assert_eq!(list(&world)[0].percent, Some(25.0));
    agent.work(&world.app, |_| failed("the disk is full", false)).await;
    let failed = list(&world).remove(0);
    assert_eq!((failed.status, failed.problem.as_deref()), (BackupStatus::Error, Some("the disk is full")));
    assert_eq!(world.app.backup(&failed.id).expect("one").id, failed.id);
    world.app.delete_backup(&anna(), &failed.id, true, false).expect("out of the list");
    assert!(list(&world).is_empty());
}

#[tokio::test]
async fn an_enabled_pitr_schedule_has_a_row_from_the_beginning() {
    let world = World::new();
    let agent = world.agent("shop").await;
    world.app.create_schedule(&anna(), world.pitr("pitr", &agent, "0 3 * * *")).expect("a schedule");
    let rows = world.app.backups(&BackupFilter::default(), None, 100).expect("backups").items;
    assert_eq!(
        rows.iter().map(|row| (row.mode, row.status, row.name.as_str())).collect::<Vec<_>>(),
        [(BackupMode::Pitr, BackupStatus::Pending, "pitr")]
    );
    assert!(rows[0].restore_refusal.is_some());
    let services = world.app.compatible_services(&rows[0].id).expect("services");
    assert!(services[0].same && services[0].refusal.is_none(), "{services:?}");
}

#[tokio::test]
async fn pages_of_lists_join_without_gaps() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    for number in 0..7 {
        world.app.create_backup(&anna(), &world.backup(&format!("b{number}"), &agent)).expect("a job");
        agent.work(&world.app, |_| failed("x", false)).await;
        world.clock.set(world.now() + jiff::SignedDuration::from_secs(i64::from(number % 2)));
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = world.app.backups(&BackupFilter::default(), after.as_deref(), 3).expect("a page");
        seen.extend(page.items.into_iter().map(|backup| backup.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let all: Vec<String> =
        world.app.backups(&BackupFilter::default(), None, 100).expect("all").items.into_iter().map(|backup| backup.id).collect();
    assert_eq!((seen.len(), &seen), (7, &all));
    let filter = BackupFilter { status: Some(BackupStatus::Success), ..BackupFilter::default() };
    assert!(world.app.backups(&filter, None, 100).expect("none").items.is_empty());
    assert_eq!(world.app.backups(&BackupFilter::default(), Some("nonsense"), 3).expect_err("wrong").code, ErrorCode::BadRequest);
    let first = world.app.jobs(&Default::default(), None, 4).expect("jobs");
    let rest = world.app.jobs(&Default::default(), first.next.as_deref(), 4).expect("jobs");
    assert_eq!((first.items.len(), rest.items.len(), rest.next), (4, 3, None));
}

#[tokio::test]
async fn a_log_is_kept_line_by_line_and_has_a_bound() {
    let world = World::new();
    let mut agent = world.agent("shop").await;
    let job = world.app.create_backup(&anna(), &world.backup("one", &agent)).expect("a job");
    agent.sync(&world.app).await;
    let id = agent.attempt();
    for number in 1..=3 {
        let line = |index: u32| ReportLine { at: world.now(), level: LogLevel::Info, text: format!("line {number}.{index}") };
        let report = Report { attempt: 1, number, steps: Vec::new(), lines: (0..9000).map(line).collect(), outcome: None };
        world.app.report(&agent.service_id, &id.job_id, &report).expect("heard");
    }
    agent.working.get_mut(&id).expect("it works").1 = 4;
    agent.report(&world.app, &id, Some(well(&agent.working[&id].0.clone())));
    let (mut after, mut lines, mut pages) = (0, Vec::new(), 0);
    loop {
        let page = world.app.job_log(&job.id, after, 5000).expect("lines");
        after = page.lines.last().map_or(after, |line| line.seq);
        lines.extend(page.lines);
        pages += 1;
        if page.end {
            break;
        }
        assert!(pages < 20, "it ends");
    }
    assert!(lines.len() > 19_990 && lines.len() < 20_100, "{}", lines.len());
    assert!(lines.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
    assert!(lines.iter().any(|line| line.text.contains("lines are left out")));
    assert!(lines.last().is_some_and(|line| line.text.starts_with("done: ")), "the end is always told");
}
