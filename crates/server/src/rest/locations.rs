//! `/locations`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use oplogue_api::ErrorBody;
use oplogue_api::locations::{Location, LocationFolder, LocationInput, LocationTest};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{App, AppError};
use crate::http::{ApiJson, ApiPath, ApiQuery, Caller};

pub fn router() -> Router<App> {
    Router::new()
        .route("/locations", get(list).post(create))
        .route("/locations/test", post(test_input))
        .route("/locations/{id}", get(one).put(change).delete(remove))
        .route("/locations/{id}/test", post(test))
        .route("/locations/{id}/folders", get(folders))
}

/// All storage locations, by name.
#[utoipa::path(get, path = "/locations", operation_id = "listLocations", tag = "locations", responses((status = 200, description = "All locations", body = Vec<Location>)))]
pub async fn list(State(app): State<App>, Caller(_): Caller) -> Result<Json<Vec<Location>>, AppError> {
    Ok(Json(app.locations()?))
}

/// Adds a location. It is not tried; see `/locations/test`.
#[utoipa::path(post, path = "/locations", operation_id = "createLocation", tag = "locations", request_body = LocationInput, responses(
    (status = 201, description = "The new location", body = Location),
    (status = 409, description = "The name is taken", body = ErrorBody),
))]
pub async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(input): ApiJson<LocationInput>,
) -> Result<(StatusCode, Json<Location>), AppError> {
    Ok((StatusCode::CREATED, Json(app.create_location(&actor, input)?)))
}

#[utoipa::path(get, path = "/locations/{id}", operation_id = "getLocation", tag = "locations", params(("id" = String, Path)), responses((status = 200, description = "The location", body = Location)))]
pub async fn one(State(app): State<App>, Caller(_): Caller, ApiPath(id): ApiPath<String>) -> Result<Json<Location>, AppError> {
    Ok(Json(app.location(&id)?))
}

/// Replaces everything but the secrets that are not given.
#[utoipa::path(put, path = "/locations/{id}", operation_id = "changeLocation", tag = "locations", params(("id" = String, Path)), request_body = LocationInput, responses(
    (status = 200, description = "The location as it is now", body = Location),
    (status = 409, description = "The name is taken, or a job is using the location", body = ErrorBody),
))]
pub async fn change(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiPath(id): ApiPath<String>,
    ApiJson(input): ApiJson<LocationInput>,
) -> Result<Json<Location>, AppError> {
    Ok(Json(app.change_location(&actor, &id, input)?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Deletion {
    /// Also while schedules, backups or restores speak of it. Its schedules are deleted; what lies on the storage stays.
    #[serde(default)]
    pub force: bool,
}

/// Forgets a location. What lies on the storage stays.
#[utoipa::path(delete, path = "/locations/{id}", operation_id = "deleteLocation", tag = "locations", params(("id" = String, Path), Deletion), responses(
    (status = 204, description = "Deleted"),
    (status = 409, description = "Something uses it", body = ErrorBody),
))]
pub async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(deletion): ApiQuery<Deletion>,
) -> Result<StatusCode, AppError> {
    app.delete_location(&actor, &id, deletion.force)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tries a location that is not saved: writes, reads, lists and deletes, from the server and from every agent that is online.
#[utoipa::path(post, path = "/locations/test", operation_id = "testLocationInput", tag = "locations", request_body = LocationInput, responses(
    (status = 200, description = "What came of it, from everywhere", body = LocationTest),
    (status = 429, description = "Too many tests at once", body = ErrorBody),
))]
pub async fn test_input(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(input): ApiJson<LocationInput>,
) -> Result<Json<LocationTest>, AppError> {
    Ok(Json(app.test_location(&actor, input, None).await?))
}

/// Tries a location: writes, reads, lists and deletes, from the server and from every agent that is online.
#[utoipa::path(post, path = "/locations/{id}/test", operation_id = "testLocation", tag = "locations", params(("id" = String, Path)), responses(
    (status = 200, description = "What came of it, from everywhere", body = LocationTest),
    (status = 429, description = "Too many tests at once", body = ErrorBody),
))]
pub async fn test(State(app): State<App>, Caller(actor): Caller, ApiPath(id): ApiPath<String>) -> Result<Json<LocationTest>, AppError> {
    Ok(Json(app.test_saved_location(&actor, &id).await?))
}

/// What lies in the location, by folder: also what nobody here made.
#[utoipa::path(get, path = "/locations/{id}/folders", operation_id = "listLocationFolders", tag = "locations", params(("id" = String, Path)), responses((status = 200, description = "Folders with backups or slices", body = Vec<LocationFolder>)))]
pub async fn folders(
    State(app): State<App>,
    Caller(_): Caller,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<Vec<LocationFolder>>, AppError> {
    Ok(Json(app.location_folders(&id)?))
}
