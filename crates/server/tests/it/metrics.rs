//! `/metrics`, and everything that speaks of it: the dashboard, the rules for Prometheus, the documentation.

use std::collections::BTreeSet;
use std::path::Path;

use oplogue_api::agent::{AgentFacts, Enrol, Outcome, Report, Sync};
use oplogue_api::locations::{LocationInput, LocationKind, LocationSecrets, LocationSettings};
use oplogue_api::services::{EnrolmentRequest, MemberRole, OplogFacts, SlicingFacts, SlicingState};
use oplogue_api::users::Role;
use oplogue_domain::OplogTime;
use oplogue_server::app::Actor;
use oplogue_server::metrics::table;

use crate::stage::{Stage, Who};

fn repository(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `oplogue_…` in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("oplogue_") && word.len() > "oplogue_".len()).map(str::to_owned).collect()
}

/// A server that knows PBM's own repository, and a service that slices.
async fn populated() -> (Stage, tempfile::TempDir) {
    let stage = Stage::new();
    let app = &stage.app;
    let admin = Actor::server("test");
    let storage =
        oplogue_testkit::unpack(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/pbm/storage-pitr.tar")).expect("the fixture");
    let settings = LocationSettings { path: storage.path().display().to_string(), ..LocationSettings::default() };
    let input = LocationInput {
        name: "disk".to_owned(),
        description: String::new(),
        kind: LocationKind::Local,
        settings,
        secrets: LocationSecrets::default(),
    };
    let location = app.create_location(&admin, input).expect("a location");
    let folder = std::fs::read_dir(storage.path())
        .expect("readable")
        .filter_map(Result::ok)
        .find(|entry| entry.path().is_dir() && entry.file_name() != "pbmPitr");
    let mut folders = vec![String::new()];
    folders.extend(folder.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    for folder in folders {
        app.refresh_folder(&location.id, &folder).await.expect("read");
    }

    let token =
        app.create_enrolment(&admin, &EnrolmentRequest { cluster: Some("shop".to_owned()), valid_seconds: None }).expect("a token").token;
    let moment = |second| oplogue_api::MomentJson::from(OplogTime::new(second, 1));
    let facts = AgentFacts {
        agent_version: "0.1.0".to_owned(),
        host: "h1".to_owned(),
        replica_set: "rs0".to_owned(),
        member: "h1:27017".to_owned(),
        role: MemberRole::Primary,
        mongodb_version: "6.0.5".to_owned(),
        fcv: "6.0".to_owned(),
        oplog: Some(OplogFacts { oldest: moment(100), newest: moment(5000), majority: moment(5000), window_seconds: 4900 }),
        problem: None,
    };
    let enrolled = app
        .enrol(&Enrol { token, service_name: Some("db1".to_owned()), cluster: None, facts: facts.clone() }, "10.0.0.1")
        .expect("enrolled");
    let slicing = SlicingFacts {
        state: SlicingState::Slicing,
        newest: Some(moment(4990)),
        lag_seconds: Some(10),
        headroom_seconds: Some(4890),
        message: None,
    };
    let sync = Sync { facts, slicing: Some(slicing), attempts: Vec::new(), tests: Vec::new(), revision: 0, wait_seconds: 0 };
    app.sync(&enrolled.service_id, sync.clone()).await.expect("heard");
    let schedule = serde_json::json!({
        "name": "nightly", "service_id": enrolled.service_id, "location_id": location.id, "mode": "pitr", "cron": "0 3 * * *",
    });
    let schedule = app.create_schedule(&admin, serde_json::from_value(schedule).expect("a schedule")).expect("created");
    app.tick().expect("its first run is due at once");
    let wishes = app.sync(&enrolled.service_id, sync).await.expect("heard");
    let attempt = wishes.attempts.first().expect("the first run").id.clone();
    let outcome = Outcome::Failed { error: "no space left on device".to_owned(), hint: None, retryable: false };
    let report = Report { attempt: attempt.attempt, number: 1, steps: Vec::new(), lines: Vec::new(), outcome: Some(outcome) };
    app.report(&enrolled.service_id, &attempt.job_id, &report).expect("heard");
    assert!(app.schedule(&schedule.id).expect("there").last_run.is_some());
    let point = serde_json::json!({"name": "am", "kind": "alertmanager", "settings": {"url": "http://127.0.0.1:1"}});
    app.create_contact_point(&admin, &serde_json::from_value(point).expect("a contact point")).expect("created");
    (stage, storage)
}

#[tokio::test]
async fn prometheus_reads_what_can_be_restored() {
    let (stage, _storage) = populated().await;
    let text = stage.get(&stage.token(Role::Viewer), "/metrics").await;
    assert_eq!(text.status.as_u16(), 200);
    assert!(text.headers["content-type"].to_str().expect("text").starts_with("text/plain; version=0.0.4"));
    for expected in [
        "oplogue_newest_restorable_timestamp_seconds{cluster=\"",
        "oplogue_slice_lag_seconds{cluster=\"shop\",replica_set=\"rs0\",service=\"db1\"} 10",
        "oplogue_oplog_window_seconds{cluster=\"shop\",replica_set=\"rs0\",service=\"db1\"} 4900",
        "oplogue_agent_online{cluster=\"shop\",replica_set=\"rs0\",service=\"db1\"} 1",
        "oplogue_storage_reachable{location=\"disk\",from=\"server\"} 1",
        "status=\"success\"} ",
        "oplogue_alerts_firing{severity=\"critical\"} 0",
        "oplogue_backup_last_run_failed{cluster=\"shop\",schedule=\"nightly\"} 1",
        "oplogue_slicing_wanted{cluster=\"shop\",schedule=\"nightly\"} 1",
        "folder=\"shop\",status=\"error\"} 1",
    ] {
        assert!(text.text.contains(expected), "{expected} is not in\n{}", text.text);
    }
}

#[tokio::test]
async fn every_metric_of_the_table_is_told_and_no_other() {
    let (stage, _storage) = populated().await;
    let text = stage.app.metrics().expect("told");
    let told: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let table: BTreeSet<&str> = table::ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(told, table);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let metric = table::ALL.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{line}"));
        for label in metric.labels {
            assert!(line.contains(&format!("{label}=\"")), "{line} has no {label}");
        }
    }
}

#[tokio::test]
async fn metrics_need_a_session_or_token_unless_they_are_open() {
    let stage = Stage::new();
    assert_eq!(stage.get(&Who::Nobody, "/metrics").await.status.as_u16(), 401);
    assert_eq!(stage.get(&stage.token(Role::Viewer), "/metrics").await.status.as_u16(), 200);
    let open = Stage::with(|config| config.metrics_open = true);
    assert_eq!(open.get(&Who::Nobody, "/metrics").await.status.as_u16(), 200);
}

#[test]
fn dashboard_and_rules_speak_only_of_metrics_that_exist() {
    let known: BTreeSet<String> = table::ALL.iter().map(|metric| metric.name.to_owned()).collect();
    for path in ["packaging/grafana/oplogue.json", "packaging/prometheus/oplogue-alerts.yml"] {
        let named = names(&repository(path));
        assert!(named.len() > 5, "{path}");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{path} speaks of {unknown:?}");
    }
    serde_json::from_str::<serde_json::Value>(&repository("packaging/grafana/oplogue.json")).expect("the dashboard is JSON");
}

#[test]
fn the_documentation_has_every_metric_with_its_labels_and_meaning() {
    let text = repository("docs/alerts.md");
    for metric in table::ALL {
        let labels = if metric.labels.is_empty() { "—".to_owned() } else { format!("`{}`", metric.labels.join("`, `")) };
        let row = format!("| `{}` | {labels} | {} |", metric.name, metric.help);
        assert!(text.contains(&row), "docs/alerts.md lacks the row\n{row}");
    }
    let known: BTreeSet<String> = table::ALL.iter().map(|metric| metric.name.to_owned()).collect();
    let unknown: Vec<String> = names(&text).difference(&known).cloned().collect();
    assert!(unknown.is_empty(), "docs/alerts.md speaks of {unknown:?}");
}
