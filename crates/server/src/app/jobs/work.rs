//! What a job does, as it is stored: without secrets, which are added when it is handed out.

use oplogue_api::agent::Work;
use oplogue_api::backups::Trigger;
use oplogue_api::plan::Plan;
use oplogue_api::restores::RestoreInput;
use serde::{Deserialize, Serialize};

use super::JobRow;
use crate::app::{App, AppError};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum StoredWork {
    Backup {
        /// The time of the attempt's start is added to it.
        given_name: String,
        compression: String,
        namespaces: Vec<String>,
        description: String,
        trigger: Trigger,
    },
    Plan {
        restore: RestoreInput,
    },
    Restore {
        restore: RestoreInput,
        plan: Box<Plan>,
        plan_job_id: String,
    },
    Delete {
        /// On the storage.
        name: String,
        /// Moments that only this backup makes restorable may be lost.
        #[serde(default)]
        accept_loss: bool,
    },
    Retention {
        /// What is to be kept; the schedule's own policy when the work begins, if this is of a schedule.
        policy: oplogue_api::retention::RetentionPolicy,
    },
}

impl App {
    /// What an agent is given to do.
    pub(in crate::app) fn work_of(&self, job: &JobRow) -> Result<Work, AppError> {
        let place = || {
            let location_id = job.location_id.as_deref().unwrap_or_default();
            self.place(location_id, job.folder.as_deref().unwrap_or_default())
        };
        Ok(match &job.work {
            StoredWork::Backup { compression, namespaces, .. } => Work::Backup {
                place: place()?,
                name: job.backup_name.clone().unwrap_or_default(),
                compression: compression.clone(),
                namespaces: namespaces.clone(),
            },
            StoredWork::Plan { restore } => Work::Plan { place: place()?, restore: restore.clone() },
            StoredWork::Restore { restore, plan, .. } => Work::Restore { place: place()?, restore: restore.clone(), plan: plan.clone() },
            StoredWork::Delete { .. } | StoredWork::Retention { .. } => {
                return Err(AppError::internal(anyhow::anyhow!(
                    "job {} is the server's own work, and an agent was to be given it",
                    job.id
                )));
            }
        })
    }
}
