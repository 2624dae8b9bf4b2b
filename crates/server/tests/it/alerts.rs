//! Alerts from what happens to who is told: a backup fails, a webhook and a mail server hear of it, and of its end.

use std::path::Path;
use std::time::Duration;

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use oplogue_api::agent::{AgentFacts, AttemptId, Enrol, Outcome, Report, Sync};
use oplogue_api::alerts::{
    AlertRuleInput, AlertState, Condition, ContactKind, ContactPointInput, ContactSecrets, ContactSettings, SilenceInput,
};
use oplogue_api::backups::BackupInput;
use oplogue_api::locations::{LocationInput, LocationKind, LocationSettings};
use oplogue_api::services::{EnrolmentRequest, MemberRole};
use oplogue_api::users::Role;
use oplogue_api::{MomentJson, alerts};
use oplogue_domain::OplogTime;
use oplogue_domain::alert::Facts;
use oplogue_domain::alert::facts::AgentFacts as AgentSeen;
use oplogue_server::app::alerts::AlertFilter;
use oplogue_server::app::{Actor, App};
use oplogue_server::config::ServerConfig;
use oplogue_testkit::{HttpReceiver, MailReceiver};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::stage::Stage;

fn admin() -> Actor {
    Actor::server("test")
}

/// A server with one service, whose agent says and does what the test says.
struct World {
    stage: Stage,
    service_id: String,
    location_id: String,
    storage: tempfile::TempDir,
}

fn facts() -> AgentFacts {
    AgentFacts {
        agent_version: "0.1.0".to_owned(),
        host: "h1".to_owned(),
        replica_set: "rs0".to_owned(),
        member: "h1:27017".to_owned(),
        role: MemberRole::Primary,
        mongodb_version: "6.0.5".to_owned(),
        fcv: "6.0".to_owned(),
        oplog: None,
        problem: None,
    }
}

impl World {
    fn new() -> Self {
        Self::on(Stage::new())
    }

    fn on(stage: Stage) -> Self {
        let app = &stage.app;
        let request = EnrolmentRequest { cluster: Some("shop".to_owned()), valid_seconds: None };
        let token = app.create_enrolment(&admin(), &request).expect("a token").token;
        let enrolled =
            app.enrol(&Enrol { token, service_name: Some("db1".to_owned()), cluster: None, facts: facts() }, "10.0.0.1").expect("enrolled");
        let storage = tempfile::tempdir().expect("a folder");
        let settings = LocationSettings { path: storage.path().display().to_string(), ..LocationSettings::default() };
        let input = LocationInput {
            name: "disk".to_owned(),
            description: String::new(),
            kind: LocationKind::Local,
            settings,
            secrets: oplogue_api::locations::LocationSecrets::default(),
        };
        let location_id = app.create_location(&admin(), input).expect("a location").id;
        Self { service_id: enrolled.service_id, location_id, stage, storage }
    }

    fn app(&self) -> &App {
        &self.stage.app
    }

    /// The agent says that it is there, and hears what it shall do.
    async fn sync(&self, attempts: Vec<AttemptId>) -> Vec<AttemptId> {
        let sync = Sync { facts: facts(), slicing: None, attempts, tests: Vec::new(), revision: 0, wait_seconds: 0 };
        let wishes = self.app().sync(&self.service_id, sync).await.expect("heard");
        wishes.attempts.into_iter().map(|attempt| attempt.id).collect()
    }

    /// A backup on demand that ends so.
    async fn backup(&self, name: &str, outcome: Outcome) {
        let input = BackupInput {
            name: name.to_owned(),
            service_id: self.service_id.clone(),
            location_id: self.location_id.clone(),
            ..BackupInput::default()
        };
        self.sync(Vec::new()).await;
        let job = self.app().create_backup(&admin(), &input).expect("wanted");
        self.app().tick().expect("looks at the queue");
        let attempts = self.sync(Vec::new()).await;
        let attempt = attempts.iter().find(|attempt| attempt.job_id == job.id).expect("it is this agent's");
        let report = Report { attempt: attempt.attempt, number: 1, steps: Vec::new(), lines: Vec::new(), outcome: Some(outcome) };
        self.app().report(&self.service_id, &job.id, &report).expect("heard");
    }

