//! Carries out retention policies, and shows beforehand what they would do.
//!
//! What may go is decided by [`oplogue_domain::retention`]; here it is decided what a schedule's policy is about ([`scope`]). After every scheduled
//! backup that ended well a job looks at the whole folder and deletes what no rule keeps; it reads the storage anew before it decides. A
//! server that dies in the middle finds the job again and decides again: what was deleted by then is simply not there any more.

mod carry_out;
mod preview;
mod scope;

use oplogue_api::jobs::{JobKind, JobState};
use oplogue_api::retention::RetentionPolicy;
use oplogue_domain::retention::Policy;

use super::jobs::{JobRow, NewJob, StoredWork};
use super::schedules::ScheduleRow;
use super::{App, AppError};

/// What the API says, as the decision takes it.
fn policy_of(policy: &RetentionPolicy) -> Policy {
    Policy {
        count: policy.count,
        days: policy.days,
        window_seconds: u64::from(policy.window_hours) * 3_600,
        daily: policy.daily,
        weekly: policy.weekly,
        monthly: policy.monthly,
        yearly: policy.yearly,
    }
}

impl App {
    /// After a scheduled backup has ended well: its retention is next in the queue of its cluster. Asked again, it stays one job.
    pub async fn retention_after(&self, schedule_id: &str) -> Result<(), AppError> {
        let row = self.db.read(|tx| ScheduleRow::find(tx, schedule_id));
        // Deleted since: then nobody wants anything deleted.
        let Ok(row) = row else { return Ok(()) };
        if row.input.retention.keeps_everything() {
            return Ok(());
        }
        self.db.write(|tx| {
            let waiting = JobRow::in_state(tx, &[JobState::Queued])?;
            if waiting.iter().any(|job| job.kind == JobKind::Retention && job.schedule_id.as_deref() == Some(schedule_id)) {
                return Ok(());
            }
            let job = NewJob {
                kind: JobKind::Retention,
                title: format!("Retention of {}", row.name),
                cluster: Some(row.cluster.clone()).filter(|cluster| !cluster.is_empty()),
                replica_set: Some(row.replica_set.clone()),
                service_id: None,
                service_name: None,
                location_id: row.location_id.clone(),
                folder: row.folder.clone(),
                schedule_id: Some(row.id.clone()),
                schedule_name: Some(row.name.clone()),
                scheduled_for: None,
                work: StoredWork::Retention { policy: row.input.retention.clone() },
                attempts_max: 1,
                retry_interval_seconds: 0,
                requested_by: "retention".to_owned(),
            };
            self.insert_job(tx, &job)?;
            Ok::<_, AppError>(())
        })?;
        self.look_at_queue();
        Ok(())
    }

    /// Unix seconds.
    fn unix_seconds(&self) -> u32 {
        u32::try_from(self.clock.now().as_second()).unwrap_or(0)
    }
}
