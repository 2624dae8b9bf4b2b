//! Locations as people meet them: fields, secrets, deletion, tests.

use oplogue_api::ErrorCode;
use oplogue_api::agent::{AgentFacts, Enrol, Sync, TestAnswer};
use oplogue_api::locations::{LocationInput, LocationKind, LocationSecrets, LocationSettings};
use oplogue_api::services::{EnrolmentRequest, MemberRole, ProbeStep};
use oplogue_api::users::Role;

use crate::app::{Actor, App};
use crate::config::ServerConfig;

fn app() -> (App, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    (App::open(ServerConfig::local(folder.path())).expect("it opens"), folder)
}

fn admin() -> Actor {
    Actor { name: "anna".into(), role: Role::Administrator, from: "10.0.0.1".into() }
}

fn s3(name: &str) -> LocationInput {
    LocationInput {
        name: name.into(),
        description: "nightly".into(),
        kind: LocationKind::S3,
        settings: LocationSettings { bucket: "shop".into(), endpoint: "http://127.0.0.1:1".into(), ..LocationSettings::default() },
        secrets: LocationSecrets { access_key: Some("AKHIDDEN".into()), secret_key: Some("SKHIDDEN".into()), ..LocationSecrets::default() },
    }
}

fn local(name: &str, path: &std::path::Path) -> LocationInput {
    let settings = LocationSettings { path: path.display().to_string(), ..LocationSettings::default() };
    LocationInput {
        name: name.into(),
        description: String::new(),
        kind: LocationKind::Local,
        settings,
        secrets: LocationSecrets::default(),
    }
}

#[test]
fn secrets_are_sealed_kept_when_not_given_and_never_shown() {
    let (app, _folder) = app();
    let location = app.create_location(&admin(), s3("main")).expect("created");
    assert!(location.has_secret);
    assert_eq!(location.url, "s3://shop?endpoint=http://127.0.0.1:1");
    let change = LocationInput { description: "other".into(), secrets: LocationSecrets::default(), ..s3("main") };
    let changed = app.change_location(&admin(), &location.id, change).expect("changed");
    assert_eq!((changed.description.as_str(), changed.has_secret), ("other", true));
    let place = app.place(&location.id, "folder").expect("a place");
    assert_eq!(place.secrets.secret_key.as_deref(), Some("SKHIDDEN"));
    let shown = serde_json::to_string(&app.locations().expect("listed")).expect("JSON");
    assert!(!shown.contains("HIDDEN"), "{shown}");
    let file = std::fs::read(app.config.data_dir.join("oplogue.db")).expect("the database");
    let wal = std::fs::read(app.config.data_dir.join("oplogue.db-wal")).unwrap_or_default();
    for bytes in [file, wal] {
        assert!(!bytes.windows(8).any(|window| window == b"SKHIDDEN"), "sealed at rest");
    }
}

#[test]
fn a_name_is_taken_once_and_only_administrators_change_anything() {
    let (app, folder) = app();
    app.create_location(&admin(), s3("main")).expect("created");
    let error = app.create_location(&admin(), local("main", folder.path())).expect_err("taken");
    assert_eq!((error.code, error.fields[0].field.as_str()), (ErrorCode::Conflict, "name"));
    assert_eq!(error.message, "Location with name \"main\" already exists.");
    let operator = Actor { role: Role::Operator, ..admin() };
    assert_eq!(app.create_location(&operator, s3("other")).expect_err("not allowed").code, ErrorCode::Forbidden);
    assert_eq!(app.location("loc_none").expect_err("unknown").code, ErrorCode::NotFound);
}

#[tokio::test]
async fn a_location_with_backups_is_deleted_by_force_only_and_its_objects_stay() {
    let (app, folder) = app();
    let location = app.create_location(&admin(), local("disk", &folder.path().join("backups"))).expect("created");
    let metadata = folder.path().join("backups/shop/old.pbm.json");
    std::fs::create_dir_all(metadata.parent().expect("it has one")).expect("a folder");
    let backup = r#"{"name": "old", "status": "done", "replsets": []}"#;
    std::fs::write(&metadata, backup).expect("written");
    app.refresh_folder(&location.id, "shop").await.expect("read");
    let error = app.delete_location(&admin(), &location.id, false).expect_err("in use");
    assert!(error.code == ErrorCode::Conflict && error.message.ends_with("has artifacts."), "{error}");
    app.delete_location(&admin(), &location.id, true).expect("forced");
    assert!(metadata.exists());
    assert_eq!(app.folder_views().len(), 0);
    assert_eq!(app.refresh_folder(&location.id, "shop").await.expect_err("gone").code, ErrorCode::NotFound);
}

