//! Jobs that the server carries out itself: deleting.
//!
//! They stand in the same queues. Their work can be begun again at any point, so after a restart of the server it just goes on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use oplogue_api::jobs::{JobKind, JobState, JobStep, LogLevel};
use oplogue_domain::job::JobEvent;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{JobRow, StoredWork};
use crate::app::stored::json;
use crate::app::{App, AppError};

/// What is being done in this process.
#[derive(Debug, Default)]
pub struct ServerWorks(Mutex<HashMap<String, CancellationToken>>);

/// One job of the server while it is carried out.
pub struct ServerWork {
    pub app: App,
    pub job: JobRow,
    /// Somebody wants it to stop.
    pub cancelled: CancellationToken,
}

impl ServerWork {
    /// A line of the job's log.
    pub fn line(&self, level: LogLevel, text: &str) -> Result<(), AppError> {
        let now = self.app.clock.now();
        self.app.db.write(|tx| Ok(self.job.log(tx, now, level, "server", text)?))
    }

    /// How far it is.
    pub fn steps(&self, steps: &[JobStep]) -> Result<(), AppError> {
        self.app.db.write(|tx| {
            tx.prepare_cached("UPDATE jobs SET steps = ?2 WHERE id = ?1 AND state IN ('running', 'cancelling')")?
                .execute([&self.job.id, &json(&steps)])?;
            Ok(())
        })
    }
}

/// Taken out of the list however the work ends.
struct Listed(App, String);

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.server_works.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

impl App {
    /// Begins what is to be done and is not being done yet.
    pub(in crate::app) fn do_server_work(&self) {
        // Without a runtime (some tests) nothing is carried out.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let running = match self.db.read(|tx| JobRow::in_state(tx, &[JobState::Running, JobState::Cancelling])) {
            Ok(running) => running,
            Err(error) => return error!(%error, "jobs of the server could not be looked for"),
        };
        for job in running.into_iter().filter(|job| matches!(job.kind, JobKind::Delete | JobKind::Retention)) {
            let cancelled = CancellationToken::new();
            {
                let mut works = self.server_works.0.lock().unwrap_or_else(PoisonError::into_inner);
                if works.contains_key(&job.id) {
                    continue;
                }
                works.insert(job.id.clone(), cancelled.clone());
            }
            if job.state == JobState::Cancelling {
                cancelled.cancel();
            }
            let listed = Listed(self.clone(), job.id.clone());
            let work = ServerWork { app: self.clone(), job, cancelled };
            runtime.spawn(async move {
                let _listed = listed;
                carry_out(work).await;
            });
        }
    }

    pub(super) fn stop_server_work(&self, id: &str) {
        if let Some(cancelled) = self.server_works.0.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            cancelled.cancel();
        }
    }
}

async fn carry_out(work: ServerWork) {
    let outcome = if work.cancelled.is_cancelled() {
        None
    } else {
        let app = work.app.clone();
        let doing = async {
            match &work.job.work {
                StoredWork::Delete { name, accept_loss } => app.carry_out_delete(&work, name, *accept_loss).await,
                StoredWork::Retention { policy } => app.carry_out_retention(&work, policy).await,
                other => Err(AppError::internal(anyhow::anyhow!("the server cannot do {other:?}"))),
            }
        };
        tokio::select! {
            outcome = doing => Some(outcome),
            () = work.cancelled.cancelled() => None,
        }
    };
    if let Err(error) = end(&work, outcome) {
        error!(job = work.job.id, %error, "the end of a job could not be stored; it is carried out again after a restart");
    }
    work.app.look_at_queue();
    work.app.tick_soon();
}

/// `None`: it was stopped.
fn end(work: &ServerWork, outcome: Option<Result<serde_json::Value, AppError>>) -> Result<(), AppError> {
    let now = work.app.clock.now();
    work.app.db.write(|tx| {
        let mut job = JobRow::find(tx, &work.job.id)?;
        if !matches!(job.state, JobState::Running | JobState::Cancelling) {
            return Ok(());
        }
        let (event, level, line) = match outcome {
            None => (JobEvent::Stopped, LogLevel::Warn, "stopped".to_owned()),
            Some(Ok(result)) => {
                job.result = Some(result);
                (JobEvent::Succeeded, LogLevel::Info, "done".to_owned())
            }
            Some(Err(error)) => {
                if let Some(cause) = &error.cause {
                    warn!(job = job.id, ?cause, "a job of the server failed");
                }
                let line = error.message.clone();
                (job.error, job.hint) = (Some(error.message), error.hint);
                (JobEvent::AttemptFailed { again: false }, LogLevel::Error, line)
            }
        };
        job.advance(event)?;
        job.end_attempt(tx, now, None)?;
        job.log(tx, now, level, "server", &line)?;
        work.app.job_is_over(tx, &mut job, now, false)?;
        Ok(job.save(tx)?)
    })
}
