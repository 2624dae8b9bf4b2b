//! Getting a credential, and telling how the member is.

use oplogue_api::services::{MemberRole, SlicingState};
use oplogue_engine::failure::{Ending, ending};

use crate::stage::{Running, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_enrols_once_and_tells_how_its_member_is() -> anyhow::Result<()> {
    let stage = Stage::open().await?;
    let agent = Running::start(stage.config());
    let enrol = stage.server.until("an enrolment", |told| told.enrols.first().cloned()).await?;
    let host = stage.set.hosts().remove(0);
    assert_eq!(
        (enrol.cluster.as_deref(), enrol.facts.member.as_str(), enrol.facts.role),
        (Some("shop"), host.as_str(), MemberRole::Primary)
    );

    let with_oplog = |told: &crate::fake_server::Told| Some(told.last_sync()?.facts.clone()).filter(|facts| facts.oplog.is_some());
    let facts = stage.server.until("facts with an oplog", with_oplog).await?;
    assert_eq!((facts.replica_set.as_str(), facts.problem), ("rs0", None));
    assert!(facts.mongodb_version.starts_with(&format!("{}.", facts.fcv)), "{} {}", facts.mongodb_version, facts.fcv);
    let slicing = stage.server.told().last_sync().and_then(|sync| sync.slicing.clone()).expect("told with each sync");
    assert_eq!(slicing.state, SlicingState::Off);
    agent.stop().await?;

    // The token is spent, and not needed any more.
    let before = stage.server.told().syncs.len();
    let agent = Running::start(oplogue_agent::AgentConfig { token: None, ..stage.config() });
    stage.server.until("syncs after a restart", |told| (told.syncs.len() > before).then_some(())).await?;
    assert_eq!(stage.server.told().enrols.len(), 1);
    agent.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_down_is_told_and_so_is_its_return() -> anyhow::Result<()> {
    let stage = Stage::open().await?;
    let agent = Running::start(stage.config());
    stage.server.until("a member that answers", |told| told.last_sync()?.facts.problem.is_none().then_some(())).await?;
    stage.set.kill(0).await?;
    let facts =
        stage.server.until("a problem", |told| Some(&told.last_sync()?.facts).filter(|facts| facts.problem.is_some()).cloned()).await?;
    assert_eq!((facts.role, facts.replica_set.as_str()), (MemberRole::Unknown, "rs0"), "what was known stays: {facts:?}");
    stage.set.restart(0).await?;
    stage.server.until("its return", |told| (told.last_sync()?.facts.role == MemberRole::Primary).then_some(())).await?;
    agent.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_refused_with_advice_and_what_may_is_waited_for() -> anyhow::Result<()> {
    let stage = Stage::open().await?;
    let config = stage.config();
    for (config, expected) in [
        (oplogue_agent::AgentConfig { token: Some("wrong".into()), ..config.clone() }, "this token is not known"),
        (oplogue_agent::AgentConfig { token: None, ..config.clone() }, "no token"),
        (oplogue_agent::AgentConfig { uri: "mongodb://a,b".into(), ..config.clone() }, "it names several"),
        (oplogue_agent::AgentConfig { server: "nonsense".into(), ..config.clone() }, "https://host:port"),
    ] {
        let error = Running::start(config).end().await.expect_err(expected);
        assert!(ending(&error) == Ending::Refused && format!("{error:#}").contains(expected), "{error:#}");
    }
    // A server that is away may come.
    stage.wire.set(oplogue_testkit::Fault::Refuse);
    let agent = Running::start(config.clone());
    let second = Running::start(config).end().await.expect_err("one data directory, one agent");
    assert!(format!("{second:#}").contains("in use by another agent"), "{second:#}");
    stage.wire.set(oplogue_testkit::Fault::None);
    stage.server.until("an enrolment", |told| told.enrols.first().cloned()).await?;
    agent.stop().await?;
    Ok(())
}
