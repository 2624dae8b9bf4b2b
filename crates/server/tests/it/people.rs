//! Signing in, users, tokens, and what is written down about them.

use axum::http::Method;
use oplogue_api::users::Role;
use serde_json::json;

use crate::stage::{PASSWORD, Stage, Who};

#[tokio::test]
async fn the_first_link_makes_an_administrator_once() {
    let stage = Stage::new();
    let old = stage.app.first_code().expect("asked").expect("no users yet");
    let code = stage.app.first_code().expect("asked").expect("no users yet");
    let with = |code: &str, name: &str, password: &str| json!({"code": code, "name": name, "password": password});
    stage.post(&Who::Nobody, "/v1/first", with(&old, "anna", PASSWORD)).await.expect(404);
    let told = stage.post(&Who::Nobody, "/v1/first", with(&code, "an na", "short")).await.expect(422);
    assert_eq!(told["fields"][0]["field"], "name");
    assert_eq!(told["fields"][1]["field"], "password");

    let done = stage.post(&Who::Nobody, "/v1/first", with(&code, "anna", PASSWORD)).await;
    assert!(done.cookie().is_some_and(|cookie| cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax")), "{done:?}");
    assert_eq!(done.expect(200)["role"], "administrator");

    stage.post(&Who::Nobody, "/v1/first", with(&code, "berta", PASSWORD)).await.expect(404);
    assert_eq!(stage.app.first_code().expect("asked"), None);
    let told = stage.post(&Who::Nobody, "/v1/session", json!({"name": "ANNA", "password": PASSWORD})).await.expect(200);
    assert_eq!(told["name"], "anna");
    assert_eq!(told["by"], "session");
}

#[tokio::test]
async fn a_session_ends_when_it_is_signed_out() {
    let stage = Stage::new();
    let anna = stage.anna().await;
    stage.get(&anna, "/v1/whoami").await.expect(200);
    let ended = stage.delete(&anna, "/v1/session").await;
    assert!(ended.cookie().is_some_and(|cookie| cookie.contains("Max-Age=0")), "{ended:?}");
    ended.expect(204);
    stage.get(&anna, "/v1/whoami").await.expect(401);
    stage.get(&Who::Nobody, "/v1/whoami").await.expect(401);
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    // A second is five hours: idle sessions end after twelve, others after seven days.
    let stage = Stage::with(|config| config.clock_rate = 5.0 * 3600.0);
    let anna = stage.anna().await;
    let begun = stage.app.clock.now();
    let hours = || stage.app.clock.now().duration_since(begun).as_hours();
    stage.get(&anna, "/v1/whoami").await.expect(200);
    while stage.get(&anna, "/v1/whoami").await.status == 200 {
        assert!(hours() <= 7 * 24 + 12, "the session never ended");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert!(hours() >= 7 * 24, "a session in use ended after {} hours", hours());

    let again = stage.post(&Who::Nobody, "/v1/session", json!({"name": "anna", "password": PASSWORD})).await;
    let secret = again.cookie().and_then(|cookie| cookie.split_once('=')?.1.split(';').next()).expect("a cookie").to_owned();
    let idle_since = stage.app.clock.now();
    while stage.app.clock.now().duration_since(idle_since).as_hours() < 13 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    stage.get(&Who::Session { secret, csrf: None }, "/v1/whoami").await.expect(401);
    stage.app.tidy_people().expect("tidied");
}

#[tokio::test]
async fn tries_to_sign_in_are_limited_and_written_down() {
    let stage = Stage::new();
    let anna = stage.anna().await;
    let attempt = |name: &'static str| json!({"name": name, "password": "wrong, wrong, wrong"});
    let unknown = stage.post(&Who::Nobody, "/v1/session", attempt("my-secret-password")).await.expect(401);
    let wrong = stage.post(&Who::Nobody, "/v1/session", attempt("anna")).await.expect(401);
    assert_eq!(unknown["message"], wrong["message"]);
    for _ in 2..10 {
        stage.post(&Who::Nobody, "/v1/session", attempt("anna")).await.expect(401);
    }
    let refused = stage.post(&Who::Nobody, "/v1/session", attempt("anna")).await;
    assert!(refused.headers.get("retry-after").is_some_and(|seconds| seconds.to_str().is_ok_and(|text| text.parse::<u64>().is_ok())));
    assert_eq!(refused.expect(429)["code"], "too_many");

    let log = stage.get(&anna, "/v1/audit?limit=1000").await.expect(200);
    let failed: Vec<_> = log["items"].as_array().expect("entries").iter().filter(|entry| entry["ok"] == false).collect();
    assert_eq!(failed.len(), 10);
    assert_eq!(failed[9]["object"], "(unknown)");
    assert!(!log.to_string().contains("my-secret-password"), "what was typed as a name may be a password");
    assert_eq!(log["items"].as_array().and_then(|entries| entries.last()).map(|entry| &entry["action"]), Some(&json!("user.create")));
}

#[tokio::test]
async fn users_are_made_changed_and_deleted_but_an_administrator_remains() {
    let stage = Stage::new();
    let anna = stage.anna().await;
    let berta = json!({"name": "berta", "role": "operator", "password": PASSWORD});
    let made = stage.post(&anna, "/v1/users", berta.clone()).await.expect(201);
    let told = stage.post(&anna, "/v1/users", json!({"name": "BERTA", "role": "viewer", "password": PASSWORD})).await.expect(409);
    assert_eq!(told["fields"][0]["field"], "name");
    let told = stage.post(&anna, "/v1/users", json!({"name": "carl", "role": "viewer"})).await.expect(422);
    assert_eq!(told["fields"][0]["field"], "password");

    let users = stage.get(&anna, "/v1/users").await.expect(200);
    let anna_id = users[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(users[1], made);
    let demoted = json!({"name": "anna", "role": "operator"});
    let refused = stage.put(&anna, &format!("/v1/users/{anna_id}"), demoted).await.expect(409);
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("last administrator")), "{refused}");
    stage.put(&anna, &format!("/v1/users/{anna_id}"), json!({"name": "anna", "role": "administrator", "disabled": true})).await.expect(409);
    stage.delete(&anna, &format!("/v1/users/{anna_id}")).await.expect(409);
    stage.get(&anna, "/v1/whoami").await.expect(200);

    let berta_id = made["id"].as_str().expect("an id");
    stage.put(&anna, &format!("/v1/users/{berta_id}"), json!({"name": "berta", "role": "administrator"})).await.expect(200);
    stage.delete(&anna, &format!("/v1/users/{anna_id}")).await.expect(204);
    stage.get(&anna, "/v1/whoami").await.expect(401);
    stage.get(&stage.token(Role::Viewer), "/v1/users/usr_none").await.expect(404);
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once() {
    let stage = Stage::new();
    let anna = stage.anna().await;
    let made = stage.post(&anna, "/v1/users", json!({"name": "berta", "role": "operator", "password": PASSWORD})).await.expect(201);
    let berta = stage.sign_in("berta", PASSWORD).await;
    stage.get(&berta, "/v1/whoami").await.expect(200);
    let id = made["id"].as_str().expect("an id");
    stage.put(&anna, &format!("/v1/users/{id}"), json!({"name": "berta", "role": "operator", "disabled": true})).await.expect(200);
    stage.get(&berta, "/v1/whoami").await.expect(401);
    let told = stage.post(&Who::Nobody, "/v1/session", json!({"name": "berta", "password": PASSWORD})).await.expect(401);
    assert!(told["message"].as_str().is_some_and(|text| text.contains("disabled")), "{told}");
}

#[tokio::test]
async fn a_new_password_ends_other_sessions_and_not_this_one() {
    let stage = Stage::new();
    let anna = stage.anna().await;
    let elsewhere = stage.sign_in("anna", PASSWORD).await;
    let change = |current: &str, new: &str| json!({"current": current, "new": new});
    let told = stage.put(&anna, "/v1/password", change("wrong, wrong", "a new password")).await.expect(422);
    assert_eq!(told["fields"][0]["field"], "current");
    let told = stage.put(&anna, "/v1/password", change(PASSWORD, "short")).await.expect(422);
    assert_eq!(told["fields"][0]["field"], "new");
    stage.put(&anna, "/v1/password", change(PASSWORD, "a new password")).await.expect(204);
    stage.get(&anna, "/v1/whoami").await.expect(200);
    stage.get(&elsewhere, "/v1/whoami").await.expect(401);
    stage.post(&Who::Nobody, "/v1/session", json!({"name": "anna", "password": PASSWORD})).await.expect(401);
    stage.sign_in("anna", "a new password").await;
}

#[tokio::test]
async fn a_token_works_until_it_is_deleted_or_expires() {
    let stage = Stage::with(|config| config.clock_rate = 24.0 * 3600.0);
    let anna = stage.anna().await;
    let made = stage.post(&anna, "/v1/tokens", json!({"name": "ci", "role": "operator"})).await.expect(201);
    let token = Who::Bearer(made["token"].as_str().expect("a token").to_owned());
    let told = stage.get(&token, "/v1/whoami").await.expect(200);
    assert_eq!((&told["name"], &told["by"], &told["role"]), (&json!("token ci"), &json!("token"), &json!("operator")));
    let listed = stage.get(&token, "/v1/tokens").await.expect(200);
    assert!(!listed.to_string().contains(made["token"].as_str().expect("a token")));
    assert!(listed[0]["last_used_at"].is_string(), "{listed}");
    stage.post(&anna, "/v1/tokens", json!({"name": "CI", "role": "viewer"})).await.expect(409);
    stage.post(&anna, "/v1/tokens", json!({"name": "x", "role": "viewer", "valid_days": 0})).await.expect(422);
    stage.delete(&anna, &format!("/v1/tokens/{}", made["details"]["id"].as_str().expect("an id"))).await.expect(204);
    stage.get(&token, "/v1/whoami").await.expect(401);

    // A second is a day here.
    let brief = stage.token(Role::Viewer);
    stage.get(&brief, "/v1/whoami").await.expect(200);
    let expired = async {
        while stage.get(&brief, "/v1/whoami").await.status != 401 {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), expired).await.expect("the token expires");
}

#[tokio::test]
async fn a_lost_password_is_replaced_by_whoever_has_the_data_directory() {
    let stage = Stage::new();
    let anna = stage.anna().await;
    let link = |name: &str| oplogue_server::recovery::reset_password_link(stage.data_dir(), name, Some("https://here/"));
    assert!(format!("{:#}", link("berta").expect_err("unknown")).contains("users are: anna"));
    let url = link("anna").expect("made");
    let code = url.strip_prefix("https://here/first?code=").expect("a link");
    let used = json!({"code": code, "name": "ignored", "password": "another password"});
    assert_eq!(stage.post(&Who::Nobody, "/v1/first", used.clone()).await.expect(200)["name"], "anna");
    stage.post(&Who::Nobody, "/v1/first", used).await.expect(404);
    stage.get(&anna, "/v1/whoami").await.expect(401);
    stage.sign_in("anna", "another password").await;
}

#[tokio::test]
async fn the_audit_log_is_read_in_parts() {
    let stage = Stage::new();
    let anna = stage.anna().await;
    for number in 0..7 {
        stage.post(&anna, "/v1/tokens", json!({"name": format!("t{number}"), "role": "viewer"})).await.expect(201);
    }
    let mut after = String::new();
    let mut seen = Vec::new();
    loop {
        let part = stage.get(&anna, &format!("/v1/audit?limit=4{after}")).await.expect(200);
        seen.extend(part["items"].as_array().expect("entries").iter().map(|entry| entry["id"].as_u64().expect("an id")));
        let Some(next) = part["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen.len(), 9);
    assert!(seen.is_sorted_by(|newer, older| newer > older), "{seen:?}");
    stage.get(&anna, "/v1/audit?limit=many").await.expect(400);
    stage.ask(&anna, Method::GET, "/v1/audit?limit=0", None).await.expect(200);
}
