//! The server's clock. An argument like any other, so that tests can make an hour pass in minutes.

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// Cheap to clone; clones agree.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
enum Inner {
    System,
    /// Began at `origin` and runs `rate` times as fast as the system's.
    Scaled { origin: Timestamp, begun: Instant, rate: f64 },
}

impl Clock {
    pub fn system() -> Self {
        Self(Arc::new(Inner::System))
    }

    /// Begins now and runs `rate` times as fast as real time.
    pub fn scaled(rate: f64) -> Self {
        Self(Arc::new(Inner::Scaled { origin: Timestamp::now(), begun: Instant::now(), rate }))
    }

    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Inner::System => Timestamp::now(),
            Inner::Scaled { origin, begun, rate } => {
                let passed = SignedDuration::from_secs_f64(begun.elapsed().as_secs_f64() * rate);
                origin.checked_add(passed).unwrap_or(*origin)
            }
        }
    }
}
