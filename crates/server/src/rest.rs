//! Front door 1: JSON in and out.
//!
//! One resource, one file: its routes and, beside each handler, what it answers. [`openapi`] makes one document of them. Handlers hold
//! no logic: they parse, call a function of [`crate::app::App`], and wrap what comes back.
//!
//! Paths are written without the prefix `/v1`, in routes and in `#[utoipa::path]` alike. Who says nothing of `security` needs a session or a
//! token; `security(())` is open to everybody, `security(("agent" = []))` to agents. Refusals that any request can meet (400, 401, 403, 404 of a
//! path with parameters, 422 of one with a body, 500, 503) are declared for all in [`openapi`]; a handler declares its successes, and 409, 412 and
//! 429 where they can happen.

pub mod agent;
pub mod alerts;
pub mod audit;
pub mod backups;
pub mod clusters;
pub mod jobs;
pub mod locations;
pub mod openapi;
pub mod restores;
pub mod retention;
pub mod schedules;
pub mod services;
pub mod session;
pub mod timelines;
pub mod tokens;
pub mod users;

use axum::Router;

use crate::app::App;

/// All routes, without the prefix.
pub fn router() -> Router<App> {
    Router::new()
        .merge(alerts::router())
        .merge(openapi::router())
        .merge(services::router())
        .merge(schedules::router())
        .merge(restores::router())
        .merge(retention::router())
        .merge(jobs::router())
        .merge(backups::router())
        .merge(agent::router())
        .merge(session::router())
        .merge(users::router())
        .merge(tokens::router())
        .merge(clusters::router())
        .merge(locations::router())
        .merge(timelines::router())
        .merge(audit::router())
}
