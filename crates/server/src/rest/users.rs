//! `/users`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use oplogue_api::ErrorBody;
use oplogue_api::users::{User, UserInput};

use crate::app::{App, AppError};
use crate::http::{ApiJson, ApiPath, Caller};

pub fn router() -> Router<App> {
    Router::new().route("/users", get(list).post(create)).route("/users/{id}", get(one).put(change).delete(remove))
}

/// Everybody who may sign in, by name.
#[utoipa::path(get, path = "/users", operation_id = "listUsers", tag = "users", responses((status = 200, description = "All users", body = Vec<User>)))]
pub async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<User>>, AppError> {
    Ok(Json(app.users(&actor)?))
}

#[utoipa::path(post, path = "/users", operation_id = "createUser", tag = "users", request_body = UserInput, responses(
    (status = 201, description = "The new user", body = User),
    (status = 409, description = "The name is taken", body = ErrorBody),
))]
pub async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(input): ApiJson<UserInput>,
) -> Result<(StatusCode, Json<User>), AppError> {
    Ok((StatusCode::CREATED, Json(app.create_user(&actor, input).await?)))
}

#[utoipa::path(get, path = "/users/{id}", operation_id = "getUser", tag = "users", params(("id" = String, Path)), responses((status = 200, description = "The user", body = User)))]
pub async fn one(State(app): State<App>, Caller(actor): Caller, ApiPath(id): ApiPath<String>) -> Result<Json<User>, AppError> {
    Ok(Json(app.user(&actor, &id)?))
}

/// Changes a user. Without a password the old one stays; with one, or disabled, the user is signed out everywhere.
#[utoipa::path(put, path = "/users/{id}", operation_id = "changeUser", tag = "users", params(("id" = String, Path)), request_body = UserInput, responses(
    (status = 200, description = "The user as it is now", body = User),
    (status = 409, description = "The name is taken, or nobody would be left to administrate", body = ErrorBody),
))]
pub async fn change(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiPath(id): ApiPath<String>,
    ApiJson(input): ApiJson<UserInput>,
) -> Result<Json<User>, AppError> {
    Ok(Json(app.change_user(&actor, &id, input).await?))
}

#[utoipa::path(delete, path = "/users/{id}", operation_id = "deleteUser", tag = "users", params(("id" = String, Path)), responses(
    (status = 204, description = "Deleted"),
    (status = 409, description = "Nobody would be left to administrate", body = ErrorBody),
))]
pub async fn remove(State(app): State<App>, Caller(actor): Caller, ApiPath(id): ApiPath<String>) -> Result<StatusCode, AppError> {
    app.delete_user(&actor, &id)?;
    Ok(StatusCode::NO_CONTENT)
}
