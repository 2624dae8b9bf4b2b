//! A job in the database.

use jiff::Timestamp;
use oplogue_api::agent::{AttemptId, Outcome};
use oplogue_api::jobs::{Job, JobKind, JobState, JobStep, LogLevel};
use oplogue_domain::job::{self as life, JobEvent};
use rusqlite::{OptionalExtension, Row, ToSql, Transaction, params};

use super::{JobFilter, StoredWork};
use crate::app::AppError;
use crate::app::stored::{instant_at, json, json_at, maybe_instant_at, maybe_json_at, text, word, word_at};

const COLUMNS: &str = "j.seq, j.id, j.kind, j.state, j.title, j.queue, j.cluster, j.replica_set, j.service_id, j.service_name, j.location_id, \
     j.location_name, j.folder, j.schedule_id, j.schedule_name, j.scheduled_for, j.backup_name, j.work, j.attempt, j.attempts_max, \
     j.retry_interval_seconds, j.requested_by, j.created_at, j.started_at, j.finished_at, j.retry_at, j.waiting_for, j.steps, j.error, j.hint, \
     j.result, j.followed";

/// Lines of one job. More would be noise: what matters is told at the end, and lines of the end are always kept.
const LINES_MAX: i64 = 20_000;
const LINE_CHARACTERS_MAX: usize = 4000;

#[derive(Debug, Clone)]
pub struct JobRow {
    pub seq: i64,
    pub id: String,
    pub kind: JobKind,
    pub state: JobState,
    pub title: String,
    pub queue: String,
    pub cluster: Option<String>,
    pub replica_set: Option<String>,
    pub service_id: Option<String>,
    pub service_name: Option<String>,
    pub location_id: Option<String>,
    pub location_name: Option<String>,
    pub folder: Option<String>,
    pub schedule_id: Option<String>,
    pub schedule_name: Option<String>,
    pub scheduled_for: Option<Timestamp>,
    pub backup_name: Option<String>,
    pub work: StoredWork,
    /// 0 before the first.
    pub attempt: u32,
    pub attempts_max: u32,
    pub retry_interval_seconds: u32,
    pub requested_by: String,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub retry_at: Option<Timestamp>,
    pub waiting_for: Option<String>,
    pub steps: Vec<JobStep>,
    pub error: Option<String>,
    pub hint: Option<String>,
    pub result: Option<serde_json::Value>,
    pub followed: bool,
}

/// Who carries out the current attempt.
#[derive(Debug, Clone)]
pub struct Worker {
    pub service_id: String,
    pub service_name: String,
    pub assigned_at: Timestamp,
    pub heard_at: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<JobRow> {
    Ok(JobRow {
        seq: row.get(0)?,
        id: row.get(1)?,
        kind: word_at(row, 2)?,
        state: word_at(row, 3)?,
        title: row.get(4)?,
        queue: row.get(5)?,
        cluster: row.get(6)?,
        replica_set: row.get(7)?,
        service_id: row.get(8)?,
        service_name: row.get(9)?,
        location_id: row.get(10)?,
        location_name: row.get(11)?,
        folder: row.get(12)?,
        schedule_id: row.get(13)?,
        schedule_name: row.get(14)?,
        scheduled_for: maybe_instant_at(row, 15)?,
        backup_name: row.get(16)?,
        work: json_at(row, 17)?,
        attempt: row.get(18)?,
        attempts_max: row.get(19)?,
        retry_interval_seconds: row.get(20)?,
        requested_by: row.get(21)?,
        created_at: instant_at(row, 22)?,
        started_at: maybe_instant_at(row, 23)?,
        finished_at: maybe_instant_at(row, 24)?,
        retry_at: maybe_instant_at(row, 25)?,
        waiting_for: row.get(26)?,
        steps: json_at(row, 27)?,
        error: row.get(28)?,
        hint: row.get(29)?,
        result: maybe_json_at(row, 30)?,
        followed: row.get(31)?,
    })
}

impl JobRow {
    pub fn find(tx: &Transaction<'_>, id: &str) -> Result<Self, AppError> {
        Self::look_up(tx, id)?.ok_or_else(|| AppError::not_found("job", id))
    }

    pub fn look_up(tx: &Transaction<'_>, id: &str) -> rusqlite::Result<Option<Self>> {
        tx.prepare_cached(&format!("SELECT {COLUMNS} FROM jobs j WHERE j.id = ?1"))?.query_row([id], from_row).optional()
    }

