//! From the engine's progress to the steps and lines of a report.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use oplogue_api::agent::ReportLine;
use oplogue_api::jobs::{JobStep, LogLevel, StepState, StepUnit};
use oplogue_engine::progress::{Progress, Step, Unit};

/// The rate is that of about this time.
const RATE_SPAN: Duration = Duration::from_secs(10);
/// Too short to tell a rate from.
const RATE_SPAN_MIN: Duration = Duration::from_millis(500);
/// Lines that wait while the server is away. Beyond, the oldest go, and that is told.
const LINES_MAX: usize = 500;

/// Collects what a flow tells.
pub struct Recorder(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// In the order in which they began first; there are only as many as the engine knows.
    steps: Vec<Recorded>,
    lines: VecDeque<ReportLine>,
    dropped: u64,
    /// Grows with everything that would be reported.
    version: u64,
}

struct Recorded {
    step: Step,
    unit: Unit,
    /// A step may come several times; what was done before counts on.
    before: u64,
    done: u64,
    total: Option<u64>,
    began: Instant,
    /// Of the runs of this step that are over.
    seconds_before: f64,
    running: bool,
    /// (when, how much was done), oldest first, within the last `RATE_SPAN`.
    samples: VecDeque<(Instant, u64)>,
}

impl Recorded {
    fn seconds(&self, now: Instant) -> f64 {
        self.seconds_before + if self.running { now.duration_since(self.began).as_secs_f64() } else { 0.0 }
    }

    fn sample(&mut self, now: Instant) {
        while self.samples.len() > 1 && self.samples.front().is_some_and(|(at, _)| now.duration_since(*at) > RATE_SPAN) {
            self.samples.pop_front();
        }
        // At most a few per second, however often somebody asks.
        if self.samples.back().is_none_or(|(at, _)| now.duration_since(*at) >= Duration::from_millis(250)) {
            self.samples.push_back((now, self.done));
        }
    }

    fn per_second(&self, now: Instant) -> Option<f64> {
        let (at, done) = self.samples.front()?;
        let span = now.duration_since(*at);
        (self.running && span >= RATE_SPAN_MIN).then(|| self.done.saturating_sub(*done) as f64 / span.as_secs_f64())
    }

    fn told(&mut self, now: Instant) -> JobStep {
        if self.running {
            self.sample(now);
        }
        let per_second = self.per_second(now);
        let left = self.total.map(|total| total.saturating_sub(self.done));
        let seconds_left = match (left, per_second) {
            (Some(left), Some(rate)) if rate > 0.0 => Some((left as f64 / rate).ceil() as u64),
            _ => None,
        };
        JobStep {
            name: self.step.words().to_owned(),
            state: if self.running { StepState::Running } else { StepState::Done },
            done: self.done,
            // More than was foreseen: a collection grew while it was read.
            total: self.total.map(|total| total.max(self.done)),
            unit: unit(self.unit),
            per_second,
            seconds_left,
            seconds: self.seconds(now),
        }
    }
}

impl Recorder {
    pub fn new() -> Self {
        Self(Mutex::default())
    }

    /// All steps so far, as they are at `now`.
    pub fn steps(&self, now: Instant) -> Vec<JobStep> {
        self.inner().steps.iter_mut().map(|step| step.told(now)).collect()
    }

    /// Grows with everything that happens.
    pub fn version(&self) -> u64 {
        self.inner().version
    }

    /// The lines since the last time, oldest first.
    pub fn take_lines(&self) -> Vec<ReportLine> {
        let mut inner = self.inner();
        let mut lines: Vec<ReportLine> = inner.lines.drain(..).collect();
        let dropped = std::mem::take(&mut inner.dropped);
        if dropped > 0 {
            let at = lines.first().map_or_else(Timestamp::now, |line| line.at);
            let text = format!("{dropped} lines before this one were dropped: more came than the agent keeps while the server is away");
            lines.insert(0, ReportLine { at, level: LogLevel::Warn, text });
        }
        lines
    }

