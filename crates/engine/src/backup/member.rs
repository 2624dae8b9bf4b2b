//! Which member of the replica set is read.

use anyhow::Context;
use oplogue_domain::nominate::LAG_SECONDS_MAX;
use oplogue_domain::{MemberRole, Nomination, nominate};
use oplogue_mongo::Connection;

/// The member that does the work, and why.
pub struct Chosen {
    /// Direct.
    pub connection: Connection,
    /// `host:port`
    pub host: String,
    /// For people: `hidden`, `secondary`, `the primary: no secondary is fit (…)`.
    pub reason: String,
}

/// No member is fit now; one may be in a moment.
#[derive(Debug, thiserror::Error)]
#[error("no member of the replica set is fit to be read: {0}")]
pub struct NobodySuitable(pub String);

/// Nominates a member and connects to it. When it does not answer, the next best is asked. One that has just failed (`last`) is asked
/// last: the replica set may not have noticed yet.
pub async fn choose(connection: &Connection, last: Option<&str>) -> anyhow::Result<Chosen> {
    let replica_set = connection.replica_set().await.context("ask the replica set for its members")?;
    let nomination = nominate(&replica_set.members, LAG_SECONDS_MAX);
    let mut failed = Vec::new();
    let (avoided, preferred): (Vec<_>, Vec<_>) = nomination.candidates.iter().partition(|host| Some(host.as_str()) == last);
    for host in preferred.into_iter().chain(avoided) {
        match connection.member(host).await {
            Ok(member) => {
                return Ok(Chosen { connection: member, host: host.clone(), reason: reason(&nomination, host, &failed) });
            }
            Err(error) => failed.push((host.clone(), error)),
        }
    }
    match failed.into_iter().next() {
        Some((host, error)) => Err(anyhow::Error::new(error).context(format!("connect to member {host}"))),
        None => Err(NobodySuitable(nomination.to_string()).into()),
    }
}

fn reason<E>(nomination: &Nomination, host: &str, failed: &[(String, E)]) -> String {
    let member = nomination.members.iter().find(|(member, _)| member.host == host);
    let kind = match member {
        Some((member, _)) if member.hidden => "a hidden member serves no clients",
        Some((member, _)) if member.role == MemberRole::Primary && nomination.members.len() == 1 => "the only member",
        Some((member, _)) if member.role == MemberRole::Primary => "the primary, because no secondary is fit",
        _ => "a secondary spares the primary",
    };
    match failed.first() {
        Some((better, _)) => format!("{kind} ({better} did not answer)"),
        None => kind.to_owned(),
    }
}
