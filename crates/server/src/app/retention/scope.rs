//! What the policy of a schedule is about: the backups of its own runs.
//!
//! Backups on demand stay until somebody deletes them, and only their own moment counts: they hold no oplog. So do those that somebody has
//! taken off the list. Everything else in the folder (of other schedules, found there, made by PBM) stays with every moment that is
//! restorable from it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use oplogue_domain::retention::Scope;
use oplogue_domain::{BackupName, Catalog};
use rusqlite::{Transaction, params};

use crate::app::AppError;
use crate::app::schedules::ScheduleRow;

pub(super) fn scope_of(tx: &Transaction<'_>, schedule: &ScheduleRow, catalog: &Catalog) -> Result<Scope, AppError> {
    let place = [schedule.location_id.as_str(), schedule.folder.as_str()];
    let mut statement = tx.prepare_cached(
        "SELECT n.name, j.schedule_id FROM job_names n JOIN jobs j ON j.id = n.job_id WHERE n.location_id = ?1 AND n.folder = ?2",
    )?;
    let made = statement.query_map(place, |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)))?;
    let made: Vec<(String, Option<String>)> = made.collect::<Result<_, _>>()?;
    let mut statement = tx.prepare_cached("SELECT name FROM hidden_backups WHERE location_id = ?1 AND folder = ?2")?;
    let hidden: BTreeSet<String> = statement.query_map(params![place[0], place[1]], |row| row.get(0))?.collect::<Result<_, _>>()?;

    let (mut governed, mut moments_only): (BTreeSet<BackupName>, BTreeSet<BackupName>) = (BTreeSet::new(), BTreeSet::new());
    for backup in &catalog.backups {
        let name = backup.name.as_str();
        match made.iter().find(|(known, _)| known == name) {
            Some((_, Some(by))) if *by == schedule.id => drop(governed.insert(backup.name.clone())),
            Some((_, None)) => drop(moments_only.insert(backup.name.clone())),
            Some(_) => {}
            // The database was lost, or has forgotten the run: what is called as this schedule calls its backups is its own.
            None if is_run_of(name, &schedule.name) => drop(governed.insert(backup.name.clone())),
            None => {}
        }
        if hidden.contains(name) {
            moments_only.insert(backup.name.clone());
        }
    }
    Ok(Scope::of(governed).moments_only(moments_only))
}

/// `nightly_2026-11-25T03:00:00Z`
fn is_run_of(name: &str, schedule: &str) -> bool {
    let at = name.strip_prefix(schedule).and_then(|rest| rest.strip_prefix('_'));
    at.is_some_and(|at| at.len() == 20 && at.ends_with('Z') && at.parse::<Timestamp>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_known_by_its_name() {
        assert!(is_run_of("nightly_2026-11-25T03:00:00Z", "nightly"));
        for name in ["nightly", "nightly_", "nightly_before", "nightly_x_2026-11-25T03:00:00Z", "nightly_2026-11-25T03:00:00+01:00"] {
            assert!(!is_run_of(name, "nightly"), "{name}");
        }
    }
}
