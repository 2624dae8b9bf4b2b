//! Services: what is known of each mongod and the agent beside it.
//!
//! A service appears when its agent enrols. What its agent said last is kept in memory ([`super::agents::Agents`]) and now and then in the database, so
//! that a restarted server knows everybody, if not to the second.

mod enrolments;
mod rows;

use jiff::{SignedDuration, Timestamp};
use oplogue_api::FieldError;
use oplogue_api::services::{AgentInfo, AgentState, Service, ServiceChange};
use oplogue_api::users::Role;
use rusqlite::{Transaction, params};

use super::audit::Deed;
use super::{Actor, App, AppError};

pub(super) use rows::{ServiceRow, all, find, of_replica_set, with_credential};

/// An agent that was heard of so recently is online.
pub const ONLINE_WITHIN: SignedDuration = SignedDuration::from_secs(30);
pub const LABEL_CHARACTERS_MAX: usize = 100;

impl App {
    /// By name.
    pub fn services(&self) -> Result<Vec<Service>, AppError> {
        self.db.read(|tx| {
            let reaches = self.location_reaches(tx)?;
            let one = |row: ServiceRow| {
                let locations = reaches.get(&row.id).cloned().unwrap_or_default();
                self.shown(row, locations)
            };
            Ok(all(tx)?.into_iter().map(one).collect())
        })
    }

    pub fn service(&self, id: &str) -> Result<Service, AppError> {
        self.db.read(|tx| self.service_in(tx, id))
    }

    fn service_in(&self, tx: &Transaction<'_>, id: &str) -> Result<Service, AppError> {
        let row = find(tx, id)?;
        let locations = self.location_reaches(tx)?.remove(id).unwrap_or_default();
        Ok(self.shown(row, locations))
    }

