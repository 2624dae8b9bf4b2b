//! How a function of the server says no. Told to people and programs as [`oplogue_api::ErrorBody`].

use oplogue_api::{ErrorCode, FieldError};

/// A refusal, or a failure of ours (`Internal`, whose cause is logged and not told).
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct AppError {
    pub code: ErrorCode,
    pub message: String,
    pub hint: Option<String>,
    pub fields: Vec<FieldError>,
    /// With `too_many`: when it is worth trying again.
    pub retry_after_seconds: Option<u64>,
    pub cause: Option<anyhow::Error>,
}

impl AppError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, fields: Vec::new(), retry_after_seconds: None, cause: None }
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, message)
    }

    /// `what`: `schedule`; `id` as it was asked for.
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("there is no {what} `{id}`"))
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Conflict, message)
    }

    /// A check said no and nothing was changed.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Refused, message)
    }

    /// Something outside is away; the same may work later.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }

    /// `fields` is not empty.
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let message = fields.first().map_or_else(|| "something is wrong".to_owned(), |field| field.message.clone());
        Self { fields, ..Self::new(ErrorCode::Invalid, message) }
    }

    /// One wrong field.
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, message)])
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(ErrorCode::Internal, "the server could not do that; its log says why") }
    }
}

impl From<rusqlite::Error> for AppError {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(error)
    }
}

impl From<anyhow::Error> for AppError {
    fn from(error: anyhow::Error) -> Self {
        Self::internal(error)
    }
}
