//! A moment in the oplog and a span between two moments.
//!
//! Every oplog entry of a replica set has a time made of a second and an ordinal within that second. Whole seconds are never
//! enough: two writes of one second are two different moments, and the one to undo is often the second of them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A moment in the oplog: the BSON timestamp of an entry. Seconds since 1970-01-01 UTC, then the ordinal within the second,
/// which the server counts from 1. Ordered by second, then ordinal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OplogTime {
    pub seconds: u32,
    pub ordinal: u32,
}

impl OplogTime {
    pub const MIN: Self = Self { seconds: 0, ordinal: 0 };
    pub const MAX: Self = Self { seconds: u32::MAX, ordinal: u32::MAX };

    pub const fn new(seconds: u32, ordinal: u32) -> Self {
        Self { seconds, ordinal }
    }

    /// The moment when second `seconds` begins: every entry of the seconds before, none of that second.
    pub const fn start_of_second(seconds: u32) -> Self {
        Self { seconds, ordinal: 0 }
    }

    /// The last moment before this one. `OplogTime::MIN` has none and stays itself.
    pub const fn predecessor(self) -> Self {
        match (self.seconds, self.ordinal) {
            (0, 0) => self,
            (seconds, 0) => Self { seconds: seconds - 1, ordinal: u32::MAX },
            (seconds, ordinal) => Self { seconds, ordinal: ordinal - 1 },
        }
    }

    /// RFC 3339 in UTC with whole seconds, e.g. `2026-08-21T14:03:07Z`. The ordinal is not part of it.
    pub fn rfc3339(self) -> String {
        self.timestamp().to_string()
    }

    /// The second as a calendar moment.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_second(i64::from(self.seconds)).expect("every u32 is a second jiff can represent")
    }

    /// Seconds from `earlier` to `self`, 0 when `earlier` is later.
    pub const fn seconds_since(self, earlier: Self) -> u32 {
        self.seconds.saturating_sub(earlier.seconds)
    }
}

/// `2026-08-21 14:03:07 +2`: for people. The zone is always UTC.
impl fmt::Display for OplogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = self.timestamp().to_zoned(TimeZone::UTC).datetime();
        let (date, time) = (civil.date(), civil.time());
        f.pad(&format!("{date} {time} +{}", self.ordinal))
    }
}

impl fmt::Debug for OplogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.seconds, self.ordinal)
    }
}

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a moment: write `SECONDS,ORDINAL` (e.g. `1795397942,21`), an RFC 3339 time (e.g. `2026-11-22T10:00:05Z`) \
     or `2026-11-22 10:00:05 +21`"
)]
pub struct ParseTimeError {
    pub text: String,
}

/// Reads `T,I` (Unix seconds and ordinal; the ordinal counts), an RFC 3339 time with its zone (the start of that second), an
/// RFC 3339 time with `,I`, and what [`fmt::Display`] prints. A time without a zone is UTC.
impl FromStr for OplogTime {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseTimeError { text: text.to_owned() };
        let trimmed = text.trim();
        let (moment, ordinal) = match trimmed.rsplit_once(" +").or_else(|| trimmed.rsplit_once(',')) {
            Some((moment, ordinal)) => (moment.trim(), ordinal.trim().parse::<u32>().map_err(|_| error())?),
            None => (trimmed, 0),
        };
        if !moment.is_empty() && moment.bytes().all(|byte| byte.is_ascii_digit()) {
            // Bare seconds without an ordinal would be too easy to mistype for something else.
            if moment.len() == trimmed.len() {
                return Err(error());
            }
            return Ok(Self::new(moment.parse().map_err(|_| error())?, ordinal));
        }
        let seconds = parse_calendar(moment).ok_or_else(error)?;
        Ok(Self::new(u32::try_from(seconds).map_err(|_| error())?, ordinal))
    }
}

fn parse_calendar(text: &str) -> Option<i64> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        // A fraction would silently be cut off, and the moment restored would not be the one asked for.
        return (timestamp.subsec_nanosecond() == 0).then(|| timestamp.as_second());
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    (civil.subsec_nanosecond() == 0).then_some(())?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// `(after, through]`: the entries later than `after`, up to and including `through`. Ranges join without off-by-one errors:
/// two are neighbours when `a.through == b.after`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OplogRange {
    pub after: OplogTime,
    pub through: OplogTime,
}

impl OplogRange {
    pub const fn new(after: OplogTime, through: OplogTime) -> Self {
        Self { after, through }
    }

    pub fn contains(self, time: OplogTime) -> bool {
        self.after < time && time <= self.through
    }

    pub fn is_empty(self) -> bool {
        self.through <= self.after
    }

    /// Whole seconds between the two ends.
    pub const fn seconds(self) -> u32 {
        self.through.seconds_since(self.after)
    }
}

impl fmt::Display for OplogRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} … {}", self.after, self.through)
    }
}

impl fmt::Debug for OplogRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}..={:?}", self.after, self.through)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(u32, u32)> {
        text.parse::<OplogTime>().ok().map(|time| (time.seconds, time.ordinal))
    }

    #[test]
    fn seconds_and_ordinal_are_read_as_they_stand() {
        assert_eq!(parsed("1795397942,21"), Some((1_795_397_942, 21)));
        assert_eq!(parsed(" 1795397942, 0 "), Some((1_795_397_942, 0)));
    }

    #[test]
    fn a_calendar_time_is_the_start_of_its_second_in_its_own_zone() {
        assert_eq!(parsed("1970-01-01T00:01:40Z"), Some((100, 0)));
        assert_eq!(parsed("1970-01-01T01:01:40+01:00"), Some((100, 0)));
        assert_eq!(parsed("1970-01-01T00:01:40"), Some((100, 0)));
        assert_eq!(parsed("1970-01-01T00:01:40Z,3"), Some((100, 3)));
    }

    #[test]
    fn what_cannot_be_meant_exactly_is_refused() {
        for text in ["", "100", ",", "5,", "-1,2", "1970-01-01T00:01:40.5Z", "yesterday", "4294967296,1", "1900-01-01T00:00:00Z", "1,2,3"] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_predecessor_crosses_a_second_without_losing_an_entry() {
        assert_eq!(OplogTime::new(5, 0).predecessor(), OplogTime::new(4, u32::MAX));
        assert_eq!(OplogTime::new(5, 7).predecessor(), OplogTime::new(5, 6));
        assert_eq!(OplogTime::MIN.predecessor(), OplogTime::MIN);
    }

    proptest::proptest! {
        #[test]
        fn display_is_read_back(seconds: u32, ordinal: u32) {
            let time = OplogTime::new(seconds, ordinal);
            proptest::prop_assert_eq!(time.to_string().parse::<OplogTime>(), Ok(time));
        }
    }
}
