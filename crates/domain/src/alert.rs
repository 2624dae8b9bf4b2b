//! Which alerts there are: rules looked at against what is known.
//!
//! One alert per rule and subject. It is *pending* from the moment its condition holds, *firing* when it has held for as long as the rule asks,
//! and *resolved* when the condition has been clear for a while ([`Condition::settle_seconds`]), so that what flaps is told once. What cannot be
//! known now is neither: a standing alert stays as it is ([`Verdict::Unknown`]), because unknown is not green.
//!
//! [`observe`] says what holds, [`evaluate`] what that changes. Both are pure; the server keeps the standing alerts and tells people.

pub mod facts;
pub mod observe;
pub mod silence;
pub mod words;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use facts::Facts;
pub use observe::{About, Observation, Verdict, observe};
pub use silence::Silence;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    BackupFailed,
    RestorePointOld,
    SlicingStalled,
    Gap,
    OplogWindowShort,
    AgentDown,
    StorageUnreachable,
    VerifyFailed,
    StorageGrowth,
}

impl Condition {
    /// How long it must be clear before its alert is resolved. What is true or not and does not hover around a limit ends at once.
    pub const fn settle_seconds(self) -> u32 {
        match self {
            Self::BackupFailed | Self::Gap | Self::VerifyFailed => 0,
            Self::RestorePointOld
            | Self::SlicingStalled
            | Self::OplogWindowShort
            | Self::AgentDown
            | Self::StorageUnreachable
            | Self::StorageGrowth => 60,
        }
    }
}

/// What somebody wants to be told about.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub id: String,
    pub condition: Condition,
    /// Seconds or bytes, as the condition counts.
    pub threshold: f64,
    pub for_seconds: u32,
    /// Empty: all.
    pub clusters: Vec<String>,
    /// Names of services; empty: all.
    pub services: Vec<String>,
}

impl Rule {
    fn concerns(&self, observation: &Observation) -> bool {
        let any = |wanted: &[String], there: &[String]| wanted.is_empty() || wanted.iter().any(|name| there.contains(name));
        any(&self.clusters, &observation.clusters) && any(&self.services, &observation.services)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Pending,
    Firing,
    Resolved,
}

/// An alert that is not resolved yet, or was just now.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub rule_id: String,
    /// Tells apart the subjects of one rule; stable while the thing exists.
    pub subject: String,
    pub state: State,
    /// The condition holds since then.
    pub since: Timestamp,
    /// Firing, and clear since then.
    pub clear_since: Option<Timestamp>,
    pub finding: Finding,
}

/// What an alert says.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The subject as people call it.
    pub name: String,
    /// One sentence with the values.
    pub summary: String,
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub about: About,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A new alert, pending.
    Began,
    /// Firing now; a new alert when the rule asks for no duration.
    Fired,
    /// The same state, other words or times.
    Retold,
    /// It was pending and its condition does not hold any more.
    Dropped,
    Resolved,
}

/// One alert that is not as before.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub step: Step,
    /// As it is now.
    pub alert: Standing,
}

/// What is different from `previous`. Rules that are switched off are not among `rules`: their alerts resolve.
///
/// `previous` holds what is pending or firing, at most one for each rule and subject.
pub fn evaluate(rules: &[Rule], facts: &Facts, previous: &[Standing], now: Timestamp) -> Vec<Change> {
    let mut standing: BTreeMap<(String, String), &Standing> =
        previous.iter().map(|alert| ((alert.rule_id.clone(), alert.subject.clone()), alert)).collect();
    let mut changes = Vec::new();
    for rule in rules {
        for observation in observe(rule.condition, rule.threshold, facts, now) {
            if !rule.concerns(&observation) {
                continue;
            }
            let before = standing.remove(&(rule.id.clone(), observation.subject.clone()));
            changes.extend(step(rule, before, observation, now));
        }
    }
    // Their rule or their subject is gone.
    changes.extend(standing.into_values().map(ended));
    changes
}

fn step(rule: &Rule, before: Option<&Standing>, observation: Observation, now: Timestamp) -> Option<Change> {
    let Observation { subject, name, cluster, service, about, verdict, .. } = observation;
    match (verdict, before) {
        (Verdict::Holds(summary), before) => {
            let finding = Finding { name, summary, cluster, service, about };
            Some(holds(rule, before, subject, finding, now)).filter(|change| Some(&change.alert) != before)
        }
        (Verdict::Unknown, _) | (Verdict::Clear, None) => None,
        (Verdict::Clear, Some(before)) => clear(rule, before, now),
    }
}

fn holds(rule: &Rule, before: Option<&Standing>, subject: String, finding: Finding, now: Timestamp) -> Change {
    let since = before.map_or(now, |before| before.since);
    let firing = before.is_some_and(|before| before.state == State::Firing) || seconds_between(since, now) >= i64::from(rule.for_seconds);
    let state = if firing { State::Firing } else { State::Pending };
    let step = match before {
        Some(before) if before.state == state => Step::Retold,
        None if state == State::Pending => Step::Began,
        _ => Step::Fired,
    };
    Change { step, alert: Standing { rule_id: rule.id.clone(), subject, state, since, clear_since: None, finding } }
}

fn clear(rule: &Rule, before: &Standing, now: Timestamp) -> Option<Change> {
    if before.state == State::Pending {
        return Some(ended(before));
    }
    let clear_since = before.clear_since.unwrap_or(now);
    if seconds_between(clear_since, now) >= i64::from(rule.condition.settle_seconds()) {
        return Some(ended(before));
    }
    let told = before.clear_since.is_some();
    (!told).then(|| Change { step: Step::Retold, alert: Standing { clear_since: Some(clear_since), ..before.clone() } })
}

fn ended(before: &Standing) -> Change {
    let step = if before.state == State::Pending { Step::Dropped } else { Step::Resolved };
    Change { step, alert: Standing { state: State::Resolved, ..before.clone() } }
}

/// Negative when `from` is later: clocks of different machines, or one that was set.
pub(crate) fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}

#[cfg(test)]
mod tests;
