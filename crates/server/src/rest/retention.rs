//! What a retention policy would do: `/schedules/{id}/retention-preview`, `/retention/preview`.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use oplogue_api::retention::{RetentionPolicy, RetentionPreview, RetentionPreviewInput};

use crate::app::{App, AppError};
use crate::http::{ApiJson, ApiPath, Caller};

pub fn router() -> Router<App> {
    Router::new().route("/schedules/{id}/retention-preview", post(of_schedule)).route("/retention/preview", post(of_folder))
}

/// What a policy would keep and delete if it were that of the schedule. Nothing is changed.
#[utoipa::path(post, path = "/schedules/{id}/retention-preview", operation_id = "previewScheduleRetention", tag = "schedules", params(("id" = String, Path)), request_body = RetentionPolicy, responses((status = 200, description = "Every item with its reasons", body = RetentionPreview)))]
pub async fn of_schedule(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiPath(id): ApiPath<String>,
    ApiJson(policy): ApiJson<RetentionPolicy>,
) -> Result<Json<RetentionPreview>, AppError> {
    Ok(Json(app.preview_retention(&actor, &id, &policy).await?))
}

/// What a policy would keep and delete if it were about every backup of a folder. Nothing is changed.
#[utoipa::path(post, path = "/retention/preview", operation_id = "previewRetention", tag = "schedules", request_body = RetentionPreviewInput, responses((status = 200, description = "Every item with its reasons", body = RetentionPreview), (status = 404, description = "There is no such location", body = oplogue_api::ErrorBody)))]
pub async fn of_folder(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(input): ApiJson<RetentionPreviewInput>,
) -> Result<Json<RetentionPreview>, AppError> {
    Ok(Json(app.preview_folder_retention(&actor, &input.location_id, &input.folder, &input.policy).await?))
}
