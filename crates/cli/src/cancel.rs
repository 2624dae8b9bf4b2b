//! Ctrl-C: the first time the work is asked to stop cleanly, the second time the process ends at once.

use tokio::signal;
use tokio_util::sync::CancellationToken;

use crate::output::remark;

/// The exit code of a process that a SIGINT ended, as shells report it.
const KILLED: i32 = 130;

/// A token that is cancelled by the first Ctrl-C or termination request. Must be called inside the runtime.
pub fn on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        wait().await;
        remark("oplogue: stopping cleanly; Ctrl-C again stops at once");
        stop.cancel();
        wait().await;
        end_at_once();
    });
    token
}

/// The second request means now: no task is waited for. What that leaves behind is what a crash leaves behind, and every flow
/// says what that is.
#[allow(clippy::disallowed_methods)]
fn end_at_once() {
    std::process::exit(KILLED);
}

#[cfg(unix)]
async fn wait() {
    // Without a handler the default stays: the signal ends the process, which is what was asked for.
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => terminate.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = signal::ctrl_c() => {}
        _ = terminated => {}
    }
}

#[cfg(not(unix))]
async fn wait() {
    let _ = signal::ctrl_c().await;
}
