//! What an earlier run left in the middle.
//!
//! Nothing is begun again. A backup that was broken off is cleared away; one whose metadata is there had ended, whatever the journal says,
//! and is told as what it is. A target that was being restored is incomplete, and that is said.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use oplogue_api::agent::{AttemptId, Outcome, Place, Work};
use oplogue_domain::BackupName;

use crate::attempts::STOPPED;
use crate::journal::Ending;
use crate::shared::Shared;
use crate::work;

/// A storage that is away must not keep the outcome from being told.
const LIMIT: Duration = Duration::from_secs(60);

/// Ends one attempt that was broken off.
pub async fn end(shared: Arc<Shared>, id: AttemptId, work: Work) {
    tracing::warn!(job = id.job_id, attempt = id.attempt, "an attempt was broken off when the agent last ended");
    let outcome = match work {
        Work::Backup { place, name, .. } => backup(&place, &name).await,
        Work::Plan { .. } => stopped("nothing was touched", None),
        Work::Restore { .. } => {
            stopped("the target may be incomplete", Some("run the same restore again: it ends as if it had not been stopped"))
        }
    };
    shared.journal.end(&shared.dir, &id, Ending::without_steps(outcome));
    shared.running().remove(&id);
    shared.poke();
}

fn stopped(state: &str, hint: Option<&str>) -> Outcome {
    Outcome::Failed { error: format!("{STOPPED}: {state}"), hint: hint.map(ToOwned::to_owned), retryable: true }
}

async fn backup(place: &Place, name: &str) -> Outcome {
    match tokio::time::timeout(LIMIT, clear(place, name)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => stopped(&format!("its unfinished objects could not be removed ({})", work::story(&error)), Some(HARMLESS)),
        Err(_) => stopped("the storage did not answer in time to remove its unfinished objects", Some(HARMLESS)),
    }
}

const HARMLESS: &str = "objects of a backup without metadata are harmless, and their folder may be deleted";

async fn clear(place: &Place, name: &str) -> anyhow::Result<Outcome> {
    let name: BackupName = name.parse()?;
    let repository = work::repository(place)?;
    let catalog = repository.catalog().await.context("look whether the backup had ended")?;
    if let Some(backup) = catalog.backup(&name).filter(|backup| backup.problem.is_none()) {
        return Ok(Outcome::BackedUp {
            bytes: backup.bytes,
            documents: 0,
            restores_to: backup.consistent_at().into(),
            notes: vec![
                "the agent was stopped just after the backup had ended; how many documents it holds was not counted again".to_owned(),
            ],
        });
    }
    repository.discard_backup(&name).await.context("remove what the unfinished backup has written")?;
    Ok(stopped("nothing of the unfinished backup is kept", None))
}
