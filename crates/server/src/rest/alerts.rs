//! `/alerts`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use oplogue_api::alerts::{
    Alert, AlertRule, AlertRuleInput, AlertState, AlertTemplate, ContactPoint, ContactPointInput, Silence, SilenceInput, TemplateImport,
    TestDelivery,
};
use oplogue_api::{ErrorBody, Page};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::alerts::{AlertFilter, LIMIT_DEFAULT};
use crate::app::{App, AppError};
use crate::http::{ApiJson, ApiPath, ApiQuery, Caller};

pub fn router() -> Router<App> {
    Router::new()
        .route("/alerts", get(list))
        .route("/alerts/templates", get(templates))
        .route("/alerts/templates/import", post(import_templates))
        .route("/alerts/templates/{name}", delete(remove_template))
        .route("/alerts/rules", get(rules).post(create_rule))
        .route("/alerts/rules/{id}", put(change_rule).delete(remove_rule))
        .route("/alerts/contact-points", get(contact_points).post(create_contact_point))
        .route("/alerts/contact-points/{id}", put(change_contact_point).delete(remove_contact_point))
        .route("/alerts/contact-points/{id}/test", post(test_contact_point))
        .route("/alerts/silences", get(silences).post(create_silence))
        .route("/alerts/silences/{id}", delete(remove_silence))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// Only those in this state.
    #[param(inline)]
    state: Option<AlertState>,
    /// Only those of this cluster.
    cluster: Option<String>,
    /// Only those of this rule.
    rule_id: Option<String>,
    /// Where the part before ended: its `next`.
    after: Option<String>,
    /// At most so many alerts, 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
}

/// What stands and what was, newest first.
#[utoipa::path(get, path = "/alerts", operation_id = "listAlerts", tag = "alerts", params(Part), responses((status = 200, description = "A part of the history", body = Page<Alert>)))]
pub async fn list(State(app): State<App>, Caller(actor): Caller, ApiQuery(part): ApiQuery<Part>) -> Result<Json<Page<Alert>>, AppError> {
    let filter = AlertFilter { state: part.state, cluster: part.cluster, rule_id: part.rule_id, after: part.after };
    Ok(Json(app.alerts(&actor, &filter, part.limit.unwrap_or(LIMIT_DEFAULT))?))
}

/// Kinds of alerts, ready to be made rules: those built in, then those imported.
#[utoipa::path(get, path = "/alerts/templates", operation_id = "listAlertTemplates", tag = "alerts", responses((status = 200, description = "All templates", body = Vec<AlertTemplate>)))]
pub async fn templates(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<AlertTemplate>>, AppError> {
    Ok(Json(app.alert_templates(&actor)?))
}

/// Adds templates from YAML in the shape of PMM's, where the expression is one of ours. All of a file or none; an earlier import of the same name is replaced.
#[utoipa::path(post, path = "/alerts/templates/import", operation_id = "importAlertTemplates", tag = "alerts", request_body = TemplateImport, responses(
    (status = 200, description = "The templates of the file", body = Vec<AlertTemplate>),
    (status = 409, description = "There are too many templates", body = ErrorBody),
))]
pub async fn import_templates(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(input): ApiJson<TemplateImport>,
) -> Result<Json<Vec<AlertTemplate>>, AppError> {
    Ok(Json(app.import_alert_templates(&actor, &input)?))
}

/// Deletes an imported template.
#[utoipa::path(delete, path = "/alerts/templates/{name}", operation_id = "deleteAlertTemplate", tag = "alerts", params(("name" = String, Path)), responses(
    (status = 204, description = "Deleted"),
    (status = 409, description = "It is built in, or a rule uses it", body = ErrorBody),
))]
pub async fn remove_template(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiPath(name): ApiPath<String>,
) -> Result<StatusCode, AppError> {
    app.delete_alert_template(&actor, &name)?;
    Ok(StatusCode::NO_CONTENT)
}

/// All rules, by name.
#[utoipa::path(get, path = "/alerts/rules", operation_id = "listAlertRules", tag = "alerts", responses((status = 200, description = "All rules", body = Vec<AlertRule>)))]
pub async fn rules(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<AlertRule>>, AppError> {
    Ok(Json(app.alert_rules(&actor)?))
}

#[utoipa::path(post, path = "/alerts/rules", operation_id = "createAlertRule", tag = "alerts", request_body = AlertRuleInput, responses(
    (status = 201, description = "The new rule", body = AlertRule),
    (status = 409, description = "The name is taken, or there are too many rules", body = ErrorBody),
))]
pub async fn create_rule(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(input): ApiJson<AlertRuleInput>,
) -> Result<(StatusCode, Json<AlertRule>), AppError> {
    Ok((StatusCode::CREATED, Json(app.create_alert_rule(&actor, &input)?)))
}

