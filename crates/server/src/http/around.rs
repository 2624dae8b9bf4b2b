//! The outermost layer: whatever happens inside, there is one answer, with a name to find it in the log by.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;

use super::refusal::{self, Asked};
use crate::app::{App, AppError};
use crate::ids;

/// Agents wait for news for less than this, and a storage that does not answer is given up sooner.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Only what this server itself sends runs, and nobody may frame it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let request_id = hex::encode(ids::random::<8>());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let target = request.uri().path_and_query().map_or_else(|| path.clone(), ToString::to_string);
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    let response = match tokio::time::timeout(ANSWER_WITHIN, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => AppError::internal(anyhow::anyhow!("panicked: {}", said(&*panic))).into_response(),
        Err(_) => AppError::unavailable(format!("this took longer than {} s and was given up", ANSWER_WITHIN.as_secs())).into_response(),
    };
    let asked = Asked { method: &method, path: &path, target: &target, request_id: &request_id };
    let mut response = refusal::tell(response, &asked);
    add_headers(response.headers_mut(), &request_id, app.config.is_secure());
    tracing::debug!(request_id, %method, path, status = response.status().as_u16(), millis = begun.elapsed().as_millis() as u64, "request answered");
    response
}

fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}

fn add_headers(headers: &mut HeaderMap, request_id: &str, secure: bool) {
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // Pages and answers show who is signed in; assets say themselves that they may be kept.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
}
