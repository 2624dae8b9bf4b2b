//! Which member of a replica set does the work.
//!
//! A hidden member serves no clients, so it is asked first; then a secondary; the primary only when nobody else can. A
//! member that is down, delayed, far behind or without data is never asked.

use std::fmt;

use crate::time::OplogTime;

/// More than this many seconds behind the newest member, and a member is not asked. PBM's bound too.
pub const LAG_SECONDS_MAX: u32 = 21;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberRole {
    Primary,
    Secondary,
    Arbiter,
    /// Any other state by its name in `replSetGetStatus`: `STARTUP2`, `RECOVERING`, `ROLLBACK`, …
    Other(String),
}

/// A member as its replica set sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberState {
    /// `host:port`
    pub host: String,
    pub role: MemberRole,
    pub hidden: bool,
    /// `secondaryDelaySecs` of the configuration.
    pub delay_seconds: u64,
    /// Reachable from the member that was asked.
    pub healthy: bool,
    /// The last entry it has applied. `None` when unknown.
    pub applied: Option<OplogTime>,
}

/// Why a member is not asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    #[error("it cannot be reached")]
    Unhealthy,
    #[error("it is an arbiter and has no data")]
    Arbiter,
    #[error("it is in state {0}")]
    State(String),
    #[error("it is {0} s delayed by its configuration")]
    Delayed(u64),
    #[error("it is {lag_seconds} s behind, more than {lag_seconds_max} s")]
    Lagging { lag_seconds: u32, lag_seconds_max: u32 },
    #[error("how far it has replicated is unknown")]
    UnknownLag,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Chosen,
    /// It could do the work, another is preferred.
    Spare,
    Unsuitable(Unsuitable),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen => f.write_str("chosen"),
            Self::Spare => f.write_str("could do it, another is preferred"),
            Self::Unsuitable(why) => write!(f, "not asked: {why}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nomination {
    /// Suitable members' hosts, best first: when the chosen one fails, the next may be asked.
    pub candidates: Vec<String>,
    /// Every member with its verdict, in the order given.
    pub members: Vec<(MemberState, Verdict)>,
}

impl Nomination {
    pub fn chosen(&self) -> Option<&str> {
        self.candidates.first().map(String::as_str)
    }
}

/// `host: verdict`, with `; ` between.
impl fmt::Display for Nomination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (member, verdict)) in self.members.iter().enumerate() {
            write!(f, "{}{}: {verdict}", if index > 0 { "; " } else { "" }, member.host)?;
        }
        Ok(())
    }
}

/// Chooses among `members`: hidden before secondary before primary, then the least lag, then by host name. Lag is counted
/// from the newest entry that any healthy member has applied.
pub fn nominate(members: &[MemberState], lag_seconds_max: u32) -> Nomination {
    let newest = members.iter().filter(|member| member.healthy).filter_map(|member| member.applied).max();
    let judged: Vec<_> = members.iter().map(|member| suitable(member, newest.unwrap_or_default(), lag_seconds_max)).collect();

    let mut ranked: Vec<_> = members
        .iter()
        .zip(&judged)
        .filter_map(|(member, judged)| {
            let lag_seconds = *judged.as_ref().ok()?;
            Some((rank(member), lag_seconds, &member.host))
        })
        .collect();
    ranked.sort();
    let candidates: Vec<String> = ranked.into_iter().map(|(_, _, host)| host.clone()).collect();

    let verdict = |(member, judged): (&MemberState, Result<u32, Unsuitable>)| match judged {
        Err(why) => (member.clone(), Verdict::Unsuitable(why)),
        Ok(_) if candidates.first() == Some(&member.host) => (member.clone(), Verdict::Chosen),
        Ok(_) => (member.clone(), Verdict::Spare),
    };
    let members = members.iter().zip(judged).map(verdict).collect();
    Nomination { candidates, members }
}

/// Smaller is asked earlier.
fn rank(member: &MemberState) -> u8 {
    match member.role {
        MemberRole::Primary => 2,
        _ if member.hidden => 0,
        _ => 1,
    }
}

/// The lag in seconds of a member that can do the work.
fn suitable(member: &MemberState, newest: OplogTime, lag_seconds_max: u32) -> Result<u32, Unsuitable> {
    if !member.healthy {
        return Err(Unsuitable::Unhealthy);
    }
    match &member.role {
        MemberRole::Primary | MemberRole::Secondary => {}
        MemberRole::Arbiter => return Err(Unsuitable::Arbiter),
        MemberRole::Other(state) => return Err(Unsuitable::State(state.clone())),
    }
    if member.delay_seconds > 0 {
        return Err(Unsuitable::Delayed(member.delay_seconds));
    }
    let lag_seconds = newest.seconds_since(member.applied.ok_or(Unsuitable::UnknownLag)?);
    if lag_seconds > lag_seconds_max {
        return Err(Unsuitable::Lagging { lag_seconds, lag_seconds_max });
    }
    Ok(lag_seconds)
}

#[cfg(test)]
mod tests;
