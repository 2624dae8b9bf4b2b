//! The server's clock. An argument like any other, so that tests can make an hour pass in minutes.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};

use crate::config::ServerConfig;

/// Cheap to clone; clones agree.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
enum Inner {
    System,
    /// At `origin` it agreed with the system's clock; it runs `rate` times as fast.
    Scaled {
        origin: Timestamp,
        rate: f64,
    },
    /// Stands still until it is set.
    ByHand(Mutex<Timestamp>),
}

impl Clock {
    /// The system's; or the fast one for tests, whose origin lies in the data directory, so that it does not go back when the server is started again.
    pub fn of(config: &ServerConfig) -> anyhow::Result<Self> {
        if (config.clock_rate - 1.0).abs() < f64::EPSILON {
            return Ok(Self::system());
        }
        let path = config.data_dir.join("clock-origin");
        let origin = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().with_context(|| format!("read {}", path.display()))?,
            Err(_) => {
                let now = Timestamp::now();
                crate::vault::write_private(&path, now.to_string().as_bytes()).with_context(|| format!("write {}", path.display()))?;
                now
            }
        };
        Ok(Self::scaled(origin, config.clock_rate))
    }

    pub fn system() -> Self {
        Self(Arc::new(Inner::System))
    }

    /// At `origin` it agreed with the system's clock, and it runs `rate` times as fast. Two with the same origin and rate agree, also after a restart.
    pub fn scaled(origin: Timestamp, rate: f64) -> Self {
        Self(Arc::new(Inner::Scaled { origin, rate }))
    }

    /// For tests: stands still until it is set.
    pub fn by_hand(at: Timestamp) -> Self {
        Self(Arc::new(Inner::ByHand(Mutex::new(at))))
    }

    /// Sets a clock that is set by hand, forwards or backwards. Others go on as they do.
    pub fn set(&self, at: Timestamp) {
        if let Inner::ByHand(now) = &*self.0 {
            *now.lock().unwrap_or_else(PoisonError::into_inner) = at;
        }
    }

    /// The system's own, however fast this one runs: for the times that storages give to their objects.
    pub fn of_storages(&self) -> std::time::SystemTime {
        std::time::SystemTime::now()
    }

    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Inner::System => Timestamp::now(),
            Inner::ByHand(now) => *now.lock().unwrap_or_else(PoisonError::into_inner),
            Inner::Scaled { origin, rate } => {
                let passed = SignedDuration::from_secs_f64(Timestamp::now().duration_since(*origin).as_secs_f64() * rate);
                origin.checked_add(passed).unwrap_or(*origin)
            }
        }
    }
}
