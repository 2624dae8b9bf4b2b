//! The description of the API is true and complete, and what it says of doors holds for every operation: the tests walk the document, so that
//! whatever is added later is covered.

mod example;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use axum::http::Method;
use oplogue_api::users::Role;
use serde_json::Value;

use crate::stage::{Stage, Who};

/// Requests with a body that change nothing, so that viewers may ask them.
const ASKED_BY_VIEWERS: &[&str] = &["signOut", "previewCron", "previewRetention", "previewScheduleRetention", "planRestore"];

pub struct Operation {
    pub id: String,
    pub method: Method,
    /// As in the document, with its parameters.
    pub template: String,
    pub body: Option<Value>,
    /// Names of the ways to be let in; empty: open to everybody.
    pub security: Vec<String>,
}

impl Operation {
    pub fn path(&self) -> String {
        let parts: Vec<&str> = self.template.split('/').map(|part| if part.starts_with('{') { "none" } else { part }).collect();
        format!("/v1{}", parts.join("/"))
    }

    fn changes(&self) -> bool {
        self.method != Method::GET
    }
}

pub fn document() -> Value {
    serde_json::from_str(&oplogue_server::rest::openapi::text()).expect("JSON")
}

pub fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    let names = |security: &Value| -> Vec<String> {
        security.as_array().into_iter().flatten().filter_map(Value::as_object).flat_map(|way| way.keys().cloned()).collect()
    };
    for (template, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            let Ok(method) = method.to_ascii_uppercase().parse::<Method>() else { continue };
            let Some(id) = operation["operationId"].as_str() else { continue };
            let security = if operation["security"].is_array() { &operation["security"] } else { &document["security"] };
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            operations.push(Operation {
                id: id.to_owned(),
                method,
                template: template.clone(),
                body: (!schema.is_null()).then(|| example::of(schema, document)),
                security: names(security),
            });
        }
    }
    operations
}

fn checked_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json")
}

#[test]
fn the_checked_in_document_is_that_of_the_code() {
    let text = oplogue_server::rest::openapi::text();
    if std::env::var_os("OPLOGUE_UPDATE_DOCS").is_some() {
        std::fs::write(checked_in(), &text).expect("written");
    }
    let known = std::fs::read_to_string(checked_in()).unwrap_or_default();
    assert!(
        known == text,
        "crates/server/openapi.json is behind the code: OPLOGUE_UPDATE_DOCS=1 cargo test -p oplogue-server the_checked_in_document"
    );
}

#[test]
fn the_document_lists_every_route_and_no_other() {
    let described: BTreeSet<(String, String)> =
        operations(&document()).into_iter().map(|operation| (operation.template, operation.method.to_string())).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rest");
    let mut routed = BTreeSet::new();
    for file in std::fs::read_dir(folder).expect("rest").flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap_or_default();
        for route in text.split(".route(").skip(1) {
            let Some((path, rest)) = route.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"')) else { continue };
            let handlers = rest.split(".route(").next().unwrap_or_default();
            let handlers = handlers.split("\n}").next().unwrap_or_default();
            for method in ["get", "post", "put", "patch", "delete"] {
                let called = |before: char| handlers.contains(&format!("{before}{method}("));
                if called(' ') || called('.') || called(':') {
                    routed.insert((path.to_owned(), method.to_uppercase()));
                }
            }
        }
    }
    let undescribed: Vec<_> = routed.difference(&described).collect();
    let unrouted: Vec<_> = described.difference(&routed).collect();
    assert!(
        undescribed.is_empty() && unrouted.is_empty(),
        "routes without description: {undescribed:?}; descriptions without route: {unrouted:?}"
    );
}

#[test]
fn operations_have_names_of_their_own_and_declare_an_error_body_for_every_refusal() {
    let document = document();
    let mut seen = BTreeSet::new();
    for operation in operations(&document) {
        assert!(seen.insert(operation.id.clone()), "two operations are called {}", operation.id);
        let responses = &document["paths"][&operation.template][operation.method.as_str().to_ascii_lowercase()]["responses"];
        for (status, response) in responses.as_object().expect("responses") {
            if status.starts_with('4') || status.starts_with('5') {
                let schema = &response["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/ErrorBody", "{} {status}", operation.id);
            }
        }
    }
}

#[tokio::test]
async fn every_change_is_refused_to_viewers_to_strangers_and_without_the_pages_token() {
    let stage = Stage::with(|config| config.clock_rate = 24.0 * 3600.0);
    let expired = stage.token(Role::Administrator);
    // A second is a day here, and the token is good for one.
    let over = async {
        while stage.get(&expired, "/v1/whoami").await.status != 401 {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), over).await.expect("the token expires");

    let stage_now = Stage::new();
    let viewer = stage_now.token(Role::Viewer);
    let without_csrf = stage_now.anna().await.without_csrf();
    let mut asked = 0;
    for operation in operations(&document()) {
        let (path, body) = (operation.path(), operation.body.as_ref());
        if operation.security.is_empty() {
            continue;
        }
        let say = |who: &str| format!("{} {} ({}) asked by {who}", operation.method, path, operation.id);
        let answer = stage.ask(&expired, operation.method.clone(), &path, body).await;
        assert_eq!(answer.status, 401, "{}: {answer:?}", say("an expired token"));
        let answer = stage_now.ask(&Who::Nobody, operation.method.clone(), &path, body).await;
        assert_eq!(answer.status, 401, "{}: {answer:?}", say("nobody"));
        if !operation.changes() {
            continue;
        }
        asked += 1;
        let agents_only = operation.security.iter().all(|way| way == "agent");
        let answer = stage_now.ask(&without_csrf, operation.method.clone(), &path, body).await;
        assert_eq!(answer.status, 403, "{}: {answer:?}", say("a session without its page's token"));
        if ASKED_BY_VIEWERS.contains(&operation.id.as_str()) {
            continue;
        }
        let answer = stage_now.ask(&viewer, operation.method.clone(), &path, body).await;
        let expected = if agents_only { 401 } else { 403 };
        assert_eq!(answer.status, expected, "{}: {answer:?}", say("a viewer"));
    }
    assert!(asked >= 6, "the document has hardly any operations");
}

#[tokio::test]
async fn every_answer_to_an_administrator_is_declared() {
    let stage = Stage::new();
    let admin = stage.token(Role::Administrator);
    let document = document();
    for operation in operations(&document) {
        if operation.security.iter().any(|way| way == "agent") {
            continue;
        }
        let answer = stage.ask(&admin, operation.method.clone(), &operation.path(), operation.body.as_ref()).await;
        let responses = &document["paths"][&operation.template][operation.method.as_str().to_ascii_lowercase()]["responses"];
        let status = answer.status.as_u16();
        assert!(responses[status.to_string()].is_object(), "{} answers {status}, which is not declared: {answer:?}", operation.id);
        assert!(status < 500 || status == 503, "{}: {answer:?}", operation.id);
        if operation.changes() && operation.body.is_some() {
            // Nonsense of the right shape and of the wrong shape.
            for body in [Value::Null, serde_json::json!({}), serde_json::json!([1]), serde_json::json!("x")] {
                let answer = stage.ask(&admin, operation.method.clone(), &operation.path(), Some(&body)).await;
                let status = answer.status.as_u16();
                assert!(responses[status.to_string()].is_object() && status < 500, "{} with {body}: {answer:?}", operation.id);
            }
        }
    }
}