#[utoipa::path(put, path = "/alerts/rules/{id}", operation_id = "changeAlertRule", tag = "alerts", params(("id" = String, Path)), request_body = AlertRuleInput, responses(
    (status = 200, description = "The rule as it is now", body = AlertRule),
    (status = 409, description = "The name is taken", body = ErrorBody),
))]
pub async fn change_rule(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiPath(id): ApiPath<String>,
    ApiJson(input): ApiJson<AlertRuleInput>,
) -> Result<Json<AlertRule>, AppError> {
    Ok(Json(app.change_alert_rule(&actor, &id, &input)?))
}

/// Its alerts are resolved, and who was told of them is told so.
#[utoipa::path(delete, path = "/alerts/rules/{id}", operation_id = "deleteAlertRule", tag = "alerts", params(("id" = String, Path)), responses((status = 204, description = "Deleted")))]
pub async fn remove_rule(State(app): State<App>, Caller(actor): Caller, ApiPath(id): ApiPath<String>) -> Result<StatusCode, AppError> {
    app.delete_alert_rule(&actor, &id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// All contact points, by name, without their secrets.
#[utoipa::path(get, path = "/alerts/contact-points", operation_id = "listContactPoints", tag = "alerts", responses((status = 200, description = "All contact points", body = Vec<ContactPoint>)))]
pub async fn contact_points(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<ContactPoint>>, AppError> {
    Ok(Json(app.contact_points(&actor)?))
}

#[utoipa::path(post, path = "/alerts/contact-points", operation_id = "createContactPoint", tag = "alerts", request_body = ContactPointInput, responses(
    (status = 201, description = "The new contact point", body = ContactPoint),
    (status = 409, description = "The name is taken, or there are too many", body = ErrorBody),
))]
pub async fn create_contact_point(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(input): ApiJson<ContactPointInput>,
) -> Result<(StatusCode, Json<ContactPoint>), AppError> {
    Ok((StatusCode::CREATED, Json(app.create_contact_point(&actor, &input)?)))
}

/// Secrets that are not given stay, unless the address changed.
#[utoipa::path(put, path = "/alerts/contact-points/{id}", operation_id = "changeContactPoint", tag = "alerts", params(("id" = String, Path)), request_body = ContactPointInput, responses(
    (status = 200, description = "The contact point as it is now", body = ContactPoint),
    (status = 409, description = "The name is taken", body = ErrorBody),
))]
pub async fn change_contact_point(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiPath(id): ApiPath<String>,
    ApiJson(input): ApiJson<ContactPointInput>,
) -> Result<Json<ContactPoint>, AppError> {
    Ok(Json(app.change_contact_point(&actor, &id, &input)?))
}

#[utoipa::path(delete, path = "/alerts/contact-points/{id}", operation_id = "deleteContactPoint", tag = "alerts", params(("id" = String, Path)), responses(
    (status = 204, description = "Deleted"),
    (status = 409, description = "A rule tells it", body = ErrorBody),
))]
pub async fn remove_contact_point(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, AppError> {
    app.delete_contact_point(&actor, &id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delivers something that says it is a test, and tells what became of it.
#[utoipa::path(post, path = "/alerts/contact-points/{id}/test", operation_id = "testContactPoint", tag = "alerts", params(("id" = String, Path)), responses((status = 200, description = "What became of it", body = TestDelivery)))]
pub async fn test_contact_point(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<TestDelivery>, AppError> {
    Ok(Json(app.test_contact_point(&actor, &id).await?))
}

/// Those that last, and those that ended within 30 days.
#[utoipa::path(get, path = "/alerts/silences", operation_id = "listSilences", tag = "alerts", responses((status = 200, description = "Silences, the latest end first", body = Vec<Silence>)))]
pub async fn silences(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<Silence>>, AppError> {
    Ok(Json(app.silences(&actor)?))
}

#[utoipa::path(post, path = "/alerts/silences", operation_id = "createSilence", tag = "alerts", request_body = SilenceInput, responses(
    (status = 201, description = "The new silence", body = Silence),
    (status = 409, description = "There are too many", body = ErrorBody),
))]
pub async fn create_silence(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiJson(input): ApiJson<SilenceInput>,
) -> Result<(StatusCode, Json<Silence>), AppError> {
    Ok((StatusCode::CREATED, Json(app.create_silence(&actor, &input)?)))
}

/// What it covers and still fires is told now.
#[utoipa::path(delete, path = "/alerts/silences/{id}", operation_id = "deleteSilence", tag = "alerts", params(("id" = String, Path)), responses((status = 204, description = "Deleted")))]
pub async fn remove_silence(State(app): State<App>, Caller(actor): Caller, ApiPath(id): ApiPath<String>) -> Result<StatusCode, AppError> {
    app.delete_silence(&actor, &id)?;
    Ok(StatusCode::NO_CONTENT)
}
