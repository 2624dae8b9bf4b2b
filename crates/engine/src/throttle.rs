//! Sparing a live server: an upper bound of bytes and documents per second, and a rest while its replica set is strained.
//!
//! Whoever moves documents calls [`Brake::moved`] for each batch and goes on when it returns. With [`Limits::default`] it returns at once.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oplogue_domain::throttle::{Load, Strained, Throttle, strained};
use oplogue_mongo::{Connection, MongoError};
use tokio::sync::watch;

use crate::progress::Progress;

/// How often a replica set is asked how it bears the load.
const ASKED_EVERY: Duration = Duration::from_secs(2);

/// How much may be asked of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Uncompressed bytes of documents.
    pub bytes_per_second: Option<NonZeroU64>,
    pub documents_per_second: Option<NonZeroU64>,
    /// Rest while a secondary is more seconds behind, or the primary holds writes back.
    pub lag_seconds_max: Option<u32>,
}

/// Holds back what would be too much. Shared by everything that moves documents of one server.
pub struct Brake {
    began: Instant,
    bytes: Option<Mutex<Throttle>>,
    documents: Option<Mutex<Throttle>>,
    lag_seconds_max: Option<u32>,
    resting: watch::Sender<bool>,
    progress: Arc<dyn Progress>,
}

impl Brake {
    pub fn new(limits: Limits, progress: Arc<dyn Progress>) -> Self {
        let throttle = |per_second: Option<NonZeroU64>| per_second.map(|per_second| Mutex::new(Throttle::new(per_second)));
        Self {
            began: Instant::now(),
            bytes: throttle(limits.bytes_per_second),
            documents: throttle(limits.documents_per_second),
            lag_seconds_max: limits.lag_seconds_max,
            resting: watch::Sender::new(false),
            progress,
        }
    }

    /// To be called after each batch: returns when the next one may be moved.
    pub async fn moved(&self, bytes: u64, documents: u64) {
        let now = self.began.elapsed();
        let wait = |throttle: &Option<Mutex<Throttle>>, amount| {
            let throttle = throttle.as_ref().and_then(|throttle| throttle.lock().ok());
            throttle.map_or(Duration::ZERO, |mut throttle| throttle.take(amount, now))
        };
        let wait = wait(&self.bytes, bytes).max(wait(&self.documents, documents));
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        // The sender is ours: it cannot be gone.
        let _ = self.resting.subscribe().wait_for(|resting| !resting).await;
    }

    /// Watches the replica set for ever, and makes others rest while it is strained. A set that cannot be asked is not spared: the work
    /// itself will show what is wrong.
    pub async fn watch(&self, connection: &Connection) -> std::convert::Infallible {
        let Some(lag_seconds_max) = self.lag_seconds_max else { return std::future::pending().await };
        let mut unknown = false;
        loop {
            match load(connection).await {
                Ok(load) => self.rest(strained(&load, lag_seconds_max, *self.resting.borrow())),
                Err(error) => {
                    if !std::mem::replace(&mut unknown, true) {
                        self.progress.note(&format!("how far the members are behind cannot be seen, so they are not spared: {error}"));
                    }
                    self.rest(None);
                }
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
    }

    fn rest(&self, why: Option<Strained>) {
        let resting = why.is_some();
        if self.resting.send_replace(resting) == resting {
            return;
        }
        match why {
            Some(why) => self.progress.note(&format!("resting, to spare the replica set: {why}")),
            None => self.progress.note("going on: the replica set bears it again"),
        }
    }
}

async fn load(connection: &Connection) -> Result<Load, MongoError> {
    let members = connection.replica_set().await?.members;
    // Not everybody may ask for it; the lag alone tells most.
    let writes_held_back = match connection.writes_held_back().await {
        Err(MongoError::Unauthorized { .. }) => false,
        asked => asked?,
    };
    Ok(Load { members, writes_held_back })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[tokio::test]
    async fn nobody_moves_anything_during_a_rest() {
        let brake = Brake::new(Limits::default(), Arc::new(Silent));
        brake.moved(u64::MAX, u64::MAX).await;
        brake.rest(Some(Strained::WritesHeldBack));
        let mut moving = std::pin::pin!(brake.moved(1, 1));
        assert!(futures::poll!(&mut moving).is_pending());
        brake.rest(None);
        moving.await;
    }

    #[tokio::test]
    async fn more_than_the_limit_is_held_back() {
        let limits = Limits { documents_per_second: NonZeroU64::new(1), ..Limits::default() };
        let brake = Brake::new(limits, Arc::new(Silent));
        assert!(futures::poll!(std::pin::pin!(brake.moved(1 << 30, 0))).is_ready());
        assert!(futures::poll!(std::pin::pin!(brake.moved(0, 1_000))).is_pending());
    }
}
