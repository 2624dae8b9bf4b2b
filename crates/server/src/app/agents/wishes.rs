//! What is wanted of one agent, computed anew each time from the database: so it is the same after a restart of the server.

use oplogue_api::agent::{Attempt, AttemptId, Place, SlicingWish, Wishes};
use rusqlite::Transaction;
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::app::jobs::JobRow;
use crate::app::services::{self, ServiceRow};
use crate::app::stored::json;
use crate::app::{App, AppError, schedules};

/// Numbers up to here survive JSON in any language.
const REVISION_BYTES: usize = 6;

impl App {
    pub(super) fn wishes_for(&self, service_id: &str, known: &[AttemptId]) -> Result<Wishes, AppError> {
        let (service, jobs, slicing) = self.db.read(|tx| {
            let service = services::find(tx, service_id)?;
            let jobs = JobRow::worked_on_by(tx, service_id)?;
            let slicing = slicing_schedule(tx, &service)?;
            Ok::<_, AppError>((service, jobs, slicing))
        })?;
        let mut attempts = Vec::new();
        let mut cancel = Vec::new();
        for job in &jobs {
            if job.state == oplogue_api::jobs::JobState::Cancelling {
                cancel.push(job.attempt_id());
                continue;
            }
            match self.work_of(job) {
                Ok(work) => attempts.push(Attempt { id: job.attempt_id(), work }),
                Err(error) => warn!(job = job.id, service = service.name, %error, "an attempt cannot be handed out now"),
            }
        }
        // The agent has them, and nobody wants them any more.
        let wanted = |id: &&AttemptId| jobs.iter().any(|job| job.attempt_id() == **id);
        cancel.extend(known.iter().filter(|id| !wanted(id)).cloned());
        let slicing = slicing.and_then(|schedule| match self.place(&schedule.location_id, &schedule.folder) {
            Ok(place) => Some(slicing_wish(schedule, place)),
            Err(error) => {
                warn!(schedule = schedule.name, service = service.name, %error, "slicing cannot be asked for now");
                None
            }
        });
        let tests = self.open_tests_for(service_id);
        let mut wishes = Wishes { revision: 0, attempts, cancel, slicing, tests };
        wishes.revision = fingerprint(&wishes);
        Ok(wishes)
    }
}

/// Two lists of wishes have the same number only when they wish the same.
fn fingerprint(wishes: &Wishes) -> u64 {
    let digest = Sha256::digest(json(wishes).as_bytes());
    digest.iter().take(REVISION_BYTES).fold(0, |number, byte| number << 8 | u64::from(*byte)).max(1)
}

/// The schedule for which this replica set's oplog is to be stored now.
fn slicing_schedule(tx: &Transaction<'_>, service: &ServiceRow) -> Result<Option<schedules::ScheduleRow>, AppError> {
    let Some(cluster) = &service.cluster else { return Ok(None) };
    let Some(schedule) = schedules::ScheduleRow::enabled_pitr(tx, cluster)? else { return Ok(None) };
    let suspended = schedules::running_restore(tx, cluster)?.is_some();
    let wanted = schedule.replica_set == service.replica_set && schedule.slicing_since.is_some() && !suspended;
    Ok(wanted.then_some(schedule))
}

fn slicing_wish(schedule: schedules::ScheduleRow, place: Place) -> SlicingWish {
    SlicingWish {
        schedule_id: schedule.id,
        place,
        span_seconds: schedule.input.slice_seconds.unwrap_or(schedules::rules::SLICE_SECONDS),
        compression: schedule.input.compression.unwrap_or_else(|| schedules::rules::COMPRESSION.to_owned()),
    }
}
