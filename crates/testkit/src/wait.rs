//! Waiting for a state, patiently.

use std::future::Future;
use std::time::Duration;

/// How long tests wait for a server to reach a state: long, because several sets may start at once on two cores.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Asks `check` again and again until it answers `Some`, at most [`PATIENCE`].
///
/// # Errors
/// When the time is over: names `what` was waited for and the last answer of `check`, if it was an error.
pub async fn until<T, F, Fut>(what: &str, mut check: F) -> anyhow::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<Option<T>>>,
{
    let start = tokio::time::Instant::now();
    let mut last = String::from("not yet");
    let mut pause = Duration::from_millis(10);
    while start.elapsed() < PATIENCE {
        match check().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => last = "not yet".into(),
            Err(error) => last = format!("{error:#}"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(Duration::from_millis(200));
    }
    anyhow::bail!("waited {} s for {what}; last answer: {last}", PATIENCE.as_secs())
}
