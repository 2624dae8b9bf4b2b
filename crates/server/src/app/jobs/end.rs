//! What follows when a job is over.
//!
//! What belongs to the database happens in the transaction that ends the job ([`App::job_is_over`]). What needs a storage is done afterwards
//! ([`App::follow_ended_jobs`]) and marked as done then: after a crash in between it is done again, which does no harm.

use jiff::Timestamp;
use oplogue_api::jobs::{JobKind, JobState};
use rusqlite::Transaction;
use tracing::warn;

use super::JobRow;
use crate::app::{App, AppError, schedules};

impl App {
    /// In the transaction that ends `job`. `refused`: nothing was touched. The caller saves it.
    pub(in crate::app) fn job_is_over(
        &self,
        tx: &Transaction<'_>,
        job: &mut JobRow,
        now: Timestamp,
        refused: bool,
    ) -> Result<(), AppError> {
        job.finished_at = Some(now);
        (job.retry_at, job.waiting_for) = (None, None);
        job.followed = true;
        match job.kind {
            JobKind::Backup if job.state == JobState::Done => {
                schedules::snapshot_ended_well(tx, job, now)?;
                job.followed = false;
            }
            // The oplog of before does not lead to the data of after.
            JobKind::Restore if job.attempt > 0 && !refused => {
                if let Some(cluster) = &job.cluster {
                    schedules::restore_ended(tx, cluster)?;
                }
            }
            JobKind::Delete | JobKind::Retention if job.attempt > 0 => job.followed = false,
            _ => {}
        }
        Ok(())
    }

    /// Reads again what ended jobs have changed on storages, and lets retention have its turn.
    pub async fn follow_ended_jobs(&self) -> Result<(), AppError> {
        for job in self.db.read(JobRow::unfollowed)? {
            let (location, folder) = (job.location_id.clone().unwrap_or_default(), job.folder.clone().unwrap_or_default());
            self.watch_folder(&location, &folder);
            let read = if job.kind == JobKind::Backup {
                self.look_for_news(&location, &folder).await
            } else {
                self.refresh_folder(&location, &folder).await
            };
            if let Err(error) = read {
                // It is read again and again anyway.
                warn!(job = job.id, %error, "the folder could not be read after the job");
            }
            if let (JobKind::Backup, Some(schedule)) = (job.kind, &job.schedule_id)
                && let Err(error) = self.retention_after(schedule).await
            {
                warn!(job = job.id, schedule, %error, "retention could not be carried out after the backup; it is after the next");
            }
            self.db.write(|tx| {
                tx.prepare_cached("UPDATE jobs SET followed = 1 WHERE id = ?1 AND state IN ('done', 'failed', 'cancelled')")?
                    .execute([&job.id])?;
                Ok::<_, AppError>(())
            })?;
        }
        Ok(())
    }
}
