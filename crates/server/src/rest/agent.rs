//! `/agent`: what agents call.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use oplogue_api::ErrorBody;
use oplogue_api::agent::{Enrol, Enrolled, Report, Sync, Wishes};

use crate::app::{App, AppError};
use crate::http::identity::From;
use crate::http::{AgentCaller, ApiJson, ApiPath};

pub fn router() -> Router<App> {
    Router::new().route("/agent/enrol", post(enrol)).route("/agent/sync", post(sync)).route("/agent/jobs/{id}/report", post(report))
}

/// Exchanges an enrolment token for a credential of the agent's own.
#[utoipa::path(post, path = "/agent/enrol", operation_id = "enrolAgent", tag = "agent", security(()), request_body = Enrol, responses(
    (status = 201, description = "The credential, told once", body = Enrolled),
    (status = 401, description = "The token is not known, was used or has expired", body = ErrorBody),
    (status = 409, description = "The name is that of another service", body = ErrorBody),
))]
pub async fn enrol(
    State(app): State<App>,
    From(from): From,
    ApiJson(enrol): ApiJson<Enrol>,
) -> Result<(StatusCode, Json<Enrolled>), AppError> {
    Ok((StatusCode::CREATED, Json(app.enrol(&enrol, &from)?)))
}

/// Says how things are beside a mongod, and hears everything that is wanted. Held back for up to `wait_seconds` while there is nothing new.
#[utoipa::path(post, path = "/agent/sync", operation_id = "syncAgent", tag = "agent", security(("agent" = [])), request_body = Sync, responses((status = 200, description = "What is wanted", body = Wishes)))]
pub async fn sync(State(app): State<App>, caller: AgentCaller, ApiJson(sync): ApiJson<Sync>) -> Result<Json<Wishes>, AppError> {
    Ok(Json(app.sync(&caller.service_id, sync).await?))
}

/// Tells what became of an attempt since the last report. A report that was heard before changes nothing.
#[utoipa::path(post, path = "/agent/jobs/{id}/report", operation_id = "reportAttempt", tag = "agent", security(("agent" = [])), params(("id" = String, Path)), request_body = Report, responses((status = 204, description = "Stored")))]
pub async fn report(
    State(app): State<App>,
    caller: AgentCaller,
    ApiPath(id): ApiPath<String>,
    ApiJson(report): ApiJson<Report>,
) -> Result<StatusCode, AppError> {
    app.report(&caller.service_id, &id, &report)?;
    Ok(StatusCode::NO_CONTENT)
}