    /// Newest first, those that arrived before number `before`.
    pub fn list(tx: &Transaction<'_>, filter: &JobFilter, before: i64, limit: u32) -> rusqlite::Result<Vec<Self>> {
        // Only what is asked for stands in the question, so that the index that fits is used.
        let (state, kind) = (filter.state.map(word), filter.kind.map(word));
        let mut values: Vec<&dyn ToSql> = vec![&before, &limit];
        let mut conditions = String::new();
        let wanted = [("state", &state), ("kind", &kind), ("cluster", &filter.cluster), ("schedule_id", &filter.schedule_id)];
        for (column, value) in &wanted {
            if let Some(value) = value {
                values.push(value);
                conditions = format!("{conditions} AND j.{column} = ?{}", values.len());
            }
        }
        if filter.open {
            conditions.push_str(" AND j.state NOT IN ('done', 'failed', 'cancelled')");
        }
        let sql = format!("SELECT {COLUMNS} FROM jobs j WHERE j.seq < ?1{conditions} ORDER BY j.seq DESC LIMIT ?2");
        tx.prepare_cached(&sql)?.query_map(values.as_slice(), from_row)?.collect()
    }

    /// All that are in one of these states, in the order of arrival.
    pub fn in_state(tx: &Transaction<'_>, states: &[JobState]) -> rusqlite::Result<Vec<Self>> {
        // The words are ours. Named like this, the index of open jobs is used.
        let states: Vec<String> = states.iter().map(|state| format!("'{}'", word(state))).collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs j WHERE j.state NOT IN ('done', 'failed', 'cancelled') AND j.state IN ({}) ORDER BY j.seq",
            states.join(", ")
        );
        tx.prepare_cached(&sql)?.query_map([], from_row)?.collect()
    }

