//! How the API says no.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    pub code: ErrorCode,
    /// What was attempted and why it did not work, for people.
    pub message: String,
    /// What to do next, when there is something.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// What is wrong with single fields of the request.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub fields: Vec<FieldError>,
    /// The same request may work later.
    pub retryable: bool,
    /// Stands in the server's log beside what happened.
    pub request_id: String,
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// The field's name as in the request.
    pub field: String,
    pub message: String,
}

impl FieldError {
    pub fn new(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into() }
    }
}

/// Kinds of refusals, named by what the caller can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// 400: the request cannot be understood.
    BadRequest,
    /// 401: sign in, or send a token.
    Unauthenticated,
    /// 403: this user or token may not do that, or the form's token is missing.
    Forbidden,
    /// 404
    NotFound,
    /// 405: the path is there, but not for this method.
    MethodNotAllowed,
    /// 409: a name is taken, or something is in the way.
    Conflict,
    /// 422: fields are wrong; see `fields`.
    Invalid,
    /// 412: a check said no; nothing was changed.
    Refused,
    /// 429: too many tries.
    TooMany,
    /// 503: something the server depends on is away.
    Unavailable,
    /// 500: our mistake.
    Internal,
}

impl ErrorCode {
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::Refused => 412,
            Self::Invalid => 422,
            Self::TooMany => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }
}
