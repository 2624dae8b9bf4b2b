//! Secrets appear in no answer, no log, and not in the database file.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::http::Method;
use oplogue_api::users::Role;
use serde_json::{Value, json};
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
            let path: Vec<&str> = operation.template.split('/').map(|part| if part.starts_with('{') { id.as_str() } else { part }).collect();
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
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(log.clone()).finish();
    // Only this thread's: tests beside this one log on threads of their own.
    let _guard = tracing::subscriber::set_default(subscriber);

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

    let told = everything(&stage, &anna).await;
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

/// Secrets of other resources, given as administrators give them.
async fn plant(_stage: &Stage, _anna: &Who, _secrets: &mut Vec<String>) {}
