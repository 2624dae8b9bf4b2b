//! The jobs that delete: one backup, or what a policy does not keep.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oplogue_api::jobs::{JobStep, LogLevel, StepState, StepUnit};
use oplogue_api::retention::RetentionPolicy;
use oplogue_domain::retention::{Deletions, Verdicts, deletable, deletion_of, retention};
use oplogue_domain::{BackupName, OplogTime};
use oplogue_repository::{Deleted, Repository};
use serde_json::json;

use super::{policy_of, scope};
use crate::app::audit::Deed;
use crate::app::jobs::ServerWork;
use crate::app::schedules::ScheduleRow;
use crate::app::{Actor, App, AppError};

/// Lines of reasons in the log of one job.
const LINES_MAX: usize = 500;
const TOLD_EVERY: Duration = Duration::from_secs(1);

impl App {
    /// Deletes one backup from its storage. Looked at again by what lies there now: since it was asked for, others may have come to need it.
    pub(in crate::app) async fn carry_out_delete(
        &self,
        work: &ServerWork,
        name: &str,
        accept_loss: bool,
    ) -> Result<serde_json::Value, AppError> {
        let (location_id, folder) = place(work);
        let name: BackupName = name.parse().map_err(|error| AppError::refused(format!("{error}")))?;
        let repository = self.repository(&location_id, &folder)?;
        let view = self.refresh_folder(&location_id, &folder).await?;
        if view.catalog.backup(&name).is_none() {
            work.line(LogLevel::Info, "its metadata is gone already; what is left of it goes now")?;
            let left = repository.leftovers_of(&name).await.map_err(unavailable)?;
            let deleted = repository.sweep(left.as_slice()).await.map_err(unavailable)?;
            return Ok(result(&deleted));
        }
        if let Some(reader) = self.reader_of_folder(&location_id, &folder)? {
            return Err(AppError::refused(reader).hint("delete it again when that is over"));
        }
        let promised = if accept_loss { OplogTime::MAX } else { self.promised_since(&location_id, &folder)? };
        deletable(&view.catalog, &name, promised).map_err(|refusal| AppError::refused(refusal.to_string()))?;
        let deleted = self.delete_told(work, &repository, &deletion_of(&view.catalog, &name)).await?;
        Ok(result(&deleted))
    }

    /// Deletes what the schedule's policy does not keep, and what was left behind long ago.
    pub(in crate::app) async fn carry_out_retention(
        &self,
        work: &ServerWork,
        policy: &RetentionPolicy,
    ) -> Result<serde_json::Value, AppError> {
        let (location_id, folder) = place(work);
        let schedule = match &work.job.schedule_id {
            Some(id) => self.db.read(|tx| ScheduleRow::find(tx, id)).ok(),
            None => None,
        };
        let Some(schedule) = schedule.filter(|schedule| (&schedule.location_id, &schedule.folder) == (&location_id, &folder)) else {
            work.line(LogLevel::Info, "its schedule is not there any more: nothing is deleted")?;
            return Ok(result(&Deleted::default()));
        };
        if let Some(reader) = self.reader_of_folder(&location_id, &folder)? {
            work.line(LogLevel::Warn, &format!("put off until after the next backup: {reader}"))?;
            return Ok(result(&Deleted::default()));
        }
        // What was changed since the job was made counts.
        let policy = if schedule.input.retention == *policy { policy_of(policy) } else { policy_of(&schedule.input.retention) };
        let repository = self.repository(&location_id, &folder)?;
        let view = self.refresh_folder(&location_id, &folder).await?;
        let scope = self.db.read(|tx| scope::scope_of(tx, &schedule, &view.catalog))?;
        let verdicts = retention(&view.catalog, &policy, &scope, self.unix_seconds());
        work.line(LogLevel::Info, &format!("kept are {policy}"))?;
        for line in reasons(&verdicts) {
            work.line(LogLevel::Info, &line)?;
        }
        let deletions = verdicts.deletions();
        let mut deleted = self.delete_told(work, &repository, &deletions).await?;
        if !policy.keeps_everything() {
            let orphans = self.orphans(&location_id, &folder).await?;
            for orphan in orphans.iter().take(LINES_MAX) {
                work.line(LogLevel::Info, &format!("swept: {}", orphan.kind))?;
            }
            let swept = repository.sweep(&orphans).await.map_err(unavailable)?;
            deleted.objects += swept.objects;
            deleted.bytes += swept.bytes;
        }
        if deleted.objects > 0 {
            let detail = format!(
                "{} backups, {} slices, {} objects in all; folder {folder} of {}",
                deleted.backups,
                deleted.slices,
                deleted.objects,
                work.job.location_name.as_deref().unwrap_or(&location_id)
            );
            let actor = Actor::server(&format!("schedule {}", schedule.name));
            let deed = Deed { action: "retention.delete", object: &schedule.name, detail: &detail, ok: true };
            self.db.write(|tx| self.audit(tx, &actor, &deed))?;
        }
        Ok(result(&deleted))
    }

