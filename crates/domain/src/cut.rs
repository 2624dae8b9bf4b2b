//! When a slice ends.
//!
//! A slice is cut when its span is over or it has grown big, whichever comes first, and always at an entry that a majority of
//! the replica set has: such an entry is never rolled back. Nothing is cut without an entry, so that a silent oplog leaves no objects.

use std::fmt;
use std::time::Duration;

use crate::time::{OplogRange, OplogTime};

/// The limits of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceCutter {
    /// How long an entry may wait before its slice is cut: about how old the newest restorable moment gets.
    pub span: Duration,
    /// Uncompressed bytes at which a slice is cut early. A slice may exceed it by what was read in one go.
    pub bytes_max: u64,
}

impl Default for SliceCutter {
    fn default() -> Self {
        // 10 s keep the newest restorable moment seconds old. 64 MiB: some parts of an S3 multipart upload, so that a retry costs seconds, not minutes.
        Self { span: Duration::from_secs(10), bytes_max: 64 << 20 }
    }
}

/// A slice in the making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceProgress {
    /// Where the slice starts: the end of the one before.
    pub after: OplogTime,
    /// The newest entry read so far, the one at `after` not counted.
    pub last: Option<OplogTime>,
    /// Uncompressed bytes read so far.
    pub bytes: u64,
    /// The newest moment that a majority has, as last heard.
    pub majority: OplogTime,
    /// How long ago the first entry later than `after` was read.
    pub waiting: Duration,
    /// The slicer was asked to stop: what is there is cut now.
    pub stopping: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutReason {
    Span,
    Bytes,
    Stopping,
}

impl fmt::Display for CutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Span => "its span is over",
            Self::Bytes => "it has grown to its largest size",
            Self::Stopping => "slicing stops",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Read on; nothing can change before `within` but by new entries.
    Continue { within: Duration },
    /// The slice holds `range`, and the next one starts at `range.through`.
    Cut { range: OplogRange, why: CutReason },
}

impl SliceCutter {
    pub fn decide(&self, progress: &SliceProgress) -> Decision {
        let Some(last) = progress.last.filter(|last| *last > progress.after) else {
            return Decision::Continue { within: self.span };
        };
        let why = if progress.stopping {
            CutReason::Stopping
        } else if progress.bytes >= self.bytes_max {
            CutReason::Bytes
        } else if progress.waiting >= self.span {
            CutReason::Span
        } else {
            return Decision::Continue { within: self.span - progress.waiting };
        };
        if last > progress.majority {
            // Due, but the newest entry could still be rolled back.
            return Decision::Continue { within: Duration::ZERO };
        }
        Decision::Cut { range: OplogRange::new(progress.after, last), why }
    }
}

#[cfg(test)]
mod tests;
