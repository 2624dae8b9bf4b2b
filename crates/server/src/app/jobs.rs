//! Jobs: the queue of each cluster, and what became of each attempt.
//!
//! The life of a job is [`oplogue_domain::job`]; here it is stored and told. Every change is one transaction: an attempt is assigned to one agent, in the
//! database, before the agent hears of it; what the agent reports is stored before it is acknowledged. So a server that dies at any instruction
//! finds each job again as it was: waiting in its queue, with its agent, or waiting for its next try.
//!
//! An agent that is not heard of keeps its attempt. Only its own word ends it, or a user who cancels and then does not want to wait for that
//! word any longer.

pub mod end;
mod new;
mod report;
mod row;
mod server_work;
mod start;
mod work;

use oplogue_api::Page;
use oplogue_api::jobs::{Job, JobKind, JobState, LogLevel, LogLine, LogPage};
use oplogue_api::users::Role;
use oplogue_domain::job::JobEvent;
use rusqlite::{Transaction, params};

use super::audit::Deed;
use super::services::heard_lately;
use super::stored::{instant_at, word, word_at};
use super::{Actor, App, AppError};

pub use new::NewJob;
pub use row::JobRow;
pub use server_work::{ServerWork, ServerWorks};
pub use work::StoredWork;

/// Rows of one answer, at most.
pub const PAGE_MAX: u32 = 500;
const LOG_PAGE_MAX: u32 = 5000;

/// Which jobs are listed.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    pub state: Option<JobState>,
    pub cluster: Option<String>,
    pub kind: Option<JobKind>,
    pub schedule_id: Option<String>,
    /// Only those that are not over.
    pub open: bool,
}

