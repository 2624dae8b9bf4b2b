//! Services in the database.

use jiff::Timestamp;
use oplogue_api::agent::AgentFacts;
use oplogue_api::services::SlicingFacts;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::app::AppError;
use crate::app::stored::{instant_at, json_at, maybe_instant_at, maybe_json_at};
use crate::app::tokens::hash;

const COLUMNS: &str = "id, name, cluster, replica_set, member, created_at, enrolled_at, last_seen, facts, slicing";

#[derive(Debug, Clone)]
pub(in crate::app) struct ServiceRow {
    pub id: String,
    pub name: String,
    pub cluster: Option<String>,
    pub replica_set: String,
    pub member: String,
    pub created_at: Timestamp,
    pub enrolled_at: Timestamp,
    pub last_seen: Option<Timestamp>,
    pub facts: AgentFacts,
    pub slicing: Option<SlicingFacts>,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<ServiceRow> {
    Ok(ServiceRow {
        id: row.get(0)?,
        name: row.get(1)?,
        cluster: row.get(2)?,
        replica_set: row.get(3)?,
        member: row.get(4)?,
        created_at: instant_at(row, 5)?,
        enrolled_at: instant_at(row, 6)?,
        last_seen: maybe_instant_at(row, 7)?,
        facts: json_at(row, 8)?,
        slicing: maybe_json_at(row, 9)?,
    })
}

/// By name.
pub(in crate::app) fn all(tx: &Transaction<'_>) -> rusqlite::Result<Vec<ServiceRow>> {
    tx.prepare_cached(&format!("SELECT {COLUMNS} FROM services ORDER BY name"))?.query_map([], from_row)?.collect()
}

pub(in crate::app) fn find(tx: &Transaction<'_>, id: &str) -> Result<ServiceRow, AppError> {
    let mut statement = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM services WHERE id = ?1"))?;
    statement.query_row([id], from_row).optional()?.ok_or_else(|| AppError::not_found("service", id))
}

pub(in crate::app) fn of_replica_set(tx: &Transaction<'_>, cluster: &str, replica_set: &str) -> rusqlite::Result<Vec<ServiceRow>> {
    let mut statement =
        tx.prepare_cached(&format!("SELECT {COLUMNS} FROM services WHERE cluster = ?1 AND replica_set = ?2 ORDER BY name"))?;
    statement.query_map(params![cluster, replica_set], from_row)?.collect()
}

pub(in crate::app) fn with_credential(tx: &Transaction<'_>, credential: &str) -> rusqlite::Result<Option<ServiceRow>> {
    let mut statement = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM services WHERE credential = ?1"))?;
    statement.query_row([hash(credential)], from_row).optional()
}

/// The service of this very member. A label that is not known yet, here or there, does not make it another one.
pub(in crate::app) fn of_member(tx: &Transaction<'_>, cluster: Option<&str>, facts: &AgentFacts) -> rusqlite::Result<Option<ServiceRow>> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM services WHERE replica_set = ?1 AND member = ?2 AND (cluster IS NULL OR ?3 IS NULL OR cluster = ?3)
         ORDER BY cluster IS NULL, created_at LIMIT 1"
    ))?;
    statement.query_row(params![facts.replica_set, facts.member, cluster], from_row).optional()
}
