//! `/schedules`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use oplogue_api::ErrorBody;
use oplogue_api::jobs::Job;
use oplogue_api::schedules::{CronInput, CronPreview, Schedule, ScheduleEnabled, ScheduleInput};

use crate::app::{App, AppError};
use crate::http::{ApiJson, ApiPath, Caller};

pub fn router() -> Router<App> {
    Router::new()
        .route("/schedules", get(list).post(create))
        .route("/schedules/preview-cron", post(preview_cron))
        .route("/schedules/{id}", get(one).put(change).delete(remove))
        .route("/schedules/{id}/enabled", put(enable))
        .route("/schedules/{id}/run", post(run))
}

/// Scheduled backup jobs, by name.
#[utoipa::path(get, path = "/schedules", operation_id = "listSchedules", tag = "schedules", responses((status = 200, description = "All schedules", body = Vec<Schedule>)))]
pub async fn list(State(app): State<App>, Caller(_): Caller) -> Result<Json<Vec<Schedule>>, AppError> {
    Ok(Json(app.schedules()?))
}

/// Creates a scheduled backup job. One of mode `pitr` takes its first snapshot at once, unless `start_at` is later.
#[utoipa::path(post, path = "/schedules", operation_id = "createSchedule", tag = "schedules", request_body = ScheduleInput, responses(
    (status = 201, description = "The new schedule", body = Schedule),
    (status = 409, description = "The name is taken, the folder is another cluster's, or PITR and other schedules would be enabled for one cluster", body = ErrorBody),
))]
pub async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(input): ApiJson<ScheduleInput>,
) -> Result<(StatusCode, Json<Schedule>), AppError> {
    Ok((StatusCode::CREATED, Json(app.create_schedule(&actor, input)?)))
}

#[utoipa::path(get, path = "/schedules/{id}", operation_id = "getSchedule", tag = "schedules", params(("id" = String, Path)), responses((status = 200, description = "The schedule", body = Schedule)))]
pub async fn one(State(app): State<App>, Caller(_): Caller, ApiPath(id): ApiPath<String>) -> Result<Json<Schedule>, AppError> {
    Ok(Json(app.schedule(&id)?))
}

/// Replaces all of a schedule.
#[utoipa::path(put, path = "/schedules/{id}", operation_id = "changeSchedule", tag = "schedules", params(("id" = String, Path)), request_body = ScheduleInput, responses(
    (status = 200, description = "The schedule as it is now", body = Schedule),
    (status = 409, description = "The name is taken, the folder is another cluster's, or PITR and other schedules would be enabled for one cluster", body = ErrorBody),
))]
pub async fn change(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiPath(id): ApiPath<String>,
    ApiJson(input): ApiJson<ScheduleInput>,
) -> Result<Json<Schedule>, AppError> {
    Ok(Json(app.update_schedule(&actor, &id, input)?))
}

/// Deletes a schedule. Its backups stay.
#[utoipa::path(delete, path = "/schedules/{id}", operation_id = "deleteSchedule", tag = "schedules", params(("id" = String, Path)), responses((status = 204, description = "Deleted")))]
pub async fn remove(State(app): State<App>, Caller(actor): Caller, ApiPath(id): ApiPath<String>) -> Result<StatusCode, AppError> {
    app.delete_schedule(&actor, &id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Turns a schedule on or off, at once.
#[utoipa::path(put, path = "/schedules/{id}/enabled", operation_id = "enableSchedule", tag = "schedules", params(("id" = String, Path)), request_body = ScheduleEnabled, responses(
    (status = 200, description = "The schedule as it is now", body = Schedule),
    (status = 409, description = "PITR and other schedules would be enabled for one cluster", body = ErrorBody),
))]
pub async fn enable(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiPath(id): ApiPath<String>,
    ApiJson(input): ApiJson<ScheduleEnabled>,
) -> Result<Json<Schedule>, AppError> {
    Ok(Json(app.enable_schedule(&actor, &id, input.enabled)?))
}

/// Runs a schedule once now, also one that is disabled.
#[utoipa::path(post, path = "/schedules/{id}/run", operation_id = "runSchedule", tag = "schedules", params(("id" = String, Path)), responses(
    (status = 201, description = "The job", body = Job),
    (status = 409, description = "A run is not over yet", body = ErrorBody),
))]
pub async fn run(State(app): State<App>, Caller(actor): Caller, ApiPath(id): ApiPath<String>) -> Result<(StatusCode, Json<Job>), AppError> {
    Ok((StatusCode::CREATED, Json(app.run_schedule(&actor, &id)?)))
}

/// What a cron expression means: in words, and as the next five starts.
#[utoipa::path(post, path = "/schedules/preview-cron", operation_id = "previewCron", tag = "schedules", request_body = CronInput, responses((status = 200, description = "What it means", body = CronPreview)))]
pub async fn preview_cron(
    State(app): State<App>,
    Caller(_): Caller,
    ApiJson(input): ApiJson<CronInput>,
) -> Result<Json<CronPreview>, AppError> {
    Ok(Json(app.preview_cron(&input.cron, &input.time_zone, input.start_at)?))
}
