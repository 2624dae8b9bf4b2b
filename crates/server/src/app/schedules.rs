//! Scheduled backup jobs.
//!
//! A schedule of mode PITR is more than its snapshots: as soon as the first of them has ended well, the oplog of its replica set is stored all the time, until
//! the user turns it off. Only a restore interrupts that, for as long as it runs, and is followed by a fresh snapshot.
//!
//! On one cluster there is either one enabled PITR schedule, or any number of enabled snapshot schedules.

mod row;
pub mod rules;
mod write;

use jiff::Timestamp;
use oplogue_api::backups::BackupMode;
use oplogue_api::jobs::JobState;
use oplogue_api::schedules::{CronPreview, LastRun, Schedule};
use oplogue_api::services::SlicingState;
use rusqlite::{Transaction, params};

use super::jobs::{JobRow, NewJob};
use super::stored::location_name;
use super::{App, AppError, services};

pub use row::ScheduleRow;
pub(super) use write::{folder_is_free, target};

/// So many are shown.
const NEXT_RUNS: usize = 5;
pub const FIRST_SNAPSHOT: &str = "the first snapshot of PITR";
pub const AFTER_A_RESTORE: &str = "after a restore";

impl App {
    /// By name.
    pub fn schedules(&self) -> Result<Vec<Schedule>, AppError> {
        self.db.read(|tx| {
            let rows = ScheduleRow::all(tx)?;
            rows.into_iter().map(|row| self.schedule_shown(tx, row)).collect()
        })
    }

    pub fn schedule(&self, id: &str) -> Result<Schedule, AppError> {
        self.db.read(|tx| self.schedule_shown(tx, ScheduleRow::find(tx, id)?))
    }

    /// What a cron expression means, in words and as the next starts.
    pub fn preview_cron(&self, cron: &str, time_zone: &str, start_at: Option<Timestamp>) -> Result<CronPreview, AppError> {
        let schedule = rules::parse_times(cron, time_zone, start_at).map_err(|problem| AppError::invalid(vec![problem]))?;
        Ok(CronPreview { frequency: schedule.words(), next_runs: schedule.next(self.clock.now(), NEXT_RUNS) })
    }

    fn schedule_shown(&self, tx: &Transaction<'_>, row: ScheduleRow) -> Result<Schedule, AppError> {
        let now = self.clock.now();
        let times = row.times();
        let last = JobRow::last_of_schedule(tx, &row.id)?;
        let paused = running_restore(tx, &row.cluster)?.map(|title| format!("waits until a restore has ended: {title}"));
        let service_name = match services::find(tx, &row.service_id) {
            Ok(service) => service.name,
            Err(_) => row.service_id.clone(),
        };
        let slicing = match row.input.mode {
            BackupMode::Snapshot => None,
            BackupMode::Pitr => Some(self.slicing_words(tx, &row, paused.is_some())?),
        };
        let last_run = last.map(|job| LastRun {
            at: job.started_at.unwrap_or(job.created_at),
            job_id: job.id.clone(),
            ok: match job.state {
                JobState::Done => Some(true),
                JobState::Failed | JobState::Cancelled | JobState::WaitingToRetry => Some(false),
                JobState::Queued | JobState::Running | JobState::Cancelling => None,
            },
            error: job.error.clone().or_else(|| (job.state == JobState::Cancelled).then(|| "cancelled".to_owned())),
        });
        Ok(Schedule {
            frequency: times.as_ref().map_or_else(|_| row.input.cron.clone(), |times| times.words()),
            next_runs: match times {
                Ok(times) if row.enabled => times.next(now.max(row.considered_until), NEXT_RUNS),
                _ => Vec::new(),
            },
            location_name: location_name(tx, &row.location_id)?.unwrap_or_else(|| row.location_id.clone()),
            service_name,
            cluster: row.cluster,
            paused: paused.filter(|_| row.enabled),
            last_run,
            slicing,
            created_at: row.created_at,
            updated_at: row.updated_at,
            id: row.id,
            input: row.input,
        })
    }

