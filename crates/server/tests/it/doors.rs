//! What stands before every handler, whatever it does.

use axum::body::Body;
use axum::http::{Method, Request};
use oplogue_api::users::Role;
use serde_json::json;

use crate::stage::{Stage, Who};

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_an_id() {
    let stage = Stage::with(|config| config.public_url = Some("https://backup.example.com".to_owned()));
    for path in ["/v1/info", "/v1/whoami", "/v1/nowhere", "/nowhere", "/"] {
        let answer = stage.get(&Who::Nobody, path).await;
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert!(header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"), "{path}: {answer:?}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "same-origin");
        assert!(header("strict-transport-security").contains("max-age="), "{path}");
        assert_eq!(header("x-request-id").len(), 16);
    }
    let cookie_of = |stage: Stage| async move {
        let code = stage.app.first_code().expect("asked").expect("no users");
        let used = json!({"code": code, "name": "anna", "password": crate::stage::PASSWORD});
        stage.post(&Who::Nobody, "/v1/first", used).await.cookie().expect("a cookie").to_owned()
    };
    assert!(cookie_of(stage).await.contains("; Secure"));
    assert!(!cookie_of(Stage::new()).await.contains("; Secure"));
}

#[tokio::test]
async fn refusals_below_the_api_are_json_with_the_requests_id() {
    let stage = Stage::new();
    let admin = stage.token(Role::Administrator);
    let unknown = stage.get(&admin, "/v1/nowhere").await;
    let id = unknown.headers.get("x-request-id").and_then(|value| value.to_str().ok()).expect("an id").to_owned();
    let told = unknown.expect(404);
    assert_eq!((&told["code"], &told["request_id"]), (&json!("not_found"), &json!(id)));

    let wrong = stage.ask(&admin, Method::PATCH, "/v1/users", None).await;
    assert!(wrong.headers.get("allow").is_some_and(|methods| methods.to_str().is_ok_and(|text| text.contains("POST"))), "{wrong:?}");
    assert_eq!(wrong.expect(405)["code"], "method_not_allowed");

    let missing = stage.post(&admin, "/v1/users", json!({"name": "x"})).await.expect(422);
    assert_eq!(missing["fields"][0]["field"], "role", "{missing}");
    stage.post(&admin, "/v1/users", json!(["x"])).await.expect(422);
    let with = |kind: &'static str, body: &'static str| {
        let Who::Bearer(token) = &admin else { panic!("a token") };
        let request = Request::post("/v1/users").header("authorization", format!("bearer {token}")).header("content-type", kind);
        request.body(Body::from(body)).expect("a request")
    };
    stage.send(with("application/json", "{")).await.expect(400);
    stage.send(with("text/plain", "{}")).await.expect(400);
    let big =
        Request::post("/v1/session").header("content-type", "application/json").body(Body::from(vec![b' '; 5 << 20])).expect("a request");
    let told = stage.send(big).await.expect(400);
    assert!(told["message"].as_str().is_some_and(|text| text.contains("4 MiB")), "{told}");
}

#[tokio::test]
async fn a_person_who_is_not_signed_in_is_sent_to_the_sign_in_page_and_back() {
    let stage = Stage::new();
    let answer = stage.get(&Who::Nobody, "/v1/whoami").await;
    assert_eq!(answer.status, 401);
    let page = stage.get(&Who::Nobody, "/nowhere").await;
    assert_eq!(page.status, 404);
    assert!(page.headers.get("content-type").is_some_and(|kind| kind.to_str().is_ok_and(|text| text.starts_with("text/html"))), "{page:?}");
}

#[tokio::test]
async fn changes_from_pages_of_other_sites_are_refused() {
    let stage = Stage::new();
    let anna = stage.anna().await;
    let Who::Session { secret, csrf: Some(csrf) } = &anna else { panic!("a session") };
    let request = |headers: &[(&'static str, &str)]| {
        let mut request = Request::post("/v1/tokens").header("cookie", format!("oplogue_session={secret}")).header("host", "here");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.header("content-type", "application/json").body(Body::from(r#"{"name": "x", "role": "viewer"}"#)).expect("a request")
    };
    let wrong = "0".repeat(csrf.len());
    for headers in [
        &[][..],
        &[("x-csrf-token", "")],
        &[("x-csrf-token", wrong.as_str())],
        &[("x-csrf-token", csrf.as_str()), ("sec-fetch-site", "cross-site")],
        &[("x-csrf-token", csrf.as_str()), ("origin", "https://evil.example")],
    ] {
        assert_eq!(stage.send(request(headers)).await.expect(403)["code"], "forbidden", "{headers:?}");
    }
    stage.send(request(&[("x-csrf-token", csrf.as_str()), ("origin", "http://here")])).await.expect(201);

    // Signing in has no session yet, and still must not be done by another site in somebody's name.
    let sign_in = Request::post("/v1/session").header("sec-fetch-site", "cross-site").header("content-type", "application/json");
    stage.send(sign_in.body(Body::from("{}")).expect("a request")).await.expect(403);
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_can_read_that() {
    let stage = Stage::new();
    let request = Request::get("/v1/openapi.json").header("accept-encoding", "gzip").body(Body::empty()).expect("a request");
    let answer = stage.send(request).await;
    assert_eq!(answer.headers.get("content-encoding").and_then(|value| value.to_str().ok()), Some("gzip"));
}
