//! A moment and a stretch of time.

use oplogue_domain::{OplogRange, OplogTime};
use serde::Serialize;

/// `{"t": seconds, "i": ordinal, "at": RFC 3339}`. `at` is for people; `t` and `i` are exact.
#[derive(Serialize)]
pub struct TimeJson {
    t: u32,
    i: u32,
    at: String,
}

impl From<OplogTime> for TimeJson {
    fn from(time: OplogTime) -> Self {
        Self { t: time.seconds, i: time.ordinal, at: time.rfc3339() }
    }
}

/// Later than `after`, up to and including `through`.
#[derive(Serialize)]
pub struct RangeJson {
    after: TimeJson,
    through: TimeJson,
}

impl From<OplogRange> for RangeJson {
    fn from(range: OplogRange) -> Self {
        Self { after: range.after.into(), through: range.through.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_seconds_ordinal_and_a_readable_form() {
        let json = serde_json::to_string(&TimeJson::from(OplogTime::new(1_795_397_942, 21))).expect("serialises");
        assert_eq!(json, r#"{"t":1795397942,"i":21,"at":"2026-11-23T01:39:02Z"}"#);
    }
}
