//! `/clusters`.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use oplogue_api::clusters::Cluster;

use crate::app::{App, AppError};
use crate::http::{ApiPath, Caller};

pub fn router() -> Router<App> {
    Router::new().route("/clusters", get(list)).route("/clusters/{name}", get(one))
}

/// All clusters, by label, with how well each is protected.
#[utoipa::path(get, path = "/clusters", operation_id = "listClusters", tag = "clusters", responses((status = 200, description = "All clusters", body = Vec<Cluster>)))]
pub async fn list(State(app): State<App>, Caller(_): Caller) -> Result<Json<Vec<Cluster>>, AppError> {
    Ok(Json(app.clusters()?))
}

#[utoipa::path(get, path = "/clusters/{name}", operation_id = "getCluster", tag = "clusters", params(("name" = String, Path)), responses((status = 200, description = "The cluster", body = Cluster)))]
pub async fn one(State(app): State<App>, Caller(_): Caller, ApiPath(name): ApiPath<String>) -> Result<Json<Cluster>, AppError> {
    Ok(Json(app.cluster(&name)?))
}