    pub fn line(&self, level: LogLevel, text: impl Into<String>) {
        let mut inner = self.inner();
        push(&mut inner, level, text.into());
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_at(&self, now: Instant, step: Step, unit: Unit, total: Option<u64>) {
        let mut inner = self.inner();
        match inner.steps.iter_mut().find(|recorded| recorded.step == step) {
            Some(again) => {
                again.before = again.done;
                again.total = total.map(|total| total + again.before);
                again.began = now;
                again.running = true;
                again.samples.clear();
                again.sample(now);
            }
            None => {
                let mut recorded = Recorded {
                    step,
                    unit,
                    before: 0,
                    done: 0,
                    total,
                    began: now,
                    seconds_before: 0.0,
                    running: true,
                    samples: VecDeque::new(),
                };
                recorded.sample(now);
                inner.steps.push(recorded);
            }
        }
        push(&mut inner, LogLevel::Info, step.words().to_owned());
    }

    fn end_at(&self, now: Instant, step: Step) {
        let mut inner = self.inner();
        let Some(recorded) = inner.steps.iter_mut().find(|recorded| recorded.step == step && recorded.running) else { return };
        let seconds = now.duration_since(recorded.began).as_secs_f64();
        recorded.seconds_before += seconds;
        recorded.running = false;
        let amount = amount(recorded.unit, recorded.done - recorded.before);
        push(&mut inner, LogLevel::Info, format!("{}: done{amount} in {seconds:.1} s", step.words()));
    }
}

fn push(inner: &mut Inner, level: LogLevel, text: String) {
    if inner.lines.len() >= LINES_MAX {
        inner.lines.pop_front();
        inner.dropped += 1;
    }
    inner.lines.push_back(ReportLine { at: Timestamp::now(), level, text });
    inner.version += 1;
}

impl Progress for Recorder {
    fn begin(&self, step: Step, unit: Unit, total: Option<u64>) {
        self.begin_at(Instant::now(), step, unit, total);
    }

    fn advance(&self, step: Step, done: u64) {
        let mut inner = self.inner();
        if let Some(recorded) = inner.steps.iter_mut().find(|recorded| recorded.step == step) {
            recorded.done = recorded.done.saturating_add(done);
            inner.version += 1;
        }
    }

    fn end(&self, step: Step) {
        self.end_at(Instant::now(), step);
    }

    fn note(&self, text: &str) {
        self.line(LogLevel::Info, format!("note: {text}"));
    }
}

fn unit(unit: Unit) -> StepUnit {
    match unit {
        Unit::Bytes => StepUnit::Bytes,
        Unit::Entries => StepUnit::Entries,
        Unit::Items => StepUnit::Items,
    }
}

/// `, 1.2 MiB`; empty for nothing.
fn amount(unit: Unit, done: u64) -> String {
    match unit {
        _ if done == 0 => String::new(),
        Unit::Bytes if done < 1 << 20 => format!(", {done} bytes"),
        Unit::Bytes => format!(", {:.1} MiB", done as f64 / f64::from(1 << 20)),
        Unit::Entries => format!(", {done} entries"),
        Unit::Items => format!(", {done}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_tells_its_rate_of_late_and_the_time_left() {
        let (recorder, start) = (Recorder::new(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        recorder.begin_at(start, Step::Snapshot, Unit::Bytes, Some(1_000));
        assert_eq!(recorder.steps(start)[0].per_second, None, "too early to tell");
        for second in 1..=20 {
            recorder.advance(Step::Snapshot, if second <= 10 { 10 } else { 20 });
            recorder.steps(at(second));
        }
        let step = recorder.steps(at(20)).remove(0);
        assert_eq!((step.done, step.total, step.state), (300, Some(1_000), StepState::Running));
        let rate = step.per_second.expect("a rate");
        assert!((18.0..=20.0).contains(&rate), "{rate}");
        assert!((35..=39).contains(&step.seconds_left.expect("time left")), "{step:?}");
        recorder.end_at(at(21), Step::Snapshot);
        let step = recorder.steps(at(30)).remove(0);
        assert_eq!((step.state, step.per_second, step.seconds), (StepState::Done, None, 21.0));
    }

    #[test]
    fn a_step_that_comes_again_counts_on() {
        let (recorder, start) = (Recorder::new(), Instant::now());
        for round in 0..2 {
            recorder.begin_at(start, Step::Check, Unit::Bytes, Some(10));
            recorder.advance(Step::Check, 10);
            recorder.end_at(start + Duration::from_secs(round + 1), Step::Check);
        }
        let steps = recorder.steps(start);
        assert_eq!(steps.len(), 1);
        assert_eq!((steps[0].done, steps[0].total, steps[0].seconds), (20, Some(20), 3.0));
    }

    #[test]
    fn lines_are_bounded_and_what_was_dropped_is_told() {
        let recorder = Recorder::new();
        for n in 0..LINES_MAX + 3 {
            recorder.note(&n.to_string());
        }
        let lines = recorder.take_lines();
        assert_eq!(lines.len(), LINES_MAX + 1);
        assert!(lines[0].text.starts_with("3 lines before"), "{}", lines[0].text);
        assert_eq!(lines[1].text, "note: 3");
        assert!(recorder.take_lines().is_empty());
    }
}
