//! How long slicing may stand still before the server discards what is not stored.
//!
//! The oplog is a ring: the newest entries push out the oldest, at the pace at which clients write. Its window is the time between the
//! two; the headroom is what of it lies before the end of the newest slice. While slicing keeps up they are nearly the same, and while it stands
//! still the headroom shrinks as fast as the ring turns.

use std::fmt;

use crate::time::OplogTime;

/// Below this part of the window the headroom is short: three quarters of all that the server keeps is not stored yet.
const SHORT_PART: u32 = 4;
/// Younger than this, an oplog has no pace.
const YOUNG_SECONDS: u32 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headroom {
    /// From the end of the newest slice to the newest entry.
    pub lag_seconds: u32,
    /// From the oldest entry to the end of the newest slice; 0 when the oldest is already later.
    pub headroom_seconds: u32,
    /// From the oldest entry to the newest.
    pub window_seconds: u32,
}

impl Headroom {
    /// `stored`: the end of the newest slice. `oldest`, `newest`: the ends of the server's oplog.
    pub fn of(stored: OplogTime, oldest: OplogTime, newest: OplogTime) -> Self {
        Self {
            lag_seconds: newest.seconds_since(stored),
            headroom_seconds: stored.seconds_since(oldest),
            window_seconds: newest.seconds_since(oldest),
        }
    }

    /// True when somebody should look after it now: what is not stored fills most of the oplog. An oplog of some seconds says nothing
    /// yet.
    pub fn is_short(self) -> bool {
        self.window_seconds >= YOUNG_SECONDS && self.headroom_seconds < self.window_seconds / SHORT_PART
    }
}

impl fmt::Display for Headroom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the newest slice is {} s behind, and the server discards what is not stored in about {} s (it keeps {} s of oplog)",
            self.lag_seconds, self.headroom_seconds, self.window_seconds
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stored: u32, oldest: u32, newest: u32, expected: (u32, u32, bool)) {
        let moment = |seconds| OplogTime::new(seconds, 1);
        let headroom = Headroom::of(moment(stored), moment(oldest), moment(newest));
        assert_eq!((headroom.lag_seconds, headroom.headroom_seconds, headroom.is_short()), expected, "{headroom}");
    }

    #[test]
    fn headroom_is_short_when_most_of_the_oplog_is_not_stored() {
        check(10_000, 1_000, 10_000, (0, 9_000, false));
        check(4_000, 1_000, 10_000, (6_000, 3_000, false));
        check(3_000, 1_000, 10_000, (7_000, 2_000, true));
        check(500, 1_000, 10_000, (9_500, 0, true));
    }

    #[test]
    fn a_young_oplog_says_nothing() {
        check(1_001, 1_000, 1_009, (8, 1, false));
        check(1_001, 1_000, 1_010, (9, 1, true));
    }
}
