//! What must be true afterwards.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use oplogue_api::agent::{AttemptId, Outcome};
use oplogue_api::jobs::{Job, JobKind, JobState};
use oplogue_server::app::App;
use oplogue_server::app::jobs::JobFilter;

use super::agents::Ledger;

/// Tells how much there was.
pub fn check(app: &App, begin: Timestamp, schedules: &[(String, String)], ledgers: &[Ledger]) -> String {
    let jobs = all_jobs(app);
    for ledger in ledgers {
        assert_eq!(ledger.begun_twice, [], "an attempt that was begun is not handed out as new");
    }
    assert!(ledgers[1].slicing_seen, "PITR was sliced");
    let runs = schedules.iter().map(|(id, cron)| schedule(app, begin, id, cron, &jobs)).sum::<usize>();
    attempts(&jobs, ledgers);
    one_at_a_time(app, &jobs);
    let count = |kind| jobs.iter().filter(|job| job.kind == kind).count();
    format!(
        "{} jobs ({} backups, {runs} of them by schedule, {} plans, {} restores), {} attempts",
        jobs.len(),
        count(JobKind::Backup),
        count(JobKind::Plan),
        count(JobKind::Restore),
        ledgers.iter().map(|ledger| ledger.begun.len()).sum::<usize>()
    )
}

fn all_jobs(app: &App) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut after = None;
    loop {
        let page = app.jobs(&JobFilter::default(), after.as_deref(), 500).expect("jobs");
        jobs.extend(page.items);
        after = page.next;
        if after.is_none() {
            jobs.reverse();
            return jobs;
        }
    }
}

fn log(app: &App, job: &Job) -> Vec<String> {
    app.job_log(&job.id, 0, 5000).expect("its log").lines.into_iter().map(|line| line.text).collect()
}

/// Every occurrence was run once, or told as missed. How many were run.
fn schedule(app: &App, begin: Timestamp, id: &str, cron: &str, jobs: &[Job]) -> usize {
    let mut occurrences = Vec::new();
    let mut missed = 0;
    for job in jobs.iter().filter(|job| job.schedule_id.as_deref() == Some(id)) {
        let log = log(app, job);
        let told = log.iter().find_map(|line| line.split_once(" earlier times passed")?.0.parse::<usize>().ok());
        missed += told.unwrap_or(0);
        occurrences.extend(log.first().and_then(|line| line.split_once(", for ")).map(|(_, at)| at.parse::<Timestamp>().expect("a time")));
    }
    let distinct: BTreeSet<Timestamp> = occurrences.iter().copied().collect();
    assert_eq!(distinct.len(), occurrences.len(), "{cron}: no occurrence is run twice");
    assert!(occurrences.windows(2).all(|pair| pair[0] < pair[1]), "{cron}: in order");
    let times = oplogue_domain::Schedule::parse(cron, "UTC", None).expect("a schedule");
    let last = *occurrences.last().expect("it has run");
    let expected = std::iter::successors(times.next_after(begin), |one| times.next_after(*one)).take_while(|one| *one <= last).count();
    // Snapshots before a PITR's slicing and after a restore stand for the occurrences that they settle.
    let settled = jobs.iter().filter(|job| job.schedule_id.as_deref() == Some(id)).count() - occurrences.len();
    let accounted = occurrences.len() + missed;
    if settled == 0 {
        assert_eq!(accounted, expected, "{cron}: no occurrence is lost");
    } else {
        assert!(accounted <= expected && accounted + settled >= expected, "{cron}: {accounted} of {expected}, {settled} more runs");
    }
    occurrences.len()
}

/// What the server says of a job is what its agents did.
fn attempts(jobs: &[Job], ledgers: &[Ledger]) {
    let mut ended: BTreeMap<&AttemptId, &(Outcome, bool)> = BTreeMap::new();
    for ledger in ledgers {
        for (id, outcome) in &ledger.ended {
            assert!(ended.insert(id, outcome).is_none(), "{id:?} was carried out by one agent");
        }
    }
    let succeeded = |outcome: &Outcome| matches!(outcome, Outcome::BackedUp { .. } | Outcome::Planned { .. } | Outcome::Restored { .. });
    let known: BTreeMap<&str, &Job> = jobs.iter().map(|job| (job.id.as_str(), job)).collect();
    for (id, (outcome, acknowledged)) in &ended {
        let job = known.get(id.job_id.as_str()).unwrap_or_else(|| panic!("job {} is lost", id.job_id));
        assert!(id.attempt <= job.attempt, "{id:?}");
        if *acknowledged && succeeded(outcome) {
            // Over already only when its agent was silent and the user gave it up.
            assert!(matches!(job.state, JobState::Done | JobState::Cancelled), "{id:?} succeeded, and the job is {:?}", job.state);
        }
    }
    for job in jobs.iter().filter(|job| job.state == JobState::Done) {
        let id = AttemptId { job_id: job.id.clone(), attempt: job.attempt };
        assert!(ended.get(&id).is_some_and(|(outcome, _)| succeeded(outcome)), "{id:?} is done, says the server alone");
    }
    for job in jobs {
        assert!(job.attempt <= job.attempts_max, "{job:?}");
        assert!(!job.state.is_over() || job.finished_at.is_some(), "{job:?}");
    }
}

/// Attempts at backups and restores of a cluster did not overlap. Their logs tell when each began and ended.
fn one_at_a_time(app: &App, jobs: &[Job]) {
    let mut spans: BTreeMap<&str, Vec<(Timestamp, bool, &str)>> = BTreeMap::new();
    for job in jobs.iter().filter(|job| job.kind != JobKind::Plan) {
        let Some(cluster) = job.cluster.as_deref() else { continue };
        let spans = spans.entry(cluster).or_default();
        let mut at_work = false;
        for line in app.job_log(&job.id, 0, 5000).expect("its log").lines.into_iter().filter(|line| line.source == "server") {
            let begins = line.text.contains("given to the agent of");
            let ends = ["done: ", "failed: ", "cancelled: ", "waiting to retry: ", "ended without the word"]
                .iter()
                .any(|word| line.text.starts_with(word));
            if begins != at_work && (begins || ends) {
                spans.push((line.at, begins, &job.id));
                at_work = begins;
            }
        }
    }
    for (cluster, mut spans) in spans {
        // An end and a beginning at the same time: the end first.
        spans.sort();
        let mut running: Option<&str> = None;
        for (at, begins, id) in spans {
            match (begins, running) {
                (true, None) => running = Some(id),
                (false, Some(one)) if one == id => running = None,
                _ => panic!("{cluster}: {id} and {running:?} at {at}: {:?}", app.job(id)),
            }
        }
    }
}
