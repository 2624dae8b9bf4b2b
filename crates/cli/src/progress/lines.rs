//! Plain lines: when a step begins, every few seconds, and when it ends.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use oplogue_engine::progress::{Progress, Step, Unit};

use super::Position;
use crate::output::remark;

/// A log should not grow faster than somebody can read it.
const PAUSE: Duration = Duration::from_secs(5);

pub struct Lines {
    running: Mutex<HashMap<Step, Running>>,
}

struct Running {
    unit: Unit,
    total: Option<u64>,
    done: u64,
    began: Instant,
    told: Instant,
}

impl Running {
    fn words(&self) -> String {
        Position { unit: self.unit, done: self.done, total: self.total, seconds: self.began.elapsed().as_secs_f64() }.words()
    }
}

impl Lines {
    pub fn new() -> Self {
        Self { running: Mutex::new(HashMap::new()) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Step, Running>) -> T) -> T {
        act(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Progress for Lines {
    fn begin(&self, step: Step, unit: Unit, total: Option<u64>) {
        let now = Instant::now();
        self.with(|running| running.insert(step, Running { unit, total, done: 0, began: now, told: now }));
        remark(step.words());
    }

    fn advance(&self, step: Step, done: u64) {
        let line = self.with(|running| {
            let state = running.get_mut(&step)?;
            state.done += done;
            if state.told.elapsed() < PAUSE {
                return None;
            }
            state.told = Instant::now();
            Some(state.words())
        });
        if let Some(line) = line {
            remark(&format!("{}: {line}", step.words()));
        }
    }

    fn end(&self, step: Step) {
        let line = self.with(|running| running.remove(&step).filter(|state| state.done > 0).map(|state| state.words()));
        if let Some(line) = line {
            remark(&format!("{}: done, {line}", step.words()));
        }
    }

    fn note(&self, text: &str) {
        remark(&format!("note: {text}"));
    }
}
