//! Which run is due now.

use jiff::{SignedDuration, Timestamp};

use super::Schedule;

/// Counting stops here: the rest is "at least so many".
pub const MISSED_COUNTED_MAX: u32 = 1000;

/// A clock that goes back further than this was wrong before, not now.
const CLOCK_WRONG: SignedDuration = SignedDuration::from_hours(24);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Run now, in the name of this occurrence.
    pub run: Option<Timestamp>,
    /// Occurrences before it that are not run any more; [`MISSED_COUNTED_MAX`] stands for that many or more.
    pub missed: u32,
    /// Up to here everything is settled. To be stored together with the run, in one transaction; the next question begins here.
    pub considered_until: Timestamp,
}

/// What is due at `now`, when everything up to and including `considered_until` is settled.
///
/// `considered_until` only grows, so a clock that goes back starts nothing a second time; occurrences come again only when the clock
/// reaches them anew. Only when it went back by more than a day, the clock was wrong before: everything up to `now` counts as settled, and who stores runs keeps two of
/// one occurrence apart.
pub fn due(schedule: &Schedule, considered_until: Timestamp, now: Timestamp) -> Due {
    if now.duration_since(considered_until) < -CLOCK_WRONG {
        return Due { run: None, missed: 0, considered_until: now };
    }
    let is_due_after = |after: Timestamp| schedule.next_after(after).filter(|next| *next <= now);
    let Some(first) = is_due_after(considered_until) else {
        return Due { run: None, missed: 0, considered_until };
    };
    let mut missed = 0;
    let mut last = first;
    while missed < MISSED_COUNTED_MAX {
        match is_due_after(last) {
            Some(next) => last = next,
            None => return Due { run: Some(last), missed, considered_until: last },
        }
        missed += 1;
    }
    // Years of seconds may lie in between. The latest is where "something is due later than t" turns false.
    let (mut low, mut high) = (last.as_second(), now.as_second());
    while low < high {
        let middle = low + (high - low) / 2;
        let later = Timestamp::from_second(middle).ok().and_then(is_due_after);
        match later {
            Some(next) => (last, low) = (next, next.as_second()),
            None => high = middle,
        }
    }
    Due { run: Some(last), missed, considered_until: last }
}