    /// Gives it another name or label.
    pub fn change_service(&self, actor: &Actor, id: &str, change: &ServiceChange) -> Result<Service, AppError> {
        actor.must_be(Role::Administrator)?;
        let problems: Vec<FieldError> = [
            change.name.as_deref().and_then(name_problem).map(|problem| FieldError::new("name", problem)),
            change
                .cluster
                .as_deref()
                .filter(|label| !label.is_empty())
                .and_then(label_problem)
                .map(|problem| FieldError::new("cluster", problem)),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !problems.is_empty() {
            return Err(AppError::invalid(problems));
        }
        let service = self.db.write(|tx| {
            let before = find(tx, id)?;
            let name = change.name.clone().unwrap_or_else(|| before.name.clone());
            let cluster = match &change.cluster {
                None => before.cluster.clone(),
                Some(label) => Some(label.clone()).filter(|label| !label.is_empty()),
            };
            if name != before.name && tx.prepare_cached("SELECT 1 FROM services WHERE name = ?1")?.exists([&name])? {
                let message = format!("there is already a service `{name}`");
                return Err(AppError { fields: vec![FieldError::new("name", message.clone())], ..AppError::conflict(message) });
            }
            if cluster != before.cluster {
                let what = "take it out of its cluster";
                nothing_names_it(tx, &before, what)?;
            }
            tx.prepare_cached("UPDATE services SET name = ?2, cluster = ?3 WHERE id = ?1")?.execute(params![id, name, cluster])?;
            let detail = format!("{} → {name}, cluster {} → {}", before.name, label(before.cluster.as_deref()), label(cluster.as_deref()));
            self.audit(tx, actor, &Deed { action: "service.change", object: &name, detail: &detail, ok: true })?;
            self.service_in(tx, id)
        })?;
        self.wake_agents();
        Ok(service)
    }

    /// Forgets a service. Its agent's credential is worth nothing from then on; backups stay.
    pub fn delete_service(&self, actor: &Actor, id: &str) -> Result<(), AppError> {
        actor.must_be(Role::Administrator)?;
        self.db.write(|tx| {
            let service = find(tx, id)?;
            nothing_names_it(tx, &service, "delete it")?;
            tx.prepare_cached("DELETE FROM services WHERE id = ?1")?.execute([id])?;
            self.audit(tx, actor, &Deed { action: "service.delete", object: &service.name, detail: &service.member, ok: true })
        })?;
        self.agents.forget(id);
        self.wake_agents();
        Ok(())
    }

    fn shown(&self, row: ServiceRow, locations: Vec<oplogue_api::services::LocationReach>) -> Service {
        let now = self.clock.now();
        let presence = self.agents.presence(&row.id);
        let online = self.agents.is_online(&row.id, now);
        let (facts, slicing, last_seen) = match presence {
            Some(presence) => (presence.facts, presence.slicing, Some(presence.last_seen)),
            None => (row.facts, row.slicing, row.last_seen),
        };
        let state =
            if online || row.last_seen.is_some_and(|seen| heard_lately(seen, now)) { AgentState::Online } else { AgentState::Offline };
        Service {
            id: row.id,
            name: row.name,
            cluster: row.cluster,
            replica_set: row.replica_set,
            member: row.member,
            role: facts.role,
            mongodb_version: facts.mongodb_version,
            fcv: facts.fcv,
            agent: AgentInfo { state, version: facts.agent_version, host: facts.host, last_seen, enrolled_at: row.enrolled_at },
            locations,
            oplog: facts.oplog,
            slicing,
            problem: facts.problem,
            created_at: row.created_at,
        }
    }
}

pub(super) fn heard_lately(seen: Timestamp, now: Timestamp) -> bool {
    // A time that has not come yet was told by a clock that was wrong.
    now.duration_since(seen).abs() <= ONLINE_WITHIN
}

/// Schedules keep the label they were made with, and jobs their agent.
fn nothing_names_it(tx: &Transaction<'_>, service: &ServiceRow, what: &str) -> Result<(), AppError> {
    let names =
        |sql: &str| -> rusqlite::Result<Vec<String>> { tx.prepare_cached(sql)?.query_map([&service.id], |row| row.get(0))?.collect() };
    let schedules = names("SELECT name FROM schedules WHERE service_id = ?1 ORDER BY name")?;
    if !schedules.is_empty() {
        return Err(AppError::conflict(format!("{} is named by the scheduled jobs {}", service.name, schedules.join(", ")))
            .hint(format!("to {what}, delete them or let them name another service first")));
    }
    let jobs = names(
        "SELECT j.title FROM jobs j LEFT JOIN job_attempts a ON a.job_id = j.id AND a.attempt = j.attempt AND a.ended_at IS NULL
         WHERE j.state NOT IN ('done', 'failed', 'cancelled') AND ?1 IN (j.service_id, a.service_id)",
    )?;
    match jobs.first() {
        Some(job) => Err(AppError::conflict(format!("a job of {} is not over: {job}", service.name)).hint("wait for it, or cancel it")),
        None => Ok(()),
    }
}

fn label(cluster: Option<&str>) -> &str {
    cluster.unwrap_or("none")
}

/// What is wrong with a service's name.
pub(super) fn name_problem(name: &str) -> Option<String> {
    let fits = |letter: char| letter.is_alphanumeric() || ".:_-".contains(letter);
    if name.is_empty() || name.chars().count() > LABEL_CHARACTERS_MAX || !name.chars().all(fits) {
        return Some(format!("a service's name has 1 to {LABEL_CHARACTERS_MAX} letters, digits, dots, colons, underscores and dashes"));
    }
    None
}

/// What is wrong with a cluster label, which also names the cluster's folder.
pub(super) fn label_problem(label: &str) -> Option<String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || ".:_-".contains(letter);
    if label.is_empty() || label.len() > LABEL_CHARACTERS_MAX || !label.chars().all(fits) || label.starts_with('.') {
        return Some(format!(
            "a cluster label has 1 to {LABEL_CHARACTERS_MAX} letters, digits, dots, colons, underscores and dashes, and does not begin with a dot"
        ));
    }
    super::schedules::rules::reserved_folder(label)
}
