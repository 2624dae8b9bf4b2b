//! The wall clock, for names and records only: nothing is decided by it.

use jiff::Timestamp;

/// Now, in Unix seconds.
#[expect(clippy::disallowed_methods, reason = "the one place of these flows that looks at the clock")]
pub fn unix_seconds() -> u32 {
    u32::try_from(Timestamp::now().as_second()).unwrap_or(u32::MAX)
}
