//! What every page handler needs: who asks, the frame around the answer, and the ways to answer.
//!
//! A page is shown, or a form is sent and answered with a redirect (303) to the page that shows what became of it, which tells it once in a
//! notice. A form that is wrong is shown again, as it was typed, with 422 and what is wrong beside each field.

use axum::extract::{Form, FromRequest, FromRequestParts, OptionalFromRequestParts, Request};
use axum::http::header::{COOKIE, HeaderValue, LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use jiff::tz::TimeZone;
use oplogue_api::session::WhoAmI;
use oplogue_api::{ErrorBody, ErrorCode, FieldError};
use oplogue_pages::components::badge::Tone;
use oplogue_pages::{Flash, Frame, Markup};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::de::DeserializeOwned;

use crate::app::{Actor, App, AppError};
use crate::http::identity::{By, Identity};

/// Carries one notice over one redirect.
const FLASH_COOKIE: &str = "oplogue_notice";
/// The zone a person reads times in; set by the page's own script from the browser.
const ZONE_COOKIE: &str = "oplogue_zone";

/// Somebody who is signed in, and the frame around what they see.
#[derive(Debug, Clone)]
pub struct Door {
    pub actor: Actor,
    pub identity: Identity,
    pub frame: Frame,
}

impl FromRequestParts<App> for Door {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        let identity = <Identity as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        let frame = frame(app, parts, Some(&identity))?;
        Ok(Self { actor: identity.actor.clone(), identity, frame })
    }
}

/// Whoever asks, signed in or not.
#[derive(Debug, Clone)]
pub struct OpenDoor {
    pub frame: Frame,
}

impl FromRequestParts<App> for OpenDoor {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        let identity = <Identity as OptionalFromRequestParts<App>>::from_request_parts(parts, app).await?;
        Ok(Self { frame: frame(app, parts, identity.as_ref())? })
    }
}

fn frame(app: &App, parts: &Parts, identity: Option<&Identity>) -> Result<Frame, AppError> {
    let counts = match identity {
        Some(_) => app.counts()?,
        None => Counts::default(),
    };
    let csrf = match identity.map(|identity| &identity.by) {
        Some(By::Session { csrf_token, .. }) => csrf_token.clone(),
        _ => String::new(),
    };
    Ok(Frame {
        who: identity.map(who),
        csrf,
        path: parts.uri.path_and_query().map_or_else(|| parts.uri.path().to_owned(), ToString::to_string),
        flash: cookie(&parts.headers, FLASH_COOKIE).and_then(|text| unpack(&text)),
        now: app.clock.now(),
        zone: cookie(&parts.headers, ZONE_COOKIE).and_then(|name| TimeZone::get(&name).ok()).unwrap_or(TimeZone::UTC),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        firing_alerts: counts.firing_alerts,
        running_jobs: counts.running_jobs,
        base_url: app.reachable_at(),
    })
}

/// What the menu shows beside its entries.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    pub firing_alerts: u32,
    pub running_jobs: u32,
}

impl App {
    fn counts(&self) -> Result<Counts, AppError> {
        Ok(Counts {
            firing_alerts: self.firing_alerts()?,
            running_jobs: self.db.read(|tx| {
                let sql = "SELECT count(*) FROM jobs WHERE state IN ('running', 'cancelling')";
                Ok::<_, AppError>(tx.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
            })?,
        })
    }
}

fn who(identity: &Identity) -> WhoAmI {
    let (by, csrf_token) = match &identity.by {
        By::Session { csrf_token, .. } => ("session", Some(csrf_token.clone())),
        By::Token { .. } => ("token", None),
    };
    WhoAmI { name: identity.actor.name.clone(), role: identity.actor.role, by: by.to_owned(), expires_at: identity.expires_at, csrf_token }
}

impl Door {
    pub fn show(&self, page: Markup) -> Response {
        shown(&self.frame, StatusCode::OK, page)
    }

    /// A form again, with what is wrong.
    pub fn show_again(&self, page: Markup) -> Response {
        shown(&self.frame, StatusCode::UNPROCESSABLE_ENTITY, page)
    }

