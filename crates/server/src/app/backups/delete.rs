//! Deleting one backup: from its storage, or only from the list.

use jiff::SignedDuration;
use oplogue_api::backups::{BackupStatus, DeletePreview};
use oplogue_api::jobs::{Job, JobKind};
use oplogue_api::users::Role;
use oplogue_domain::{BackupName, OplogTime, retention};
use rusqlite::params;

use super::list::{Source, job_of_name};
use super::{BackupId, Which};
use crate::app::audit::Deed;
use crate::app::catalogs::FolderView;
use crate::app::jobs::{NewJob, StoredWork};
use crate::app::{Actor, App, AppError};

impl App {
    /// What deleting it from its storage would do, and why it may not be done.
    pub fn preview_delete(&self, id: &str) -> Result<DeletePreview, AppError> {
        let wanted = BackupId::parse(id)?;
        let everything = self.everything()?;
        let source = everything.sources().find(|source| source.key() == wanted.key()).ok_or_else(|| AppError::not_found("backup", id))?;
        let shown = self.backup_shown(&everything, &source)?;
        let mut preview =
            DeletePreview { refusal: shown.delete_refusal, may_accept_loss: false, lost: Vec::new(), objects_bytes: shown.bytes };
        if preview.refusal.is_some() {
            return Ok(preview);
        }
        let Source::OnStorage { view, backup, .. } = &source else { return Ok(preview) };
        preview.refusal = self.reader_of_folder(&wanted.location_id, &wanted.folder)?;
        preview.lost = lost(view, &backup.name);
        if preview.refusal.is_none() {
            let promised = self.promised_since(&wanted.location_id, &wanted.folder)?;
            let refusal = retention::deletable(&view.catalog, &backup.name, promised).err();
            preview.may_accept_loss = refusal.as_ref().is_some_and(retention::Refusal::is_a_loss);
            preview.refusal = refusal.map(|refusal| refusal.to_string());
        }
        Ok(preview)
    }

    /// `from_storage`: a job does it; otherwise it is only not listed any more, and stays on its storage. `accept_loss`: also where moments that can be
    /// restored now could not be any more.
    pub fn delete_backup(&self, actor: &Actor, id: &str, from_storage: bool, accept_loss: bool) -> Result<Option<Job>, AppError> {
        actor.must_be(Role::Operator)?;
        let wanted = BackupId::parse(id)?;
        let backup = self.backup(id)?;
        if matches!(backup.status, BackupStatus::Pending | BackupStatus::InProgress | BackupStatus::Deleting)
            || wanted.which == Which::Oplog
        {
            return Err(AppError::refused(backup.delete_refusal.unwrap_or_else(|| "it is not over yet: cancel it first".to_owned())));
        }
        let on_storage = self.folder_view(&wanted.location_id, &wanted.folder).is_some_and(|view| match &wanted.which {
            Which::Named(name) => view.catalog.backups.iter().any(|backup| backup.name.as_str() == name),
            Which::Oplog | Which::Job(_) => false,
        });
        let (Which::Named(name), true, true) = (&wanted.which, on_storage, from_storage) else {
            self.hide_backup(actor, &wanted, &backup.name)?;
            return Ok(None);
        };
        let preview = self.preview_delete(id)?;
        if let Some(refusal) = preview.refusal
            && !(accept_loss && preview.may_accept_loss)
        {
            let hint =
                if preview.may_accept_loss { "delete it all the same by accepting that these moments are lost" } else { "try again later" };
            return Err(AppError::refused(refusal).hint(hint));
        }
        let job_id = self.db.write(|tx| {
            let replica_set = backup.replica_sets.first().cloned();
            let job = NewJob {
                kind: JobKind::Delete,
                title: format!("Delete {name} from {}", backup.location_name),
                cluster: backup.cluster.clone(),
                replica_set,
                service_id: None,
                service_name: None,
                location_id: wanted.location_id.clone(),
                folder: wanted.folder.clone(),
                schedule_id: None,
                schedule_name: None,
                scheduled_for: None,
                work: StoredWork::Delete { name: name.clone(), accept_loss },
                attempts_max: 1,
                retry_interval_seconds: 0,
                requested_by: actor.name.clone(),
            };
            let job_id = self.insert_job(tx, &job)?.expect("only occurrences of schedules are taken already");
            tx.prepare_cached("UPDATE jobs SET backup_name = ?2 WHERE id = ?1")?.execute([&job_id, name])?;
            let made_by = job_of_name(tx, &wanted, name)?.unwrap_or_else(|| "somebody else".to_owned());
            let detail = format!("from {}, folder {}, made by {made_by}", backup.location_name, wanted.folder);
            self.audit(tx, actor, &Deed { action: "backup.delete", object: name, detail: &detail, ok: true })?;
            Ok::<_, AppError>(job_id)
        })?;
        self.look_at_queue();
        self.job(&job_id).map(Some)
    }

    fn hide_backup(&self, actor: &Actor, id: &BackupId, name: &str) -> Result<(), AppError> {
        let (Which::Named(key) | Which::Job(key)) = &id.which else { return Ok(()) };
        self.db.write(|tx| {
            tx.prepare_cached("INSERT OR IGNORE INTO hidden_backups (location_id, folder, name) VALUES (?1, ?2, ?3)")?.execute(params![
                id.location_id,
                id.folder,
                key
            ])?;
            let detail = format!("from the list only; folder {}", id.folder);
            self.audit(tx, actor, &Deed { action: "backup.forget", object: name, detail: &detail, ok: true })
        })
    }

    /// Who reads from this folder now.
    pub(in crate::app) fn reader_of_folder(&self, location_id: &str, folder: &str) -> Result<Option<String>, AppError> {
        use rusqlite::OptionalExtension;
        self.db.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT title FROM jobs WHERE kind IN ('plan', 'restore') AND state NOT IN ('done', 'failed', 'cancelled')
                 AND location_id = ?1 AND folder = ?2 ORDER BY seq LIMIT 1",
            )?;
            let reader = statement.query_row(params![location_id, folder], |row| row.get::<_, String>(0)).optional()?;
            Ok(reader.map(|title| format!("a job reads from its folder now: {title}")))
        })
    }

    /// From when on a moment is not given up without being asked: by the longest window of the enabled PITR schedules of the folder. Whatever is
    /// restorable at all, when one of them has none, or when there is no such schedule.
    pub(in crate::app) fn promised_since(&self, location_id: &str, folder: &str) -> Result<OplogTime, AppError> {
        let now = self.clock.now();
        let schedules = self.db.read(crate::app::schedules::ScheduleRow::all)?;
        let here = schedules.iter().filter(|row| {
            row.enabled && row.mode == oplogue_api::backups::BackupMode::Pitr && row.location_id == location_id && row.folder == folder
        });
        let since = |hours: u32| {
            let since = now.checked_sub(SignedDuration::from_hours(hours.into())).map_or(0, |at| at.as_second());
            OplogTime::start_of_second(u32::try_from(since.max(0)).unwrap_or(0))
        };
        let windows = here.map(|row| match row.input.retention.window_hours {
            0 => OplogTime::MIN,
            hours => since(hours),
        });
        Ok(windows.min().unwrap_or(OplogTime::MIN))
    }
}

fn lost(view: &FolderView, name: &BackupName) -> Vec<oplogue_api::RangeJson> {
    let mut after = (*view.catalog).clone();
    after.backups.retain(|backup| backup.name != *name);
    retention::lost(&view.catalog, &after).into_iter().map(Into::into).collect()
}
