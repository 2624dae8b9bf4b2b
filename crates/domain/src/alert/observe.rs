//! Looks at every subject of a condition and says whether it holds.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::facts::{Facts, FolderFacts, ReachFacts, RunFacts, RunState};
use super::{Condition, seconds_between, words};
use crate::time::OplogTime;

/// A backup on demand that failed is not held against anybody for longer: nobody may ever repeat it.
const ON_DEMAND_SECONDS: i64 = 7 * 86_400;

/// One subject looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    pub subject: String,
    /// As people call it.
    pub name: String,
    pub cluster: Option<String>,
    pub service: Option<String>,
    /// Rules for some clusters or services look here.
    pub clusters: Vec<String>,
    pub services: Vec<String>,
    pub about: About,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// In one sentence.
    Holds(String),
    Clear,
    /// Nothing is known about it now.
    Unknown,
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    Cluster(String),
    /// Ids.
    Service(String),
    Location(String),
    Job(String),
    Folder {
        location_id: String,
        folder: String,
    },
}

/// Each subject once. `threshold` counts what the condition counts.
pub fn observe(condition: Condition, threshold: f64, facts: &Facts, now: Timestamp) -> Vec<Observation> {
    match condition {
        Condition::BackupFailed => backup_failed(facts, now),
        Condition::RestorePointOld => restore_point_old(facts, threshold, now),
        Condition::SlicingStalled => slicing_stalled(facts, threshold, now),
        Condition::Gap => facts.folders.iter().map(|folder| gap(folder, threshold, now)).collect(),
        Condition::OplogWindowShort => oplog_window_short(facts, threshold, now),
        Condition::AgentDown => agent_down(facts, threshold, now),
        Condition::StorageUnreachable => storage_unreachable(facts),
        Condition::VerifyFailed => facts.folders.iter().map(verify_failed).collect(),
        Condition::StorageGrowth => storage_growth(facts, threshold),
    }
}

/// The last run that came to an end decides: one that still has retries to come says nothing yet, nor does one that somebody cancelled.
fn backup_failed(facts: &Facts, now: Timestamp) -> Vec<Observation> {
    let mut series: BTreeMap<&str, Option<&RunFacts>> = BTreeMap::new();
    for run in &facts.runs {
        let last = series.entry(&run.series).or_default();
        let decided = matches!(run.state, RunState::Done | RunState::Failed(_));
        if decided && last.is_none_or(|last| last.created_at <= run.created_at) {
            *last = Some(run);
        }
    }
    let made_later = |run: &RunFacts| {
        facts.runs.iter().any(|other| other.state == RunState::Done && other.cluster == run.cluster && other.created_at > run.created_at)
    };
    let decided = series.into_values().flatten();
    // What failed on demand has been made good by whatever backup of the cluster came after it.
    let counts = |run: &&RunFacts| {
        run.series.starts_with(SCHEDULE_SERIES) || seconds_between(run.created_at, now) < ON_DEMAND_SECONDS && !made_later(run)
    };
    decided
        .filter(counts)
        .map(|run| Observation {
            subject: run.series.clone(),
            name: run.name.clone(),
            cluster: run.cluster.clone(),
            service: Some(run.service.clone()),
            clusters: run.cluster.iter().cloned().collect(),
            services: vec![run.service.clone()],
            about: About::Job(run.job_id.clone()),
            verdict: match &run.state {
                RunState::Failed(error) => {
                    Verdict::Holds(format!("The backup {} of {} failed: {error}", run.name, run.cluster.as_deref().unwrap_or(&run.service)))
                }
                _ => Verdict::Clear,
            },
        })
        .collect()
}

/// How the series of a schedule's runs are called; the schedule's id follows.
pub const SCHEDULE_SERIES: &str = "schedule:";

fn restore_point_old(facts: &Facts, threshold: f64, now: Timestamp) -> Vec<Observation> {
    let clusters = facts.clusters.iter();
    clusters
        .map(|cluster| {
            let allowed = seconds(threshold) + i64::from(cluster.rhythm_seconds);
            let counted_from = cluster.newest.map_or(cluster.wanted_since, |newest| newest.timestamp().max(cluster.wanted_since));
            let limit = words::duration(allowed.unsigned_abs());
            let verdict = if cluster.newest.is_none() && !cluster.read {
                Verdict::Unknown
            } else if cluster.suspended || seconds_between(counted_from, now) <= allowed {
                Verdict::Clear
            } else if let Some(newest) = cluster.newest {
                let newest = words::instant(newest.timestamp());
                Verdict::Holds(format!("The newest moment that {} can be restored to is {newest}, more than {limit} ago.", cluster.name))
            } else {
                let since = words::instant(cluster.wanted_since);
                Verdict::Holds(format!(
                    "{} cannot be restored to any moment, and backups were asked for on {since}, more than {limit} ago.",
                    cluster.name
                ))
            };
            Observation {
                subject: format!("cluster:{}", cluster.name),
                name: cluster.name.clone(),
                cluster: Some(cluster.name.clone()),
                service: None,
                clusters: vec![cluster.name.clone()],
                services: cluster.services.clone(),
                about: About::Cluster(cluster.name.clone()),
                verdict,
            }
        })
        .collect()
}