    fn tell(&self, rule: &str, contact_points: &[&str]) {
        let rule = self
            .app()
            .alert_rules(&admin())
            .expect("read")
            .into_iter()
            .find(|known| known.input.name == rule)
            .expect("a rule of the first start");
        let contact_points = contact_points.iter().map(|id| (*id).to_owned()).collect();
        let input = AlertRuleInput { contact_points, ..rule.input };
        self.app().change_alert_rule(&admin(), &rule.id, &input).expect("changed");
    }
}

fn failed() -> Outcome {
    Outcome::Failed { error: "write to disk: no space left on device".to_owned(), hint: None, retryable: false }
}

fn done() -> Outcome {
    Outcome::BackedUp { bytes: 1, documents: 1, restores_to: MomentJson::from(OplogTime::new(1, 1)), notes: Vec::new() }
}

fn webhook(app: &App, name: &str, address: &str) -> String {
    let secrets = ContactSecrets { webhook_url: Some(format!("http://{address}/hook/s3cret")), ..ContactSecrets::default() };
    let input = ContactPointInput { name: name.to_owned(), kind: ContactKind::Webhook, settings: ContactSettings::default(), secrets };
    app.create_contact_point(&admin(), &input).expect("a contact point").id
}

fn mail(app: &App, address: &str) -> String {
    let settings = ContactSettings {
        smtp: address.to_owned(),
        smtp_security: "none".to_owned(),
        mail_from: "oplogue@example.com".to_owned(),
        mail_to: vec!["dba@example.com".to_owned()],
        ..ContactSettings::default()
    };
    let input = ContactPointInput { name: "mail".to_owned(), kind: ContactKind::Email, settings, secrets: ContactSecrets::default() };
    app.create_contact_point(&admin(), &input).expect("a contact point").id
}

fn bodies(receiver: &HttpReceiver) -> Vec<Value> {
    receiver.got().iter().map(|got| serde_json::from_str(&got.body).expect("JSON")).collect()
}

async fn look_and_deliver(app: &App) {
    app.look_at_alerts().expect("looked");
    app.deliver_alerts().await.expect("delivered");
}

/// Facts of one agent that was last seen so long ago.
fn silent(seconds: i64, now: Timestamp) -> Facts {
    let agent = AgentSeen {
        service_id: "svc_1".to_owned(),
        service: "db1".to_owned(),
        cluster: Some("shop".to_owned()),
        host: String::new(),
        last_seen: now - SignedDuration::from_secs(seconds),
    };
    Facts { agents: vec![agent], ..Facts::default() }
}

/// A rule that fires at once when an agent is silent.
fn agent_rule(app: &App, contact_point: &str) -> String {
    let input = AlertRuleInput {
        name: "silent".to_owned(),
        template: "agent_down".to_owned(),
        threshold: Some(30.0),
        for_seconds: Some(0),
        severity: None,
        clusters: Vec::new(),
        services: Vec::new(),
        contact_points: vec![contact_point.to_owned()],
        enabled: true,
    };
    app.create_alert_rule(&admin(), &input).expect("a rule").id
}

#[tokio::test]
async fn a_failed_backup_is_told_by_webhook_and_mail_and_so_is_its_end() {
    let world = World::new();
    let app = world.app();
    let (http, smtp) = (HttpReceiver::start("200 OK", "").await, MailReceiver::start(None).await);
    let (hook, mailbox) = (webhook(app, "hook", &http.address), mail(app, &smtp.address));
    world.tell("Backup failed", &[&hook, &mailbox]);

    world.backup("first", failed()).await;
    look_and_deliver(app).await;
    let told = bodies(&http);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["status"], "firing");
    let summary = told[0]["alerts"][0]["annotations"]["summary"].as_str().unwrap_or_default();
    assert!(summary.contains("of shop failed: write to disk: no space left on device"), "{summary}");
    assert!(told[0]["alerts"][0]["generatorURL"].as_str().is_some_and(|url| url.contains("/jobs/job_")), "{told:?}");
    assert!(smtp.got()[0].text.contains("Subject: [FIRING] Backup failed"), "{:?}", smtp.got());

    // Looking again tells nobody again.
    look_and_deliver(app).await;
    world.backup("second", done()).await;
    look_and_deliver(app).await;
    look_and_deliver(app).await;
    let statuses: Vec<_> = bodies(&http).iter().map(|body| (body["status"].clone(), body["alerts"][0]["fingerprint"].clone())).collect();
    let fingerprint = told[0]["alerts"][0]["fingerprint"].clone();
    assert_eq!(statuses, [(json!("firing"), fingerprint.clone()), (json!("resolved"), fingerprint)]);
    assert_eq!(smtp.got().len(), 2);

    let history = app.alerts(&admin(), &AlertFilter::default(), 10).expect("read").items;
    let failed = history.iter().find(|alert| alert.condition == Condition::BackupFailed).expect("it stays in the history");
    assert_eq!((failed.state, failed.service.as_deref()), (AlertState::Resolved, Some("db1")));
    let deliveries: Vec<_> =
        failed.deliveries.iter().map(|one| (one.contact_point.as_str(), one.what.as_str(), one.error.is_none())).collect();
    assert_eq!(deliveries, [("hook", "firing", true), ("mail", "firing", true), ("hook", "resolved", true), ("mail", "resolved", true)]);
}

