//! What stands before and behind every handler.
//!
//! In order, from the outside: [`around`] (request id, time limit, panics, refusals told, security headers, access log), compression,
//! [`identity::identify`] (who is it, by session or token), [`csrf::guard`] (did a page of ours send this change), then the handler with
//! its extractors ([`Caller`], [`ApiJson`], [`ApiQuery`], [`ApiPath`], [`AgentCaller`]).
//!
//! A handler returns `Result<impl IntoResponse, AppError>`. A refusal becomes an [`oplogue_api::ErrorBody`] below `/v1` and a page elsewhere;
//! the cause of an internal failure is logged beside the request's id and not told.

pub mod address;
pub mod around;
pub mod cookie;
pub mod csrf;
pub mod extract;
pub mod identity;
pub mod refusal;

use axum::extract::DefaultBodyLimit;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::{Router, middleware};
use oplogue_api::ErrorCode;
use tower_http::compression::CompressionLayer;

use crate::app::{App, AppError};
use crate::{front, metrics, rest};

pub use extract::{ApiJson, ApiPath, ApiQuery};
pub use identity::{AgentCaller, Caller, Identity};

/// More than any form, alert template or batch of log lines needs.
pub const BODY_BYTES_MAX: usize = 4 << 20;

/// Everything the server answers.
pub fn service(app: App) -> Router {
    Router::new()
        .nest(oplogue_api::PREFIX, rest::router())
        .merge(front::router())
        .merge(metrics::router())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(csrf::guard))
        .layer(from_fn_with_state(app.clone(), identity::identify))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(app.clone(), around::around))
        .with_state(app)
}

async fn unknown_path(request: Request) -> impl IntoResponse {
    AppError::new(ErrorCode::NotFound, format!("there is nothing at {}", request.uri().path()))
}

async fn wrong_method(request: Request) -> impl IntoResponse {
    AppError::new(ErrorCode::MethodNotAllowed, format!("{} cannot be asked with {}", request.uri().path(), request.method()))
}
