//! What a connection says about what it was pointed at.

use std::time::Duration;

use bson::doc;
use oplogue_domain::nominate::MemberRole;
use oplogue_mongo::{ConnectOptions, Connection, MongoError};
use oplogue_testkit::{FakeMongos, ReplicaSet, ReplicaSetOptions, Standalone, Version};

use crate::connect;

async fn refused(uri: &str) -> MongoError {
    let options = ConnectOptions { connect_timeout: Duration::from_secs(2), ..ConnectOptions::default() };
    let error = Connection::open(uri, &options).await.expect_err("the test's URI is bad");
    println!("{error}");
    error
}

#[tokio::test]
async fn what_is_no_uri_is_refused_without_its_password() {
    for uri in [
        "nonsense",
        "http://u:geheim@h",
        "mongodb://",
        "mongodb://u:geheim@h:port/",
        "mongodb://u:geh/eim@h/",
        "mongodb://h/?readPreference=x",
    ] {
        let error = refused(uri).await;
        assert!(matches!(error, MongoError::BadUri { .. }), "{uri}: {error:?}");
        assert!(!error.to_string().contains("geheim"), "{error}");
    }
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let error = refused("mongodb://127.0.0.1:1,127.0.0.1:2/?replicaSet=rs0").await;
    assert!(matches!(&error, MongoError::Unreachable { hosts, .. } if hosts.len() == 2), "{error:?}");
}

#[tokio::test]
async fn a_standalone_is_named_as_such() {
    let standalone = Standalone::start(Version::V6_0).await.expect("a standalone starts");
    assert!(matches!(refused(&standalone.uri()).await, MongoError::Standalone { .. }));
}

#[tokio::test]
async fn a_mongos_is_named_as_such() {
    let mongos = FakeMongos::start().await.expect("the fake starts");
    assert!(matches!(refused(&mongos.uri()).await, MongoError::Mongos { .. }));
}

#[tokio::test]
async fn another_replica_set_name_is_named_as_such() {
    let uri = crate::shared(Version::V6_0).await.uri().replace("replicaSet=rs0", "replicaSet=other");
    assert!(matches!(refused(&uri).await, MongoError::OtherReplicaSet { .. }), "{uri}");
}

#[tokio::test]
async fn wrong_credentials_and_wrong_tls_are_told_apart() {
    let options = ReplicaSetOptions::default().auth(true).tls(true);
    let set = ReplicaSet::start(options).await.expect("a replica set starts");
    connect(&set.uri()).await;
    let error = refused(&set.uri_as("root", "not it at all")).await;
    assert!(matches!(error, MongoError::AuthFailed { .. }), "{error:?}");
    assert!(!error.to_string().contains("not it"), "{error}");
    let plain = format!("mongodb://{}/", set.hosts()[0]);
    let error = refused(&plain).await;
    assert!(error.to_string().contains("TLS"), "{error:?}");
    let unknown_authority = format!("mongodb://{}/?tls=true", set.hosts()[0]);
    let error = refused(&unknown_authority).await;
    assert!(matches!(error, MongoError::TlsFailed { .. }), "{error:?}");
    // Without a login one gets in, and is told at the first command.
    let nobody = connect(&set.uri_without_credentials()).await;
    let error = nobody.replica_set().await.expect_err("needs a login");
    assert!(matches!(error, MongoError::Unauthorized { .. }), "{error:?}");
}

#[tokio::test]
async fn tls_to_a_plain_server_is_a_tls_failure() {
    let host = crate::shared(Version::V6_0).await.hosts()[0].clone();
    let error = refused(&format!("mongodb://{host}/?tls=true")).await;
    assert!(matches!(error, MongoError::TlsFailed { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_member_named_is_enough_and_each_can_be_asked_alone() {
    let options = ReplicaSetOptions::default().members(3).member(2, doc! { "hidden": true, "priority": 0 });
    let set = ReplicaSet::start(options).await.expect("a replica set starts");
    set.wait_members().await.expect("all members are up");
    let hosts = set.hosts();
    let connection = connect(&format!("mongodb://{}/", hosts[1])).await;
    assert_eq!(connection.replica_set_name().as_str(), "rs0");
    let seen = connection.replica_set().await.expect("the status");
    assert_eq!(seen.members.len(), 3);
    assert_eq!(seen.voting_members, 3);
    assert!(seen.members[2].hidden);
    let primary = seen.primary.clone().expect("a primary");
    assert_eq!(seen.member(&primary).map(|member| member.role.clone()), Some(MemberRole::Primary));
    let time = connection.append_note("hello").await.expect("the primary is written to");
    for host in &hosts {
        let member = connection.member(host).await.expect("each member answers");
        assert_eq!((member.member_host(), member.is_direct()), (Some(host.as_str()), true));
        let majority = member.wait_for_majority(time, Duration::from_secs(30)).await.expect("the note reaches all");
        assert!(majority >= time);
        let window = member.oplog_window().await.expect("the oplog of a secondary is readable");
        assert!(window.newest >= time && window.oldest < time);
        let status = member.replica_set().await.expect("the status");
        assert_eq!(status.asked.as_ref(), Some(host));
        // What is written goes to the primary all the same.
        member.primary().append_note("again").await.expect("through the whole set");
    }
    assert!(matches!(connection.member("127.0.0.1:1").await, Err(MongoError::Unreachable { .. })));
    // An election is waited for.
    set.step_down().await.expect("a step-down");
    connection.append_note("after the election").await.expect("the new primary is found");
}

#[tokio::test]
async fn versions_and_clock_are_known() {
    for (version, fcv) in [(Version::V4_2, "4.2"), (Version::V4_4, "4.4"), (Version::V5_0, "5.0"), (Version::V6_0, "6.0")] {
        let connection = connect(&crate::shared(version).await.uri()).await;
        let versions = connection.versions().await.expect("versions");
        assert_eq!((versions.server.to_string().as_str(), versions.fcv.as_str()), (version.number(), fcv));
        let clock = connection.clock().await.expect("a clock");
        assert!(clock.skew_millis.unsigned_abs() < 60_000, "{clock:?}");
    }
}
