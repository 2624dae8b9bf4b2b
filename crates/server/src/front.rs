//! Front door 2: pages and forms.
//!
//! One file per noun of the menu: it loads what a page shows, and turns what a form sends into a call of [`App`]. What is shown how is
//! `oplogue-pages`' business; what may be done, the functions'. Nothing is decided here.

mod alerts;
mod backup_form;
mod backups;
mod door;
mod jobs;
mod locations;
mod looking;
mod people;
mod restores;
#[cfg(debug_assertions)]
mod samples;
mod schedules;
mod services;
mod sign_in;

use axum::Router;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use jiff::tz::TimeZone;
use oplogue_api::ErrorBody;
use oplogue_pages::{Frame, assets, pages, urls};

use crate::app::{App, AppError};

pub fn router() -> Router<App> {
    let router = Router::new()
        .route(urls::ASSET, get(asset))
        .merge(sign_in::router())
        .merge(looking::router())
        .merge(backups::router())
        .merge(backup_form::router())
        .merge(schedules::router())
        .merge(restores::router())
        .merge(locations::router())
        .merge(services::router())
        .merge(jobs::router())
        .merge(alerts::router())
        .merge(people::router());
    #[cfg(debug_assertions)]
    let router = router.merge(samples::router());
    router
}

async fn asset(Path(name): Path<String>) -> Result<Response, AppError> {
    let found = assets::at(&format!("/assets/{name}")).ok_or_else(|| AppError::not_found("file", &name))?;
    let headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static(found.content_type)),
        (CACHE_CONTROL, HeaderValue::from_static(assets::CACHE_CONTROL)),
    ]);
    Ok((headers, found.bytes).into_response())
}

/// What a person sees instead of the page they asked for.
pub fn refusal_page(body: &ErrorBody) -> impl IntoResponse + use<> {
    let frame = Frame {
        who: None,
        csrf: String::new(),
        path: urls::OVERVIEW.to_owned(),
        flash: None,
        now: jiff::Timestamp::UNIX_EPOCH,
        zone: TimeZone::UTC,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        firing_alerts: 0,
        running_jobs: 0,
        base_url: String::new(),
    };
    Html(pages::error::view(&frame, &pages::error::Page { error: body.clone() }).into_string())
}
