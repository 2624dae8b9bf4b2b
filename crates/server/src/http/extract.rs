//! Parts of a request, parsed at the door. What cannot be parsed is refused in our own words.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use oplogue_api::{ErrorCode, FieldError};
use serde::de::DeserializeOwned;

use super::BODY_BYTES_MAX;
use crate::app::{App, AppError};

/// The JSON body of a request.
#[derive(Debug)]
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for ApiJson<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, app: &App) -> Result<Self, AppError> {
        if !is_json(request.headers()) {
            return Err(bad("the body of this request must be JSON").hint("send it with the header Content-Type: application/json"));
        }
        let bytes = Bytes::from_request(request, app).await.map_err(unread)?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| wrong_json(&error))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let named = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = named.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}

fn unread(rejection: BytesRejection) -> AppError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        bad(format!("the body of this request is larger than {} MiB", BODY_BYTES_MAX >> 20))
    } else {
        bad("the body of this request did not arrive whole")
    }
}

fn wrong_json(error: &serde_json::Error) -> AppError {
    if !error.is_data() {
        return bad(format!("the body of this request is not JSON: {error}"));
    }
    // The parser names fields only in its sentence: missing field `name` at line 1 column 2.
    let text = error.to_string();
    let message = format!("the body of this request does not fit: {text}");
    match text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        Some((field, _)) => AppError { message, ..AppError::invalid(vec![FieldError::new(field, "is missing")]) },
        None => AppError::new(ErrorCode::Invalid, message),
    }
}

/// What stands behind the question mark.
#[derive(Debug)]
pub struct ApiQuery<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for ApiQuery<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        let parsed = Query::<T>::from_request_parts(parts, app).await;
        parsed
            .map(|Query(value)| Self(value))
            .map_err(|rejection| bad(format!("the query of this request does not fit: {}", innermost(&rejection))))
    }
}

/// The variable parts of the path.
#[derive(Debug)]
pub struct ApiPath<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for ApiPath<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        let parsed = Path::<T>::from_request_parts(parts, app).await;
        parsed
            .map(|Path(value)| Self(value))
            .map_err(|rejection| bad(format!("the path of this request does not fit: {}", innermost(&rejection))))
    }
}

fn bad(message: impl Into<String>) -> AppError {
    AppError::new(ErrorCode::BadRequest, message)
}

/// The library's own words around it add nothing.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
