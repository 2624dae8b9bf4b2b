//! What agents report of their attempts.
//!
//! A report carries a number that grows within its attempt; one that was heard before changes nothing, so that an agent may send it until it is acknowledged.
//! Reports of attempts that are not (any more) this agent's are acknowledged too, or it would send them for ever; with its next sync it hears that
//! nobody wants them.

use jiff::Timestamp;
use oplogue_api::ErrorCode;
use oplogue_api::agent::{AttemptId, Outcome, Report};
use oplogue_api::jobs::{JobKind, JobState, LogLevel};
use oplogue_domain::job::{self as life, JobEvent};
use rusqlite::{OptionalExtension, Transaction, params};
use tracing::info;

use super::JobRow;
use crate::app::stored::json;
use crate::app::{App, AppError};

const LINES_MAX: usize = 10_000;
const STEPS_MAX: usize = 1000;

impl App {
    /// Hears what became of an attempt since the last report. Once this returns, it is stored.
    pub fn report(&self, service_id: &str, job_id: &str, report: &Report) -> Result<(), AppError> {
        if report.lines.len() > LINES_MAX || report.steps.len() > STEPS_MAX {
            return Err(AppError::new(ErrorCode::Invalid, format!("a report has at most {LINES_MAX} lines and {STEPS_MAX} steps")));
        }
        let now = self.clock.now();
        let over = self.db.write(|tx| self.hear_report(tx, service_id, job_id, report, now))?;
        if over {
            self.wake_agents();
            self.look_at_queue();
            self.tick_soon();
        }
        Ok(())
    }

