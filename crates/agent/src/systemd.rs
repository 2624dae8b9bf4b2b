//! Telling systemd how it goes. Without systemd nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::Instant;

/// The main loop comes round at least that often: a held-back sync, its time limit, and the longest pause after failures.
const LOOP_LIMIT: Duration = Duration::from_secs(100);

pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Feeds the watchdog for as long as the main loop comes round. Returns at once when nobody watches.
pub async fn watchdog(beat: watch::Receiver<Instant>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    loop {
        if beat.borrow().elapsed() < LOOP_LIMIT {
            tell(&[NotifyState::Watchdog]);
        }
        tokio::time::sleep(limit / 3).await;
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