    /// Whether slices are being stored, or why not.
    fn slicing_words(&self, tx: &Transaction<'_>, row: &ScheduleRow, restoring: bool) -> Result<String, AppError> {
        if !row.enabled {
            return Ok("off: the schedule is disabled".to_owned());
        }
        if restoring {
            return Ok("interrupted while a restore runs".to_owned());
        }
        if row.slicing_since.is_none() {
            return Ok("begins when the first snapshot has ended".to_owned());
        }
        let now = self.clock.now();
        let mut standing_by = false;
        let mut trouble = None;
        for service in services::of_replica_set(tx, &row.cluster, &row.replica_set)? {
            if !self.agents.is_online(&service.id, now) {
                continue;
            }
            let Some(facts) = self.agents.presence(&service.id).and_then(|presence| presence.slicing) else { continue };
            match facts.state {
                SlicingState::Slicing => {
                    let lag = facts.lag_seconds.map(|seconds| format!(", {seconds} s behind")).unwrap_or_default();
                    return Ok(format!("stored by the agent of {}{lag}", service.name));
                }
                SlicingState::Retrying => {
                    trouble = Some(format!("the agent of {} tries again: {}", service.name, facts.message.unwrap_or_default()))
                }
                SlicingState::StandingBy => standing_by = true,
                SlicingState::Off => {}
            }
        }
        Ok(trouble.unwrap_or_else(|| {
            if standing_by { "an agent stands by" } else { "no agent of the replica set is online or has begun" }.to_owned()
        }))
    }

    /// The job of one run.
    pub(super) fn job_of(
        &self,
        tx: &Transaction<'_>,
        row: &ScheduleRow,
        scheduled_for: Option<Timestamp>,
        requested_by: &str,
    ) -> Result<NewJob, AppError> {
        let location = location_name(tx, &row.location_id)?.unwrap_or_else(|| row.location_id.clone());
        let service_name = services::find(tx, &row.service_id).ok().map(|service| service.name);
        Ok(NewJob {
            kind: oplogue_api::jobs::JobKind::Backup,
            title: format!("Back up {} to {location}", row.cluster),
            cluster: Some(row.cluster.clone()),
            replica_set: Some(row.replica_set.clone()),
            service_id: Some(row.service_id.clone()),
            service_name,
            location_id: row.location_id.clone(),
            folder: row.folder.clone(),
            schedule_id: Some(row.id.clone()),
            schedule_name: Some(row.name.clone()),
            scheduled_for,
            work: super::jobs::StoredWork::Backup {
                given_name: row.name.clone(),
                compression: row.input.compression.clone().unwrap_or_else(|| rules::COMPRESSION.to_owned()),
                namespaces: row.input.namespaces.clone(),
                description: row.input.description.clone(),
                trigger: oplogue_api::backups::Trigger::Scheduled,
            },
            attempts_max: rules::attempts_max(row.input.retry_mode, row.input.retries),
            retry_interval_seconds: row.input.retry_interval_seconds,
            requested_by: requested_by.to_owned(),
        })
    }
}

/// The title of the restore that runs on a cluster now.
pub(super) fn running_restore(tx: &Transaction<'_>, cluster: &str) -> rusqlite::Result<Option<String>> {
    use rusqlite::OptionalExtension;
    tx.prepare_cached(
        "SELECT title FROM jobs INDEXED BY jobs_open
         WHERE state NOT IN ('done', 'failed', 'cancelled') AND kind = 'restore' AND state IN ('running', 'cancelling') AND cluster = ?1",
    )?
    .query_row([cluster], |row| row.get(0))
    .optional()
}

/// A snapshot of a schedule is on the storage: from now on the oplog after it is worth storing.
pub(super) fn snapshot_ended_well(tx: &Transaction<'_>, job: &JobRow, now: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE schedules SET slicing_since = ?2 WHERE id = ?1 AND mode = 'pitr' AND slicing_since IS NULL
         AND cluster = ?3 AND replica_set = ?4 AND location_id = ?5 AND folder = ?6",
    )?
    .execute(params![job.schedule_id, now.to_string(), job.cluster, job.replica_set, job.location_id, job.folder])?;
    Ok(())
}

/// A restore has changed the cluster's data, or has begun to: slicing goes on after a fresh snapshot.
pub(super) fn restore_ended(tx: &Transaction<'_>, cluster: &str) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE schedules SET slicing_since = NULL, run_now = ?2 WHERE cluster = ?1 AND mode = 'pitr' AND enabled")?
        .execute(params![cluster, AFTER_A_RESTORE])?;
    tx.prepare_cached("UPDATE schedules SET slicing_since = NULL WHERE cluster = ?1 AND mode = 'pitr'")?.execute([cluster])?;
    Ok(())
}
