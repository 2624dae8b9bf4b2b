//! `/restores`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use oplogue_api::jobs::Job;
use oplogue_api::restores::{Restore, RestoreConfirmation, RestoreInput};
use oplogue_api::{ErrorBody, Page};
use serde::Deserialize;

use crate::app::{App, AppError};
use crate::http::{ApiJson, ApiPath, ApiQuery, Caller};

pub fn router() -> Router<App> {
    Router::new().route("/restores", get(list).post(start)).route("/restores/plans", post(plan)).route("/restores/{id}", get(one))
}

const ROWS: u32 = 100;

/// Has the target's agent work out what a restore would do. Nothing is touched; the job's result is the plan.
#[utoipa::path(post, path = "/restores/plans", operation_id = "planRestore", tag = "restores", request_body = RestoreInput, responses((status = 201, description = "The job", body = Job)))]
pub async fn plan(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(input): ApiJson<RestoreInput>,
) -> Result<(StatusCode, Json<Job>), AppError> {
    Ok((StatusCode::CREATED, Json(app.plan_restore(&actor, &input)?)))
}

/// Carries out a plan, confirmed by the typed name of the target.
#[utoipa::path(post, path = "/restores", operation_id = "startRestore", tag = "restores", request_body = RestoreConfirmation, responses(
    (status = 201, description = "The job", body = Job),
    (status = 409, description = "Another restore of the target is not over", body = ErrorBody),
    (status = 412, description = "The plan is not done, or not for this target any more", body = ErrorBody),
))]
pub async fn start(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(confirmation): ApiJson<RestoreConfirmation>,
) -> Result<(StatusCode, Json<Job>), AppError> {
    Ok((StatusCode::CREATED, Json(app.start_restore(&actor, &confirmation)?)))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The `next` of the answer before.
    pub after: Option<String>,
    /// 100 by default.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}

/// All restores, newest first.
#[utoipa::path(get, path = "/restores", operation_id = "listRestores", tag = "restores", params(ListQuery), responses((status = 200, description = "A page of restores", body = Page<Restore>)))]
pub async fn list(
    State(app): State<App>,
    Caller(_): Caller,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Page<Restore>>, AppError> {
    Ok(Json(app.restores(query.after.as_deref(), query.limit.unwrap_or(ROWS))?))
}

#[utoipa::path(get, path = "/restores/{id}", operation_id = "getRestore", tag = "restores", params(("id" = String, Path)), responses((status = 200, description = "The restore", body = Restore)))]
pub async fn one(State(app): State<App>, Caller(_): Caller, ApiPath(id): ApiPath<String>) -> Result<Json<Restore>, AppError> {
    Ok(Json(app.restore(&id)?))
}
