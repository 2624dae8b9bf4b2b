//! How agents become known, and how they stop being.

use oplogue_api::ErrorCode;
use oplogue_api::agent::Enrol;
use oplogue_api::jobs::JobState;
use oplogue_api::services::{AgentState, EnrolmentRequest, ServiceChange};
use oplogue_api::users::Role;
use oplogue_server::app::Actor;

use super::agent::{Agent, facts, well};
use super::world::{World, anna};

fn token(world: &World, cluster: Option<&str>) -> String {
    let request = EnrolmentRequest { cluster: cluster.map(str::to_owned), valid_seconds: Some(600) };
    world.app.create_enrolment(&anna(), &request).expect("a token").token
}

#[tokio::test]
async fn a_token_is_good_for_one_agent_and_some_time() {
    let world = World::new();
    let request = EnrolmentRequest { cluster: Some("shop".to_owned()), valid_seconds: Some(600) };
    let enrolment = world.app.create_enrolment(&anna(), &request).expect("a token");
    assert!(
        enrolment.command.contains(&format!("--token {} --cluster shop --uri mongodb://127.0.0.1:27017", enrolment.token)),
        "{}",
        enrolment.command
    );
    assert!(enrolment.command.starts_with("oplogue agent --server http://"), "{}", enrolment.command);

    let first = Agent::enrol_with(&world.app, &enrolment.token, None, facts("rs0", "db1:27017")).expect("it enrols");
    let known = world.app.agent_by_credential(&first.credential).expect("asked").expect("known");
    assert_eq!(known, (first.service_id.clone(), "db1:27017".to_owned()));
    let service = world.app.service(&first.service_id).expect("there");
    assert_eq!((service.cluster.as_deref(), service.replica_set.as_str(), service.agent.state), (Some("shop"), "rs0", AgentState::Offline));

    let refused = |token: &str, member: &str| Agent::enrol_with(&world.app, token, None, facts("rs0", member)).err().expect("refused");
    assert_eq!(refused(&enrolment.token, "db2:27017").code, ErrorCode::Unauthenticated);
    // The answer was lost: the same member may ask again, for a minute.
    let again = Agent::enrol_with(&world.app, &enrolment.token, None, facts("rs0", "db1:27017")).expect("once more");
    assert_eq!(again.service_id, first.service_id);
    assert_eq!(world.app.agent_by_credential(&first.credential).expect("asked"), None);
    world.pass(61);
    assert!(refused(&enrolment.token, "db1:27017").message.contains("used"));
    let late = token(&world, None);
    world.pass(600);
    assert!(refused(&late, "db3:27017").message.contains("expired"));
    assert!(refused("enrol_nonsense", "db3:27017").message.contains("not known"));
    let file = std::fs::read(world.app.config.data_dir.join("oplogue.db")).expect("the database");
    let wal = std::fs::read(world.app.config.data_dir.join("oplogue.db-wal")).unwrap_or_default();
    for secret in [&enrolment.token, &again.credential] {
        assert!(![&file, &wal].iter().any(|bytes| bytes.windows(secret.len()).any(|window| window == secret.as_bytes())));
    }
}

#[tokio::test]
async fn an_agent_that_enrols_anew_replaces_the_one_before_and_ends_its_attempts() {
    let world = World::new();
    let mut old = world.agent("shop").await;
    let input = oplogue_api::backups::BackupInput {
        retry_mode: oplogue_api::backups::RetryMode::Auto,
        retries: 1,
        retry_interval_seconds: 60,
        ..world.backup("one", &old)
    };
    let job = world.app.create_backup(&anna(), &input).expect("a job");
    old.sync(&world.app).await;
    let mut new = Agent::enrol(&world.app, Some("shop"), "shop.example:27017").expect("it enrols");
    assert_eq!(new.service_id, old.service_id);
    assert_eq!(world.app.agent_by_credential(&old.credential).expect("asked"), None);
    let shown = world.job(&job.id);
    assert_eq!(shown.state, JobState::WaitingToRetry, "nobody knows whether it was begun, so this attempt is over: {shown:?}");
    new.sync(&world.app).await;
    world.pass(60);
    new.sync(&world.app).await;
    world.pass(1);
    new.work(&world.app, well).await;
    assert_eq!((world.state(&job.id), world.job(&job.id).attempt), (JobState::Done, 2));
}