impl App {
    /// Newest first; plans and reports of restores, which may be long, are only told of a single job. `after`: the `next` of the page before.
    pub fn jobs(&self, filter: &JobFilter, after: Option<&str>, limit: u32) -> Result<Page<Job>, AppError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let before = match after {
            None => i64::MAX,
            Some(text) => text
                .parse()
                .map_err(|_| AppError::new(oplogue_api::ErrorCode::BadRequest, "`after` is not the `next` of an earlier answer"))?,
        };
        self.db.read(|tx| {
            let mut rows = JobRow::list(tx, filter, before, limit + 1)?;
            let most = limit as usize;
            let next = if rows.len() > most { rows.get(most - 1).map(|row| row.seq.to_string()) } else { None };
            rows.truncate(most);
            let brief = |job: Job| Job { result: job.result.filter(|_| !matches!(job.kind, JobKind::Plan | JobKind::Restore)), ..job };
            let items = rows.into_iter().map(|row| self.job_shown(tx, row).map(brief)).collect::<Result<_, _>>()?;
            Ok(Page { items, next })
        })
    }

    pub fn job(&self, id: &str) -> Result<Job, AppError> {
        self.db.read(|tx| self.job_in(tx, id))
    }

    pub(super) fn job_in(&self, tx: &Transaction<'_>, id: &str) -> Result<Job, AppError> {
        self.job_shown(tx, JobRow::find(tx, id)?)
    }

    /// What is said of it, with what it waits for.
    pub(super) fn job_shown(&self, tx: &Transaction<'_>, row: JobRow) -> Result<Job, AppError> {
        let waiting_for = if matches!(row.state, JobState::Running | JobState::Cancelling) {
            self.silent_agent(tx, &row)?
        } else {
            row.waiting_for.clone()
        };
        Ok(Job { waiting_for, ..row.into_job() })
    }

    /// That the agent of a running job is not heard of.
    fn silent_agent(&self, tx: &Transaction<'_>, row: &JobRow) -> Result<Option<String>, AppError> {
        let Some(worker) = row.worker(tx)? else { return Ok(None) };
        let now = self.clock.now();
        if self.agents.is_online(&worker.service_id, now) {
            return Ok((row.state == JobState::Cancelling).then(|| format!("the agent of {} to stop", worker.service_name)));
        }
        let presence = self.agents.presence(&worker.service_id).map(|presence| presence.last_seen);
        let since = presence.or(worker.last_seen).max(worker.heard_at).unwrap_or(worker.assigned_at);
        if heard_lately(since, now) {
            return Ok(None);
        }
        let seconds = jiff::Timestamp::from_second(since.as_second()).unwrap_or(since);
        let what_now = if row.state == JobState::Cancelling { "; cancel once more to end the job without its word" } else { "" };
        Ok(Some(format!("the agent of {}, not heard of since {seconds}{what_now}", worker.service_name)))
    }

    /// Lines later than `after` (0: from the first).
    pub fn job_log(&self, id: &str, after: u64, limit: u32) -> Result<LogPage, AppError> {
        let limit = limit.clamp(1, LOG_PAGE_MAX);
        self.db.read(|tx| {
            let job = JobRow::find(tx, id)?;
            let mut statement = tx.prepare_cached(
                "SELECT seq, at, level, source, text, attempt FROM job_lines WHERE job_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?;
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let line = |row: &rusqlite::Row<'_>| {
                Ok(LogLine {
                    seq: row.get::<_, i64>(0)?.unsigned_abs(),
                    at: instant_at(row, 1)?,
                    level: word_at(row, 2)?,
                    source: row.get(3)?,
                    text: row.get(4)?,
                    attempt: row.get(5)?,
                })
            };
            let lines = statement.query_map(params![id, after, limit], line)?.collect::<Result<Vec<_>, _>>()?;
            let end = job.state.is_over() && (lines.len() as u64) < u64::from(limit);
            Ok(LogPage { lines, end })
        })
    }

    /// The last `limit` lines earlier than `before` (`None`: the newest), oldest first, and whether there are earlier ones.
    pub fn lines_before(&self, id: &str, before: Option<u64>, limit: u32) -> Result<(Vec<LogLine>, bool), AppError> {
        let newest: Option<i64> = self.db.read(|tx| {
            let mut newest = tx.prepare_cached("SELECT max(seq) FROM job_lines WHERE job_id = ?1")?;
            Ok::<_, AppError>(newest.query_row([id], |row| row.get(0))?)
        })?;
        let newest = newest.unwrap_or(0).unsigned_abs();
        let last = before.map_or(newest, |before| before.saturating_sub(1).min(newest));
        let after = last.saturating_sub(u64::from(limit));
        let lines = self.job_log(id, after, u32::try_from(last - after).unwrap_or(limit).max(1))?.lines;
        Ok((lines.into_iter().filter(|line| line.seq <= last).collect(), after > 0))
    }

    /// Ends a job: at once when nobody works on it, else as soon as whoever does has stopped. Asked a second time while its agent is not heard of, it
    /// does not wait for the agent any longer.
    pub fn cancel_job(&self, actor: &Actor, id: &str) -> Result<Job, AppError> {
        actor.must_be(Role::Operator)?;
        let now = self.clock.now();
        let job = self.db.write(|tx| {
            let mut row = JobRow::find(tx, id)?;
            let was = row.state;
            let silent = was == JobState::Cancelling && self.silent_agent(tx, &row)?.is_some_and(|text| text.contains("not heard of"));
            let event = if silent { JobEvent::GivenUp } else { JobEvent::CancelAsked };
            row.advance(event)?;
            let text = match row.state {
                JobState::Cancelled if silent => "ended without the word of its agent, which may still be working",
                JobState::Cancelled => "cancelled before it was begun",
                _ => "cancel asked for",
            };
            row.log(tx, now, LogLevel::Warn, "server", &format!("{text}, by {}", actor.name))?;
            if row.state.is_over() {
                row.end_attempt(tx, now, None)?;
                self.job_is_over(tx, &mut row, now, false)?;
            }
            row.save(tx)?;
            self.audit(tx, actor, &Deed { action: "job.cancel", object: &row.title, detail: &row.id, ok: true })?;
            self.job_shown(tx, row)
        })?;
        self.stop_server_work(id);
        self.wake_agents();
        self.look_at_queue();
        Ok(job)
    }

    /// Has a job that failed, was cancelled, or waits for its next try, tried again now.
    pub fn retry_job(&self, actor: &Actor, id: &str) -> Result<Job, AppError> {
        actor.must_be(Role::Operator)?;
        let now = self.clock.now();
        self.db.write(|tx| {
            let mut row = JobRow::find(tx, id)?;
            if row.kind == JobKind::Restore {
                return Err(AppError::conflict("a restore is not simply tried again: what it would do is another by now")
                    .hint("make a new plan and confirm that"));
            }
            row.advance(JobEvent::RetryAsked)?;
            row.queue_again(now);
            row.attempts_max = row.attempts_max.max(row.attempt + 1);
            row.log(tx, now, LogLevel::Info, "server", &format!("to be tried again, says {}", actor.name))?;
            row.save(tx)?;
            self.audit(tx, actor, &Deed { action: "job.retry", object: &row.title, detail: &row.id, ok: true })
        })?;
        self.look_at_queue();
        self.job(id)
    }

    /// Jobs by kind and state, for metrics.
    pub fn job_counts(&self) -> Result<Vec<(JobKind, JobState, u64)>, AppError> {
        self.db.read(|tx| {
            let mut statement = tx.prepare_cached("SELECT kind, state, count(*) FROM jobs GROUP BY kind, state")?;
            let counts = statement.query_map([], |row| Ok((word_at(row, 0)?, word_at(row, 1)?, row.get::<_, i64>(2)?.unsigned_abs())))?;
            Ok(counts.collect::<Result<_, _>>()?)
        })
    }

    /// The job of this kind and cluster that ended last.
    pub fn last_job(&self, kind: JobKind, cluster: &str, state: Option<JobState>) -> Result<Option<Job>, AppError> {
        self.db.read(|tx| {
            let state = state.map(word);
            let row = JobRow::last_ended(tx, kind, cluster, state.as_deref())?;
            Ok(row.map(JobRow::into_job))
        })
    }
}