#[tokio::test]
async fn nobody_is_told_while_a_silence_lasts_and_everybody_when_it_is_over() {
    let stage = Stage::new();
    let app = &stage.app;
    let http = HttpReceiver::start("200 OK", "").await;
    let hook = webhook(app, "hook", &http.address);
    let rule = agent_rule(app, &hook);
    let now = app.clock.now();
    let input = SilenceInput {
        rule_id: Some(rule),
        cluster: None,
        service: Some("db1".to_owned()),
        until: now + SignedDuration::from_hours(1),
        comment: "moving it".to_owned(),
    };
    let silence = app.create_silence(&Actor { role: Role::Operator, ..admin() }, &input).expect("a silence");
    app.evaluate_alerts(&silent(100, now), now).expect("looked");
    app.deliver_alerts().await.expect("nothing to deliver");
    let shown = app.alerts(&admin(), &AlertFilter { state: Some(AlertState::Firing), ..AlertFilter::default() }, 10).expect("read").items;
    let silenced: Vec<_> = shown.iter().filter(|alert| alert.rule_name == "silent").map(|alert| alert.silenced).collect();
    assert_eq!((silenced, http.got().len()), (vec![true], 0));

    app.delete_silence(&admin(), &silence.id).expect("deleted");
    app.evaluate_alerts(&silent(100, now), now).expect("looked");
    app.deliver_alerts().await.expect("delivered");
    assert_eq!(http.got().len(), 1);
}

#[tokio::test]
async fn what_was_not_delivered_before_a_crash_is_delivered_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let http = HttpReceiver::start("200 OK", "").await;
    let now = {
        let app = App::open(ServerConfig::local(folder.path())).expect("opens");
        let hook = webhook(&app, "hook", &http.address);
        agent_rule(&app, &hook);
        let now = app.clock.now();
        app.evaluate_alerts(&silent(100, now), now).expect("looked");
        now
        // Gone before anything was delivered.
    };
    let app = App::open(ServerConfig::local(folder.path())).expect("opens again");
    app.evaluate_alerts(&silent(100, now), now).expect("looked");
    app.deliver_alerts().await.expect("delivered");
    assert_eq!(http.got().len(), 1, "one delivery, not none and not two");

    // Gone after the receiver said yes and before that was written down: told again, recognisably.
    app.db.write(|tx| tx.execute("UPDATE alert_deliveries SET state = 'queued', next_at = at", []).map(drop)).expect("written");
    app.deliver_alerts().await.expect("delivered");
    let told = bodies(&http);
    assert_eq!(told[0]["alerts"][0]["fingerprint"], told[1]["alerts"][0]["fingerprint"]);
}

