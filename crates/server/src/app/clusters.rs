//! Clusters: services under one label, and the answer to the one question: can I get my data back, to when, and is that still true?

mod protection;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use oplogue_api::backups::BackupMode;
use oplogue_api::clusters::Cluster;
use oplogue_api::jobs::JobState;
use oplogue_api::services::{AgentState, Service};
use rusqlite::{OptionalExtension, Transaction};

use super::catalogs::FolderView;
use super::schedules::ScheduleRow;
use super::stored::{maybe_instant_at, word_at};
use super::{App, AppError};

use protection::{Facts, LastRun, Pitr, protection};

impl App {
    /// By name: every label that a service has or a schedule speaks of.
    ///
    /// # Errors
    /// Only of the database.
    pub fn clusters(&self) -> Result<Vec<Cluster>, AppError> {
        let mut services: BTreeMap<String, Vec<Service>> = BTreeMap::new();
        for service in self.services()? {
            if let Some(label) = service.cluster.clone() {
                services.entry(label).or_default().push(service);
            }
        }
        let mut views: BTreeMap<String, Vec<Arc<FolderView>>> = BTreeMap::new();
        let folders = self.folder_clusters()?;
        for view in self.folder_views() {
            if let Some(label) = folders.get(&(view.location_id.clone(), view.folder.clone())) {
                views.entry(label.clone()).or_default().push(view);
            }
        }
        let now = self.clock.now();
        self.db.read(|tx| {
            let mut schedules: BTreeMap<String, Vec<ScheduleRow>> = BTreeMap::new();
            for row in ScheduleRow::all(tx)? {
                schedules.entry(row.cluster.clone()).or_default().push(row);
            }
            let names: BTreeSet<String> = services.keys().chain(schedules.keys()).cloned().collect();
            let one = |name: String| {
                let services = services.get(&name).map_or(&[][..], Vec::as_slice);
                let schedules = schedules.get(&name).map_or(&[][..], Vec::as_slice);
                let views = views.get(&name).map_or(&[][..], Vec::as_slice);
                self.cluster_of(tx, name, services, schedules, views, now)
            };
            names.into_iter().map(one).collect()
        })
    }

    /// # Errors
    /// When there is none of this name.
    pub fn cluster(&self, name: &str) -> Result<Cluster, AppError> {
        // All are as quick as one: everything comes from memory or a short table.
        let all = self.clusters()?;
        all.into_iter().find(|cluster| cluster.name == name).ok_or_else(|| AppError::not_found("cluster", name))
    }

    fn cluster_of(
        &self,
        tx: &Transaction<'_>,
        name: String,
        services: &[Service],
        schedules: &[ScheduleRow],
        views: &[Arc<FolderView>],
        now: Timestamp,
    ) -> Result<Cluster, AppError> {
        let pitr = schedules.iter().find(|schedule| schedule.enabled && schedule.mode == BackupMode::Pitr);
        let mut replica_sets: BTreeSet<String> = services.iter().map(|service| service.replica_set.clone()).collect();
        replica_sets.extend(views.iter().flat_map(|view| view.catalog.replica_sets()).map(|name| name.to_string()));
        let protection = protection(&Facts {
            views,
            pitr: pitr.map(|schedule| Pitr {
                schedule_id: &schedule.id,
                schedule_name: &schedule.name,
                location_id: &schedule.location_id,
                folder: &schedule.folder,
                slice_seconds: schedule.input.slice_seconds,
                slicing_since: schedule.slicing_since,
            }),
            has_schedule: schedules.iter().any(|schedule| schedule.enabled),
            last_run: last_run(tx, &name)?,
            last_restore_at: last_restore(tx, &name)?,
            refresh: self.config.refresh,
            now,
        });
        let online = services.iter().filter(|service| service.agent.state == AgentState::Online).count();
        Ok(Cluster {
            name,
            replica_sets: replica_sets.into_iter().collect(),
            services: u32::try_from(services.len()).unwrap_or(u32::MAX),
            agents_online: u32::try_from(online).unwrap_or(u32::MAX),
            protection,
        })
    }
}

/// The newest backup job that was begun.
fn last_run(tx: &Transaction<'_>, cluster: &str) -> Result<Option<LastRun>, AppError> {
    let sql = "SELECT state, started_at, finished_at, error FROM jobs
               WHERE cluster = ?1 AND kind = 'backup' AND started_at IS NOT NULL ORDER BY seq DESC LIMIT 1";
    let read = |row: &rusqlite::Row<'_>| {
        let (state, started): (JobState, Option<Timestamp>) = (word_at(row, 0)?, maybe_instant_at(row, 1)?);
        let at = maybe_instant_at(row, 2)?.or(started);
        Ok(LastRun { at, failed: matches!(state, JobState::Failed | JobState::WaitingToRetry), error: row.get(3)? })
    };
    Ok(tx.prepare_cached(sql)?.query_row([cluster], read).optional()?)
}

fn last_restore(tx: &Transaction<'_>, cluster: &str) -> Result<Option<Timestamp>, AppError> {
    let sql = "SELECT finished_at FROM jobs WHERE cluster = ?1 AND kind = 'restore' AND state = 'done' ORDER BY seq DESC LIMIT 1";
    Ok(tx.prepare_cached(sql)?.query_row([cluster], |row| maybe_instant_at(row, 0)).optional()?.flatten())
}
