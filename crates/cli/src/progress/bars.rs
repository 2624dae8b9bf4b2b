//! Bars, one per step that runs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use oplogue_engine::progress::{Progress, Step, Unit};

use super::Position;

pub struct Bars {
    screen: MultiProgress,
    running: Mutex<HashMap<Step, ProgressBar>>,
}

impl Bars {
    pub fn new() -> Self {
        Self { screen: MultiProgress::new(), running: Mutex::new(HashMap::new()) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Step, ProgressBar>) -> T) -> T {
        act(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn style(unit: Unit, total: Option<u64>) -> ProgressStyle {
    let template = match total {
        Some(_) => "{prefix:28} [{bar:30}] {position}",
        None => "{prefix:28} {spinner} {position}",
    };
    let position = move |state: &ProgressState, writer: &mut dyn std::fmt::Write| {
        let position = Position { unit, done: state.pos(), total, seconds: state.elapsed().as_secs_f64() };
        // Indicatif has no way to report that its own buffer refused a write.
        let _ = writer.write_str(&position.words());
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .with_key("position", position)
}

impl Progress for Bars {
    fn begin(&self, step: Step, unit: Unit, total: Option<u64>) {
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        let bar = self.screen.add(bar.with_style(style(unit, total)).with_prefix(step.words()));
        bar.enable_steady_tick(Duration::from_millis(200));
        if let Some(former) = self.with(|running| running.insert(step, bar)) {
            former.finish_and_clear();
        }
    }

    fn advance(&self, step: Step, done: u64) {
        self.with(|running| {
            if let Some(bar) = running.get(&step) {
                bar.inc(done);
            }
        });
    }

    fn end(&self, step: Step) {
        if let Some(bar) = self.with(|running| running.remove(&step)) {
            bar.finish_and_clear();
        }
    }

    fn note(&self, text: &str) {
        // A line above the bars; a screen that cannot show it has nobody in front of it.
        let _ = self.screen.println(format!("note: {text}"));
    }
}
