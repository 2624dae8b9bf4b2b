//! Why something is not folded.

use std::io;

use bson::Bson;
use bson::raw::RawBsonRef;

use crate::ApplyError;

#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// A server must be asked. The reason ends a sentence that begins "replayed on the server, because".
    #[error("{0}")]
    CannotFold(String),
    #[error("the temporary file of the fold: {0}")]
    Spill(#[from] io::Error),
}

impl FoldError {
    pub(crate) fn of(error: &ApplyError, id: Option<RawBsonRef<'_>>) -> Self {
        Self::CannotFold(format!("{error} (document {})", shown(id)))
    }
}

/// An `_id` for a message.
fn shown(id: Option<RawBsonRef<'_>>) -> String {
    const SHOWN_MAX: usize = 60;
    let text = id.and_then(|id| Bson::try_from(id).ok()).map_or_else(|| "without a readable `_id`".to_owned(), |id| id.to_string());
    if text.chars().count() <= SHOWN_MAX { text } else { text.chars().take(SHOWN_MAX).chain(['…']).collect() }
}
