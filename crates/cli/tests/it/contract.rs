//! The description of the API against the running server: requests made from its schemas find no failure and no undeclared answer.
//!
//! Once with whatever ids come to the tool's mind, deletions included; once with the ids of things that are there.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use oplogue_testkit::{OplogueServer, packages};
use serde_json::json;
use tokio::process::Command;

const TOOL: &str = "schemathesis==4.32.5";
const LIMIT: Duration = Duration::from_secs(600);

/// What the tool holds each answer to. Which inputs are good is ours to say: schemas cannot tell that a service must exist.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method";

async fn explore(server: &OplogueServer, folder: &Path, config: &str, words: &[&str]) {
    let tool = tokio::task::spawn_blocking(|| packages::python("schemathesis", &[TOOL], "it explores the REST API"));
    let tool = tool.await.expect("no panic").expect("the tool is fetched");
    std::fs::write(folder.join("schemathesis.toml"), config).expect("written");
    let url = format!("{}/v1", server.url());
    let mut command = Command::new("python3");
    command.current_dir(folder).env("PYTHONPATH", &tool).args(["-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"]);
    command.arg(format!("{url}/openapi.json")).args(["--url", &url, "--checks", CHECKS, "--continue-on-failure", "--no-color"]);
    // The token that asks must not be deleted on the way, and agents' calls wait.
    command.args(["--exclude-operation-id", "deleteToken", "--exclude-operation-id", "syncAgent", "--request-timeout", "60"]);
    command
        .args(["--header", &format!("Authorization: Bearer {}", server.token()), "--phases", "coverage,fuzzing", "--seed", "20261125"])
        .args(words);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let told = tokio::time::timeout(LIMIT, command.output()).await.expect("the tool ends").expect("the tool starts");
    let text = format!("{}{}", String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success() && text.contains(" passed"), "{text}\nthe server said: {}", server.output("server"));
}

#[tokio::test]
async fn no_request_made_from_the_schemas_fails_or_is_answered_undeclared() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = OplogueServer::start(Path::new(env!("CARGO_BIN_EXE_oplogue")), &[]).await.expect("the server starts");
    explore(&server, folder.path(), "", &["--max-examples", "10"]).await;

    let storage = folder.path().join("storage");
    std::fs::create_dir(&storage).expect("made");
    let call = async |path: &str, body: serde_json::Value| server.post(path, &body).await;
    let id = |value: &serde_json::Value| value["id"].as_str().expect("an id").to_owned();
    let location = json!({"name": "there", "kind": "local", "settings": {"path": storage}});
    let location = id(&call("/locations", location).await.expect("a location"));
    let token = call("/enrolments", json!({"cluster": "shop"})).await.expect("a token")["token"].clone();
    let facts = json!({"agent_version": "0", "host": "h", "replica_set": "rs0", "member": "h:1", "role": "primary", "mongodb_version": "6.0.5", "fcv": "6.0"});
    let enrolled = call("/agent/enrol", json!({"token": token, "service_name": "db1", "facts": facts})).await.expect("enrolled");
    let service = enrolled["service_id"].as_str().expect("an id").to_owned();
    let schedule = json!({"name": "nightly", "service_id": service, "location_id": location, "mode": "snapshot", "cron": "0 3 * * *"});
    let schedule = id(&call("/schedules", schedule).await.expect("a schedule"));
    let job = json!({"name": "now", "service_id": service, "location_id": location});
    let job = id(&call("/backups", job).await.expect("a job"));
    let user = json!({"name": "berta", "role": "viewer", "password": "correct horse battery"});
    let user = id(&call("/users", user).await.expect("a user"));

    let config = [("users", &user), ("locations", &location), ("services", &service), ("schedules", &schedule), ("jobs", &job)];
    let mut config: Vec<String> = config
        .iter()
        .map(|(noun, id)| format!("[[operations]]\ninclude-path-regex = \"^/{noun}/[{{]id\"\nparameters = {{ id = \"{id}\" }}\n"))
        .collect();
    config.push("[[operations]]\ninclude-path = \"/clusters/{name}\"\nparameters = { name = \"shop\" }\n".to_owned());
    config.push(format!(
        "[[operations]]\ninclude-path-regex = \"^/timelines|^/retention\"\nparameters = {{ location_id = \"{location}\", folder = \"shop\" }}\n"
    ));
    // Until a storage was read, 503 is the right answer; and so it is once somebody makes the location one that nobody can reach.
    let read = |timeline: &serde_json::Value| timeline["as_of"].as_str().map(|_| ());
    server
        .await_answer(&format!("/timelines?location_id={location}&folder=shop"), "the storage to be read", read)
        .await
        .expect("it is read");
    let words = ["--max-examples", "10", "--exclude-method", "DELETE", "--exclude-operation-id", "changeLocation"];
    explore(&server, folder.path(), &config.join("\n"), &words).await;
}
