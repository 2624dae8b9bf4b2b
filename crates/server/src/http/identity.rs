//! Who asks: a person by the session in a cookie, a program by a token, an agent by its own credential.

use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use oplogue_api::ErrorCode;

use super::address;
use crate::app::{Actor, App, AppError};

/// The cookie that holds the session's secret.
pub const COOKIE_NAME: &str = "oplogue_session";

/// Tokens of programs begin so. Other credentials belong to agents.
pub const TOKEN_PREFIX: &str = "opl_";

/// Someone the server knows.
#[derive(Debug, Clone)]
pub struct Identity {
    pub actor: Actor,
    pub by: By,
    pub expires_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub enum By {
    Session { id: String, user_id: String, csrf_token: String },
    Token { id: String },
}

/// What [`identify`] found. Handlers that need nobody never look at it.
#[derive(Clone)]
enum Found {
    Nobody,
    Known(Box<Identity>),
    /// A token or session that is not good (any more): why.
    Refused(&'static str),
}

/// Attaches to the request what is known of the caller. Refuses nobody: handlers do, by what they extract.
pub async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Result<Response, AppError> {
    let from = address::of(&app.config, request.extensions(), request.headers());
    let found = find(&app, request.headers(), &from)?;
    request.extensions_mut().insert(From(from));
    if let Found::Known(identity) = &found {
        request.extensions_mut().insert((**identity).clone());
    }
    request.extensions_mut().insert(found);
    Ok(next.run(request).await)
}

fn find(app: &App, headers: &HeaderMap, from: &str) -> Result<Found, AppError> {
    // A token that is sent counts even when a browser adds its cookie.
    if let Some(credential) = bearer(headers) {
        if !credential.starts_with(TOKEN_PREFIX) {
            return Ok(Found::Nobody);
        }
        return Ok(match app.identify_token(credential, from)? {
            Ok(identity) => Found::Known(Box::new(identity)),
            Err(why) => Found::Refused(why),
        });
    }
    let Some(secret) = session_secret(headers) else { return Ok(Found::Nobody) };
    Ok(match app.identify_session(secret, from)? {
        Ok(identity) => Found::Known(Box::new(identity)),
        Err(why) => Found::Refused(why),
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, credential) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
}

fn session_secret(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    cookies.filter_map(|cookie| cookie.trim().split_once('=')).find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

/// The address a request came from, as [`address::of`] says it.
#[derive(Debug, Clone)]
pub struct From(pub String);

impl FromRequestParts<App> for From {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        let known = parts.extensions.get::<Self>().cloned();
        Ok(known.unwrap_or_else(|| Self(address::of(&app.config, &parts.extensions, &parts.headers))))
    }
}

impl FromRequestParts<App> for Identity {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, AppError> {
        let message = match parts.extensions.get::<Found>() {
            Some(Found::Known(identity)) => return Ok((**identity).clone()),
            Some(Found::Refused(why)) => *why,
            Some(Found::Nobody) | None => "this needs a session or a token",
        };
        Err(AppError::new(ErrorCode::Unauthenticated, message).hint("sign in, or send `Authorization: Bearer opl_…`"))
    }
}

impl OptionalFromRequestParts<App> for Identity {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Option<Self>, AppError> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// Whoever asks is known; otherwise 401.
#[derive(Debug, Clone)]
pub struct Caller(pub Actor);

impl FromRequestParts<App> for Caller {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        let identity = <Identity as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        Ok(Self(identity.actor))
    }
}

/// An agent with a credential of ours; otherwise 401.
#[derive(Debug, Clone)]
pub struct AgentCaller {
    pub service_id: String,
    pub service_name: String,
    /// Address the request came from.
    pub from: String,
}

impl FromRequestParts<App> for AgentCaller {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        let From(from) = From::from_request_parts(parts, app).await?;
        let known = match bearer(&parts.headers) {
            Some(credential) => app.agent_by_credential(credential)?,
            None => None,
        };
        let (service_id, service_name) = known.ok_or_else(|| {
            AppError::new(ErrorCode::Unauthenticated, "this credential is not that of an agent")
                .hint("enrol the agent again with a new token from the page Services")
        })?;
        Ok(Self { service_id, service_name, from })
    }
}
