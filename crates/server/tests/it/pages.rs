//! The doors of every page: the tests read the routes from the source, so that a page that is added is covered.

use std::collections::BTreeMap;
use std::path::Path;

use axum::body::Body;
use axum::http::{Method, Request};
use oplogue_api::users::{Role, UserInput};
use oplogue_server::app::Actor;

use crate::stage::{PASSWORD, Stage, Who};

/// For everybody.
const OPEN: &[&str] = &["/sign-in", "/first", "/assets/{name}", "/_samples", "/_samples/{page}/{name}"];

/// What viewers may do: change their own password, end their own session.
const FORMS_OF_VIEWERS: &[&str] = &["/sign-out", "/settings/password"];

#[derive(Debug)]
pub struct Route {
    pub path: String,
    pub get: bool,
    pub post: bool,
}

impl Route {
    fn asked(&self) -> String {
        let parts: Vec<&str> = self.path.split('/').map(|part| if part.starts_with('{') { "none" } else { part }).collect();
        parts.join("/")
    }
}

pub fn routes() -> Vec<Route> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let urls = std::fs::read_to_string(root.join("../pages/src/urls.rs")).expect("the URLs of pages");
    let consts: BTreeMap<&str, &str> = urls
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once(": &str = \""))
        .filter_map(|(name, rest)| Some((name, rest.split('"').next()?)))
        .collect();
    let mut files: Vec<_> = std::fs::read_dir(root.join("src/front")).expect("front").flatten().map(|file| file.path()).collect();
    files.push(root.join("src/front.rs"));
    let mut routes = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        for route in text.split(".route(urls::").skip(1) {
            let Some((name, rest)) = route.split_once(',') else { continue };
            let handlers = rest.split(".route(").next().unwrap_or_default().split("\n}").next().unwrap_or_default();
            let path = (*consts.get(name).unwrap_or_else(|| panic!("urls::{name} is not a constant"))).to_owned();
            routes.push(Route { path, get: handlers.contains("get("), post: handlers.contains("post(") });
        }
    }
    routes
}

async fn viewer(stage: &Stage) -> Who {
    let input = UserInput { name: "vera".to_owned(), role: Role::Viewer, password: Some(PASSWORD.to_owned()), disabled: false };
    stage.app.create_user(&Actor::server("test"), input).await.expect("a viewer");
    stage.sign_in("vera", PASSWORD).await
}

/// As a browser sends a form; with `csrf`, the page's token is in it.
async fn send(stage: &Stage, who: &Who, path: &str, with_token: bool) -> crate::stage::Answer {
    let Who::Session { secret, csrf } = who else { panic!("a session") };
    let request = Request::builder().method(Method::POST).uri(path).header("cookie", format!("oplogue_session={secret}"));
    let request = request.header("content-type", "application/x-www-form-urlencoded").header("sec-fetch-site", "same-origin");
    let form = match csrf {
        Some(token) if with_token => format!("a=b&csrf={token}"),
        _ => "a=b".to_owned(),
    };
    stage.send(request.body(Body::from(form)).expect("a request")).await
}

#[tokio::test]
async fn every_page_sends_strangers_to_the_sign_in_page() {
    let stage = Stage::new();
    let routes = routes();
    assert!(routes.len() > 40, "hardly any pages were found: {routes:?}");
    for route in routes.iter().filter(|route| route.get && !OPEN.contains(&route.path.as_str())) {
        let answer = stage.get(&Who::Nobody, &route.asked()).await;
        let to = answer.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert!(answer.status == 303 && to.starts_with("/sign-in"), "{}: {answer:?}", route.path);
    }
}

#[tokio::test]
async fn every_page_answers_and_none_fails() {
    let stage = Stage::new();
    let (anna, vera) = (stage.anna().await, viewer(&stage).await);
    for route in routes().iter().filter(|route| route.get && !route.path.starts_with("/assets")) {
        for who in [&anna, &vera] {
            let answer = stage.get(who, &route.asked()).await;
            assert!(answer.status.as_u16() < 500, "{}: {answer:?}", route.path);
            if !route.path.contains('{') {
                assert!([200, 303, 403].contains(&answer.status.as_u16()), "{}: {answer:?}", route.path);
            }
        }
    }
}

#[tokio::test]
async fn every_form_is_refused_without_the_pages_token_and_to_viewers() {
    let stage = Stage::new();
    let (anna, vera) = (stage.anna().await, viewer(&stage).await);
    for route in routes().iter().filter(|route| route.post && !OPEN.contains(&route.path.as_str())) {
        let answer = send(&stage, &anna, &route.asked(), false).await;
        assert_eq!(answer.status, 403, "{} without its token: {answer:?}", route.path);
        assert!(answer.text.contains("token of your session"), "{}: {answer:?}", route.path);
        if FORMS_OF_VIEWERS.contains(&route.path.as_str()) {
            continue;
        }
        let answer = send(&stage, &vera, &route.asked(), true).await;
        assert!([303, 403, 404, 422].contains(&answer.status.as_u16()), "{} by a viewer: {answer:?}", route.path);
    }
    // Forms that only ask (the steps of the restore's) answer as usual. What counts: nothing was done in her name.
    let log = stage.get(&anna, "/v1/audit?limit=1000").await.expect(200);
    let by_vera = log["items"].as_array().expect("entries").iter().filter(|entry| entry["actor"] == "vera");
    let deeds: Vec<_> = by_vera.filter(|entry| entry["action"] != "session.sign_in").collect();
    assert!(deeds.is_empty(), "{deeds:?}");
}