    /// Whether the attempt has ended with this.
    fn hear_report(&self, tx: &Transaction<'_>, service_id: &str, job_id: &str, report: &Report, now: Timestamp) -> Result<bool, AppError> {
        let Some(mut job) = JobRow::look_up(tx, job_id)? else { return Ok(false) };
        let mut statement = tx.prepare_cached(
            "SELECT service_name, report, ended_at IS NOT NULL FROM job_attempts WHERE job_id = ?1 AND attempt = ?2 AND service_id = ?3",
        )?;
        let found = statement.query_row(params![job_id, report.attempt, service_id], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.unsigned_abs(), row.get::<_, bool>(2)?))
        });
        let Some((service_name, heard, ended)) = found.optional()? else { return Ok(false) };
        // An outcome counts even under a number that was heard: its agent may not know that the server died after it had heard the report before.
        let news = report.number > heard;
        if !news && (ended || report.outcome.is_none()) {
            return Ok(false);
        }
        let number = i64::try_from(report.number.max(heard)).map_err(|_| AppError::field("number", "is too large"))?;
        tx.prepare_cached(
            "UPDATE job_attempts SET report = ?3, heard_at = ?4, outcome = coalesce(outcome, ?5) WHERE job_id = ?1 AND attempt = ?2",
        )?
        .execute(params![job_id, report.attempt, number, now.to_string(), report.outcome.as_ref().map(json)])?;
        for line in report.lines.iter().filter(|_| news) {
            job.log_of_attempt(tx, line.at, line.level, &service_name, &line.text, report.attempt)?;
        }
        let current = report.attempt == job.attempt && !ended && matches!(job.state, JobState::Running | JobState::Cancelling);
        if !current {
            if let Some(outcome) = &report.outcome {
                let line = format!("attempt {} was over here already; its agent says now: {}", report.attempt, said(outcome));
                job.log_of_attempt(tx, now, LogLevel::Warn, "server", &line, report.attempt)?;
            }
            return Ok(false);
        }
        job.steps.clone_from(&report.steps);
        if let Some(outcome) = &report.outcome {
            self.attempt_ended(tx, &mut job, outcome, now)?;
        }
        job.save(tx)?;
        Ok(report.outcome.is_some())
    }

    /// What follows for the job. The caller saves it.
    pub(super) fn attempt_ended(&self, tx: &Transaction<'_>, job: &mut JobRow, outcome: &Outcome, now: Timestamp) -> Result<(), AppError> {
        job.end_attempt(tx, now, Some(outcome))?;
        let mut refused = false;
        match outcome {
            Outcome::BackedUp { .. } if job.kind == JobKind::Backup => {
                job.result = Some(serde_json::to_value(outcome).map_err(AppError::internal)?);
                job.advance(JobEvent::Succeeded)?;
            }
            Outcome::Planned { plan } if job.kind == JobKind::Plan => {
                job.result = Some(serde_json::to_value(plan).map_err(AppError::internal)?);
                job.advance(JobEvent::Succeeded)?;
            }
            Outcome::Restored { report } if job.kind == JobKind::Restore => {
                job.result = Some(serde_json::to_value(report).map_err(AppError::internal)?);
                job.advance(JobEvent::Succeeded)?;
            }
            Outcome::Cancelled { state } => {
                job.error = Some(state.clone()).filter(|state| !state.is_empty());
                job.advance(JobEvent::Stopped)?;
            }
            Outcome::Refused { reason, hint } => {
                (job.error, job.hint) = (Some(reason.clone()), hint.clone());
                refused = true;
                job.advance(JobEvent::Refused)?;
            }
            Outcome::Failed { error, hint, retryable } => {
                (job.error, job.hint) = (Some(error.clone()), hint.clone());
                self.attempt_failed(job, *retryable, now)?;
            }
            Outcome::BackedUp { .. } | Outcome::Planned { .. } | Outcome::Restored { .. } => {
                job.error = Some(format!("the agent was given another kind of work than it says it did: {}", said(outcome)));
                job.advance(JobEvent::AttemptFailed { again: false })?;
            }
        }
        let level = if job.state == JobState::Done { LogLevel::Info } else { LogLevel::Error };
        let mut line = format!("{}: {}", job.state_words(), said(outcome));
        if let Some(at) = job.retry_at {
            line = format!("{line}; tried again at {at}");
        }
        job.log(tx, now, level, "server", &line)?;
        info!(job = job.id, title = job.title, state = job.state_words(), "attempt ended");
        if job.state.is_over() {
            self.job_is_over(tx, job, now, refused)?;
        }
        Ok(())
    }

    fn attempt_failed(&self, job: &mut JobRow, retryable: bool, now: Timestamp) -> Result<(), AppError> {
        let again = life::after_failure(job.retries(), job.attempt, retryable, now);
        job.advance(JobEvent::AttemptFailed { again: again.is_some() })?;
        if job.state == JobState::WaitingToRetry {
            job.retry_at = again;
        }
        Ok(())
    }

    /// Whoever worked for this service will not say what became of it.
    pub(in crate::app) fn end_attempts_of(&self, tx: &Transaction<'_>, service_id: &str, why: &str) -> Result<(), AppError> {
        let now = self.clock.now();
        for mut job in JobRow::worked_on_by(tx, service_id)? {
            let outcome = Outcome::Failed { error: why.to_owned(), hint: None, retryable: true };
            self.attempt_ended(tx, &mut job, &outcome, now)?;
            job.save(tx)?;
        }
        Ok(())
    }

    /// Ends jobs that are to be cancelled and that their agent, by its own word, does not have.
    pub(in crate::app) fn end_cancelled_unknown(&self, service_id: &str, known: &[AttemptId]) -> Result<(), AppError> {
        let unknown = |job: &JobRow| job.state == JobState::Cancelling && !known.contains(&job.attempt_id());
        if !self.db.read(|tx| JobRow::worked_on_by(tx, service_id))?.iter().any(unknown) {
            return Ok(());
        }
        let now = self.clock.now();
        self.db.write(|tx| {
            for mut job in JobRow::worked_on_by(tx, service_id)?.into_iter().filter(unknown) {
                let outcome = Outcome::Cancelled { state: "it was not begun".to_owned() };
                self.attempt_ended(tx, &mut job, &outcome, now)?;
                job.save(tx)?;
            }
            Ok::<_, AppError>(())
        })?;
        self.look_at_queue();
        Ok(())
    }
}

/// An outcome in a few words.
fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::BackedUp { bytes, documents, restores_to, .. } => {
            format!("{documents} documents in {bytes} bytes, restores to {}", restores_to.at)
        }
        Outcome::Planned { plan } => format!("a plan to restore {} collections to {}", plan.collections.len(), plan.through.at),
        Outcome::Restored { report } => format!("{} collections restored", report.collections),
        Outcome::Cancelled { state } if state.is_empty() => "stopped".to_owned(),
        Outcome::Cancelled { state } => state.clone(),
        Outcome::Refused { reason, .. } => reason.clone(),
        Outcome::Failed { error, .. } => error.clone(),
    }
}
