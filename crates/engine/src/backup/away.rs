//! Going on after a server or a storage was away.
//!
//! A network that is cut for a minute, an election, a storage that restarts: a backup of many hours outlives them. Whatever is repeated here is
//! either a question, or begins again with something that nobody has seen yet. What was away for longer than [`AWAY_MAX`] at one stretch
//! ends the backup: by then the oplog may have moved on, and somebody should hear of it.

use std::sync::Arc;
use std::time::Duration;

use oplogue_mongo::{Connection, MongoError};
use oplogue_repository::RepositoryError;
use oplogue_storage::StorageError;
use tokio::time::Instant;

use crate::progress::Progress;

/// The longest stretch that is waited out.
pub const AWAY_MAX: Duration = Duration::from_secs(600);
/// Whoever has worked for this long since the last failure has not been away meanwhile, even if nobody said that it is back.
const CALM: Duration = Duration::from_secs(60);
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_LONGEST: Duration = Duration::from_secs(10);

/// One stretch of failures, until [`Away::is_back`].
pub struct Away {
    what: String,
    limit: Duration,
    since: Option<Instant>,
    /// When the last failure had been waited for, and what it said.
    last: Option<(Instant, String)>,
    tries: u32,
    progress: Arc<dyn Progress>,
}

impl Away {
    /// `what` continues "to …".
    pub fn new(what: impl Into<String>, progress: &Arc<dyn Progress>) -> Self {
        Self { what: what.into(), limit: AWAY_MAX, since: None, last: None, tries: 0, progress: progress.clone() }
    }

    /// It works again: the next failure begins a new stretch.
    pub fn is_back(&mut self) {
        if self.since.take().is_some() {
            self.progress.note(&format!("went on to {}", self.what));
        }
        (self.last, self.tries) = (None, 0);
    }

    /// Waits a little after a failure.
    ///
    /// # Errors
    /// The failure itself, when waiting would not help, or has gone on for too long.
    pub async fn wait(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        if !passes(&error) {
            return Err(error);
        }
        if self.last.as_ref().is_some_and(|(waited, _)| waited.elapsed() >= CALM) {
            (self.since, self.last, self.tries) = (None, None, 0);
        }
        let text = format!("{error:#}");
        if self.last.as_ref().is_none_or(|(_, told)| *told != text) {
            self.progress.note(&format!("trying again to {}: {text}", self.what));
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.limit {
            return Err(error.context(format!("tried for {} s to {}", since.elapsed().as_secs(), self.what)));
        }
        tracing::warn!(error = text, "will be tried again: to {}", self.what);
        tokio::time::sleep(PAUSE_FIRST.saturating_mul(1 << self.tries.min(8)).min(PAUSE_LONGEST)).await;
        self.tries += 1;
        self.last = Some((Instant::now(), text));
        Ok(())
    }

    /// Returns when the server answers.
    pub async fn until_it_answers(&mut self, node: &Connection) -> anyhow::Result<()> {
        loop {
            match node.last_applied().await {
                Ok(_) => return Ok(()),
                Err(error) => self.wait(error.into()).await?,
            }
        }
    }
}

/// Does `work` until it succeeds, over failures that pass. It must do the same when it is done twice.
pub async fn again<T, E, F>(what: &str, progress: &Arc<dyn Progress>, mut work: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, E>>,
    anyhow::Error: From<E>,
{
    let mut away = Away::new(what, progress);
    loop {
        match work().await {
            Ok(done) => {
                away.is_back();
                return Ok(done);
            }
            Err(error) => away.wait(anyhow::Error::from(error)).await?,
        }
    }
}

/// True when the same may work later without anybody changing anything.
pub fn passes(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<MongoError>().is_some_and(|error| error.is_transient() || matches!(error, MongoError::NoMajority { .. }))
            || matches!(cause.downcast_ref(), Some(RepositoryError::Storage(StorageError::Unavailable { .. })))
            || cause.is::<super::member::NobodySuitable>()
    })
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::progress::Silent;

    fn unreachable() -> anyhow::Error {
        MongoError::Unreachable { hosts: vec!["db1".to_owned()], reason: "refused".to_owned() }.into()
    }

    #[tokio::test]
    async fn what_passes_is_tried_again_until_it_works_and_the_rest_is_an_error_at_once() {
        let progress: Arc<dyn Progress> = Arc::new(Silent);
        let mut tries = 0;
        let done = again("ask", &progress, || {
            tries += 1;
            std::future::ready(if tries < 3 { Err(unreachable()) } else { Ok(tries) })
        });
        assert_eq!(done.await.expect("it works in the end"), 3);
        let mut tries = 0;
        let failed = again("ask", &progress, || {
            tries += 1;
            std::future::ready(Err::<(), _>(anyhow!("the disk is on fire")))
        });
        assert!(failed.await.is_err());
        assert_eq!(tries, 1);
    }

    #[tokio::test]
    async fn what_is_away_for_too_long_is_an_error_that_says_for_how_long() {
        let progress: Arc<dyn Progress> = Arc::new(Silent);
        let mut away = Away { limit: Duration::ZERO, ..Away::new("ask", &progress) };
        let error = away.wait(unreachable()).await.expect_err("the time is over");
        assert!(format!("{error:#}").contains("tried for 0 s to ask"), "{error:#}");
    }
}
