//! One row in full.

use oplogue_api::RangeJson;
use oplogue_api::agent::Outcome;
use oplogue_api::backups::{Backup, BackupMode, BackupStatus, DataModel, Trigger};
use oplogue_api::jobs::{JobStep, StepState};
use oplogue_domain::OplogRange;

use super::list::{Everything, Source, instant};
use crate::app::catalogs::FolderView;
use crate::app::jobs::{JobRow, StoredWork};
use crate::app::{App, AppError};

impl App {
    pub(super) fn backup_shown(&self, everything: &Everything, source: &Source<'_>) -> Result<Backup, AppError> {
        let (location_id, folder) = source.place();
        let mut row = Backup {
            id: source.id().to_string(),
            name: String::new(),
            status: everything.status(source),
            mode: BackupMode::Snapshot,
            data_model: DataModel::Logical,
            trigger: Trigger::Found,
            service_id: None,
            service_name: None,
            cluster: everything.cluster(source).map(str::to_owned),
            replica_sets: Vec::new(),
            mongodb_version: String::new(),
            location_id: location_id.to_owned(),
            location_name: everything.locations.get(location_id).cloned().unwrap_or_else(|| location_id.to_owned()),
            folder: folder.to_owned(),
            schedule_id: None,
            schedule_name: None,
            description: String::new(),
            created_at: self.started_at,
            finished_at: None,
            restores_to: None,
            ranges: Vec::new(),
            bytes: 0,
            compression: String::new(),
            namespaces: None,
            made_by: String::new(),
            problem: None,
            job_id: None,
            percent: None,
            delete_refusal: None,
            restore_refusal: None,
        };
        match source {
            Source::OnStorage { backup, made, .. } => {
                self.add_job(&mut row, made.map(|made| made.job_id.as_str()))?;
                add_stored(&mut row, backup);
            }
            Source::Made(made) => {
                row.created_at = made.created_at;
                self.add_job(&mut row, Some(&made.job_id))?;
                row.restore_refusal = (row.status != BackupStatus::Success).then(|| "it is not on the storage".to_owned());
                row.delete_refusal = matches!(row.status, BackupStatus::Pending | BackupStatus::InProgress)
                    .then(|| "it is not over yet: cancel it first".to_owned());
            }
            Source::Oplog { view, schedule, .. } => {
                row.mode = BackupMode::Pitr;
                row.name = schedule.map_or_else(|| format!("{folder} oplog").trim_start().to_owned(), |schedule| schedule.name.clone());
                row.schedule_id = schedule.map(|schedule| schedule.id.clone());
                row.schedule_name = schedule.map(|schedule| schedule.name.clone());
                row.service_id = schedule.map(|schedule| schedule.service_id.clone());
                row.description = schedule.map(|schedule| schedule.input.description.clone()).unwrap_or_default();
                row.trigger = if schedule.is_some() { Trigger::Scheduled } else { Trigger::Found };
                row.created_at = schedule.map_or(self.started_at, |schedule| schedule.created_at);
                if let Some(id) = &row.service_id {
                    row.service_name =
                        self.db.read(|tx| Ok::<_, AppError>(crate::app::services::find(tx, id).ok().map(|service| service.name)))?;
                }
                if let Some(view) = view {
                    add_oplog(&mut row, view);
                }
                if row.ranges.is_empty() {
                    row.restore_refusal = Some("nothing can be restored yet: the first snapshot has not ended".to_owned());
                }
                row.delete_refusal = Some("slices go with the backups that lead to them: by retention".to_owned());
            }
        }
        if row.status == BackupStatus::Deleting {
            row.delete_refusal = Some("it is being deleted".to_owned());
            row.restore_refusal = Some("it is being deleted".to_owned());
        }
        Ok(row)
    }

    fn add_job(&self, row: &mut Backup, job_id: Option<&str>) -> Result<(), AppError> {
        let Some(job_id) = job_id else { return Ok(()) };
        let Some(job) = self.db.read(|tx| JobRow::look_up(tx, job_id))? else { return Ok(()) };
        let StoredWork::Backup { given_name, compression, namespaces, description, trigger } = job.work else { return Ok(()) };
        row.name = job.backup_name.unwrap_or(given_name);
        row.trigger = trigger;
        row.service_id = job.service_id;
        row.service_name = job.service_name;
        row.replica_sets = job.replica_set.into_iter().collect();
        row.schedule_id = job.schedule_id;
        row.schedule_name = job.schedule_name;
        row.description = description;
        row.created_at = job.started_at.unwrap_or(job.created_at);
        row.finished_at = job.finished_at;
        row.compression = compression;
        row.namespaces = Some(namespaces).filter(|namespaces| !namespaces.is_empty());
        row.problem = job.error;
        row.job_id = Some(job.id);
        row.percent = if job.state.is_over() { None } else { percent(&job.steps) };
        if let Some(Ok(Outcome::BackedUp { bytes, restores_to, .. })) = job.result.map(serde_json::from_value) {
            row.bytes = bytes;
            row.restores_to = Some(restores_to);
        }
        Ok(())
    }
}

/// What the storage says counts.
fn add_stored(row: &mut Backup, backup: &oplogue_domain::Backup) {
    row.name = backup.name.to_string();
    row.replica_sets = backup.snapshots.iter().map(|snapshot| snapshot.replica_set.to_string()).collect();
    row.mongodb_version.clone_from(&backup.mongodb_version);
    row.created_at = instant(backup.started);
    row.finished_at = Some(instant(backup.finished)).filter(|_| backup.finished > 0);
    row.restores_to = backup.problem.is_none().then(|| backup.consistent_at().into());
    row.bytes = backup.bytes;
    row.compression.clone_from(&backup.compression);
    row.namespaces = (!backup.selection.is_everything()).then(|| backup.selection.patterns().iter().map(ToString::to_string).collect());
    row.made_by = backup.written_by.clone().unwrap_or_else(|| format!("PBM {}", backup.pbm_version));
    row.problem = backup.problem.as_ref().map(ToString::to_string);
    row.restore_refusal = row.problem.clone();
    row.percent = None;
}

fn add_oplog(row: &mut Backup, view: &FolderView) {
    let slices = view.catalog.slices.values().flatten();
    row.bytes = slices.map(|slice| slice.bytes).sum();
    row.replica_sets = view.catalog.slices.keys().map(ToString::to_string).collect();
    row.ranges =
        view.timeline.cluster.iter().map(|range| RangeJson::from(OplogRange::new(range.from.predecessor(), range.through))).collect();
    row.restores_to = view.timeline.newest().map(Into::into);
    let base = view.timeline.cluster.last().and_then(|range| view.catalog.backup(range.newer_bases.last().unwrap_or(&range.base)));
    if let Some(base) = base {
        row.mongodb_version.clone_from(&base.mongodb_version);
        row.made_by = base.written_by.clone().unwrap_or_else(|| format!("PBM {}", base.pbm_version));
    }
    row.problem.clone_from(&view.error);
}

/// Of the step that is being worked on.
fn percent(steps: &[JobStep]) -> Option<f64> {
    let step = steps.iter().rev().find(|step| step.state == StepState::Running)?;
    let total = step.total.filter(|total| *total > 0)?;
    Some((step.done as f64 / total as f64 * 100.0).clamp(0.0, 100.0))
}
