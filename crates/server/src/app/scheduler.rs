//! The tick that turns time into jobs.
//!
//! Each tick looks at the database and the clock, and nothing else: whatever a tick did not come to is there for the next one, also after a restart. A run
//! and the knowledge that its time is settled are stored in one transaction.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use oplogue_api::jobs::{JobState, LogLevel};
use oplogue_domain::due;
use oplogue_domain::job::JobEvent;
use oplogue_domain::schedule::MISSED_COUNTED_MAX;
use rusqlite::params;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::jobs::JobRow;
use super::schedules::{AFTER_A_RESTORE, ScheduleRow, running_restore};
use super::{App, AppError};

const TICK: Duration = Duration::from_secs(1);
/// With a clock that runs fast for tests.
const TICK_MIN: Duration = Duration::from_millis(20);
/// Jobs that ended longer ago are forgotten, but for those that made a backup: they know who wanted it, and what for.
const JOBS_KEPT: SignedDuration = SignedDuration::from_hours(24 * 365);
/// Of successful jobs the lines are of interest for a while only.
const LINES_KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Of the snapshot after a restore, when its schedule says less.
const BASE_ATTEMPTS: u32 = 11;
const BASE_RETRY_SECONDS: u32 = 60;
const CLEANED_EVERY: Duration = Duration::from_secs(3600);

/// Ticks until `stop`. May be dropped at any await.
pub async fn run(app: App, stop: CancellationToken) {
    let every = TICK.div_f64(app.config.clock_rate.max(1.0)).max(TICK_MIN);
    let mut next_cleaning = tokio::time::Instant::now();
    let mut following: Option<tokio::task::JoinHandle<()>> = None;
    app.do_server_work();
    loop {
        if let Err(error) = app.tick() {
            error!(%error, cause = ?error.cause, "a tick of the scheduler failed; the next one tries again");
        }
        // One at a time, beside the ticks: storages may be slow.
        if following.as_ref().is_none_or(tokio::task::JoinHandle::is_finished) {
            let app = app.clone();
            following = Some(tokio::spawn(async move {
                if let Err(error) = app.follow_ended_jobs().await {
                    error!(%error, cause = ?error.cause, "what follows from ended jobs could not be done; it is tried again");
                }
            }));
        }
        if next_cleaning <= tokio::time::Instant::now() {
            next_cleaning = tokio::time::Instant::now() + CLEANED_EVERY;
            if let Err(error) = app.forget_old_jobs() {
                error!(%error, cause = ?error.cause, "old jobs could not be forgotten");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return app.stopping.cancel(),
            () = app.tick_wanted.notified() => {}
            () = tokio::time::sleep(every) => {}
        }
    }
}

impl App {
    /// The next tick comes at once.
    pub(super) fn tick_soon(&self) {
        self.tick_wanted.notify_one();
    }

    /// One look at everything that time brings about.
    pub fn tick(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        self.start_due_schedules(now)?;
        self.queue_due_retries(now)?;
        self.look_at_queue();
        self.do_server_work();
        Ok(())
    }

    fn start_due_schedules(&self, now: Timestamp) -> Result<(), AppError> {
        let wants_a_look = |row: &ScheduleRow| {
            let is_due = row.next_at.is_some_and(|next| next <= now);
            row.enabled && (row.run_now.is_some() || is_due || row.considered_until.duration_since(now) > SignedDuration::from_hours(24))
        };
        let rows = self.db.read(ScheduleRow::all)?;
        for row in rows.iter().filter(|row| wants_a_look(row)) {
            // Each its own transaction: one that cannot be stored holds up none of the others.
            if let Err(error) = self.start_if_due(&row.id, now) {
                error!(schedule = row.name, %error, cause = ?error.cause, "a scheduled backup could not be started; it is tried again");
            }
        }
        Ok(())
    }

    fn start_if_due(&self, id: &str, now: Timestamp) -> Result<(), AppError> {
        self.db.write(|tx| {
            let mut row = ScheduleRow::find(tx, id)?;
            // A run that is not over holds up the next one, and so does a restore; then there is one run for all that came meanwhile.
            let held = JobRow::open_of_schedule(tx, id)?.is_some() || running_restore(tx, &row.cluster)?.is_some();
            if !row.enabled || held {
                return Ok(());
            }
            let Ok(times) = row.times() else { return Ok(()) };
            let due = due(&times, row.considered_until, now);
            let (scheduled_for, requested_by) = match (&row.run_now, due.run) {
                (Some(why), _) => (None, why.clone()),
                (None, Some(at)) => (Some(at), format!("schedule {}", row.name)),
                (None, None) => {
                    if due.considered_until != row.considered_until {
                        row.settle(due.considered_until);
                        row.save(tx)?;
                    }
                    return Ok(());
                }
            };
            let mut job = self.job_of(tx, &row, scheduled_for, &requested_by)?;
            if row.run_now.as_deref() == Some(AFTER_A_RESTORE) && job.attempts_max < BASE_ATTEMPTS {
                // Until it is there nothing is protected: nobody is asked whether it may be tried again.
                (job.attempts_max, job.retry_interval_seconds) = (BASE_ATTEMPTS, BASE_RETRY_SECONDS);
            }
            if let Some(job_id) = self.insert_job(tx, &job)? {
                info!(schedule = row.name, job = job_id, missed = due.missed, "scheduled backup wanted");
                if due.missed > 0 {
                    let several =
                        if due.missed >= MISSED_COUNTED_MAX { format!("{MISSED_COUNTED_MAX} or more") } else { due.missed.to_string() };
                    let line = format!("{several} earlier times passed without a run; this one stands for them");
                    JobRow::find(tx, &job_id)?.log(tx, now, LogLevel::Warn, "server", &line)?;
                }
            }
            row.run_now = None;
            row.missed = due.missed;
            row.settle(due.considered_until);
            Ok(row.save(tx)?)
        })
    }

    fn queue_due_retries(&self, now: Timestamp) -> Result<(), AppError> {
        // No try is further away than the interval, unless the clock was wrong when that was reckoned.
        let is_due = |job: &JobRow| job.retry_at.is_none_or(|at| at <= now || at.duration_since(now) > job.retries().interval);
        let waiting = self.db.read(|tx| JobRow::in_state(tx, &[JobState::WaitingToRetry]))?;
        if !waiting.iter().any(is_due) {
            return Ok(());
        }
        self.db.write(|tx| {
            for mut job in JobRow::in_state(tx, &[JobState::WaitingToRetry])?.into_iter().filter(is_due) {
                job.advance(JobEvent::RetryDue)?;
                job.retry_at = None;
                job.save(tx)?;
            }
            Ok(())
        })
    }

    fn forget_old_jobs(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        let before = |kept: SignedDuration| now.checked_sub(kept).map(|at| at.to_string()).map_err(AppError::internal);
        let (jobs, lines) = (before(JOBS_KEPT)?, before(LINES_KEPT)?);
        self.note_gone_backups()?;
        self.db.write(|tx| {
            tx.execute(
                "DELETE FROM job_lines WHERE job_id IN
                     (SELECT id FROM jobs WHERE state IN ('done', 'cancelled') AND kind <> 'restore' AND finished_at < ?1)",
                params![lines],
            )?;
            // What made a backup that is still there knows who wanted it, and what for.
            tx.execute(
                "DELETE FROM jobs WHERE state IN ('done', 'failed', 'cancelled') AND followed = 1 AND finished_at < ?1
                     AND (kind <> 'backup' OR state <> 'done' OR gone = 1)",
                params![jobs],
            )?;
            Ok(())
        })
    }
}
