//! How agents become known: an administrator asks for a token, an agent exchanges it for a credential.
//!
//! Of both the database has only hashes. A token is good for one agent. When the answer to it was lost on the way, the same member may use it
//! again for a minute; anybody else is refused.

use jiff::{SignedDuration, Timestamp};
use oplogue_api::agent::{Enrol, Enrolled};
use oplogue_api::services::{Enrolment, EnrolmentRequest};
use oplogue_api::users::Role;
use oplogue_api::{ErrorCode, FieldError};
use rusqlite::{OptionalExtension, Transaction, params};

use super::rows::of_member;
use super::{ServiceRow, label_problem, name_problem};
use crate::app::audit::Deed;
use crate::app::stored::{instant_at, json, maybe_instant_at};
use crate::app::tokens::hash;
use crate::app::{Actor, App, AppError};
use crate::ids;

const VALID_SECONDS: u32 = 3600;
const VALID_SECONDS_MAX: u32 = 604_800;
const USED_AGAIN_WITHIN: SignedDuration = SignedDuration::from_secs(60);
/// Neither begins as the tokens of programs do.
const TOKEN_PREFIX: &str = "enrol_";
const CREDENTIAL_PREFIX: &str = "agent_";
const NAMES_TRIED_MAX: u32 = 1000;

