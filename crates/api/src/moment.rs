//! Moments of the oplog and ranges of it.

use oplogue_domain::{OplogRange, OplogTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A moment: the second, the ordinal within it, and the second for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MomentJson {
    /// Seconds since 1970-01-01 UTC.
    pub t: u32,
    /// Ordinal within the second.
    pub i: u32,
    /// RFC 3339 of `t`.
    pub at: String,
}

impl From<OplogTime> for MomentJson {
    fn from(time: OplogTime) -> Self {
        Self { t: time.seconds, i: time.ordinal, at: time.rfc3339() }
    }
}

impl MomentJson {
    pub fn time(&self) -> OplogTime {
        OplogTime::new(self.t, self.i)
    }
}

/// Everything later than `after`, up to and including `through`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RangeJson {
    pub after: MomentJson,
    pub through: MomentJson,
}

impl From<OplogRange> for RangeJson {
    fn from(range: OplogRange) -> Self {
        Self { after: range.after.into(), through: range.through.into() }
    }
}
