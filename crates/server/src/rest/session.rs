//! `/session`, `/first`, `/whoami`, `/password`, `/info`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, SET_COOKIE};
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use oplogue_api::ErrorBody;
use oplogue_api::session::{FirstStart, ServerInfo, SignIn, WhoAmI};
use oplogue_api::users::PasswordChange;

use crate::app::{App, AppError};
use crate::http::ApiJson;
use crate::http::cookie;
use crate::http::identity::{By, From, Identity};

pub fn router() -> Router<App> {
    Router::new()
        .route("/session", post(sign_in).delete(sign_out))
        .route("/first", post(first))
        .route("/whoami", get(who_am_i))
        .route("/password", put(change_password))
        .route("/info", get(info))
}

/// Signs in. The session is in the cookie that comes with the answer.
#[utoipa::path(post, path = "/session", operation_id = "signIn", tag = "session", security(()), request_body = SignIn, responses(
    (status = 200, description = "Signed in", body = WhoAmI),
    (status = 401, description = "Name or password is wrong", body = ErrorBody),
    (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
))]
pub async fn sign_in(State(app): State<App>, From(from): From, ApiJson(input): ApiJson<SignIn>) -> Result<impl IntoResponse, AppError> {
    let signed_in = app.sign_in(input, &from).await?;
    let headers = HeaderMap::from_iter([(SET_COOKIE, cookie::set(&app.config, &signed_in.secret))]);
    Ok((headers, Json(told(&signed_in.identity))))
}

/// Ends the session that asks.
#[utoipa::path(delete, path = "/session", operation_id = "signOut", tag = "session", responses((status = 204, description = "Signed out")))]
pub async fn sign_out(State(app): State<App>, identity: Identity) -> Result<impl IntoResponse, AppError> {
    app.sign_out(&identity)?;
    Ok((StatusCode::NO_CONTENT, HeaderMap::from_iter([(SET_COOKIE, cookie::clear(&app.config))])))
}

/// Uses a one-time link: makes the first administrator, or sets the password of a user who lost it.
#[utoipa::path(post, path = "/first", operation_id = "useLink", tag = "session", security(()), request_body = FirstStart, responses(
    (status = 200, description = "Done, and signed in", body = WhoAmI),
    (status = 404, description = "The link was used already, is too old, or was never ours", body = ErrorBody),
    (status = 409, description = "The name is taken", body = ErrorBody),
))]
pub async fn first(State(app): State<App>, From(from): From, ApiJson(input): ApiJson<FirstStart>) -> Result<impl IntoResponse, AppError> {
    let signed_in = app.use_link(input, &from).await?;
    let headers = HeaderMap::from_iter([(SET_COOKIE, cookie::set(&app.config, &signed_in.secret))]);
    Ok((headers, Json(told(&signed_in.identity))))
}

/// Who the session or token belongs to.
#[utoipa::path(get, path = "/whoami", operation_id = "whoAmI", tag = "session", responses((status = 200, description = "Who asks", body = WhoAmI)))]
pub async fn who_am_i(identity: Identity) -> Json<WhoAmI> {
    Json(told(&identity))
}

/// Changes one's own password; every other session of the user ends.
#[utoipa::path(put, path = "/password", operation_id = "changePassword", tag = "session", request_body = PasswordChange, responses(
    (status = 204, description = "Changed"),
    (status = 429, description = "Too many tries; see Retry-After", body = ErrorBody),
))]
pub async fn change_password(
    State(app): State<App>,
    identity: Identity,
    ApiJson(change): ApiJson<PasswordChange>,
) -> Result<StatusCode, AppError> {
    app.change_password(&identity, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the server is, and its clock. Open to everybody.
#[utoipa::path(get, path = "/info", operation_id = "info", tag = "session", security(()), responses((status = 200, description = "The server", body = ServerInfo)))]
pub async fn info(State(app): State<App>) -> Json<ServerInfo> {
    Json(ServerInfo { version: env!("CARGO_PKG_VERSION").to_owned(), started_at: app.started_at, now: app.clock.now() })
}

fn told(identity: &Identity) -> WhoAmI {
    let (by, csrf_token) = match &identity.by {
        By::Session { csrf_token, .. } => ("session", Some(csrf_token.clone())),
        By::Token { .. } => ("token", None),
    };
    WhoAmI { name: identity.actor.name.clone(), role: identity.actor.role, by: by.to_owned(), expires_at: identity.expires_at, csrf_token }
}
