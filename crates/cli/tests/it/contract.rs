//! The REST API keeps its word: generated requests, good and bad, get only answers that its document declares, and never a 5xx.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use oplogue_testkit::{OplogueServer, packages};
use serde_json::json;
use tokio::process::Command;

const PACKAGES: &[&str] = &["schemathesis==4.32.5"];
/// Of generated requests: the coverage phase alone makes some thousands.
const LIMIT: Duration = Duration::from_secs(420);

/// They would take away what the others ask with, or wait for agents and networks that are not there.
const LEFT_OUT: &[&str] = &["deleteToken", "testLocation", "testLocationInput", "testContactPoint"];

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_declared_and_none_is_a_server_error() {
    let path = tokio::task::spawn_blocking(|| packages::python("schemathesis", PACKAGES, "the REST API is tested with schemathesis"));
    let path = path.await.expect("not cancelled").expect("schemathesis");
    let server = OplogueServer::start(Path::new(env!("CARGO_BIN_EXE_oplogue")), &[]).await.expect("the server starts");
    let folder = tempfile::tempdir().expect("a folder");
    let location = json!({"name": "disk", "kind": "local", "settings": {"path": folder.path()}});
    server.post("/locations", &location).await.expect("a location");

    let examples = std::env::var("OPLOGUE_CONTRACT_EXAMPLES").unwrap_or_else(|_| "12".to_owned());
    let mut command = Command::new("python3");
    command.args(["-m", "schemathesis.cli", "run", &format!("{}/v1/openapi.json", server.url())]);
    command.args(["--header", &format!("Authorization: Bearer {}", server.token())]);
    command.args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"]);
    command.args(["--phases", "examples,coverage,fuzzing", "--max-examples", &examples, "--seed", "20261125"]);
    command.args([
        "--workers",
        "2",
        "--suppress-health-check",
        "all",
        "--request-timeout",
        "60",
        "--continue-on-failure",
        "--warnings",
        "off",
    ]);
    for operation in LEFT_OUT {
        command.args(["--exclude-operation-id", operation]);
    }
    command.env("PYTHONPATH", path).env("NO_COLOR", "1").current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await.expect("it ends").expect("python3 starts");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("passed") || told.contains("No issues found"), "{told}");
    let log = server.whole_output("server");
    assert!(!log.contains("panicked"), "{log}");
}