impl App {
    /// A token with which one agent may enrol itself, and what to type beside its mongod.
    pub fn create_enrolment(&self, actor: &Actor, request: &EnrolmentRequest) -> Result<Enrolment, AppError> {
        actor.must_be(Role::Administrator)?;
        let cluster = request.cluster.as_deref().map(str::trim).filter(|label| !label.is_empty());
        let valid_seconds = request.valid_seconds.unwrap_or(VALID_SECONDS);
        let mut problems = Vec::new();
        problems.extend(cluster.and_then(label_problem).map(|problem| FieldError::new("cluster", problem)));
        if valid_seconds == 0 || valid_seconds > VALID_SECONDS_MAX {
            problems.push(FieldError::new("valid_seconds", format!("a token is valid for 1 to {VALID_SECONDS_MAX} seconds (7 days)")));
        }
        if !problems.is_empty() {
            return Err(AppError::invalid(problems));
        }
        let now = self.clock.now();
        let expires_at = now.checked_add(SignedDuration::from_secs(valid_seconds.into())).map_err(AppError::internal)?;
        let token = ids::secret(TOKEN_PREFIX);
        self.db.write(|tx| {
            forget_old(tx, now)?;
            tx.prepare_cached("INSERT INTO enrolments (token, cluster, requested_by, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![hash(&token), cluster, actor.name, now.to_string(), expires_at.to_string()])?;
            let object = cluster.unwrap_or("any cluster");
            self.audit(tx, actor, &Deed { action: "enrolment.create", object, detail: &format!("until {expires_at}"), ok: true })
        })?;
        let label = cluster.map(|label| format!(" --cluster {label}")).unwrap_or_default();
        let trust = self.agent_trust().map(|trust| format!(" {trust}")).unwrap_or_default();
        let command =
            format!("oplogue agent --server {}{trust} --token {token}{label} --uri mongodb://127.0.0.1:27017", self.reachable_at());
        Ok(Enrolment { token, expires_at, command })
    }

    /// Exchanges a token for a credential. A member that is known keeps its service; whoever had its credential before has none any more.
    pub fn enrol(&self, enrol: &Enrol, from: &str) -> Result<Enrolled, AppError> {
        let problems: Vec<FieldError> = [
            enrol.service_name.as_deref().and_then(name_problem).map(|problem| FieldError::new("service_name", problem)),
            enrol
                .cluster
                .as_deref()
                .filter(|label| !label.is_empty())
                .and_then(label_problem)
                .map(|problem| FieldError::new("cluster", problem)),
            enrol.facts.replica_set.is_empty().then(|| {
                FieldError::new(
                    "facts.replica_set",
                    "this mongod is not a member of a replica set, and only replica sets have an oplog to back up",
                )
            }),
            enrol.facts.member.is_empty().then(|| FieldError::new("facts.member", "the member's host:port is missing")),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !problems.is_empty() {
            return Err(AppError::invalid(problems));
        }
        let now = self.clock.now();
        let credential = ids::secret(CREDENTIAL_PREFIX);
        let service = self.db.write(|tx| {
            let of_token = use_token(tx, enrol, now)?;
            let cluster = enrol.cluster.clone().filter(|label| !label.is_empty()).or(of_token);
            let known = of_member(tx, cluster.as_deref(), &enrol.facts)?;
            let service = match known {
                Some(known) => self.enrol_again(tx, known, enrol, cluster, &credential, now)?,
                None => enrol_new(tx, enrol, cluster, &credential, now)?,
            };
            let actor = Actor { name: format!("agent {}", service.name), role: Role::Viewer, from: from.to_owned() };
            let detail = format!("{} of {}, cluster {}", service.member, service.replica_set, service.cluster.as_deref().unwrap_or("none"));
            self.audit(tx, &actor, &Deed { action: "agent.enrol", object: &service.name, detail: &detail, ok: true })?;
            Ok::<_, AppError>(service)
        })?;
        // What the former agent said is not what this one knows.
        self.agents.forget(&service.id);
        self.wake_agents();
        Ok(Enrolled { service_id: service.id, service_name: service.name, cluster: service.cluster, credential })
    }

    fn enrol_again(
        &self,
        tx: &Transaction<'_>,
        known: ServiceRow,
        enrol: &Enrol,
        cluster: Option<String>,
        credential: &str,
        now: Timestamp,
    ) -> Result<ServiceRow, AppError> {
        let name = match &enrol.service_name {
            Some(name) if *name != known.name => free_name(tx, name, true)?,
            _ => known.name.clone(),
        };
        let cluster = cluster.or_else(|| known.cluster.clone());
        tx.prepare_cached(
            "UPDATE services SET name = ?2, cluster = ?3, credential = ?4, enrolled_at = ?5, facts = ?6, slicing = NULL WHERE id = ?1",
        )?
        .execute(params![known.id, name, cluster, hash(credential), now.to_string(), json(&enrol.facts)])?;
        self.end_attempts_of(tx, &known.id, "its agent was enrolled anew while it worked on this")?;
        Ok(ServiceRow { name, cluster, facts: enrol.facts.clone(), slicing: None, enrolled_at: now, ..known })
    }
}

fn enrol_new(
    tx: &Transaction<'_>,
    enrol: &Enrol,
    cluster: Option<String>,
    credential: &str,
    now: Timestamp,
) -> Result<ServiceRow, AppError> {
    let facts = enrol.facts.clone();
    let name = match &enrol.service_name {
        Some(name) => free_name(tx, name, true)?,
        None => {
            let fits = |letter: char| if letter.is_alphanumeric() || ".:_-".contains(letter) { letter } else { '_' };
            free_name(tx, &facts.member.chars().take(90).map(fits).collect::<String>(), false)?
        }
    };
    let id = ids::new("svc", now);
    tx.prepare_cached(
        "INSERT INTO services (id, name, cluster, replica_set, member, credential, created_at, enrolled_at, facts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8)",
    )?
    .execute(params![id, name, cluster, facts.replica_set, facts.member, hash(credential), now.to_string(), json(&facts)])?;
    let (replica_set, member) = (facts.replica_set.clone(), facts.member.clone());
    Ok(ServiceRow { id, name, cluster, replica_set, member, created_at: now, enrolled_at: now, last_seen: None, facts, slicing: None })
}

/// The label that the token brings along. Uses the token up.
fn use_token(tx: &Transaction<'_>, enrol: &Enrol, now: Timestamp) -> Result<Option<String>, AppError> {
    let refused = |why: &str| {
        AppError::new(ErrorCode::Unauthenticated, format!("this enrolment token {why}"))
            .hint("make a new one on the page Services, or with `oplogue admin`")
    };
    let token = hash(&enrol.token);
    let mut statement = tx.prepare_cached("SELECT cluster, expires_at, used_at, used_by FROM enrolments WHERE token = ?1")?;
    let found = statement.query_row([&token], |row| {
        Ok((row.get::<_, Option<String>>(0)?, instant_at(row, 1)?, maybe_instant_at(row, 2)?, row.get::<_, Option<String>>(3)?))
    });
    let (cluster, expires_at, used_at, used_by) = found.optional()?.ok_or_else(|| refused("is not known"))?;
    let member = format!("{}/{}", enrol.facts.replica_set, enrol.facts.member);
    if let Some(used_at) = used_at {
        let answer_was_lost = used_by.as_deref() == Some(&member) && now.duration_since(used_at) <= USED_AGAIN_WITHIN;
        if !answer_was_lost {
            return Err(refused("was used already"));
        }
    }
    if expires_at <= now {
        return Err(refused("has expired"));
    }
    tx.prepare_cached("UPDATE enrolments SET used_at = coalesce(used_at, ?2), used_by = ?3 WHERE token = ?1")?.execute(params![
        token,
        now.to_string(),
        member
    ])?;
    Ok(cluster)
}

/// `wanted`, or with a number behind it when it may be another.
fn free_name(tx: &Transaction<'_>, wanted: &str, exactly: bool) -> Result<String, AppError> {
    let mut statement = tx.prepare_cached("SELECT 1 FROM services WHERE name = ?1")?;
    if !statement.exists([wanted])? {
        return Ok(wanted.to_owned());
    }
    let message = format!("there is already a service `{wanted}`, of another mongod");
    if !exactly {
        for number in 2..NAMES_TRIED_MAX {
            let name = format!("{wanted}-{number}");
            if !statement.exists([&name])? {
                return Ok(name);
            }
        }
    }
    Err(AppError { fields: vec![FieldError::new("service_name", message.clone())], ..AppError::conflict(message) }
        .hint("give this one another name (--service-name), or delete the other service first"))
}

/// Tokens that are of no use any more need not be kept: a month, to be able to say so.
fn forget_old(tx: &Transaction<'_>, now: Timestamp) -> Result<(), AppError> {
    let long_ago = now.checked_sub(SignedDuration::from_hours(30 * 24)).map_err(AppError::internal)?;
    tx.prepare_cached("DELETE FROM enrolments WHERE expires_at < ?1")?.execute([long_ago.to_string()])?;
    Ok(())
}
