//! What can be found wrong.

use std::fmt;

use oplogue_domain::damage::Loss;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The object, relative to the storage's folder; of a hole, the slice behind it.
    pub object: String,
    pub kind: Kind,
    /// A sentence that goes on from the object's name.
    pub what: String,
    pub loss: Loss,
}

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It should be there and is not.
    Missing,
    /// It has another size than was recorded.
    Size,
    /// Its bytes are not those that were written, or make no sense.
    Content,
    /// Metadata that contradict themselves or what they speak of.
    Metadata,
    /// A record of ours that was changed, or speaks of something else.
    Record,
    /// Oplog entries that are not in order, or outside what the object's name says.
    Entries,
    /// Two slices that should share an entry and do not.
    Join,
    /// A record that was written after another one than lies there.
    Chain,
    /// A stretch of oplog that is missing, and nothing says why.
    Hole,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Size => "size",
            Self::Content => "content",
            Self::Metadata => "metadata",
            Self::Record => "record",
            Self::Entries => "entries",
            Self::Join => "join",
            Self::Chain => "chain",
            Self::Hole => "hole",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
