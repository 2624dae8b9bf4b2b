//! What the database says about schedules, locations and their folders, shared by alerts and metrics.

use std::collections::BTreeMap;

use jiff::Timestamp;
use oplogue_domain::{BackupProblem, GapReason};
use rusqlite::{OptionalExtension, Row, Transaction};

use super::super::catalogs::FolderView;
use super::super::schedules::ScheduleRow;
use super::super::stored::instant_at;
use crate::app::AppError;

#[derive(Debug, Clone, Default)]
pub struct Known {
    pub schedules: Vec<ScheduleRow>,
    names: BTreeMap<String, String>,
    /// Location and folder → cluster.
    folders: BTreeMap<(String, String), String>,
}

/// How the last run of a schedule that came to an end did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastRun {
    pub failed: bool,
    pub finished_at: Timestamp,
    pub seconds: f64,
}

impl Known {
    /// `folders`: whose folder each is, by location and folder.
    pub fn read(tx: &Transaction<'_>, folders: BTreeMap<(String, String), String>) -> Result<Self, AppError> {
        let mut statement = tx.prepare_cached("SELECT id, name FROM locations")?;
        let names = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        Ok(Self { schedules: ScheduleRow::all(tx)?, names, folders })
    }

    /// Whose folder it is, when it is that of a cluster of ours.
    pub fn cluster_of(&self, location_id: &str, folder: &str) -> Option<&str> {
        self.folders.get(&(location_id.to_owned(), folder.to_owned())).map(String::as_str)
    }

    /// Its id when it is gone.
    pub fn location_name<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or(id, String::as_str)
    }

    pub fn enabled(&self) -> impl Iterator<Item = &ScheduleRow> {
        self.schedules.iter().filter(|schedule| schedule.enabled)
    }

    pub fn last_run(&self, tx: &Transaction<'_>, schedule_id: &str) -> Result<Option<LastRun>, AppError> {
        let sql = "SELECT state, coalesce(started_at, created_at), finished_at FROM jobs \
                   WHERE schedule_id = ?1 AND kind = 'backup' AND state IN ('done', 'failed') AND finished_at IS NOT NULL ORDER BY seq DESC LIMIT 1";
        let from_row = |row: &Row<'_>| {
            let (state, started_at, finished_at): (String, _, _) = (row.get(0)?, instant_at(row, 1)?, instant_at(row, 2)?);
            Ok(LastRun { failed: state == "failed", finished_at, seconds: finished_at.duration_since(started_at).as_secs_f64().max(0.0) })
        };
        Ok(tx.prepare_cached(sql)?.query_row([schedule_id], from_row).optional()?)
    }

    /// Cluster, location, folder, status and count of backups that are not on a storage: being made, or failed.
    #[allow(clippy::type_complexity)]
    pub fn artifacts_by_jobs(&self, tx: &Transaction<'_>) -> Result<Vec<(String, String, String, &'static str, u32)>, AppError> {
        let sql = "SELECT coalesce(cluster, ''), coalesce(location_id, ''), coalesce(folder, ''), \
                   CASE state WHEN 'failed' THEN 'error' WHEN 'running' THEN 'in_progress' WHEN 'cancelling' THEN 'in_progress' ELSE 'pending' END AS status, count(*) \
                   FROM jobs WHERE kind = 'backup' AND state IN ('queued', 'running', 'cancelling', 'waiting_to_retry', 'failed') GROUP BY 1, 2, 3, 4";
        let mut statement = tx.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            let status: String = row.get(3)?;
            let status = ["error", "in_progress"].into_iter().find(|known| *known == status).unwrap_or("pending");
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, status, row.get(4)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// What is there and no good. A backup that is not done, or of a kind we do not use, is not damaged.
pub fn damaged(view: &FolderView) -> Vec<(String, String)> {
    let unreadable = view.catalog.unreadable.iter().cloned();
    let backups = view.catalog.backups.iter().filter_map(|backup| match &backup.problem {
        Some(problem @ (BackupProblem::Unreadable(_) | BackupProblem::MissingObject(_))) => {
            Some((backup.name.to_string(), problem.to_string()))
        }
        _ => None,
    });
    let slices = view.timeline.replica_sets.iter().flat_map(|timeline| &timeline.gaps).filter_map(|gap| match &gap.reason {
        GapReason::Damaged(what) => Some((format!("oplog of {}", gap.replica_set), what.clone())),
        _ => None,
    });
    unreadable.chain(backups).chain(slices).collect()
}