#[tokio::test]
async fn a_receiver_that_is_away_is_tried_again_and_the_end_is_not_told_before_the_beginning() {
    let stage = Stage::new();
    let app = &stage.app;
    // Nobody listens on port 1.
    let hook = webhook(app, "hook", "127.0.0.1:1");
    let rule_id = Some(agent_rule(app, &hook));
    let now = app.clock.now();
    app.evaluate_alerts(&silent(100, now), now).expect("looked");
    app.deliver_alerts().await.expect("tried");
    let of_rule = AlertFilter { rule_id, ..AlertFilter::default() };
    let alert = || app.alerts(&admin(), &of_rule, 10).expect("read").items.remove(0);
    let error = alert().deliveries[0].error.clone().expect("not delivered");
    assert!(error.contains("cannot be reached") && !error.contains("s3cret"), "{error}");
    assert_eq!(app.deliver_alerts().await.expect("nothing is due yet"), 0);

    let later = now + SignedDuration::from_secs(1000);
    app.evaluate_alerts(&silent(0, later), later).expect("clear");
    let later = later + SignedDuration::from_secs(61);
    app.evaluate_alerts(&silent(0, later), later).expect("resolved");
    assert_eq!(alert().state, AlertState::Resolved);
    assert_eq!(app.deliver_alerts().await.expect("the beginning comes first"), 0);

    // The contact point is mended and the beginning is due.
    let http = HttpReceiver::start("200 OK", "").await;
    let secrets = ContactSecrets { webhook_url: Some(format!("http://{}/", http.address)), ..ContactSecrets::default() };
    let input = ContactPointInput { name: "hook".to_owned(), kind: ContactKind::Webhook, settings: ContactSettings::default(), secrets };
    app.change_contact_point(&admin(), &hook, &input).expect("changed");
    app.db.write(|tx| tx.execute("UPDATE alert_deliveries SET next_at = at", []).map(drop)).expect("made due");
    app.deliver_alerts().await.expect("the beginning");
    app.db
        .write(|tx| tx.execute("UPDATE alert_deliveries SET next_at = '2000-01-01T00:00:00Z' WHERE state = 'queued'", []).map(drop))
        .expect("made due");
    app.deliver_alerts().await.expect("the end");
    let statuses: Vec<_> = bodies(&http).iter().map(|body| body["status"].clone()).collect();
    assert_eq!(statuses, [json!("firing"), json!("resolved")]);
}

#[tokio::test]
async fn many_alerts_of_one_cause_are_one_message() {
    let stage = Stage::new();
    let app = &stage.app;
    let http = HttpReceiver::start("200 OK", "").await;
    let hook = webhook(app, "hook", &http.address);
    agent_rule(app, &hook);
    let now = app.clock.now();
    let one = silent(100, now).agents.remove(0);
    let agents =
        (0..20).map(|index| AgentSeen { service_id: format!("svc_{index}"), service: format!("db{index}"), ..one.clone() }).collect();
    app.evaluate_alerts(&Facts { agents, ..Facts::default() }, now).expect("looked");
    app.deliver_alerts().await.expect("delivered");
    let told = bodies(&http);
    assert_eq!((told.len(), told[0]["alerts"].as_array().map(Vec::len)), (1, Some(20)));
}

#[tokio::test]
async fn a_deleted_rule_ends_its_alerts_and_says_so() {
    let stage = Stage::new();
    let app = &stage.app;
    let http = HttpReceiver::start("200 OK", "").await;
    let hook = webhook(app, "hook", &http.address);
    let rule = agent_rule(app, &hook);
    let now = app.clock.now();
    app.evaluate_alerts(&silent(100, now), now).expect("looked");
    app.deliver_alerts().await.expect("delivered");
    app.delete_alert_rule(&admin(), &rule).expect("deleted");
    app.evaluate_alerts(&silent(100, now), now).expect("looked");
    app.deliver_alerts().await.expect("delivered");
    let statuses: Vec<_> = bodies(&http).iter().map(|body| body["status"].clone()).collect();
    assert_eq!(statuses, [json!("firing"), json!("resolved")]);
}

#[tokio::test]
async fn an_agent_that_is_not_heard_of_fires_only_after_the_server_itself_was_up_for_long_enough() {
    let world = World::new();
    let app = world.app();
    app.look_at_alerts().expect("looked");
    let standing = app.alerts(&admin(), &AlertFilter::default(), 10).expect("read").items;
    assert!(standing.is_empty(), "{standing:?}");
}

#[tokio::test]
async fn the_rules_of_the_first_start_are_there_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = || {
        let app = App::open(ServerConfig::local(folder.path())).expect("opens");
        let rules = app.alert_rules(&admin()).expect("read");
        assert!(rules.iter().all(|rule| rule.input.contact_points.is_empty() && rule.input.enabled));
        let templates = app.alert_templates(&admin()).expect("read");
        assert!(rules.iter().all(|rule| templates.iter().any(|template| template.name == rule.input.template)));
        rules.into_iter().map(|rule| rule.input.name).collect::<Vec<_>>()
    };
    let first = names();
    assert_eq!(first.len(), 6, "{first:?}");
    assert_eq!(names(), first);
}