#[tokio::test]
async fn the_same_member_name_in_another_cluster_is_another_service() {
    let world = World::new();
    let shop = Agent::enrol(&world.app, Some("shop"), "localhost:27017").expect("it enrols");
    let blog = Agent::enrol(&world.app, Some("blog"), "localhost:27017").expect("it enrols");
    assert_ne!(shop.service_id, blog.service_id);
    let names: Vec<String> = world.app.services().expect("services").into_iter().map(|service| service.name).collect();
    assert_eq!(names, ["localhost:27017", "localhost:27017-2"]);
    let named = Enrol {
        token: token(&world, Some("wiki")),
        service_name: Some("localhost:27017".to_owned()),
        cluster: None,
        facts: facts("rs0", "w:1"),
    };
    assert_eq!(world.app.enrol(&named, "").expect_err("the name is taken").code, ErrorCode::Conflict);
    let no_set = Enrol { token: token(&world, None), service_name: None, cluster: None, facts: facts("", "w:1") };
    assert_eq!(world.app.enrol(&no_set, "").expect_err("no replica set").fields[0].field, "facts.replica_set");
    let viewer = Actor { role: Role::Operator, ..anna() };
    assert_eq!(world.app.create_enrolment(&viewer, &EnrolmentRequest::default()).expect_err("forbidden").code, ErrorCode::Forbidden);
}

#[tokio::test]
async fn an_agent_is_online_as_long_as_it_is_heard_of() {
    let mut world = World::new();
    let mut agent = world.agent("shop").await;
    let state = |world: &World, agent: &Agent| world.app.service(&agent.service_id).expect("there").agent.state;
    assert_eq!(state(&world, &agent), AgentState::Online);
    world.pass(31);
    assert_eq!(state(&world, &agent), AgentState::Offline);
    agent.sync(&world.app).await;
    assert_eq!(state(&world, &agent), AgentState::Online);
    world.crash();
    let service = world.app.service(&agent.service_id).expect("there");
    assert_eq!((service.mongodb_version.as_str(), service.agent.last_seen.is_some()), ("6.0.5", true), "known without its agent");
}

#[tokio::test]
async fn a_service_that_something_names_keeps_its_label_and_stays() {
    let world = World::new();
    let agent = world.agent("shop").await;
    let schedule = world.app.create_schedule(&anna(), world.schedule("nightly", &agent, "0 3 * * *")).expect("a schedule");
    let relabel = ServiceChange { name: None, cluster: Some("other".to_owned()) };
    let refused = world.app.change_service(&anna(), &agent.service_id, &relabel).expect_err("refused");
    assert!(refused.code == ErrorCode::Conflict && refused.message.contains("nightly"), "{refused}");
    assert!(world.app.delete_service(&anna(), &agent.service_id).is_err());
    let renamed = world
        .app
        .change_service(&anna(), &agent.service_id, &ServiceChange { name: Some("db1".to_owned()), cluster: None })
        .expect("renamed");
    assert_eq!(renamed.name, "db1");
    world.app.delete_schedule(&anna(), &schedule.id).expect("deleted");
    assert_eq!(world.app.change_service(&anna(), &agent.service_id, &relabel).expect("now").cluster.as_deref(), Some("other"));
    for label in ["a/b", ".a", "oplogue", "ü"] {
        let change = ServiceChange { name: None, cluster: Some(label.to_owned()) };
        assert_eq!(world.app.change_service(&anna(), &agent.service_id, &change).expect_err(label).code, ErrorCode::Invalid);
    }
    world.app.delete_service(&anna(), &agent.service_id).expect("deleted");
    assert_eq!(world.app.agent_by_credential(&agent.credential).expect("asked"), None);
}
