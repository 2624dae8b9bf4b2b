//! `/tokens`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Json, Router};
use oplogue_api::ErrorBody;
use oplogue_api::tokens::{ApiToken, ApiTokenInput, NewApiToken};

use crate::app::{App, AppError};
use crate::http::{ApiJson, ApiPath, Caller};

pub fn router() -> Router<App> {
    Router::new().route("/tokens", get(list).post(create)).route("/tokens/{id}", delete(remove))
}

/// All tokens, by name, without what they are.
#[utoipa::path(get, path = "/tokens", operation_id = "listTokens", tag = "tokens", responses((status = 200, description = "All tokens", body = Vec<ApiToken>)))]
pub async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<ApiToken>>, AppError> {
    Ok(Json(app.tokens(&actor)?))
}

/// Makes a token. It is told only in this answer.
#[utoipa::path(post, path = "/tokens", operation_id = "createToken", tag = "tokens", request_body = ApiTokenInput, responses(
    (status = 201, description = "The new token", body = NewApiToken),
    (status = 409, description = "The name is taken", body = ErrorBody),
))]
pub async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(input): ApiJson<ApiTokenInput>,
) -> Result<(StatusCode, Json<NewApiToken>), AppError> {
    Ok((StatusCode::CREATED, Json(app.create_token(&actor, &input)?)))
}

/// From now on the token opens nothing.
#[utoipa::path(delete, path = "/tokens/{id}", operation_id = "deleteToken", tag = "tokens", params(("id" = String, Path)), responses((status = 204, description = "Deleted")))]
pub async fn remove(State(app): State<App>, Caller(actor): Caller, ApiPath(id): ApiPath<String>) -> Result<StatusCode, AppError> {
    app.delete_token(&actor, &id)?;
    Ok(StatusCode::NO_CONTENT)
}
