//! When a scheduled job runs.
//!
//! A cron expression speaks of the clock on a wall. Where that clock jumps, three rules hold:
//!
//! - With hours named (`30 2 * * *`): a time that the clock jumps over runs once, right after the jump; a time that comes twice runs once, the first
//!   time.
//! - Without (`*/15 * * * *`, every hour of the day): the job follows real time; nothing is moved, and what comes twice runs twice, an hour apart.
//! - Runs that were missed, because the server was down or something was in the way, are not run one after another: there is **one** run now, for the
//!   latest of them, and the others are told as missed ([`due`]).
//!
//! Zones come from the database that is built into the program, so that the same expression means the same on every machine.

mod due;
mod words;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

pub use due::{Due, MISSED_COUNTED_MAX, due};

/// A cron expression in a time zone, from a moment on. Parsed once; after that it has a next occurrence until the end of time.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
    start_at: Option<Timestamp>,
    /// Every hour of the day: what matters is the time that passes, not what the wall says.
    by_real_time: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error("Invalid cron expression: {0}")]
    Cron(String),
    #[error("`{0}` never happens")]
    Never(String),
    #[error("there is no time zone `{0}`: write an IANA name such as `UTC` or `Europe/Paris`")]
    Zone(String),
}

impl Schedule {
    /// `cron`: five fields, or six with seconds first. `zone`: an IANA name. No run before `start_at`.
    pub fn parse(cron: &str, zone: &str, start_at: Option<Timestamp>) -> Result<Self, ScheduleError> {
        if cron.len() > 200 {
            return Err(ScheduleError::Cron("it is longer than 200 characters".to_owned()));
        }
        let parsed = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build().parse(cron);
        let parsed = parsed.map_err(|error| ScheduleError::Cron(plain(&error.to_string())))?;
        let zone = TimeZoneDatabase::bundled().get(zone).map_err(|_| ScheduleError::Zone(zone.to_owned()))?;
        let by_real_time = parsed.pattern.hours.values().len() == 24;
        let schedule = Self { cron: parsed, zone, start_at, by_real_time };
        // Any moment would do: what happens once in the calendar happens again, 400 years later at the latest.
        match schedule.next_after(start_at.unwrap_or(Timestamp::UNIX_EPOCH)) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never(cron.to_owned())),
        }
    }

    /// The first occurrence later than `after`. Always a whole second.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = match self.start_at {
            Some(start) if start > after => start.checked_sub(SignedDuration::from_nanos(1)).ok()?,
            _ => after,
        };
        if self.by_real_time { self.next_in_real_time(after) } else { self.next_on_the_wall(after) }
    }

    /// The first `count` occurrences later than `after`.
    pub fn next(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next_after(after), |last| self.next_after(*last)).take(count).collect()
    }

    /// `at 03:00 every day`
    pub fn words(&self) -> String {
        words::words(&self.cron)
    }

    fn next_on_the_wall(&self, after: Timestamp) -> Option<Timestamp> {
        let mut wall = whole_second(self.zone.to_datetime(after));
        loop {
            wall = self.next_wall(wall, false)?;
            let instant = self.run_of(wall)?;
            // In the second half of a doubled hour every wall time left of that hour ran in the first.
            if instant > after {
                return Some(instant);
            }
        }
    }

    /// When the wall time `wall` runs: right after the jump, when it is jumped over; the first time, when it comes twice.
    fn run_of(&self, wall: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(wall);
        match ambiguous.offset() {
            AmbiguousOffset::Gap { before, .. } => {
                // With the offset of before the jump, `wall` lies behind the jump: the jump is the last one up to there.
                let beyond = before.to_timestamp(wall).ok()?;
                let next_second = beyond.checked_add(SignedDuration::from_secs(1)).ok()?;
                self.zone.preceding(next_second).next().map(|jump| jump.timestamp())
            }
            _ => ambiguous.compatible().ok(),
        }
    }

    fn next_in_real_time(&self, after: Timestamp) -> Option<Timestamp> {
        let mut from = after;
        let mut inclusive = false;
        loop {
            let offset = self.zone.to_offset(from);
            let wall = self.next_wall(whole_second(offset.to_datetime(from)), inclusive)?;
            let instant = offset.to_timestamp(wall).ok()?;
            match self.zone.following(from).next() {
                // The clock jumps before that: look again from the jump on.
                Some(jump) if jump.timestamp() <= instant => (from, inclusive) = (jump.timestamp(), true),
                _ => return Some(instant),
            }
        }
    }

    fn next_wall(&self, wall: DateTime, inclusive: bool) -> Option<DateTime> {
        self.cron.find_next_occurrence(&wall, inclusive).ok()
    }
}

fn whole_second(wall: DateTime) -> DateTime {
    wall.with().subsec_nanosecond(0).build().unwrap_or(wall)
}

/// The parser's sentence without the head that ours has already, and without its full stop.
fn plain(text: &str) -> String {
    let text = text.trim_start_matches("Invalid pattern: ").trim_start_matches("Component error: ").trim_end_matches('.');
    text.replace("Pattern must have 5 or 6 fields when years are disallowed", "it must have five fields, or six with seconds first")
        .replace("Pattern must have between 5 and 7 fields", "it must have five fields, or six with seconds first")
        .replace("CronPattern cannot be an empty string", "it is empty")
}

#[cfg(test)]
mod tests;
