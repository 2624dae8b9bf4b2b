//! How the member beside the agent is.

use std::time::Duration;

use oplogue_api::agent::AgentFacts;
use oplogue_api::services::{MemberRole, OplogFacts};
use oplogue_domain::{MemberState, OplogTime};
use oplogue_mongo::{Connection, MongoError};

use crate::beside::Beside;
use crate::shared::Shared;

/// A member that needs longer to answer is as good as down.
const LIMIT: Duration = Duration::from_secs(20);

/// Before anything is known.
pub fn unknown(beside: &Beside) -> AgentFacts {
    AgentFacts {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host_name(),
        replica_set: String::new(),
        member: beside.address().to_owned(),
        role: MemberRole::Unknown,
        mongodb_version: String::new(),
        fcv: String::new(),
        oplog: None,
        problem: Some("the member has not been asked yet".to_owned()),
    }
}

/// Asks the member. When it does not answer, what was known of it stays, with the reason.
pub async fn gather(beside: &Beside, known: &AgentFacts) -> Result<AgentFacts, (AgentFacts, MongoError)> {
    let limited = tokio::time::timeout(LIMIT, ask(beside, known)).await;
    let error = match limited {
        Ok(Ok(facts)) => return Ok(facts),
        Ok(Err(error)) => error,
        Err(_) => MongoError::TimedOut { what: "look at the member".to_owned(), limit: LIMIT },
    };
    beside.forget_direct();
    let role = MemberRole::Unknown;
    Err((AgentFacts { role, oplog: None, problem: Some(error.to_string()), ..known.clone() }, error))
}

async fn ask(beside: &Beside, known: &AgentFacts) -> Result<AgentFacts, MongoError> {
    let connection = beside.direct().await?;
    let replica_set = connection.replica_set().await?;
    let member = replica_set.asked.clone().unwrap_or_else(|| beside.address().to_owned());
    let role = replica_set.member(&member).map_or(MemberRole::Unknown, role);
    let versions = connection.versions().await?;
    // A member that is starting or rolling back has no say about the oplog; the rest is worth telling.
    let oplog = oplog(&connection).await.ok();
    Ok(AgentFacts {
        replica_set: replica_set.name.to_string(),
        member,
        role,
        mongodb_version: versions.server.to_string(),
        fcv: versions.fcv,
        oplog,
        problem: None,
        ..known.clone()
    })
}

async fn oplog(connection: &Connection) -> Result<OplogFacts, MongoError> {
    let window = connection.oplog_window().await?;
    let majority = connection.majority_time().await?;
    Ok(OplogFacts {
        oldest: window.oldest.into(),
        newest: window.newest.into(),
        majority: majority.into(),
        window_seconds: window.newest.max(OplogTime::MIN).seconds_since(window.oldest),
    })
}

fn role(member: &MemberState) -> MemberRole {
    use oplogue_domain::MemberRole as State;
    match member.role {
        State::Primary => MemberRole::Primary,
        State::Arbiter => MemberRole::Arbiter,
        State::Secondary if member.delay_seconds > 0 => MemberRole::Delayed,
        State::Secondary if member.hidden => MemberRole::Hidden,
        State::Secondary => MemberRole::Secondary,
        State::Other(_) => MemberRole::Other,
    }
}

/// Looks again and again. What the server should hear at once ends a held-back sync.
pub async fn watch(shared: std::sync::Arc<Shared>) {
    loop {
        let known = shared.facts.borrow().clone();
        let facts = gather(&shared.beside, &known).await.unwrap_or_else(|(facts, _)| facts);
        if facts.problem != known.problem {
            match &facts.problem {
                Some(problem) => tracing::warn!(problem, "the member beside cannot be reached"),
                None => tracing::info!(member = facts.member, "the member beside answers"),
            }
        }
        let urgent = |facts: &AgentFacts| (facts.role, facts.problem.is_some(), facts.member.clone(), facts.mongodb_version.clone());
        let changed = urgent(&facts) != urgent(&known);
        shared.facts.send_replace(facts);
        if changed {
            shared.poke();
        }
        tokio::time::sleep(shared.config.rhythm.facts_pause).await;
    }
}

/// The machine's name as it calls itself.
pub fn host_name() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    read.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "unnamed-host".to_owned())
}
