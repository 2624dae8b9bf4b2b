//! Backups and scheduled jobs.

use oplogue_api::backups::{Backup, BackupMode, BackupStatus, DataModel, DeletePreview, RetryMode, Trigger};
use oplogue_api::retention::RetentionPolicy;
use oplogue_api::schedules::{LastRun, Schedule, ScheduleInput};

use super::{ago, ahead, long_name, moment_ago, range_ago};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// One that ended well.
pub fn backup() -> Backup {
    Backup {
        id: "bG9jLW1haW4Kc2hvcApuaWdodGx5".to_owned(),
        name: "nightly_2026-11-25T03:00:00Z".to_owned(),
        status: BackupStatus::Success,
        mode: BackupMode::Snapshot,
        data_model: DataModel::Logical,
        trigger: Trigger::Scheduled,
        service_id: Some("svc-shop-1".to_owned()),
        service_name: Some("shop-1".to_owned()),
        cluster: Some("shop".to_owned()),
        replica_sets: vec!["rs0".to_owned()],
        mongodb_version: "6.0.5".to_owned(),
        location_id: "loc-main".to_owned(),
        location_name: "s3-main".to_owned(),
        folder: "shop".to_owned(),
        schedule_id: Some("sched-nightly".to_owned()),
        schedule_name: Some("nightly".to_owned()),
        description: "Every night, before the reports run.".to_owned(),
        created_at: ago(8 * HOUR),
        finished_at: Some(ago(8 * HOUR - 190)),
        restores_to: Some(moment_ago(8 * HOUR - 185)),
        ranges: Vec::new(),
        bytes: 48_318_382_080,
        compression: "zstd".to_owned(),
        namespaces: None,
        made_by: "oplogue 0.1.0".to_owned(),
        problem: None,
        job_id: Some("job-101".to_owned()),
        percent: None,
        delete_refusal: None,
        restore_refusal: None,
    }
}

/// The continuous oplog of a cluster.
pub fn pitr_row() -> Backup {
    Backup {
        id: "bG9jLW1haW4Kc2hvcAoBb3Bsb2c".to_owned(),
        name: "shop-pitr".to_owned(),
        mode: BackupMode::Pitr,
        schedule_id: Some("sched-pitr".to_owned()),
        schedule_name: Some("shop-pitr".to_owned()),
        description: String::new(),
        created_at: ago(12 * DAY),
        finished_at: None,
        restores_to: Some(moment_ago(12)),
        ranges: vec![range_ago(12 * DAY, 3 * DAY), range_ago(3 * DAY - 2 * HOUR, 12)],
        bytes: 8_912_000_000,
        job_id: Some("job-77".to_owned()),
        ..backup()
    }
}

