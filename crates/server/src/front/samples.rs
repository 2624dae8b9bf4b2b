//! Every page in every state, for those who work on them. Debug builds only.

use axum::Router;
use axum::extract::Path;
use axum::response::{Html, Response};
use axum::routing::get;
use oplogue_pages::{pages, samples, urls};

use super::door::OpenDoor;
use crate::app::{App, AppError};

pub fn router() -> Router<App> {
    Router::new().route(urls::SAMPLES, get(all)).route(urls::SAMPLE, get(one))
}

async fn all(door: OpenDoor) -> Response {
    door.show(pages::samples_index::view(&door.frame, &samples::all()))
}

async fn one(Path((page, name)): Path<(String, String)>) -> Result<Html<String>, AppError> {
    let found = samples::find(&page, &name).ok_or_else(|| AppError::not_found("sample", &format!("{page}/{name}")))?;
    Ok(Html(found.html()))
}
