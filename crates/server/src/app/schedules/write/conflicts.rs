//! What a schedule must not be beside.

use oplogue_api::FieldError;
use oplogue_api::backups::BackupMode;
use oplogue_api::locations::{LocationKind, LocationSettings};
use rusqlite::{Row, Transaction, params};

use crate::app::AppError;
use crate::app::schedules::{ScheduleRow, rules};
use crate::app::stored::{json_at, word_at};

/// # Errors
/// `conflict`, with what is in the way.
pub(super) fn none(tx: &Transaction<'_>, row: &ScheduleRow) -> Result<(), AppError> {
    if row.enabled {
        pitr_is_alone(tx, row)?;
    }
    folder_is_free(tx, &row.cluster, &row.location_id, &row.folder)
}

fn pitr_is_alone(tx: &Transaction<'_>, row: &ScheduleRow) -> Result<(), AppError> {
    let mut statement = tx.prepare_cached("SELECT name, mode FROM schedules WHERE cluster = ?1 AND id <> ?2 AND enabled ORDER BY name")?;
    let others = statement.query_map(params![row.cluster, row.id], |row| Ok((row.get(0)?, word_at(row, 1)?)))?;
    let others: Vec<(String, BackupMode)> = others.collect::<Result<_, _>>()?;
    let names = |modes: &[BackupMode]| {
        let names: Vec<&str> = others.iter().filter(|(_, mode)| modes.contains(mode)).map(|(name, _)| name.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let refused = |message: String, names: String| {
        let hint = format!("enabled now: {names}; disable them first, or save this one disabled");
        AppError { fields: vec![FieldError::new("mode", message.clone())], ..AppError::conflict(message) }.hint(hint)
    };
    match row.mode {
        BackupMode::Pitr => names(&[BackupMode::Pitr, BackupMode::Snapshot]).map_or(Ok(()), |names| {
            let message = format!(
                "A PITR backup for the cluster '{}' can be enabled only if there are no other scheduled backups for this cluster.",
                row.cluster
            );
            Err(refused(message, names))
        }),
        BackupMode::Snapshot => names(&[BackupMode::Pitr]).map_or(Ok(()), |names| {
            let message = format!(
                "A snapshot backup for cluster '{}' can be performed only if there is no enabled PITR backup for this cluster.",
                row.cluster
            );
            Err(refused(message, names))
        }),
    }
}

/// Where objects really lie: two locations may speak of the same bucket.
struct Lies {
    store: (LocationKind, String, String, String),
    path: String,
}

fn lies(kind: LocationKind, settings: &LocationSettings, folder: &str) -> Lies {
    let base = if kind == LocationKind::Local { &settings.path } else { &settings.prefix };
    let parts = base.split('/').chain(folder.split('/')).filter(|part| !part.is_empty());
    let endpoint = settings.endpoint.trim_end_matches('/').to_ascii_lowercase();
    let (endpoint, account, bucket) =
        if kind == LocationKind::Local { Default::default() } else { (endpoint, settings.account.clone(), settings.bucket.clone()) };
    Lies { store: (kind, endpoint, account, bucket), path: parts.collect::<Vec<_>>().join("/") }
}

/// Backups of two clusters in one folder, or in one below the other, could not be told apart by whoever restores or deletes them.
pub(in crate::app) fn folder_is_free(tx: &Transaction<'_>, cluster: &str, location_id: &str, folder: &str) -> Result<(), AppError> {
    let place = |row: &Row<'_>, folder: &str| Ok::<_, rusqlite::Error>(lies(word_at(row, 0)?, &json_at(row, 1)?, folder));
    let own = tx
        .prepare_cached("SELECT kind, settings FROM locations WHERE id = ?1")?
        .query_row([location_id], |row| place(row, folder))
        .map_err(|_| AppError::field("location_id", format!("there is no location `{location_id}`")))?;
    let first = |sql: &str| -> rusqlite::Result<Option<(String, String)>> {
        let mut statement = tx.prepare_cached(sql)?;
        let mut rows = statement.query([cluster])?;
        while let Some(row) = rows.next()? {
            let other = place(row, &row.get::<_, String>(2)?)?;
            if other.store == own.store && rules::folders_overlap(&other.path, &own.path) {
                return Ok(Some((row.get(3)?, row.get(4)?)));
            }
        }
        Ok(None)
    };
    let refused = |what: &str, (name, service): (String, String)| {
        let message = format!("Same location and folder already used for {what} {name} of other service: {service}");
        AppError { fields: vec![FieldError::new("folder", message.clone())], ..AppError::conflict(message) }
            .hint("use the cluster label as the folder, as is the default")
    };
    let task = first(
        "SELECT l.kind, l.settings, s.folder, s.name, coalesce(v.name, s.service_id) FROM schedules s JOIN locations l ON l.id = s.location_id
         LEFT JOIN services v ON v.id = s.service_id WHERE s.cluster <> ?1",
    )?;
    if let Some(task) = task {
        return Err(refused("scheduled task", task));
    }
    let artifact = first(
        "SELECT l.kind, l.settings, j.folder, max(j.backup_name), coalesce(j.service_name, j.cluster) FROM jobs j JOIN locations l ON l.id = j.location_id
         WHERE j.kind = 'backup' AND j.state = 'done' AND j.cluster <> ?1 AND j.backup_name IS NOT NULL GROUP BY j.location_id, j.folder",
    )?;
    match artifact {
        Some(artifact) => Err(refused("artifact", artifact)),
        None => Ok(()),
    }
}
