//! Secrets appear in no answer, no log, and not in the database file.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::http::Method;
use oplogue_api::users::Role;
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::contract::{document, operations};
use crate::stage::{PASSWORD, Stage, Who};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Everything that can be read, with the ids that the lists tell.
async fn everything(stage: &Stage, who: &Who) -> String {
    let mut ids = BTreeSet::new();
    let mut all = String::new();
    let reads: Vec<_> = operations(&document()).into_iter().filter(|operation| operation.method == Method::GET).collect();
    for operation in reads.iter().filter(|operation| !operation.template.contains('{')) {
        let answer = stage.get(who, &operation.path()).await;
        if let Ok(value) = serde_json::from_str(&answer.text) {
            collect_ids(&value, &mut ids);
        }
        all.push_str(&answer.text);
    }
    for operation in reads.iter().filter(|operation| operation.template.contains('{')) {
        for id in &ids {
            let path: Vec<&str> =
                operation.template.split('/').map(|part| if part.starts_with('{') { id.as_str() } else { part }).collect();
            let answer = stage.get(who, &format!("/v1{}", path.join("/"))).await;
            assert_ne!(answer.status, 500, "{answer:?}");
            all.push_str(&answer.text);
        }
    }
    all
}

fn collect_ids(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            ids.extend(fields.get("id").and_then(Value::as_str).map(ToOwned::to_owned));
            fields.values().for_each(|value| collect_ids(value, ids));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_ids(value, ids)),
        _ => {}
    }
}

#[tokio::test]
async fn planted_secrets_are_found_nowhere() {
    let log = Log::default();
    // Of all threads: work that a request sets off may go on elsewhere. What tests beside this one log does no harm.
    let ours = EnvFilter::new("off,oplogue_server=trace,oplogue_storage=trace,oplogue_repository=trace,oplogue_notify=trace");
    tracing_subscriber::fmt().with_env_filter(ours).with_ansi(false).with_writer(log.clone()).try_init().expect("no other test listens");

    let stage = Stage::new();
    let anna = stage.anna().await;
    let Who::Session { secret: session, .. } = &anna else { panic!("a session") };
    let Who::Bearer(token) = stage.token(Role::Administrator) else { panic!("a token") };
    stage.post(&anna, "/v1/users", json!({"name": "berta", "role": "viewer", "password": "planted-user-password"})).await.expect(201);
    stage.post(&Who::Nobody, "/v1/session", json!({"name": "berta", "password": "planted-wrong-password"})).await.expect(401);
    stage.post(&Who::Nobody, "/v1/session", json!({"name": "planted-name-password", "password": "x"})).await.expect(401);
    stage.get(&Who::Bearer("opl_planted-unknown-token".to_owned()), "/v1/users").await.expect(401);
    let mut secrets = vec![PASSWORD.to_owned(), session.clone(), token];
    for word in ["user-password", "wrong-password", "name-password", "unknown-token"] {
        secrets.push(format!("planted-{word}"));
    }
    plant(&stage, &anna, &mut secrets).await;

    let mut told = everything(&stage, &anna).await;
    for page in crate::pages::routes().iter().filter(|page| page.get && !page.path.contains('{')) {
        told.push_str(&stage.get(&anna, &page.path).await.text);
    }
    let logged = String::from_utf8_lossy(&log.0.lock().expect("nobody panicked")).into_owned();
    assert!(logged.contains("request answered"), "the log is empty");
    let mut kept = String::new();
    for file in std::fs::read_dir(stage.data_dir()).expect("the data directory").flatten() {
        kept.push_str(&String::from_utf8_lossy(&std::fs::read(file.path()).unwrap_or_default()));
    }
    for secret in &secrets {
        assert!(!told.contains(secret), "an answer tells `{secret}`");
        assert!(!logged.contains(secret), "the log tells `{secret}`");
        assert!(!kept.contains(secret), "the data directory holds `{secret}`");
    }
}

/// Secrets of other resources, given as administrators give them; and used, as far as that goes without a network.
async fn plant(stage: &Stage, anna: &Who, secrets: &mut Vec<String>) {
    let s3 = json!({
        "name": "s3", "kind": "s3",
        "settings": {"bucket": "backups", "endpoint": "http://127.0.0.1:1", "region": "us-east-1"},
        "secrets": {"access_key": planted(secrets, "access-key"), "secret_key": planted(secrets, "secret-key"), "session_token": planted(secrets, "session-token")},
    });
    let gcs = json!({
        "name": "gcs", "kind": "gcs", "settings": {"bucket": "backups"},
        "secrets": {"service_account": format!("{{\"private_key\": \"{}\"}}", planted(secrets, "service-account"))},
    });
    let azure = json!({
        "name": "azure", "kind": "azure", "settings": {"bucket": "backups", "account": "acme"},
        "secrets": {"account_key": planted(secrets, "account-key")},
    });
    for input in [&s3, &gcs, &azure] {
        let made = stage.post(anna, "/v1/locations", input.clone()).await;
        assert!([201, 422].contains(&made.status.as_u16()), "{made:?}");
        if made.status == 201 {
            let id = made.json()["id"].as_str().expect("an id").to_owned();
            let tested = stage.post(anna, &format!("/v1/locations/{id}/test"), Value::Null).await;
            assert!(tested.status.as_u16() < 500 || tested.status == 503, "{tested:?}");
        }
    }
    for (kind, settings, given) in [
        (
            "email",
            json!({"smtp": "127.0.0.1:1", "smtp_user": "u", "mail_from": "a@example.com", "mail_to": ["b@example.com"]}),
            "smtp_password",
        ),
        ("webhook", json!({}), "webhook_url"),
        ("slack", json!({}), "webhook_url"),
        ("pagerduty", json!({}), "routing_key"),
        ("alertmanager", json!({"url": "http://127.0.0.1:1"}), "authorization"),
    ] {
        let secret = planted(secrets, &format!("{kind}-{given}"));
        let value = if given == "webhook_url" { format!("http://127.0.0.1:1/{secret}") } else { secret };
        let input = json!({"name": kind, "kind": kind, "settings": settings, "secrets": {given: value}});
        let made = stage.post(anna, "/v1/alerts/contact-points", input).await;
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.json()["id"].as_str().expect("an id").to_owned();
        if kind != "pagerduty" {
            let tested = stage.post(anna, &format!("/v1/alerts/contact-points/{id}/test"), Value::Null).await;
            assert!(!secrets.iter().any(|secret| tested.text.contains(secret.as_str())), "{tested:?}");
        }
    }
}

fn planted(secrets: &mut Vec<String>, what: &str) -> String {
    let secret = format!("planted-{what}");
    secrets.push(secret.clone());
    secret
}
