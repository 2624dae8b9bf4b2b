//! Looks at the rules and empties the outbox, until the server stops.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::app::{App, AppError};

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A clock that runs fast shall not make us look without pause.
const LOOK_EVERY_AT_LEAST: Duration = Duration::from_millis(200);
const DELIVER_EVERY: Duration = Duration::from_secs(2);
const PRUNE_EVERY: SignedDuration = SignedDuration::from_hours(1);
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Returns when `cancel` is called. What is being delivered then is given the time that the server's stop has.
pub async fn run(app: App, cancel: CancellationToken) {
    tokio::join!(look(&app, &cancel), deliver(&app, &cancel));
}

async fn look(app: &App, cancel: &CancellationToken) {
    let every = LOOK_EVERY.div_f64(app.config.clock_rate.max(1.0)).max(LOOK_EVERY_AT_LEAST);
    let mut pruned = Timestamp::UNIX_EPOCH;
    loop {
        let now = app.clock.now();
        let prune = now.duration_since(pruned) >= PRUNE_EVERY;
        let for_blocking = app.clone();
        let result = tokio::task::spawn_blocking(move || look_once(&for_blocking, prune)).await;
        match result {
            Ok(Ok(())) if prune => pruned = now,
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let cause = error.cause.as_ref().map_or_else(|| error.to_string(), |cause| format!("{cause:#}"));
                tracing::error!(error = %cause, "alert rules could not be looked at");
            }
            Err(error) => tracing::error!(%error, "looking at alert rules ended unexpectedly"),
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

fn look_once(app: &App, prune: bool) -> Result<(), AppError> {
    app.look_at_alerts()?;
    if prune {
        app.prune_alerts(app.clock.now().saturating_sub(KEPT).unwrap_or(Timestamp::UNIX_EPOCH))?;
    }
    Ok(())
}

async fn deliver(app: &App, cancel: &CancellationToken) {
    loop {
        let round = async {
            if let Err(error) = app.deliver_alerts().await {
                tracing::error!(error = %error, cause = ?error.cause, "the outbox of alerts could not be read");
            }
            let _ = tokio::time::timeout(DELIVER_EVERY, app.alert_memory.deliver.notified()).await;
        };
        tokio::select! {
            () = cancel.cancelled() => return,
            () = round => {}
        }
    }
}