#[tokio::test]
async fn a_test_really_tries_and_says_what_failed() {
    let (app, folder) = app();
    let good = app.test_location(&admin(), local("disk", &folder.path().join("new")), None).await.expect("tried");
    assert!(good.ok, "{good:?}");
    assert_eq!(good.places[0].steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), ["write", "read", "list", "delete"]);
    let bad = app.test_location(&admin(), local("disk", std::path::Path::new("/proc/nowhere")), None).await.expect("tried");
    assert!(!bad.ok && bad.places[0].steps[0].problem.as_deref().is_some_and(|problem| problem.contains("/proc/nowhere")), "{bad:?}");
    let away = app.test_location(&admin(), s3("s3"), None).await.expect("tried");
    assert!(!away.ok && away.places[0].from == "server", "{away:?}");
    assert!(!format!("{away:?}").contains("HIDDEN"));

    let saved = app.create_location(&admin(), local("disk", folder.path())).expect("created");
    assert!(app.location(&saved.id).expect("there").server_reach.is_none());
    assert!(app.test_saved_location(&admin(), &saved.id).await.expect("tried").ok);
    assert!(app.location(&saved.id).expect("there").server_reach.is_some_and(|reach| reach.ok));
}

#[tokio::test]
async fn agents_are_asked_once_and_their_answers_are_told() {
    let (app, folder) = app();
    let agents = [online(&app, "db1").await, online(&app, "db2").await];
    let saved = app.create_location(&admin(), local("disk", folder.path())).expect("created");
    let mut wishes = app.wishes.subscribe();
    let testing = {
        let (app, id) = (app.clone(), saved.id.clone());
        tokio::spawn(async move { app.test_saved_location(&admin(), &id).await })
    };
    let asked = async {
        loop {
            let tests = app.open_tests_for(&agents[0]);
            if !tests.is_empty() {
                return tests;
            }
            wishes.changed().await.expect("the server lives");
        }
    };
    let tests = tokio::time::timeout(std::time::Duration::from_secs(30), asked).await.expect("agents are asked");
    let answer = |problem: Option<&str>| {
        let steps = vec![ProbeStep { name: "write".into(), problem: problem.map(str::to_owned) }];
        vec![TestAnswer { test_id: tests[0].test_id.clone(), steps, problem: None }]
    };
    app.test_answered(&agents[0], answer(None));
    assert!(app.open_tests_for(&agents[0]).is_empty(), "what was answered is not asked again");
    app.test_answered(&agents[0], answer(Some("a second answer changes nothing")));
    app.test_answered("svc_stranger", answer(Some("nobody asked")));
    app.test_answered(&agents[1], answer(Some("read-only")));
    let test = testing.await.expect("no panic").expect("tried");
    assert!(!test.ok, "{test:?}");
    let told: Vec<_> = test.places.iter().map(|place| (place.from.as_str(), place.ok)).collect();
    assert_eq!(told, [("server", true), ("db1", true), ("db2", false)]);
    assert!(app.open_tests_for(&agents[1]).is_empty());
    let service = app.service(&agents[1]).expect("there");
    assert_eq!((service.locations.len(), service.locations[0].ok), (1, false));
}

/// A service whose agent has just been heard of.
async fn online(app: &App, name: &str) -> String {
    let request = EnrolmentRequest { cluster: Some("shop".into()), valid_seconds: None };
    let token = app.create_enrolment(&admin(), &request).expect("a token").token;
    let facts = AgentFacts {
        agent_version: "0.1.0".into(),
        host: name.into(),
        replica_set: "rs0".into(),
        member: format!("{name}:27017"),
        role: MemberRole::Secondary,
        mongodb_version: "6.0.5".into(),
        fcv: "6.0".into(),
        oplog: None,
        problem: None,
    };
    let enrol = Enrol { token, service_name: Some(name.into()), cluster: None, facts: facts.clone() };
    let service_id = app.enrol(&enrol, "10.0.0.2").expect("enrolled").service_id;
    let sync = Sync { facts, slicing: None, attempts: Vec::new(), tests: Vec::new(), revision: 0, wait_seconds: 0 };
    app.sync(&service_id, sync).await.expect("heard");
    service_id
}
