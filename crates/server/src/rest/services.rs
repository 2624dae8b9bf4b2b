//! `/services` and `/enrolments`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use oplogue_api::ErrorBody;
use oplogue_api::services::{Enrolment, EnrolmentRequest, Service, ServiceChange};

use crate::app::{App, AppError};
use crate::http::{ApiJson, ApiPath, Caller};

pub fn router() -> Router<App> {
    Router::new()
        .route("/services", get(list))
        .route("/services/{id}", get(one).patch(change).delete(remove))
        .route("/enrolments", post(enrol))
}

/// Every mongod with an agent, by name.
#[utoipa::path(get, path = "/services", operation_id = "listServices", tag = "services", responses((status = 200, description = "All services", body = Vec<Service>)))]
pub async fn list(State(app): State<App>, Caller(_): Caller) -> Result<Json<Vec<Service>>, AppError> {
    Ok(Json(app.services()?))
}

#[utoipa::path(get, path = "/services/{id}", operation_id = "getService", tag = "services", params(("id" = String, Path)), responses((status = 200, description = "The service", body = Service)))]
pub async fn one(State(app): State<App>, Caller(_): Caller, ApiPath(id): ApiPath<String>) -> Result<Json<Service>, AppError> {
    Ok(Json(app.service(&id)?))
}

/// Gives a service another name or cluster label.
#[utoipa::path(patch, path = "/services/{id}", operation_id = "changeService", tag = "services", params(("id" = String, Path)), request_body = ServiceChange, responses(
    (status = 200, description = "The service as it is now", body = Service),
    (status = 409, description = "The name is taken, or schedules or jobs name the service", body = ErrorBody),
))]
pub async fn change(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiPath(id): ApiPath<String>,
    ApiJson(input): ApiJson<ServiceChange>,
) -> Result<Json<Service>, AppError> {
    Ok(Json(app.change_service(&actor, &id, &input)?))
}

/// Forgets a service. Its agent's credential is worth nothing from then on; its backups stay.
#[utoipa::path(delete, path = "/services/{id}", operation_id = "deleteService", tag = "services", params(("id" = String, Path)), responses(
    (status = 204, description = "Forgotten"),
    (status = 409, description = "Schedules or jobs name the service", body = ErrorBody),
))]
pub async fn remove(State(app): State<App>, Caller(actor): Caller, ApiPath(id): ApiPath<String>) -> Result<StatusCode, AppError> {
    app.delete_service(&actor, &id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token with which one agent may enrol itself, with the command to type beside its mongod.
#[utoipa::path(post, path = "/enrolments", operation_id = "createEnrolment", tag = "services", request_body = EnrolmentRequest, responses((status = 201, description = "The token, told once", body = Enrolment)))]
pub async fn enrol(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(request): ApiJson<EnrolmentRequest>,
) -> Result<(StatusCode, Json<Enrolment>), AppError> {
    Ok((StatusCode::CREATED, Json(app.create_enrolment(&actor, &request)?)))
}