    /// Over, and what follows from that is not done yet.
    pub fn unfollowed(tx: &Transaction<'_>) -> rusqlite::Result<Vec<Self>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs j WHERE j.followed = 0 AND j.state IN ('done', 'failed', 'cancelled') ORDER BY j.seq LIMIT 100"
        );
        tx.prepare_cached(&sql)?.query_map([], from_row)?.collect()
    }

    /// Those whose current attempt is this agent's.
    pub fn worked_on_by(tx: &Transaction<'_>, service_id: &str) -> rusqlite::Result<Vec<Self>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM job_attempts a JOIN jobs j ON j.id = a.job_id AND j.attempt = a.attempt
             WHERE a.service_id = ?1 AND a.ended_at IS NULL AND j.state IN ('running', 'cancelling') ORDER BY j.seq"
        );
        tx.prepare_cached(&sql)?.query_map([service_id], from_row)?.collect()
    }

    pub fn last_ended(tx: &Transaction<'_>, kind: JobKind, cluster: &str, state: Option<&str>) -> rusqlite::Result<Option<Self>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs j WHERE j.cluster = ?1 AND j.kind = ?2 AND j.finished_at IS NOT NULL AND (?3 IS NULL OR j.state = ?3)
             ORDER BY j.seq DESC LIMIT 1"
        );
        tx.prepare_cached(&sql)?.query_row(params![cluster, word(kind), state], from_row).optional()
    }

    /// The schedule's job that is not over.
    pub fn open_of_schedule(tx: &Transaction<'_>, schedule_id: &str) -> rusqlite::Result<Option<Self>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs j INDEXED BY jobs_open WHERE j.schedule_id = ?1 AND j.kind = 'backup' AND j.state NOT IN ('done', 'failed', 'cancelled')
             ORDER BY j.seq DESC LIMIT 1"
        );
        tx.prepare_cached(&sql)?.query_row([schedule_id], from_row).optional()
    }

    pub fn last_of_schedule(tx: &Transaction<'_>, schedule_id: &str) -> rusqlite::Result<Option<Self>> {
        let sql = format!("SELECT {COLUMNS} FROM jobs j WHERE j.schedule_id = ?1 AND j.kind = 'backup' ORDER BY j.seq DESC LIMIT 1");
        tx.prepare_cached(&sql)?.query_row([schedule_id], from_row).optional()
    }

    pub fn attempt_id(&self) -> AttemptId {
        AttemptId { job_id: self.id.clone(), attempt: self.attempt }
    }

    pub fn retries(&self) -> life::Retries {
        life::Retries {
            attempts_max: self.attempts_max.max(1),
            interval: jiff::SignedDuration::from_secs(self.retry_interval_seconds.into()),
        }
    }

    /// The only way to another state.
    pub fn advance(&mut self, event: JobEvent) -> Result<(), AppError> {
        let next = life::advance(domain_state(self.state), event).map_err(|error| AppError::conflict(error.to_string()))?;
        self.state = api_state(next);
        Ok(())
    }

    /// Forgets how the last attempt ended.
    pub fn queue_again(&mut self, now: Timestamp) {
        let _ = now;
        (self.retry_at, self.finished_at, self.waiting_for) = (None, None, None);
        (self.error, self.hint, self.steps, self.followed) = (None, None, Vec::new(), false);
    }

    /// Stores everything that may change.
    pub fn save(&self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        tx.prepare_cached(
            "UPDATE jobs SET state = ?2, backup_name = ?3, attempt = ?4, attempts_max = ?5, started_at = ?6, finished_at = ?7, retry_at = ?8,
             waiting_for = ?9, steps = ?10, error = ?11, hint = ?12, result = ?13, followed = ?14 WHERE id = ?1",
        )?
        .execute(params![
            self.id,
            word(self.state),
            self.backup_name,
            self.attempt,
            self.attempts_max,
            text(self.started_at),
            text(self.finished_at),
            text(self.retry_at),
            self.waiting_for,
            json(&self.steps),
            self.error,
            self.hint,
            self.result.as_ref().map(json),
            self.followed
        ])?;
        Ok(())
    }

    /// Who works on it now.
    pub fn worker(&self, tx: &Transaction<'_>) -> rusqlite::Result<Option<Worker>> {
        let mut statement = tx.prepare_cached(
            "SELECT a.service_id, a.service_name, a.assigned_at, a.heard_at, s.last_seen FROM job_attempts a LEFT JOIN services s ON s.id = a.service_id
             WHERE a.job_id = ?1 AND a.attempt = ?2 AND a.ended_at IS NULL AND a.service_id IS NOT NULL",
        )?;
        let worker = |row: &Row<'_>| {
            Ok(Worker {
                service_id: row.get(0)?,
                service_name: row.get(1)?,
                assigned_at: instant_at(row, 2)?,
                heard_at: maybe_instant_at(row, 3)?,
                last_seen: maybe_instant_at(row, 4)?,
            })
        };
        statement.query_row(params![self.id, self.attempt], worker).optional()
    }

    pub fn end_attempt(&self, tx: &Transaction<'_>, now: Timestamp, outcome: Option<&Outcome>) -> rusqlite::Result<()> {
        tx.prepare_cached("UPDATE job_attempts SET ended_at = ?3, outcome = coalesce(?4, outcome) WHERE job_id = ?1 AND attempt = ?2 AND ended_at IS NULL")?
            .execute(params![self.id, self.attempt, now.to_string(), outcome.map(json)])?;
        Ok(())
    }

    pub fn log(&self, tx: &Transaction<'_>, at: Timestamp, level: LogLevel, source: &str, line: &str) -> rusqlite::Result<()> {
        self.log_of_attempt(tx, at, level, source, line, self.attempt.max(1))
    }

    pub fn log_of_attempt(
        &self,
        tx: &Transaction<'_>,
        at: Timestamp,
        level: LogLevel,
        source: &str,
        line: &str,
        attempt: u32,
    ) -> rusqlite::Result<()> {
        let last: i64 =
            tx.prepare_cached("SELECT coalesce(max(seq), 0) FROM job_lines WHERE job_id = ?1")?.query_row([&self.id], |row| row.get(0))?;
        // The server's own few lines are always kept.
        if last >= LINES_MAX && source != "server" {
            return Ok(());
        }
        let note = "from here on lines are left out: this job has said enough";
        let (line, source) = if last == LINES_MAX - 1 && source != "server" { (note, "server") } else { (line, source) };
        let cut = line.char_indices().nth(LINE_CHARACTERS_MAX).map_or(line, |(at, _)| &line[..at]);
        tx.prepare_cached("INSERT INTO job_lines (job_id, seq, at, level, source, text, attempt) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![self.id, last + 1, at.to_string(), word(level), source, cut, attempt])?;
        Ok(())
    }

    pub fn into_job(self) -> Job {
        Job {
            id: self.id,
            kind: self.kind,
            state: self.state,
            title: self.title,
            cluster: self.cluster,
            service_id: self.service_id,
            service_name: self.service_name,
            location_id: self.location_id,
            location_name: self.location_name,
            folder: self.folder,
            schedule_id: self.schedule_id,
            backup_name: self.backup_name,
            attempt: self.attempt.max(1),
            attempts_max: self.attempts_max,
            requested_by: self.requested_by,
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            retry_at: self.retry_at,
            waiting_for: self.waiting_for,
            steps: self.steps,
            error: self.error,
            hint: self.hint,
            result: self.result,
        }
    }
}

const fn domain_state(state: JobState) -> life::JobState {
    match state {
        JobState::Queued => life::JobState::Queued,
        JobState::Running => life::JobState::Running,
        JobState::Cancelling => life::JobState::Cancelling,
        JobState::WaitingToRetry => life::JobState::WaitingToRetry,
        JobState::Done => life::JobState::Done,
        JobState::Failed => life::JobState::Failed,
        JobState::Cancelled => life::JobState::Cancelled,
    }
}

const fn api_state(state: life::JobState) -> JobState {
    match state {
        life::JobState::Queued => JobState::Queued,
        life::JobState::Running => JobState::Running,
        life::JobState::Cancelling => JobState::Cancelling,
        life::JobState::WaitingToRetry => JobState::WaitingToRetry,
        life::JobState::Done => JobState::Done,
        life::JobState::Failed => JobState::Failed,
        life::JobState::Cancelled => JobState::Cancelled,
    }
}

impl JobRow {
    /// `done`, `waiting to retry`
    pub fn state_words(&self) -> &'static str {
        domain_state(self.state).as_str()
    }
}
