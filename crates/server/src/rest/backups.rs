//! `/backups`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use oplogue_api::backups::{Backup, BackupInput, BackupStatus, DeletePreview};
use oplogue_api::jobs::Job;
use oplogue_api::restores::CompatibleService;
use oplogue_api::{ErrorBody, Page};
use serde::Deserialize;

use crate::app::backups::BackupFilter;
use crate::app::{App, AppError};
use crate::http::{ApiJson, ApiPath, ApiQuery, Caller};

pub fn router() -> Router<App> {
    Router::new()
        .route("/backups", get(list).post(create))
        .route("/backups/{id}", get(one).delete(remove))
        .route("/backups/{id}/delete-preview", get(delete_preview))
        .route("/backups/{id}/compatible-services", get(compatible))
}

const ROWS: u32 = 100;

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only of this cluster.
    pub cluster: Option<String>,
    pub status: Option<BackupStatus>,
    /// Only on this location.
    pub location_id: Option<String>,
    /// Only of this schedule.
    pub schedule_id: Option<String>,
    /// The `next` of the answer before.
    pub after: Option<String>,
    /// 100 by default.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}

/// All backups, newest first: those on the storages, whoever made them, those being made, and those that failed.
#[utoipa::path(get, path = "/backups", operation_id = "listBackups", tag = "backups", params(ListQuery), responses((status = 200, description = "A page of backups", body = Page<Backup>)))]
pub async fn list(State(app): State<App>, Caller(_): Caller, ApiQuery(query): ApiQuery<ListQuery>) -> Result<Json<Page<Backup>>, AppError> {
    let filter =
        BackupFilter { cluster: query.cluster, status: query.status, location_id: query.location_id, schedule_id: query.schedule_id };
    Ok(Json(app.backups(&filter, query.after.as_deref(), query.limit.unwrap_or(ROWS))?))
}

/// Takes a backup as soon as it is its turn.
#[utoipa::path(post, path = "/backups", operation_id = "createBackup", tag = "backups", request_body = BackupInput, responses(
    (status = 201, description = "The job", body = Job),
    (status = 409, description = "The folder is another cluster's", body = ErrorBody),
))]
pub async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(input): ApiJson<BackupInput>,
) -> Result<(StatusCode, Json<Job>), AppError> {
    Ok((StatusCode::CREATED, Json(app.create_backup(&actor, &input)?)))
}

#[utoipa::path(get, path = "/backups/{id}", operation_id = "getBackup", tag = "backups", params(("id" = String, Path)), responses((status = 200, description = "The backup", body = Backup)))]
pub async fn one(State(app): State<App>, Caller(_): Caller, ApiPath(id): ApiPath<String>) -> Result<Json<Backup>, AppError> {
    Ok(Json(app.backup(&id)?))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteQuery {
    /// `true` (default): from its storage. `false`: only from the list.
    #[serde(default)]
    pub storage: Option<bool>,
    /// `true`: also when moments that only this backup makes restorable are lost (`may_accept_loss` of the preview).
    #[serde(default)]
    pub accept_loss: Option<bool>,
}

/// Deletes a backup: from its storage, or only from the list. What is taken off the list stays on its storage, restorable, and is found again when the
/// server's database is lost.
#[utoipa::path(delete, path = "/backups/{id}", operation_id = "deleteBackup", tag = "backups", params(("id" = String, Path), DeleteQuery), responses(
    (status = 202, description = "A job deletes it from its storage", body = Job),
    (status = 204, description = "It is not listed any more"),
    (status = 409, description = "Something is in the way", body = ErrorBody),
    (status = 412, description = "A restorable range that is kept needs it, or something reads from it", body = ErrorBody),
))]
pub async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<DeleteQuery>,
) -> Result<Response, AppError> {
    Ok(match app.delete_backup(&actor, &id, query.storage.unwrap_or(true), query.accept_loss.unwrap_or(false))? {
        Some(job) => (StatusCode::ACCEPTED, Json(job)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// What deleting it from its storage would do.
#[utoipa::path(get, path = "/backups/{id}/delete-preview", operation_id = "previewDelete", tag = "backups", params(("id" = String, Path)), responses((status = 200, description = "What would be lost", body = DeletePreview)))]
pub async fn delete_preview(
    State(app): State<App>,
    Caller(_): Caller,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<DeletePreview>, AppError> {
    Ok(Json(app.preview_delete(&id)?))
}

/// The services that it can be restored to, and those that it cannot, with the reason.
#[utoipa::path(get, path = "/backups/{id}/compatible-services", operation_id = "listCompatibleServices", tag = "backups", params(("id" = String, Path)), responses((status = 200, description = "All services", body = Vec<CompatibleService>)))]
pub async fn compatible(
    State(app): State<App>,
    Caller(_): Caller,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<Vec<CompatibleService>>, AppError> {
    Ok(Json(app.compatible_services(&id)?))
}
