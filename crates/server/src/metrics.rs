//! What Prometheus reads: `GET /metrics`.
//!
//! Everything is a gauge, made anew from what is known at each request; nothing is contacted, and no storage is read for it. Labels are names that people
//! gave (clusters, services, locations, schedules) and folders on a storage; of those at most [`FOLDERS_MAX`] are told, so that a bucket full of strangers' folders does
//! not become a million series. [`table`] is the one list of what there is, and docs/alerts.md, the dashboard and the alert rules are held to it by tests.

mod collect;
pub mod table;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use oplogue_api::users::Role;
use prometheus_client::encoding::prometheus_text;

use crate::app::{App, AppError};
use crate::http::identity::Identity;

pub use collect::FOLDERS_MAX;

pub fn router() -> Router<App> {
    Router::new().route("/metrics", get(exposition))
}

async fn exposition(State(app): State<App>, request: Request) -> Result<impl IntoResponse, AppError> {
    if !app.config.metrics_open {
        let (mut parts, _) = request.into_parts();
        let identity = <Identity as FromRequestParts<App>>::from_request_parts(&mut parts, &app).await?;
        identity.actor.must_be(Role::Viewer)?;
    }
    let text = tokio::task::spawn_blocking(move || app.metrics()).await.map_err(AppError::internal)??;
    Ok(([(CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], text))
}
