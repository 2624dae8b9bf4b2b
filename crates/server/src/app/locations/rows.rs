//! Locations and their tests in the database.

use std::collections::BTreeMap;

use jiff::Timestamp;
use oplogue_api::locations::{LocationKind, LocationSecrets, LocationSettings};
use oplogue_api::services::{LocationReach, ProbeStep};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::trials::Trial;
use crate::app::AppError;
use crate::app::stored::{instant_at, json, json_at, word_at};
use crate::vault::Vault;

const COLUMNS: &str = "id, name, description, kind, settings, secrets, created_at, updated_at";

/// A step that stands for all four when nothing could be tried.
const OPEN: &str = "open";

#[derive(Debug)]
pub(super) struct LocationRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) kind: LocationKind,
    pub(super) settings: LocationSettings,
    sealed: Option<Vec<u8>>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

impl LocationRow {
    pub(super) fn has_secrets(&self) -> bool {
        self.sealed.is_some()
    }

    pub(super) fn secrets(&self, vault: &Vault) -> Result<LocationSecrets, AppError> {
        let Some(sealed) = &self.sealed else { return Ok(LocationSecrets::default()) };
        let bytes = vault.unseal(&belongs_to(&self.id), sealed)?;
        serde_json::from_slice(&bytes).map_err(AppError::internal)
    }
}

/// What the vault binds a location's secrets to.
pub(super) fn belongs_to(id: &str) -> String {
    format!("location {id}")
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<LocationRow> {
    Ok(LocationRow {
        id: row.get(0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        kind: word_at(row, 3)?,
        settings: json_at(row, 4)?,
        sealed: row.get(5)?,
        created_at: instant_at(row, 6)?,
        updated_at: instant_at(row, 7)?,
    })
}

/// By name.
pub(super) fn all(tx: &Transaction<'_>) -> rusqlite::Result<Vec<LocationRow>> {
    tx.prepare_cached(&format!("SELECT {COLUMNS} FROM locations ORDER BY name"))?.query_map([], from_row)?.collect()
}

pub(super) fn find(tx: &Transaction<'_>, id: &str) -> Result<LocationRow, AppError> {
    let mut statement = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM locations WHERE id = ?1"))?;
    statement.query_row([id], from_row).optional()?.ok_or_else(|| AppError::not_found("location", id))
}

/// Keeps what was found, for everybody who was asked.
pub(super) fn remember(tx: &Transaction<'_>, location_id: &str, trial: &Trial, now: Timestamp) -> Result<(), AppError> {
    let sql = "INSERT INTO location_tests (location_id, service_id, steps, problem, checked_at) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO UPDATE SET steps = ?3, problem = ?4, checked_at = ?5";
    for (service_id, finding) in trial.findings() {
        let (steps, problem) = match finding {
            Ok(steps) => (json(steps), None),
            Err(problem) => ("[]".to_owned(), Some(problem)),
        };
        tx.prepare_cached(sql)?.execute(params![location_id, service_id, steps, problem, now.to_string()])?;
    }
    Ok(())
}

const REACHES: &str = "SELECT t.service_id, t.location_id, l.name, t.steps, t.problem, t.checked_at
                       FROM location_tests t JOIN locations l ON l.id = t.location_id";

fn reach(row: &Row<'_>) -> rusqlite::Result<(String, LocationReach)> {
    let mut steps: Vec<ProbeStep> = json_at(row, 3)?;
    if let Some(problem) = row.get(4)? {
        steps.push(ProbeStep { name: OPEN.to_owned(), problem: Some(problem) });
    }
    let ok = steps.iter().all(|step| step.problem.is_none());
    let reach = LocationReach { location_id: row.get(1)?, location_name: row.get(2)?, ok, steps, checked_at: instant_at(row, 5)? };
    Ok((row.get(0)?, reach))
}

/// By service; the server's own under the empty id.
pub(super) fn reaches(tx: &Transaction<'_>) -> rusqlite::Result<BTreeMap<String, Vec<LocationReach>>> {
    let mut reaches: BTreeMap<String, Vec<LocationReach>> = BTreeMap::new();
    for found in tx.prepare_cached(&format!("{REACHES} ORDER BY l.name"))?.query_map([], reach)? {
        let (service_id, reach) = found?;
        reaches.entry(service_id).or_default().push(reach);
    }
    Ok(reaches)
}

pub(super) fn server_reach(tx: &Transaction<'_>, location_id: &str) -> rusqlite::Result<Option<LocationReach>> {
    let mut statement = tx.prepare_cached(&format!("{REACHES} WHERE t.service_id = '' AND t.location_id = ?1"))?;
    Ok(statement.query_row([location_id], reach).optional()?.map(|(_, reach)| reach))
}