/// Every status and kind.
pub fn backups() -> Vec<Backup> {
    let nightly = backup();
    let running = Backup {
        id: "running".to_owned(),
        name: "before-upgrade_2026-11-25T10:58:10Z".to_owned(),
        status: BackupStatus::InProgress,
        trigger: Trigger::OnDemand,
        schedule_id: None,
        schedule_name: None,
        created_at: ago(110),
        finished_at: None,
        restores_to: None,
        bytes: 20_401_094_656,
        job_id: Some("job-104".to_owned()),
        percent: Some(42.3),
        delete_refusal: Some("It is being taken. Cancel the job first.".to_owned()),
        restore_refusal: Some("It is not finished.".to_owned()),
        ..nightly.clone()
    };
    let pending = Backup {
        id: "pending".to_owned(),
        name: "before-upgrade-2_2026-11-25T10:59:00Z".to_owned(),
        status: BackupStatus::Pending,
        bytes: 0,
        percent: None,
        job_id: Some("job-105".to_owned()),
        ..running.clone()
    };
    let failed = Backup {
        id: "failed".to_owned(),
        name: "hourly_2026-11-25T09:00:00Z".to_owned(),
        status: BackupStatus::Error,
        service_id: Some("svc-billing-1".to_owned()),
        service_name: Some("billing-1".to_owned()),
        cluster: Some("billing".to_owned()),
        folder: "billing".to_owned(),
        schedule_id: Some("sched-billing".to_owned()),
        schedule_name: Some("hourly".to_owned()),
        restores_to: None,
        bytes: 0,
        problem: Some(
            "write backup hourly_2026-11-25T09:00:00Z to s3-main: put object billing/hourly…/rs0/archive: 403 AccessDenied".to_owned(),
        ),
        job_id: Some("job-102".to_owned()),
        restore_refusal: Some("The run failed; there is nothing to restore.".to_owned()),
        ..nightly.clone()
    };
    let needed = Backup {
        id: "needed".to_owned(),
        name: "nightly_2026-11-13T03:00:00Z".to_owned(),
        created_at: ago(12 * DAY + 8 * HOUR),
        delete_refusal: Some(
            "The restorable range since 2026-11-13 03:03:05 UTC starts from it, and retention promises that range.".to_owned(),
        ),
        ..nightly.clone()
    };
    let found = Backup {
        id: "found".to_owned(),
        name: "2026-10-02T02:00:01Z".to_owned(),
        trigger: Trigger::Found,
        service_id: None,
        service_name: None,
        cluster: None,
        folder: String::new(),
        location_id: "loc-nas".to_owned(),
        location_name: "nas".to_owned(),
        schedule_id: None,
        schedule_name: None,
        description: String::new(),
        made_by: "PBM 2.15.0".to_owned(),
        compression: "s2".to_owned(),
        job_id: None,
        created_at: ago(54 * DAY),
        finished_at: Some(ago(54 * DAY - 600)),
        ..nightly.clone()
    };
    let invalid = Backup {
        id: "invalid".to_owned(),
        name: "2026-10-01T02:00:01Z".to_owned(),
        status: BackupStatus::Invalid,
        data_model: DataModel::Physical,
        problem: Some("It is a physical backup, which only PBM can restore.".to_owned()),
        restore_refusal: Some("It is a physical backup, which only PBM can restore.".to_owned()),
        ..found.clone()
    };
    let cancelled = Backup {
        id: "cancelled".to_owned(),
        status: BackupStatus::Cancelled,
        name: "try_2026-11-24T12:00:00Z".to_owned(),
        bytes: 0,
        restores_to: None,
        restore_refusal: Some("It was cancelled; there is nothing to restore.".to_owned()),
        ..nightly.clone()
    };
    let deleting = Backup {
        id: "deleting".to_owned(),
        status: BackupStatus::Deleting,
        name: "old_2026-08-01T03:00:00Z".to_owned(),
        delete_refusal: Some("It is being deleted.".to_owned()),
        restore_refusal: Some("It is being deleted.".to_owned()),
        ..nightly.clone()
    };
    let stuck = Backup {
        id: "stuck".to_owned(),
        status: BackupStatus::FailedToDelete,
        name: "old_2026-08-02T03:00:00Z".to_owned(),
        problem: Some("delete 3 of 41 objects below shop/old_2026-08-02T03:00:00Z: 503 SlowDown".to_owned()),
        restore_refusal: Some("Parts of it are deleted.".to_owned()),
        ..nightly.clone()
    };
    let long = Backup {
        id: "long".to_owned(),
        name: format!("{}_2026-11-25T03:00:00Z", long_name("backup-")),
        service_name: Some(long_name("service-")),
        cluster: Some(long_name("cluster-")),
        location_name: long_name("location-"),
        folder: long_name("folder/"),
        namespaces: Some(vec!["shop.orders".to_owned(), "shop.items".to_owned(), "logs.*".to_owned()]),
        ..nightly.clone()
    };
    vec![running, pending, pitr_row(), nightly, failed, needed, cancelled, deleting, stuck, found, invalid, long]
}

/// Deleting one would make a stretch of time unreachable.
pub fn delete_preview() -> DeletePreview {
    DeletePreview {
        refusal: None,
        may_accept_loss: false,
        lost: vec![range_ago(9 * DAY, 8 * DAY + 40), range_ago(8 * DAY, 8 * DAY - 31)],
        objects_bytes: 48_318_382_080,
    }
}

