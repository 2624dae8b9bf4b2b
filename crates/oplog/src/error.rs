//! Why an oplog cannot be used.

use oplogue_domain::{Namespace, OplogTime};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OplogError {
    /// The entry is not what a MongoDB server writes. The object it came from is damaged or is not an oplog.
    #[error("the oplog entry {} cannot be understood: {what}; the object it came from is damaged or holds something else", at(.time))]
    Malformed { time: Option<OplogTime>, what: String },

    /// The entry is understood, and nothing we could do on the target would be the same.
    #[error("the oplog entry at {time:?} (`{operation}` on {namespace}) cannot be restored: {reason}; choose a moment before it")]
    Refused { time: OplogTime, namespace: Namespace, operation: String, reason: String },

    /// Slices were not read in order. Going on would restore wrong data (PBM's bug W1).
    #[error("the oplog entry at {time:?} came after the one at {previous:?}; slices must be read in the order of their times")]
    OutOfOrder { previous: OplogTime, time: OplogTime },

    /// A transaction ends whose beginning, or middle, was never seen.
    #[error(
        "the transaction that ends at {time:?} is incomplete: {what}; the backup's oplog begins too late or an entry is missing, \
         so use another base backup or a moment before it"
    )]
    IncompleteTransaction { time: OplogTime, what: String },
}

impl OplogError {
    pub(crate) fn malformed(time: impl Into<Option<OplogTime>>, what: impl Into<String>) -> Self {
        Self::Malformed { time: time.into(), what: what.into() }
    }

    /// The moment of the entry it is about, when that much could be read.
    pub fn time(&self) -> Option<OplogTime> {
        match self {
            Self::Malformed { time, .. } => *time,
            Self::Refused { time, .. } | Self::OutOfOrder { time, .. } | Self::IncompleteTransaction { time, .. } => Some(*time),
        }
    }
}

fn at(time: &Option<OplogTime>) -> String {
    time.map_or_else(|| "without a readable time".to_owned(), |time| format!("at {time:?}"))
}