#[tokio::test]
async fn a_contact_points_secrets_are_never_given_back_nor_sent_elsewhere() {
    let stage = Stage::new();
    let token = stage.token(Role::Administrator);
    let body = json!({"name": "pager", "kind": "alertmanager", "settings": {"url": "http://127.0.0.1:1"}, "secrets": {"authorization": "Bearer t0psecret"}});
    let point = stage.post(&token, "/v1/alerts/contact-points", body.clone()).await.expect(201);
    assert_eq!(point["has_secret"], true);
    let id = point["id"].as_str().unwrap_or_default();
    let path = format!("/v1/alerts/contact-points/{id}");
    for answer in [
        stage.get(&token, "/v1/alerts/contact-points").await,
        stage.put(&token, &path, json!({"name": "pager 2", "kind": "alertmanager", "settings": {"url": "http://127.0.0.1:1"}})).await,
        stage.post(&token, &format!("{path}/test"), Value::Null).await,
        stage.get(&token, "/v1/audit").await,
    ] {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert!(!answer.text.contains("t0psecret"), "{answer:?}");
    }
    // Kept over the change, in the database unreadable.
    let points = stage.get(&token, "/v1/alerts/contact-points").await.expect(200);
    assert_eq!((&points[0]["name"], &points[0]["has_secret"]), (&json!("pager 2"), &json!(true)));
    let database = std::fs::read(stage.data_dir().join("oplogue.db")).expect("the database");
    assert!(!database.windows(9).any(|window| window == b"t0psecret"));
    // Whoever changes the address must know the secret.
    let elsewhere = json!({"name": "pager", "kind": "alertmanager", "settings": {"url": "http://127.0.0.1:2"}});
    let refused = stage.put(&token, &path, elsewhere).await.expect(422);
    assert_eq!(refused["fields"][0]["field"], "authorization");
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let stage = Stage::new();
    let token = stage.token(Role::Administrator);
    let rule = |change: Value| {
        let mut rule = json!({"name": "r", "template": "gap"});
        rule.as_object_mut().expect("an object").extend(change.as_object().cloned().unwrap_or_default());
        rule
    };
    for (path, body, field) in [
        ("rules", rule(json!({"name": " "})), "name"),
        ("rules", rule(json!({"template": "unheard_of"})), "template"),
        ("rules", rule(json!({"threshold": -1.0})), "threshold"),
        ("rules", rule(json!({"for_seconds": 9_999_999})), "for_seconds"),
        ("rules", rule(json!({"contact_points": ["con_x"]})), "contact_points"),
        ("contact-points", json!({"name": "m", "kind": "email"}), "smtp"),
        ("contact-points", json!({"name": "m", "kind": "webhook", "secrets": {"webhook_url": "file:///etc/passwd"}}), "webhook_url"),
        ("contact-points", json!({"name": "m", "kind": "pagerduty"}), "routing_key"),
        ("contact-points", json!({"name": "m", "kind": "alertmanager"}), "url"),
        ("silences", json!({"until": "2000-01-01T00:00:00Z"}), "until"),
        ("templates/import", json!({"yaml": "templates:\n- name: x\n  expr: up == 0\n"}), "yaml"),
    ] {
        let answer = stage.post(&token, &format!("/v1/alerts/{path}"), body).await.expect(422);
        let named: Vec<_> = answer["fields"].as_array().into_iter().flatten().map(|one| one["field"].clone()).collect();
        assert!(named.contains(&json!(field)), "{path}: {answer}");
    }
    stage.post(&token, "/v1/alerts/rules", rule(json!({}))).await.expect(201);
    stage.post(&token, "/v1/alerts/rules", rule(json!({}))).await.expect(409);
}