    /// What was asked for is done; `told` says so on the page gone to.
    pub fn go(&self, path: &str, told: &str) -> Response {
        go_telling(path, Tone::Ok, told)
    }
}

impl OpenDoor {
    pub fn show(&self, page: Markup) -> Response {
        shown(&self.frame, StatusCode::OK, page)
    }

    pub fn show_again(&self, page: Markup) -> Response {
        shown(&self.frame, StatusCode::UNPROCESSABLE_ENTITY, page)
    }
}

fn shown(frame: &Frame, status: StatusCode, page: Markup) -> Response {
    let mut response = (status, Html(page.into_string())).into_response();
    if frame.flash.is_some() {
        set_cookie(&mut response, format!("{FLASH_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"));
    }
    response
}

/// 303: the answer to a form that did something.
pub fn go(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(LOCATION, HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/")));
    response
}

pub fn go_telling(path: &str, tone: Tone, told: &str) -> Response {
    let mut response = go(path);
    let mark = if tone == Tone::Ok { 'o' } else { 'd' };
    let packed = utf8_percent_encode(told, NON_ALPHANUMERIC);
    set_cookie(&mut response, format!("{FLASH_COOKIE}={mark}{packed}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"));
    response
}

pub fn set_cookie(response: &mut Response, cookie: String) {
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

fn unpack(text: &str) -> Option<Flash> {
    let (mark, packed) = text.split_at_checked(1)?;
    let tone = if mark == "o" { Tone::Ok } else { Tone::Danger };
    Some(Flash { tone, text: percent_decode_str(packed).decode_utf8().ok()?.into_owned() })
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    let found = all.filter_map(|cookie| cookie.trim().split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)?;
    percent_decode_str(found).decode_utf8().ok().map(|text| text.into_owned())
}

/// A form as it was typed: all texts.
#[derive(Debug)]
pub struct Typed<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Typed<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, app: &App) -> Result<Self, AppError> {
        match Form::<T>::from_request(request, app).await {
            Ok(Form(form)) => Ok(Self(form)),
            Err(rejection) => Err(AppError::new(ErrorCode::BadRequest, format!("the form did not arrive as it was sent: {rejection}"))),
        }
    }
}

/// What a form was refused with: what stands beside its fields, and what stands above it.
#[derive(Debug, Default)]
pub struct Wrong {
    pub fields: Vec<FieldError>,
    pub failure: Option<ErrorBody>,
}

impl Wrong {
    /// Sorts an error; one that is not about the form is passed on.
    pub fn sort(error: AppError) -> Result<Self, AppError> {
        match error.code {
            ErrorCode::Invalid if !error.fields.is_empty() => Ok(Self { fields: error.fields, failure: None }),
            ErrorCode::Invalid | ErrorCode::Conflict | ErrorCode::Refused | ErrorCode::Unavailable | ErrorCode::TooMany => {
                Ok(Self { fields: Vec::new(), failure: Some(body(&error)) })
            }
            _ => Err(error),
        }
    }

    /// Everything in one sentence, where a page has one place for it.
    pub fn sentence(&self) -> Option<String> {
        let failure = self.failure.as_ref().map(|body| match &body.hint {
            Some(hint) => format!("{}: {hint}", body.message),
            None => body.message.clone(),
        });
        failure.or_else(|| self.fields.first().map(|field| field.message.clone()))
    }

    /// Fields of groups are called by their group in forms: `path` of the API's `settings` is `settings.path`.
    #[must_use]
    pub fn within(mut self, group: &str, names: &[&str]) -> Self {
        for field in &mut self.fields {
            if names.contains(&field.field.as_str()) {
                field.field = format!("{group}.{}", field.field);
            }
        }
        self
    }
}

/// An error as a page shows it. The request's id stands in the log only where the cause does.
pub fn body(error: &AppError) -> ErrorBody {
    ErrorBody {
        code: error.code,
        message: error.message.clone(),
        hint: error.hint.clone(),
        fields: error.fields.clone(),
        retryable: false,
        request_id: String::new(),
    }
}
