//! How a refusal travels from a handler to whoever asked.
//!
//! A handler does not know the request's id nor whether a program or a person asks. So the answer carries the error itself, and
//! [`tell`] turns it into what is sent.

use std::sync::Arc;

use axum::Json;
use axum::http::header::{HeaderValue, LOCATION, RETRY_AFTER};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use oplogue_api::{ErrorBody, ErrorCode};

use crate::app::AppError;
use crate::front;

#[derive(Clone)]
struct Refusal(Arc<AppError>);

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let mut response = status(self.code).into_response();
        response.extensions_mut().insert(Refusal(Arc::new(self)));
        response
    }
}

fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What the answer to a refused request depends on.
pub struct Asked<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    /// Path and query.
    pub target: &'a str,
    pub request_id: &'a str,
}

impl Asked<'_> {
    fn by_program(&self) -> bool {
        self.path == oplogue_api::PREFIX || self.path.starts_with("/v1/") || self.path == "/metrics"
    }
}

/// Answers that are no refusals pass unchanged.
pub fn tell(mut response: Response, asked: &Asked<'_>) -> Response {
    let Some(Refusal(error)) = response.extensions_mut().remove::<Refusal>() else {
        return response;
    };
    if let Some(cause) = &error.cause {
        tracing::error!(request_id = asked.request_id, method = %asked.method, path = asked.path, error = format!("{cause:#}"), "request failed");
    }
    let body = body(&error, asked.request_id);
    let mut told = if asked.by_program() {
        (status(error.code), Json(body)).into_response()
    } else if error.code == ErrorCode::Unauthenticated && asked.method == Method::GET {
        sign_in_first(asked.target)
    } else {
        (status(error.code), front::refusal_page(&body)).into_response()
    };
    if let Some(seconds) = error.retry_after_seconds {
        told.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    // What was said of the methods that are allowed stays.
    for (name, value) in response.headers() {
        if name == axum::http::header::ALLOW || name == axum::http::header::SET_COOKIE {
            told.headers_mut().append(name.clone(), value.clone());
        }
    }
    told
}

fn sign_in_first(target: &str) -> Response {
    let next = percent_encoding::utf8_percent_encode(target, percent_encoding::NON_ALPHANUMERIC);
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = if target == "/" { "/sign-in".to_owned() } else { format!("/sign-in?next={next}") };
    response.headers_mut().insert(LOCATION, HeaderValue::from_str(&location).unwrap_or(HeaderValue::from_static("/sign-in")));
    response
}

fn body(error: &AppError, request_id: &str) -> ErrorBody {
    ErrorBody {
        code: error.code,
        message: error.message.clone(),
        hint: error.hint.clone(),
        fields: error.fields.clone(),
        retryable: matches!(error.code, ErrorCode::TooMany | ErrorCode::Unavailable),
        request_id: request_id.to_owned(),
    }
}