#[tokio::test]
async fn imported_templates_make_rules_and_stay_while_they_are_used() {
    let stage = Stage::new();
    let (token, viewer) = (stage.token(Role::Administrator), stage.token(Role::Viewer));
    let yaml = "templates:\n- name: pmm_backup_error\n  version: 1\n  summary: Backup failed\n  expr: 'pmm_managed_backups_artifacts{status=\"error\"} == bool 1'\n  for: 1m\n  severity: error\n";
    stage.post(&viewer, "/v1/alerts/templates/import", json!({"yaml": yaml})).await.expect(403);
    let imported = stage.post(&token, "/v1/alerts/templates/import", json!({"yaml": yaml})).await.expect(200);
    assert_eq!((&imported[0]["condition"], &imported[0]["for_seconds"]), (&json!("backup_failed"), &json!(60)));
    let rule = stage.post(&token, "/v1/alerts/rules", json!({"name": "mine", "template": "pmm_backup_error"})).await.expect(201);
    stage.delete(&token, "/v1/alerts/templates/pmm_backup_error").await.expect(409);
    stage.delete(&token, "/v1/alerts/templates/gap").await.expect(409);
    stage.delete(&token, &format!("/v1/alerts/rules/{}", rule["id"].as_str().unwrap_or_default())).await.expect(204);
    stage.delete(&token, "/v1/alerts/templates/pmm_backup_error").await.expect(204);
    let left = stage.get(&viewer, "/v1/alerts/templates").await.expect(200);
    let left: Vec<alerts::AlertTemplate> = serde_json::from_value(left).expect("templates");
    assert_eq!(left.len(), 9);
}

#[tokio::test]
async fn rules_are_looked_at_and_people_told_without_being_asked() {
    let world = World::on(Stage::with(|config| config.clock_rate = 20.0));
    let app = world.app();
    let http = HttpReceiver::start("200 OK", "").await;
    let hook = webhook(app, "hook", &http.address);
    world.tell("Backup failed", &[&hook]);
    let cancel = CancellationToken::new();
    let running = tokio::spawn(oplogue_server::app::alerts::run(app.clone(), cancel.clone()));
    world.backup("first", failed()).await;
    until("the webhook is told", || !http.got().is_empty()).await;
    cancel.cancel();
    tokio::time::timeout(Duration::from_secs(10), running).await.expect("it stops").expect("no panic");
}

#[tokio::test]
async fn a_storage_that_is_taken_away_is_one_alert_and_the_newest_moment_grows_older_even_over_a_restart() {
    let world = World::on(Stage::with(|config| config.clock_rate = 2_000.0));
    let app = world.app();
    let fixture =
        oplogue_testkit::unpack(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/pbm/storage-pitr.tar")).expect("the fixture");
    let repository = std::fs::read_dir(fixture.path()).expect("readable").filter_map(Result::ok).next().expect("one folder").path();
    let place = world.storage.path().join("shop");
    std::fs::rename(&repository, &place).expect("on the same disk");
    let schedule =
        json!({"name": "pitr", "service_id": world.service_id, "location_id": world.location_id, "mode": "pitr", "cron": "0 3 * * *"});
    app.create_schedule(&admin(), serde_json::from_value(schedule).expect("a schedule")).expect("created");
    app.refresh_folder(&world.location_id, "shop").await.expect("read");
    app.look_at_alerts().expect("looked");
    let newest = app.folder_view(&world.location_id, "shop").and_then(|view| view.timeline.newest()).expect("something can be restored");

    // In its place a link that leads to itself: nobody can read it, not even root.
    std::fs::remove_dir_all(world.storage.path()).expect("taken away");
    std::os::unix::fs::symlink(world.storage.path(), world.storage.path()).expect("in its place");
    app.refresh_folder(&world.location_id, "shop").await.expect_err("gone");
    let firing = |app: &App, condition: Condition| {
        app.look_at_alerts().expect("looked");
        let filter = AlertFilter { state: Some(AlertState::Firing), ..AlertFilter::default() };
        let items = app.alerts(&admin(), &filter, 100).expect("read").items;
        items.into_iter().filter(|alert| alert.condition == condition).map(|alert| alert.summary).collect::<Vec<_>>()
    };
    until("the storage's alert fires", || firing(app, Condition::StorageUnreachable).len() == 1).await;
    let summary = firing(app, Condition::StorageUnreachable).remove(0);
    assert!(summary.starts_with("disk cannot be used from the server: "), "{summary}");
    until("the moment is too old", || firing(app, Condition::RestorePointOld).len() == 1).await;

    // A server that starts while the storage is away knows nothing but what it wrote down.
    let config = ServerConfig { clock_rate: 2_000.0, ..ServerConfig::local(world.stage.data_dir()) };
    let again = App::open(config).expect("opens");
    again.refresh_folder(&world.location_id, "shop").await.expect_err("still gone");
    let summaries = firing(&again, Condition::RestorePointOld);
    assert!(
        summaries.len() == 1 && summaries[0].contains(&newest.timestamp().strftime("%Y-%m-%d %H:%M").to_string()),
        "{summaries:?} {newest}"
    );
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(tokio::time::Instant::now() < end, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
