//! `/timelines`.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use oplogue_api::ErrorBody;
use oplogue_api::timelines::{MomentChoice, Timeline};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{App, AppError};
use crate::http::{ApiQuery, Caller};

pub fn router() -> Router<App> {
    Router::new().route("/timelines", get(one)).route("/timelines/choice", get(choice))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Folder {
    pub location_id: String,
    /// Empty: the location's own top.
    #[serde(default)]
    pub folder: String,
}

/// What can be restored from a folder of a location: ranges, backups, gaps with their reasons.
#[utoipa::path(get, path = "/timelines", operation_id = "getTimeline", tag = "timelines", params(Folder), responses(
    (status = 200, description = "The timeline", body = Timeline),
    (status = 404, description = "There is no such location", body = ErrorBody),
))]
pub async fn one(State(app): State<App>, Caller(_): Caller, ApiQuery(folder): ApiQuery<Folder>) -> Result<Json<Timeline>, AppError> {
    Ok(Json(app.timeline(&folder.location_id, &folder.folder)?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    pub location_id: String,
    /// Empty: the location's own top.
    #[serde(default)]
    pub folder: String,
    /// `T,I` (includes that operation), an RFC 3339 time (when that second began), or `latest`.
    pub moment: String,
}

/// What a restore to a moment would start from, or why there is none and which moments are nearest.
#[utoipa::path(get, path = "/timelines/choice", operation_id = "chooseMoment", tag = "timelines", params(Wanted), responses(
    (status = 200, description = "The choice", body = MomentChoice),
    (status = 404, description = "There is no such location", body = ErrorBody),
    (status = 422, description = "The moment cannot be understood", body = ErrorBody),
))]
pub async fn choice(State(app): State<App>, Caller(_): Caller, ApiQuery(wanted): ApiQuery<Wanted>) -> Result<Json<MomentChoice>, AppError> {
    Ok(Json(app.moment_choice(&wanted.location_id, &wanted.folder, &wanted.moment)?))
}
