//! One update applied to one document.

use bson::{RawDocument, RawDocumentBuf};

/// Why an update was not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It is not what an oplog holds.
    #[error("the update cannot be read: {0}")]
    Malformed(String),
    /// A server would have to be asked.
    #[error("the update is of a kind that is not folded: {0}")]
    Unknown(String),
}

/// The document after `change`, which is the `o` of an update entry: a replacement, `$v: 1` modifiers or a `$v: 2` diff.
///
/// # Errors
/// [`ApplyError`]; `before` is as it was.
pub fn update(before: &RawDocument, change: &RawDocument) -> Result<RawDocumentBuf, ApplyError> {
    let _ = before;
    Err(ApplyError::Unknown(format!("{change:?}")))
}