fn slicing_stalled(facts: &Facts, threshold: f64, now: Timestamp) -> Vec<Observation> {
    of_slicing(facts, |slicing| {
        let counted_from = slicing.newest.map_or(slicing.wanted_since, |newest| newest.timestamp().max(slicing.wanted_since));
        if slicing.suspended || seconds_between(counted_from, now) <= seconds(threshold) {
            return Verdict::Clear;
        }
        let why = slicing.message.as_ref().map(|message| format!(" ({message})")).unwrap_or_default();
        let limit = words::duration(seconds(threshold).unsigned_abs());
        let of = format!("{} of {}", slicing.replica_set, slicing.cluster);
        Verdict::Holds(format!(
            "Slicing of {of} has stored nothing later than {}, more than {limit} ago{why}.",
            words::instant(counted_from)
        ))
    })
}

fn oplog_window_short(facts: &Facts, threshold: f64, now: Timestamp) -> Vec<Observation> {
    of_slicing(facts, |slicing| {
        let Some((headroom, as_of)) = slicing.headroom else { return Verdict::Unknown };
        if slicing.suspended {
            return Verdict::Clear;
        }
        // What was left when the agent last spoke has been running out since.
        let left = i64::from(headroom).saturating_sub(seconds_between(as_of, now).max(0)).max(0);
        if left >= seconds(threshold) {
            return Verdict::Clear;
        }
        let minutes = words::duration(left.unsigned_abs() / 60 * 60);
        let limit = words::duration(seconds(threshold).unsigned_abs());
        let of = format!("{} of {}", slicing.replica_set, slicing.cluster);
        Verdict::Holds(format!(
            "Slicing of {of} may stand still for about {minutes} before the server discards oplog that is not stored; the limit is {limit}."
        ))
    })
}

fn of_slicing(facts: &Facts, verdict: impl Fn(&super::facts::SlicingFacts) -> Verdict) -> Vec<Observation> {
    let slicing = facts.slicing.iter();
    slicing
        .map(|slicing| Observation {
            subject: format!("slicing:{}:{}", slicing.cluster, slicing.replica_set),
            name: if slicing.replica_set.is_empty() {
                slicing.cluster.clone()
            } else {
                format!("{} / {}", slicing.cluster, slicing.replica_set)
            },
            cluster: Some(slicing.cluster.clone()),
            service: None,
            clusters: vec![slicing.cluster.clone()],
            services: slicing.services.clone(),
            about: About::Cluster(slicing.cluster.clone()),
            verdict: verdict(slicing),
        })
        .collect()
}

/// One alert for a folder, about its newest gap, however many there are.
fn gap(folder: &FolderFacts, threshold: f64, now: Timestamp) -> Observation {
    let threshold = seconds(threshold);
    let newer = |through: OplogTime| threshold == 0 || seconds_between(through.timestamp(), now) <= threshold;
    let gaps: Vec<_> = folder.gaps.iter().filter(|gap| newer(gap.range.through)).collect();
    let newest = gaps.iter().max_by_key(|gap| gap.range.through);
    let verdict = match newest {
        _ if !folder.known => Verdict::Unknown,
        None => Verdict::Clear,
        Some(gap) => {
            let more = if gaps.len() > 1 { format!(" There are {} more.", gaps.len() - 1) } else { String::new() };
            Verdict::Holds(format!(
                "The oplog of {} in {} is missing from {} to {}: {}.{more}",
                gap.replica_set,
                folder_name(folder),
                words::instant(gap.range.after.timestamp()),
                words::instant(gap.range.through.timestamp()),
                gap.reason
            ))
        }
    };
    of_folder(folder, "gap", verdict)
}

fn verify_failed(folder: &FolderFacts) -> Observation {
    let verdict = match folder.damaged.as_slice() {
        _ if !folder.known => Verdict::Unknown,
        [] => Verdict::Clear,
        [(object, what), rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
            Verdict::Holds(format!("What was read from {} is damaged: {object}: {what}{more}", folder_name(folder)))
        }
    };
    of_folder(folder, "damage", verdict)
}

fn folder_name(folder: &FolderFacts) -> String {
    if folder.folder.is_empty() { folder.location.clone() } else { format!("{}/{}", folder.location, folder.folder) }
}