fn schedule() -> Schedule {
    Schedule {
        id: "sched-nightly".to_owned(),
        input: ScheduleInput {
            name: "nightly".to_owned(),
            service_id: "svc-shop-1".to_owned(),
            location_id: "loc-main".to_owned(),
            description: "Every night, before the reports run.".to_owned(),
            mode: BackupMode::Snapshot,
            data_model: DataModel::Logical,
            cron: "0 3 * * *".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            start_at: Some(ago(20 * DAY)),
            enabled: true,
            retention: RetentionPolicy { count: 7, monthly: 12, ..RetentionPolicy::default() },
            retry_mode: RetryMode::Auto,
            retries: 3,
            retry_interval_seconds: 300,
            compression: Some("zstd".to_owned()),
            namespaces: Vec::new(),
            folder: None,
            slice_seconds: None,
        },
        service_name: "shop-1".to_owned(),
        cluster: "shop".to_owned(),
        location_name: "s3-main".to_owned(),
        frequency: "At 03:00, every day".to_owned(),
        paused: None,
        next_runs: (0..5).map(|day| ahead(15 * HOUR + day * DAY)).collect(),
        last_run: Some(LastRun { at: ago(9 * HOUR), job_id: "job-101".to_owned(), ok: Some(true), error: None }),
        slicing: None,
        created_at: ago(20 * DAY),
        updated_at: ago(2 * DAY),
    }
}

/// A snapshot job, PITR jobs well and unwell, one that failed, one that is off, one with long names.
pub fn schedules() -> Vec<Schedule> {
    let nightly = schedule();
    let pitr = Schedule {
        id: "sched-pitr".to_owned(),
        input: ScheduleInput {
            name: "orders-pitr".to_owned(),
            service_id: "svc-loner".to_owned(),
            mode: BackupMode::Pitr,
            cron: "0 0 * * SUN".to_owned(),
            time_zone: "UTC".to_owned(),
            start_at: None,
            retention: RetentionPolicy { window_hours: 336, ..RetentionPolicy::default() },
            retry_mode: RetryMode::Manual,
            slice_seconds: Some(10),
            folder: Some("orders/eu".to_owned()),
            ..nightly.input.clone()
        },
        service_name: "orders-1".to_owned(),
        cluster: "orders".to_owned(),
        frequency: "At 00:00 on Sunday".to_owned(),
        slicing: Some("storing slices; the newest restorable moment is 12 s old".to_owned()),
        ..nightly.clone()
    };
    let paused = Schedule {
        id: "sched-paused".to_owned(),
        input: ScheduleInput { name: "archive-pitr".to_owned(), ..pitr.input.clone() },
        service_name: "archive-1".to_owned(),
        cluster: "archive".to_owned(),
        paused: Some("a restore is running on cluster archive; a fresh backup follows it".to_owned()),
        slicing: Some("suspended while the restore runs".to_owned()),
        ..pitr.clone()
    };
    let failed = Schedule {
        id: "sched-billing".to_owned(),
        input: ScheduleInput {
            name: "hourly".to_owned(),
            service_id: "svc-billing-1".to_owned(),
            cron: "0 * * * *".to_owned(),
            time_zone: "UTC".to_owned(),
            start_at: None,
            description: String::new(),
            retention: RetentionPolicy::default(),
            namespaces: vec!["billing.invoices".to_owned(), "billing.payments".to_owned()],
            ..nightly.input.clone()
        },
        service_name: "billing-1".to_owned(),
        cluster: "billing".to_owned(),
        frequency: "Every hour, on the hour".to_owned(),
        last_run: Some(LastRun {
            at: ago(2 * HOUR),
            job_id: "job-102".to_owned(),
            ok: Some(false),
            error: Some("put object billing/…/archive: 403 AccessDenied".to_owned()),
        }),
        ..nightly.clone()
    };
    let disabled = Schedule {
        id: "sched-off".to_owned(),
        input: ScheduleInput { name: "weekly".to_owned(), enabled: false, cron: "30 4 * * MON,THU".to_owned(), ..nightly.input.clone() },
        frequency: "At 04:30 on Monday and Thursday".to_owned(),
        next_runs: Vec::new(),
        last_run: None,
        ..nightly.clone()
    };
    let long = Schedule {
        id: "sched-long".to_owned(),
        input: ScheduleInput { name: long_name("schedule-"), cron: "*/10 1-5,22 1,15 JAN-JUN MON-FRI".to_owned(), ..nightly.input.clone() },
        service_name: long_name("service-"),
        cluster: long_name("cluster-"),
        location_name: long_name("location-"),
        frequency:
            "Every 10 minutes from 01:00 to 05:59 and from 22:00 to 22:59, on day 1 and 15 and on Monday to Friday, in January to June"
                .to_owned(),
        ..nightly.clone()
    };
    vec![nightly, pitr, paused, failed, disabled, long]
}
