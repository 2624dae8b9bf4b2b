//! Tells the server how an attempt goes on, about once a second, and what became of it, until it has heard.
//!
//! A report whose answer was lost is sent again as it was, under the same number, so that no line is told twice. The report of the outcome
//! has a number above all others, which is the same after a restart.

use std::sync::Arc;
use std::time::Instant;

use oplogue_api::agent::{AttemptId, Report};
use oplogue_api::client::ClientError;
use oplogue_api::error::ErrorCode;
use tokio::sync::watch;

use crate::journal::Ending;
use crate::progress::Recorder;
use crate::shared::Shared;

/// The number of the report that ends an attempt. Reports before it count from 1, one a second.
const LAST: u64 = 1 << 40;

/// Reports until the outcome is heard, or given up because the agent stops: then it stays in the journal.
pub async fn tell(shared: Arc<Shared>, id: AttemptId, recorder: Arc<Recorder>, mut ended: watch::Receiver<Option<Ending>>) {
    let mut number = 0;
    // Nothing has happened: nothing is to be told.
    let mut told_version = Some(0);
    let mut ticks = tokio::time::interval(shared.config.rhythm.report_pause);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let over = ended.borrow().is_some();
        if !over {
            tokio::select! {
                _ = ticks.tick() => {}
                changed = ended.changed() => if changed.is_err() { return },
            }
        }
        let ending = ended.borrow_and_update().clone();
        let version = recorder.version();
        if ending.is_none() && told_version == Some(version) {
            continue;
        }
        number += 1;
        let report = Report {
            attempt: id.attempt,
            // The lines so far are told first, so that the last report is the same after a restart.
            number: if ending.is_some() { LAST } else { number },
            steps: ending.as_ref().map_or_else(|| recorder.steps(Instant::now()), |ending| ending.steps.clone()),
            lines: recorder.take_lines(),
            outcome: ending.as_ref().map(|ending| ending.outcome.clone()),
        };
        if !deliver(&shared, &id, &report).await {
            return;
        }
        told_version = Some(version);
        if ending.is_some() {
            shared.journal.heard(&id);
            shared.poke();
            return;
        }
    }
}

/// Tells an outcome that stands in the journal.
pub async fn tell_ending(shared: Arc<Shared>, id: AttemptId) {
    let Some(ending) = shared.journal.ending(&id) else { return };
    let report = Report { attempt: id.attempt, number: LAST, steps: ending.steps, lines: Vec::new(), outcome: Some(ending.outcome) };
    if deliver(&shared, &id, &report).await {
        shared.journal.heard(&id);
        shared.poke();
    }
}

/// Sends one report until it is heard or refused for good. False when the agent stops meanwhile.
async fn deliver(shared: &Shared, id: &AttemptId, report: &Report) -> bool {
    let mut failures = 0;
    loop {
        match shared.client.report(&id.job_id, report).await {
            Ok(()) => return true,
            Err(error) if is_final(&error) => {
                tracing::warn!(%error, job = id.job_id, attempt = id.attempt, "the server does not want a report");
                return true;
            }
            Err(error) => {
                failures += 1;
                if failures == 1 {
                    tracing::warn!(%error, job = id.job_id, "a report could not be delivered; trying again until it is");
                }
            }
        }
        let pause = shared.config.rhythm.retry(failures);
        if shared.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return false;
        }
    }
}

/// The same report would be refused again. A credential may become good again, and whoever speaks in between may go away.
fn is_final(error: &ClientError) -> bool {
    !error.is_temporary()
        && matches!(
            error.code(),
            Some(ErrorCode::NotFound | ErrorCode::Conflict | ErrorCode::Invalid | ErrorCode::BadRequest | ErrorCode::Refused)
        )
}
