//! Jobs and their logs.

use oplogue_api::jobs::{Job, JobKind, JobState, JobStep, LogLevel, LogLine, StepState, StepUnit};

use super::{ago, ahead, long_name};

const MINUTE: i64 = 60;

/// A backup in the middle of its work.
pub fn running_job() -> Job {
    Job {
        id: "job-104".to_owned(),
        kind: JobKind::Backup,
        state: JobState::Running,
        title: "Back up shop to s3-main".to_owned(),
        cluster: Some("shop".to_owned()),
        service_id: Some("svc-shop-1".to_owned()),
        service_name: Some("shop-1".to_owned()),
        location_id: Some("loc-main".to_owned()),
        location_name: Some("s3-main".to_owned()),
        folder: Some("shop".to_owned()),
        schedule_id: None,
        backup_name: Some("before-upgrade_2026-11-25T10:58:10Z".to_owned()),
        attempt: 1,
        attempts_max: 3,
        requested_by: "anna".to_owned(),
        created_at: ago(110),
        started_at: Some(ago(108)),
        finished_at: None,
        retry_at: None,
        waiting_for: None,
        steps: vec![
            JobStep {
                name: "checking the storage".to_owned(),
                state: StepState::Done,
                done: 4,
                total: Some(4),
                unit: StepUnit::Items,
                per_second: None,
                seconds_left: None,
                seconds: 0.8,
            },
            JobStep {
                name: "reading documents".to_owned(),
                state: StepState::Running,
                done: 20_401_094_656,
                total: Some(48_318_382_080),
                unit: StepUnit::Bytes,
                per_second: Some(198_180_864.0),
                seconds_left: Some(141),
                seconds: 104.2,
            },
            JobStep {
                name: "reading the oplog beside it".to_owned(),
                state: StepState::Running,
                done: 18_211,
                total: None,
                unit: StepUnit::Entries,
                per_second: Some(173.0),
                seconds_left: None,
                seconds: 104.2,
            },
        ],
        error: None,
        hint: None,
        result: None,
    }
}

/// Every state.
pub fn jobs() -> Vec<Job> {
    let running = running_job();
    let queued = Job {
        id: "job-105".to_owned(),
        state: JobState::Queued,
        title: "Back up shop to nas".to_owned(),
        location_name: Some("nas".to_owned()),
        created_at: ago(60),
        started_at: None,
        waiting_for: Some("job-104 of the same cluster".to_owned()),
        steps: Vec::new(),
        ..running.clone()
    };
    let waiting = Job {
        id: "job-103".to_owned(),
        state: JobState::WaitingToRetry,
        title: "Back up billing to s3-main".to_owned(),
        cluster: Some("billing".to_owned()),
        requested_by: "schedule hourly".to_owned(),
        attempt: 2,
        retry_at: Some(ahead(4 * MINUTE)),
        waiting_for: Some("the next try".to_owned()),
        error: Some("put object billing/…/archive: 503 SlowDown".to_owned()),
        steps: Vec::new(),
        ..running.clone()
    };
    let failed = Job {
        id: "job-102".to_owned(),
        state: JobState::Failed,
        title: "Back up billing to s3-main".to_owned(),
        cluster: Some("billing".to_owned()),
        service_name: Some("billing-1".to_owned()),
        requested_by: "schedule hourly".to_owned(),
        attempt: 3,
        created_at: ago(125 * MINUTE),
        started_at: Some(ago(125 * MINUTE)),
        finished_at: Some(ago(110 * MINUTE)),
        error: Some("write backup hourly_2026-11-25T09:00:00Z to s3-main: put object billing/…/rs0/archive: 403 AccessDenied".to_owned()),
        hint: Some("The key of location s3-main may not write. Open the location, press Test, and see which right is missing.".to_owned()),
        ..running.clone()
    };
    let done = Job {
        id: "job-101".to_owned(),
        state: JobState::Done,
        requested_by: "schedule nightly".to_owned(),
        created_at: ago(480 * MINUTE),
        started_at: Some(ago(480 * MINUTE)),
        finished_at: Some(ago(477 * MINUTE)),
        backup_name: Some("nightly_2026-11-25T03:00:00Z".to_owned()),
        steps: running
            .steps
            .iter()
            .map(|step| JobStep { state: StepState::Done, total: Some(step.done), per_second: None, seconds_left: None, ..step.clone() })
            .collect(),
        result: Some(serde_json::json!({"documents": 18_200_114, "collections": 212, "bytes": 48_318_382_080_u64})),
        ..running.clone()
    };
    let retention = Job {
        id: "job-100".to_owned(),
        kind: JobKind::Retention,
        title: "Keep 7 backups of nightly in shop on s3-main".to_owned(),
        requested_by: "retention".to_owned(),
        steps: Vec::new(),
        attempts_max: 1,
        backup_name: None,
        ..done.clone()
    };
    let cancelling = Job { id: "job-099".to_owned(), state: JobState::Cancelling, ..running.clone() };
    let cancelled = Job {
        id: "job-098".to_owned(),
        state: JobState::Cancelled,
        kind: JobKind::Restore,
        title: "Restore shop to 2026-11-24 12:00:00 UTC".to_owned(),
        error: None,
        ..failed.clone()
    };
    let long = Job {
        id: "job-097".to_owned(),
        title: format!("Back up {} to {}", long_name("cluster-"), long_name("location-")),
        cluster: Some(long_name("cluster-")),
        requested_by: format!("schedule {}", long_name("schedule-")),
        ..done.clone()
    };
    vec![running, queued, waiting, cancelling, failed, done, retention, cancelled, long]
}

/// A few lines of two attempts.
pub fn job_log() -> Vec<LogLine> {
    let line = |seq, seconds, level, source: &str, text: &str, attempt| LogLine {
        seq,
        at: ago(seconds),
        level,
        source: source.to_owned(),
        text: text.to_owned(),
        attempt,
    };
    vec![
        line(1, 108, LogLevel::Info, "server", "given to shop-1", 1),
        line(2, 107, LogLevel::Info, "shop-1", "backup before-upgrade_2026-11-25T10:58:10Z begins at 1795604292,14", 1),
        line(3, 90, LogLevel::Warn, "shop-1", "s3-main answered 503 SlowDown to part 7 of rs0/archive; sent again after 400 ms", 1),
        line(4, 71, LogLevel::Error, "shop-1", "connection reset by s3.example.org while sending part 12", 1),
        line(5, 60, LogLevel::Info, "shop-1", "21 of 212 collections stored", 2),
    ]
}