fn of_folder(folder: &FolderFacts, what: &str, verdict: Verdict) -> Observation {
    Observation {
        subject: format!("{what}:{}:{}", folder.location_id, folder.folder),
        name: folder.cluster.clone().unwrap_or_else(|| folder_name(folder)),
        cluster: folder.cluster.clone(),
        service: None,
        clusters: folder.cluster.iter().cloned().collect(),
        services: folder.services.clone(),
        about: About::Folder { location_id: folder.location_id.clone(), folder: folder.folder.clone() },
        verdict,
    }
}

fn agent_down(facts: &Facts, threshold: f64, now: Timestamp) -> Vec<Observation> {
    let agents = facts.agents.iter();
    agents
        .map(|agent| Observation {
            subject: format!("service:{}", agent.service_id),
            name: agent.service.clone(),
            cluster: agent.cluster.clone(),
            service: Some(agent.service.clone()),
            clusters: agent.cluster.iter().cloned().collect(),
            services: vec![agent.service.clone()],
            about: About::Service(agent.service_id.clone()),
            verdict: if seconds_between(agent.last_seen, now) > seconds(threshold) {
                let host = if agent.host.is_empty() { String::new() } else { format!(" on {}", agent.host) };
                let limit = words::duration(seconds(threshold).unsigned_abs());
                Verdict::Holds(format!(
                    "The agent of {}{host} was not heard of since {}, more than {limit} ago.",
                    agent.service,
                    words::instant(agent.last_seen)
                ))
            } else {
                Verdict::Clear
            },
        })
        .collect()
}

/// One alert for a location, whoever cannot use it: a storage that is away would otherwise be told once per agent.
fn storage_unreachable(facts: &Facts) -> Vec<Observation> {
    let mut locations: BTreeMap<&str, Vec<&ReachFacts>> = BTreeMap::new();
    for reach in &facts.reaches {
        locations.entry(&reach.location_id).or_default().push(reach);
    }
    let of_one = |(location_id, reaches): (&str, Vec<&ReachFacts>)| {
        let failed: Vec<_> = reaches.iter().filter(|reach| reach.problem.is_some()).copied().collect();
        // While it is away, a rule for one cluster is about those who cannot reach it; when it is back, about all.
        let concerned = if failed.is_empty() { &reaches } else { &failed };
        let mut clusters: Vec<String> = concerned.iter().flat_map(|reach| reach.clusters.clone()).collect();
        clusters.sort();
        clusters.dedup();
        let name = reaches.first().map(|reach| reach.location.clone()).unwrap_or_default();
        let verdict = match failed.first().and_then(|reach| reach.problem.as_ref()) {
            None => Verdict::Clear,
            Some(problem) => {
                let mut from: Vec<String> = failed
                    .iter()
                    .map(|reach| reach.service.as_ref().map_or("the server".to_owned(), |service| format!("the agent of {service}")))
                    .collect();
                from.sort_by_key(|name| name != "the server");
                Verdict::Holds(format!("{name} cannot be used from {}: {problem}", words::list(&from)))
            }
        };
        Observation {
            subject: format!("location:{location_id}"),
            name,
            cluster: if let [only] = clusters.as_slice() { Some(only.clone()) } else { None },
            service: None,
            clusters,
            services: concerned.iter().filter_map(|reach| reach.service.clone()).collect(),
            about: About::Location(location_id.to_owned()),
            verdict,
        }
    };
    locations.into_iter().map(of_one).collect()
}

fn storage_growth(facts: &Facts, threshold: f64) -> Vec<Observation> {
    let locations = facts.locations.iter();
    locations
        .map(|location| {
            let verdict = match (location.bytes, location.bytes_before) {
                (Some(now), Some((since, before))) if now.saturating_sub(before) as f64 > threshold => Verdict::Holds(format!(
                    "{} grew from {} to more than {} since {}; the limit is {} a day.",
                    location.location,
                    words::bytes(before),
                    words::bytes(before.saturating_add(threshold.max(0.0) as u64)),
                    words::instant(since),
                    words::bytes(threshold.max(0.0) as u64)
                )),
                (Some(_), Some(_)) => Verdict::Clear,
                _ => Verdict::Unknown,
            };
            Observation {
                subject: format!("size:{}", location.location_id),
                name: location.location.clone(),
                cluster: None,
                service: None,
                clusters: location.clusters.clone(),
                services: location.services.clone(),
                about: About::Location(location.location_id.clone()),
                verdict,
            }
        })
        .collect()
}

/// Saturates; a threshold is never negative.
fn seconds(threshold: f64) -> i64 {
    threshold.max(0.0) as i64
}
