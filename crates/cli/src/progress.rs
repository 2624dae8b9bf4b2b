//! Shows how far a flow is: bars on a terminal, plain lines elsewhere. Always on standard error.

mod bars;
mod lines;

use std::io::IsTerminal;
use std::sync::Arc;

use oplogue_engine::progress::{Progress, Unit};

use crate::text::words;

/// The kind that suits standard error.
pub fn for_stderr() -> Arc<dyn Progress> {
    if std::io::stderr().is_terminal() { Arc::new(bars::Bars::new()) } else { Arc::new(lines::Lines::new()) }
}

/// How far a step is.
#[derive(Clone, Copy, Debug)]
struct Position {
    unit: Unit,
    done: u64,
    total: Option<u64>,
    /// Seconds since the step began.
    seconds: f64,
}

impl Position {
    /// `1.2 GiB of 4.0 GiB (30 %), 52.1 MiB/s, 54 s left`
    fn words(self) -> String {
        let mut text = self.amount(self.done);
        if let Some(total) = self.total {
            text.push_str(&format!(" of {}", self.amount(total)));
            if let Some(percent) = (self.done.min(total) * 100).checked_div(total) {
                text.push_str(&format!(" ({percent} %)"));
            }
        }
        let rate = self.rate();
        if rate > 0.0 {
            text.push_str(&format!(", {}/s", self.amount(rate as u64)));
        }
        if let Some(left) = self.seconds_left() {
            text.push_str(&format!(", {} left", words::seconds(left)));
        }
        text
    }

    fn amount(self, amount: u64) -> String {
        match self.unit {
            Unit::Bytes => words::bytes(amount),
            Unit::Entries => format!("{} entries", words::count(amount)),
            // Nothing was counted, and nobody knows of what: the step's name says it all.
            Unit::Items if amount == 0 && self.total.is_none() => String::new(),
            Unit::Items => words::count(amount),
        }
    }

    /// Per second. 0 while too little has happened to tell.
    fn rate(self) -> f64 {
        if self.seconds < 0.5 { 0.0 } else { self.done as f64 / self.seconds }
    }

    fn seconds_left(self) -> Option<u64> {
        let (total, rate) = (self.total?, self.rate());
        (rate > 0.0 && self.done < total).then(|| ((total - self.done) as f64 / rate).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_tells_amount_rate_and_time_left() {
        for (unit, done, total, seconds, expected) in [
            (Unit::Bytes, 0, None, 0.0, "0 B"),
            (Unit::Bytes, 1 << 20, Some(4 << 20), 1.0, "1.0 MiB of 4.0 MiB (25 %), 1.0 MiB/s, 3 s left"),
            (Unit::Entries, 12_000, None, 2.0, "12,000 entries, 6,000 entries/s"),
            (Unit::Items, 5, Some(5), 2.0, "5 of 5 (100 %), 2/s"),
            // More than was foreseen: a collection grew while it was read.
            (Unit::Items, 6, Some(5), 2.0, "6 of 5 (100 %), 3/s"),
            (Unit::Items, 0, Some(0), 2.0, "0 of 0"),
            (Unit::Items, 0, None, 2.0, ""),
            (Unit::Bytes, 1 << 20, Some(4 << 20), 0.1, "1.0 MiB of 4.0 MiB (25 %)"),
        ] {
            let position = Position { unit, done, total, seconds };
            assert_eq!(position.words(), expected);
        }
    }
}
