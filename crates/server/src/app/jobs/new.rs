//! A job comes into being.

use jiff::Timestamp;
use oplogue_api::jobs::{JobKind, JobState, LogLevel};
use rusqlite::{Transaction, params};

use super::{JobRow, StoredWork};
use crate::app::services::ServiceRow;
use crate::app::stored::{json, location_name, text, word};
use crate::app::{App, AppError};
use crate::ids;

/// What somebody wants done.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub kind: JobKind,
    pub title: String,
    pub cluster: Option<String>,
    pub replica_set: Option<String>,
    pub service_id: Option<String>,
    pub service_name: Option<String>,
    pub location_id: String,
    pub folder: String,
    pub schedule_id: Option<String>,
    pub schedule_name: Option<String>,
    pub scheduled_for: Option<Timestamp>,
    pub work: StoredWork,
    pub attempts_max: u32,
    pub retry_interval_seconds: u32,
    pub requested_by: String,
}

impl NewJob {
    /// For the replica set of `service`; tried once.
    pub(in crate::app) fn of_service(kind: JobKind, service: &ServiceRow, title: String, work: StoredWork, requested_by: &str) -> Self {
        Self {
            kind,
            title,
            cluster: service.cluster.clone(),
            replica_set: Some(service.replica_set.clone()),
            service_id: Some(service.id.clone()),
            service_name: Some(service.name.clone()),
            location_id: String::new(),
            folder: String::new(),
            schedule_id: None,
            schedule_name: None,
            scheduled_for: None,
            work,
            attempts_max: 1,
            retry_interval_seconds: 0,
            requested_by: requested_by.to_owned(),
        }
    }

    /// Without a label, a replica set is a cluster of its own; without that, a folder.
    fn queue(&self) -> String {
        match (&self.cluster, &self.replica_set) {
            (Some(cluster), _) => format!("cluster {cluster}"),
            (None, Some(replica_set)) => format!("replica set {replica_set}"),
            (None, None) => format!("folder {} {}", self.location_id, self.folder),
        }
    }
}

impl App {
    /// Puts a job into its queue, in the transaction of whatever wants it. Call [`App::look_at_queue`] when that is done. The answer is the job's id; `None`: this
    /// occurrence of the schedule has its job already.
    pub(in crate::app) fn insert_job(&self, tx: &Transaction<'_>, job: &NewJob) -> Result<Option<String>, AppError> {
        let now = self.clock.now();
        let id = ids::new("job", now);
        let location_name = location_name(tx, &job.location_id)?;
        if let (Some(schedule), Some(at)) = (&job.schedule_id, job.scheduled_for) {
            let mut taken = tx.prepare_cached("SELECT 1 FROM jobs WHERE schedule_id = ?1 AND scheduled_for = ?2")?;
            if taken.exists(params![schedule, at.to_string()])? {
                return Ok(None);
            }
        }
        tx.prepare_cached(
            "INSERT INTO jobs (id, kind, state, title, queue, cluster, replica_set, service_id, service_name, location_id, location_name, folder,
                 schedule_id, schedule_name, scheduled_for, work, attempt, attempts_max, retry_interval_seconds, requested_by, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, 0, ?17, ?18, ?19, ?20)",
        )?
        .execute(params![
            id,
            word(job.kind),
            word(JobState::Queued),
            job.title,
            job.queue(),
            job.cluster,
            job.replica_set,
            job.service_id,
            job.service_name,
            job.location_id,
            location_name,
            job.folder,
            job.schedule_id,
            job.schedule_name,
            text(job.scheduled_for),
            json(&job.work),
            job.attempts_max.max(1),
            job.retry_interval_seconds,
            job.requested_by,
            now.to_string()
        ])?;
        let row = JobRow::find(tx, &id)?;
        let wanted = match job.scheduled_for {
            Some(at) => format!("wanted by {}, for {at}", job.requested_by),
            None => format!("wanted by {}", job.requested_by),
        };
        row.log(tx, now, LogLevel::Info, "server", &wanted)?;
        Ok(Some(id))
    }
}
