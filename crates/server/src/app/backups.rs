//! Backups: those on the storages, those being made, those that failed.
//!
//! What lies on a storage is told from what was read of it ([`super::catalogs`]), whoever made it; the database adds who wanted it, and what never
//! got there. Each folder with slices has one row more, for the oplog that leads from one backup to the next.

mod compatible;
mod delete;
mod id;
mod list;
mod shown;

use oplogue_api::backups::{BackupInput, BackupStatus};
use oplogue_api::jobs::{Job, JobKind};
use oplogue_api::users::Role;

use super::audit::Deed;
use super::jobs::{NewJob, StoredWork};
use super::schedules::{self, rules};
use super::stored::location_name;
use super::{Actor, App, AppError};

pub use id::{BackupId, Which};

/// Which rows are listed.
#[derive(Debug, Clone, Default)]
pub struct BackupFilter {
    pub cluster: Option<String>,
    pub status: Option<BackupStatus>,
    pub location_id: Option<String>,
    pub schedule_id: Option<String>,
}

impl App {
    /// Takes a backup as soon as it is its turn. Allowed beside any schedule.
    pub fn create_backup(&self, actor: &Actor, input: &BackupInput) -> Result<Job, AppError> {
        actor.must_be(Role::Operator)?;
        self.checked(rules::backup_problems(input))?;
        let id = self.db.write(|tx| {
            let target = schedules::target(tx, &input.service_id, &input.location_id, input.folder.as_deref())?;
            schedules::folder_is_free(tx, &target.cluster, &input.location_id, &target.folder)?;
            let location = location_name(tx, &input.location_id)?.unwrap_or_default();
            let work = StoredWork::Backup {
                given_name: input.name.clone(),
                compression: input.compression.clone().unwrap_or_else(|| rules::COMPRESSION.to_owned()),
                namespaces: input.namespaces.clone(),
                description: input.description.clone(),
                trigger: oplogue_api::backups::Trigger::OnDemand,
            };
            let title = format!("Back up {} to {location}", target.cluster);
            let job = NewJob {
                location_id: input.location_id.clone(),
                folder: target.folder,
                attempts_max: rules::attempts_max(input.retry_mode, input.retries),
                retry_interval_seconds: input.retry_interval_seconds,
                ..NewJob::of_service(JobKind::Backup, &target.service, title, work, &actor.name)
            };
            let id = self.insert_job(tx, &job)?.expect("only occurrences of schedules are taken already");
            let detail = format!("{} into {location}, folder {}", target.cluster, job.folder);
            self.audit(tx, actor, &Deed { action: "backup.create", object: &input.name, detail: &detail, ok: true })?;
            Ok::<_, AppError>(id)
        })?;
        let job = self.job(&id)?;
        if let (Some(location), Some(folder)) = (&job.location_id, &job.folder) {
            self.watch_folder(location, folder);
        }
        self.look_at_queue();
        self.job(&id)
    }
}
