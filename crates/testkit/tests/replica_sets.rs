//! Replica sets start in every version and shape, lose members, and elect.

use bson::{Document, doc};
use mongodb::Client;
use oplogue_testkit::{FakeMongos, ReplicaSet, ReplicaSetOptions, Standalone, Version};

async fn write_and_count(client: &Client) -> u64 {
    let items = client.database("shop").collection::<Document>("items");
    items.insert_one(doc! {"at": "now"}).await.expect("a write");
    items.count_documents(doc! {}).await.expect("a count")
}

async fn hello(client: &Client) -> Document {
    client.database("admin").run_command(doc! {"isMaster": 1}).await.expect("an answer")
}

async fn every_version_starts(version: Version) {
    let set = ReplicaSet::start(ReplicaSetOptions::default().version(version)).await.expect("starts");
    let client = set.client().await.expect("a client");
    assert_eq!(write_and_count(&client).await, 1);
    let info = client.database("admin").run_command(doc! {"buildInfo": 1}).await.expect("an answer");
    assert_eq!(info.get_str("version").ok(), Some(version.number()));
}

#[tokio::test]
async fn a_set_of_one_takes_writes_on_4_2() {
    every_version_starts(Version::V4_2).await;
}

#[tokio::test]
async fn a_set_of_one_takes_writes_on_4_4() {
    every_version_starts(Version::V4_4).await;
}

#[tokio::test]
async fn a_set_of_one_takes_writes_on_5_0() {
    every_version_starts(Version::V5_0).await;
}

#[tokio::test]
async fn a_set_of_one_takes_writes_on_6_0() {
    every_version_starts(Version::V6_0).await;
}

#[tokio::test]
async fn a_set_of_one_takes_writes_on_6_0_27() {
    every_version_starts(Version::V6_0_27).await;
}

async fn three_members_with_auth_and_tls_elect_again(version: Version) {
    let options = ReplicaSetOptions::default().version(version).members(3).auth(true).tls(true);
    let set = ReplicaSet::start(options).await.expect("starts");
    let client = set.client().await.expect("a client");
    assert_eq!(write_and_count(&client).await, 1);

    let first = set.primary().await.expect("answers").expect("a primary after the start");
    set.kill(first).await.expect("killed");
    assert!(!set.is_running(first));
    let second = set.wait_primary().await.expect("a new primary");
    assert_ne!(first, second);
    // The driver need not know yet, and majority writes need only two.
    let client = set.client().await.expect("a client");
    assert_eq!(write_and_count(&client).await, 2);

    set.restart(first).await.expect("restarted");
    set.wait_members().await.expect("all work again");
    let stepped = set.step_down().await.expect("stepped down");
    assert_ne!(stepped, second);
}

#[tokio::test]
async fn three_members_with_auth_and_tls_elect_again_on_6_0() {
    three_members_with_auth_and_tls_elect_again(Version::V6_0).await;
}

#[tokio::test]
async fn three_members_with_auth_and_tls_elect_again_on_4_2() {
    three_members_with_auth_and_tls_elect_again(Version::V4_2).await;
}

#[tokio::test]
async fn a_frozen_primary_is_replaced_and_comes_back() {
    let set = ReplicaSet::start(ReplicaSetOptions::default().members(3)).await.expect("starts");
    let first = set.wait_primary().await.expect("a primary");
    set.pause(first).await.expect("paused");
    let second = set.wait_primary().await.expect("a new primary");
    assert_ne!(first, second);
    set.resume(first).await.expect("resumed");
    set.wait_members().await.expect("all work again");
}

#[tokio::test]
async fn members_can_be_hidden() {
    let options = ReplicaSetOptions::default().members(3).member(2, doc! {"hidden": true, "priority": 0});
    let set = ReplicaSet::start(options).await.expect("starts");
    let client = set.client_of(2).await.expect("a client");
    assert_eq!(hello(&client).await.get_bool("hidden").ok(), Some(true));
}

#[tokio::test]
async fn with_auth_nobody_may_read_without_a_user() {
    let set = ReplicaSet::start(ReplicaSetOptions::default().auth(true)).await.expect("starts");
    let root = set.client().await.expect("a client");
    let create = doc! {"createUser": "Ünna:@/", "pwd": "p@ss%/:", "roles": ["readWriteAnyDatabase"]};
    root.database("admin").run_command(create).await.expect("created");
    let user = Client::with_uri_str(set.uri_as("Ünna:@/", "p@ss%/:")).await.expect("a client");
    assert_eq!(write_and_count(&user).await, 1);
    let nobody = Client::with_uri_str(set.uri_without_credentials()).await.expect("a client");
    let refused = nobody.database("shop").collection::<Document>("items").find_one(doc! {}).await;
    assert!(refused.expect_err("no user").to_string().contains("requires authentication"));
}

#[tokio::test]
async fn data_survives_a_kill_and_a_clean_stop() {
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("starts");
    write_and_count(&set.client().await.expect("a client")).await;
    set.kill(0).await.expect("killed");
    set.restart(0).await.expect("restarted");
    set.wait_primary().await.expect("a primary");
    assert_eq!(write_and_count(&set.client().await.expect("a client")).await, 2);
    set.stop(0).await.expect("stopped");
    set.restart(0).await.expect("restarted");
    set.wait_primary().await.expect("a primary");
    assert_eq!(write_and_count(&set.client().await.expect("a client")).await, 3);
}

#[tokio::test]
async fn a_server_that_cannot_start_is_told_with_its_own_words() {
    let options = ReplicaSetOptions::default().set_parameter("noSuchParameter", 1);
    let error = format!("{:#}", ReplicaSet::start(options).await.expect_err("refused"));
    assert!(error.contains("noSuchParameter"), "{error}");
}

#[tokio::test]
async fn a_standalone_is_no_member_of_a_set() {
    let server = Standalone::start(Version::default()).await.expect("starts");
    let client = server.client().await.expect("a client");
    let hello = hello(&client).await;
    assert!(!hello.contains_key("setName") && hello.get_bool("ismaster").unwrap_or(false), "{hello}");
    assert_eq!(write_and_count(&client).await, 1);
}

#[tokio::test]
async fn a_driver_takes_the_fake_for_a_mongos() {
    let fake = FakeMongos::start().await.expect("starts");
    let client = Client::with_uri_str(fake.uri()).await.expect("a client");
    assert_eq!(hello(&client).await.get_str("msg").ok(), Some("isdbgrid"));
    let refused = client.database("x").collection::<Document>("y").find_one(doc! {}).await;
    assert!(refused.expect_err("a fake").to_string().contains("fake mongos"));
}
