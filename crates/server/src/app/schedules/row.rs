//! A schedule in the database.

use jiff::Timestamp;
use oplogue_api::backups::BackupMode;
use oplogue_api::schedules::ScheduleInput;
use oplogue_domain::{Schedule as Times, ScheduleError};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::app::AppError;
use crate::app::stored::{instant_at, json, json_at, maybe_instant_at, text, word, word_at};

const COLUMNS: &str = "id, name, service_id, cluster, replica_set, location_id, folder, mode, enabled, input, considered_until, next_at, run_now, \
     slicing_since, missed, created_at, updated_at";

#[derive(Debug, Clone)]
pub struct ScheduleRow {
    pub id: String,
    pub name: String,
    pub service_id: String,
    pub cluster: String,
    pub replica_set: String,
    pub location_id: String,
    pub folder: String,
    pub mode: BackupMode,
    pub enabled: bool,
    pub input: ScheduleInput,
    pub considered_until: Timestamp,
    pub next_at: Option<Timestamp>,
    pub run_now: Option<String>,
    pub slicing_since: Option<Timestamp>,
    pub missed: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<ScheduleRow> {
    let enabled = row.get(8)?;
    Ok(ScheduleRow {
        id: row.get(0)?,
        name: row.get(1)?,
        service_id: row.get(2)?,
        cluster: row.get(3)?,
        replica_set: row.get(4)?,
        location_id: row.get(5)?,
        folder: row.get(6)?,
        mode: word_at(row, 7)?,
        enabled,
        input: ScheduleInput { enabled, ..json_at(row, 9)? },
        considered_until: instant_at(row, 10)?,
        next_at: maybe_instant_at(row, 11)?,
        run_now: row.get(12)?,
        slicing_since: maybe_instant_at(row, 13)?,
        missed: row.get(14)?,
        created_at: instant_at(row, 15)?,
        updated_at: instant_at(row, 16)?,
    })
}

impl ScheduleRow {
    /// By name.
    pub fn all(tx: &Transaction<'_>) -> rusqlite::Result<Vec<Self>> {
        tx.prepare_cached(&format!("SELECT {COLUMNS} FROM schedules ORDER BY name"))?.query_map([], from_row)?.collect()
    }

    pub fn find(tx: &Transaction<'_>, id: &str) -> Result<Self, AppError> {
        let mut statement = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM schedules WHERE id = ?1"))?;
        statement.query_row([id], from_row).optional()?.ok_or_else(|| AppError::not_found("schedule", id))
    }

    pub fn enabled_pitr(tx: &Transaction<'_>, cluster: &str) -> rusqlite::Result<Option<Self>> {
        let sql = format!("SELECT {COLUMNS} FROM schedules WHERE cluster = ?1 AND mode = 'pitr' AND enabled ORDER BY created_at LIMIT 1");
        tx.prepare_cached(&sql)?.query_row([cluster], from_row).optional()
    }

    /// When it runs. Checked when it was saved; wrong only when the zone was taken out of the world since.
    pub fn times(&self) -> Result<Times, ScheduleError> {
        Times::parse(&self.input.cron, &self.input.time_zone, self.input.start_at)
    }

    /// Everything up to `now` is settled; the next occurrence is the one after.
    pub fn settle(&mut self, considered_until: Timestamp) {
        self.considered_until = considered_until;
        self.next_at = self.times().ok().and_then(|times| times.next_after(considered_until));
    }

    /// Inserts it, or replaces all of it.
    pub fn save(&self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        tx.prepare_cached(&format!(
            "INSERT INTO schedules ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
             ON CONFLICT (id) DO UPDATE SET name = ?2, service_id = ?3, cluster = ?4, replica_set = ?5, location_id = ?6, folder = ?7, mode = ?8,
                 enabled = ?9, input = ?10, considered_until = ?11, next_at = ?12, run_now = ?13, slicing_since = ?14, missed = ?15, updated_at = ?17"
        ))?
        .execute(params![
            self.id,
            self.name,
            self.service_id,
            self.cluster,
            self.replica_set,
            self.location_id,
            self.folder,
            word(self.mode),
            self.enabled,
            json(&self.input),
            self.considered_until.to_string(),
            text(self.next_at),
            self.run_now,
            text(self.slicing_since),
            self.missed,
            self.created_at.to_string(),
            self.updated_at.to_string()
        ])?;
        Ok(())
    }
}
