//! The description of the API, for people and generators: `GET /v1/openapi.json`, checked in as `crates/server/openapi.json`.
//!
//! What every request can meet is declared here, once for all operations, so that a handler cannot forget it.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use oplogue_api::ErrorBody;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::{
    agent, alerts, audit, backups, clusters, jobs, locations, restores, retention, schedules, services, session, timelines, tokens, users,
};
use crate::app::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Oplogue",
        description = "Point-in-time recovery for MongoDB. Instants are RFC 3339 in UTC; a moment of the oplog is {\"t\": seconds, \"i\": ordinal, \"at\": RFC 3339}; \
                       sizes are bytes. Additions may come at any time, so ignore fields that you do not know."
    ),
    servers((url = "/v1")),
    security(("token" = []), ("session" = [])),
    components(schemas(ErrorBody)),
    paths(
        document,
        session::sign_in, session::sign_out, session::first, session::who_am_i, session::change_password, session::info,
        users::list, users::create, users::one, users::change, users::remove,
        tokens::list, tokens::create, tokens::remove,
        locations::list, locations::create, locations::one, locations::change, locations::remove, locations::test_input, locations::test, locations::folders,
        timelines::one, timelines::choice,
        clusters::list, clusters::one,
        audit::list,
        services::list, services::one, services::change, services::remove, services::enrol,
        agent::enrol, agent::sync, agent::report,
        schedules::list, schedules::create, schedules::one, schedules::change, schedules::remove, schedules::enable, schedules::run, schedules::preview_cron,
        backups::list, backups::create, backups::one, backups::remove, backups::delete_preview, backups::compatible,
        jobs::list, jobs::one, jobs::cancel, jobs::retry, jobs::log,
        restores::plan, restores::start, restores::list, restores::one,
        retention::of_schedule, retention::of_folder,
        alerts::list, alerts::templates, alerts::import_templates, alerts::remove_template,
        alerts::rules, alerts::create_rule, alerts::change_rule, alerts::remove_rule,
        alerts::contact_points, alerts::create_contact_point, alerts::change_contact_point, alerts::remove_contact_point, alerts::test_contact_point,
        alerts::silences, alerts::create_silence, alerts::remove_silence,
    )
)]
struct Api;

static TEXT: LazyLock<String> = LazyLock::new(text);

pub fn router() -> Router<App> {
    Router::new().route("/openapi.json", get(document))
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = "session", security(()), responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], TEXT.as_str())
}

/// The whole document, as it is checked in.
pub fn text() -> String {
    let mut document = serde_json::to_value(Api::openapi()).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({
        "token": {"type": "http", "scheme": "bearer", "description": "A token from the page Settings, `opl_…`."},
        "session": {"type": "apiKey", "in": "cookie", "name": crate::http::identity::COOKIE_NAME, "description":
            "From POST /session. Everything that changes something also needs the header X-CSRF-Token, as GET /whoami tells it."},
        "agent": {"type": "http", "scheme": "bearer", "description": "An agent's own credential, from its enrolment."},
    });
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten().filter(|(_, operation)| operation.get("responses").is_some()) {
            declare_refusals(path, operation);
        }
    }
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn declare_refusals(path: &str, operation: &mut Value) {
    let open = operation["security"].as_array().is_some_and(|ways| ways.iter().all(|way| way.as_object().is_some_and(Map::is_empty)));
    let with_body = operation.get("requestBody").is_some();
    let with_parameters = path.contains('{');
    let Some(answers) = operation["responses"].as_object_mut() else { return };
    for (status, applies, description) in [
        ("400", true, "The request cannot be understood"),
        ("401", !open, "No session or token, or one that is over"),
        ("403", true, "Not allowed to this user or token, or the change did not come from a page of this server"),
        ("404", with_parameters, "There is no such thing"),
        ("422", with_body, "Fields are wrong; see `fields`"),
        ("500", true, "A mistake of the server; its log says more beside the request's id"),
        ("503", true, "Something the server depends on is away, or it took too long"),
    ] {
        if applies {
            let refusal = json!({"description": description, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}});
            answers.entry(status).or_insert(refusal);
        }
    }
    answers.sort_keys();
}