    /// Deletes, and tells in the job's steps how far it is.
    async fn delete_told(&self, work: &ServerWork, repository: &Repository, deletions: &Deletions) -> Result<Deleted, AppError> {
        let (done, total) = (AtomicU64::new(0), AtomicU64::new(0));
        let told = |now: usize, all: usize| {
            done.store(now as u64, Ordering::Relaxed);
            total.store(all as u64, Ordering::Relaxed);
        };
        let begun = self.clock.now();
        let step = |state| JobStep {
            name: "deleting objects".to_owned(),
            state,
            done: done.load(Ordering::Relaxed),
            total: Some(total.load(Ordering::Relaxed)),
            unit: StepUnit::Items,
            per_second: None,
            seconds_left: None,
            seconds: self.clock.now().duration_since(begun).as_secs_f64().max(0.0),
        };
        let mut deleting = std::pin::pin!(repository.delete(deletions, self.unix_seconds(), &told));
        let deleted = loop {
            tokio::select! {
                deleted = &mut deleting => break deleted.map_err(unavailable)?,
                () = tokio::time::sleep(TOLD_EVERY) => work.steps(&[step(StepState::Running)])?,
            }
        };
        work.steps(&[step(StepState::Done)])?;
        Ok(deleted)
    }
}

fn place(work: &ServerWork) -> (String, String) {
    (work.job.location_id.clone().unwrap_or_default(), work.job.folder.clone().unwrap_or_default())
}

fn unavailable(error: oplogue_repository::RepositoryError) -> AppError {
    AppError::unavailable(format!("the storage could not be changed: {error}"))
        .hint("run it again when the storage is back; what was deleted so far stays so")
}

fn result(deleted: &Deleted) -> serde_json::Value {
    json!({"backups": deleted.backups, "slices": deleted.slices, "objects": deleted.objects, "bytes": deleted.bytes})
}

/// What goes and why, a line each; slices by stretches.
fn reasons(verdicts: &Verdicts<'_>) -> Vec<String> {
    let told =
        |verdict: &oplogue_domain::retention::Verdict| verdict.reasons().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let backups = verdicts.backups.iter().filter(|judged| !judged.verdict.is_keep());
    let mut lines: Vec<_> = backups.map(|judged| format!("deleted: backup {}: {}", judged.item.name, told(&judged.verdict))).collect();
    for run in verdicts.slices.chunk_by(|a, b| a.item.replica_set == b.item.replica_set && a.verdict == b.verdict) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        if !first.verdict.is_keep() {
            let (set, after, through) = (&first.item.replica_set, first.item.range.after, last.item.range.through);
            lines.push(format!("deleted: {} slices of {set}, {after} … {through}: {}", run.len(), told(&first.verdict)));
        }
    }
    if lines.is_empty() {
        lines.push("nothing is to be deleted".to_owned());
    }
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}
