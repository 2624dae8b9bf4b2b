//! The wall clock, for names and records only: nothing is decided by it.

use jiff::Timestamp;

/// Now, in Unix seconds.
pub fn unix_seconds() -> u32 {
    u32::try_from(Timestamp::now().as_second()).unwrap_or(u32::MAX)
}

/// Now, in nanoseconds since 1970: to tell two runs apart.
pub fn unix_nanoseconds() -> i128 {
    Timestamp::now().as_nanosecond()
}
