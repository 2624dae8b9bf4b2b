//! From the queue to whoever does the work.
//!
//! Who begins is decided by [`oplogue_domain::job::who_may_start`] from one consistent state, and stored in the same transaction together with the agent that
//! it is given to.

use jiff::{SignedDuration, Timestamp};
use oplogue_api::jobs::{JobKind, JobState, LogLevel};
use oplogue_api::services::MemberRole;
use oplogue_domain::job::{self as life, JobEvent, Kind, Turn};
use rusqlite::{Transaction, params};
use tracing::{error, info};

use super::{JobRow, StoredWork};
use crate::app::services::{self, ServiceRow};
use crate::app::{App, AppError};

const NAMES_TRIED_MAX: i64 = 1000;

/// Who can carry a job out now.
enum Candidate {
    Server,
    Agent { id: String, name: String },
    Nobody(String),
}

impl App {
    /// Lets jobs whose turn it is begin. Does nothing that a later look would not do.
    pub fn look_at_queue(&self) {
        match self.start_queued() {
            Ok(0) => {}
            Ok(started) => {
                info!(started, "jobs started");
                self.wake_agents();
                self.do_server_work();
            }
            // The next tick tries again.
            Err(error) => error!(error = %error, cause = ?error.cause, "the queue could not be looked at"),
        }
    }

    /// How many began.
    fn start_queued(&self) -> Result<usize, AppError> {
        let any = self.db.read(|tx| {
            tx.prepare_cached("SELECT 1 FROM jobs WHERE state = 'queued' AND state NOT IN ('done', 'failed', 'cancelled')")?.exists([])
        })?;
        if !any {
            return Ok(0);
        }
        self.db.write(|tx| self.start_queued_in(tx))
    }

    fn start_queued_in(&self, tx: &Transaction<'_>) -> Result<usize, AppError> {
        let now = self.clock.now();
        let mut queued = JobRow::in_state(tx, &[JobState::Queued])?;
        let running = JobRow::in_state(tx, &[JobState::Running, JobState::Cancelling])?;
        let candidates = queued.iter().map(|job| self.candidate(tx, job, now)).collect::<Result<Vec<_>, _>>()?;
        let waiting: Vec<life::Queued<'_>> = queued
            .iter()
            .zip(&candidates)
            .map(|(job, candidate)| life::Queued {
                id: &job.id,
                queue: &job.queue,
                kind: kind(job.kind),
                ready: !matches!(candidate, Candidate::Nobody(_)),
            })
            .collect();
        let busy: Vec<life::Running<'_>> =
            running.iter().map(|job| life::Running { id: &job.id, queue: &job.queue, kind: kind(job.kind) }).collect();
        let title =
            |id: &str| queued.iter().chain(&running).find(|job| job.id == id).map_or_else(|| id.to_owned(), |job| job.title.clone());
        let turns: Vec<Result<(), String>> = life::who_may_start(&waiting, &busy)
            .into_iter()
            .zip(&candidates)
            .map(|(turn, candidate)| match (turn, candidate) {
                (Turn::Start, _) => Ok(()),
                (Turn::After(id), _) => Err(title(id)),
                (Turn::NoWorker, Candidate::Nobody(why)) => Err(why.clone()),
                (Turn::NoWorker, _) => Err("somebody who can carry it out".to_owned()),
            })
            .collect();
        let mut started = 0;
        for ((job, turn), candidate) in queued.iter_mut().zip(turns).zip(candidates) {
            match turn {
                Ok(()) => {
                    self.start(tx, job, &candidate, now)?;
                    started += 1;
                }
                Err(waiting_for) if job.waiting_for.as_deref() == Some(&waiting_for) => {}
                Err(waiting_for) => {
                    job.waiting_for = Some(waiting_for);
                    job.save(tx)?;
                }
            }
        }
        Ok(started)
    }

    fn start(&self, tx: &Transaction<'_>, job: &mut JobRow, candidate: &Candidate, now: Timestamp) -> Result<(), AppError> {
        let (service_id, service_name) = match candidate {
            Candidate::Agent { id, name } => (Some(id.as_str()), name.as_str()),
            Candidate::Server | Candidate::Nobody(_) => (None, "server"),
        };
        job.advance(JobEvent::Started)?;
        job.attempt += 1;
        job.waiting_for = None;
        job.started_at = job.started_at.or(Some(now));
        (job.steps, job.error, job.hint, job.result) = (Vec::new(), None, None, None);
        if let StoredWork::Backup { given_name, .. } = &job.work {
            // Each attempt its own: what a broken one left behind is in nobody's way.
            job.backup_name = Some(free_backup_name(tx, job, given_name, now)?);
        }
        tx.prepare_cached("INSERT INTO job_attempts (job_id, attempt, service_id, service_name, assigned_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![job.id, job.attempt, service_id, service_name, now.to_string()])?;
        let attempt = if job.attempts_max > 1 { format!("attempt {} of {}: ", job.attempt, job.attempts_max) } else { String::new() };
        let whom = if service_id.is_some() { format!("given to the agent of {service_name}") } else { "begun by the server".to_owned() };
        job.log(tx, now, LogLevel::Info, "server", &format!("{attempt}{whom}"))?;
        job.save(tx)?;
        Ok(())
    }

    fn candidate(&self, tx: &Transaction<'_>, job: &JobRow, now: Timestamp) -> Result<Candidate, AppError> {
        let services = match job.kind {
            JobKind::Delete | JobKind::Retention => return Ok(Candidate::Server),
            JobKind::Backup => {
                let (cluster, replica_set) = (job.cluster.as_deref().unwrap_or_default(), job.replica_set.as_deref().unwrap_or_default());
                let mut services = services::of_replica_set(tx, cluster, replica_set)?;
                // The engine itself chooses the member that is read; this is only who asks it to.
                services.sort_by_key(|service| (Some(&service.id) != job.service_id.as_ref(), preference(self.facts_of(service).role)));
                services
            }
            JobKind::Plan | JobKind::Restore => match job.service_id.as_deref().map(|id| services::find(tx, id)) {
                Some(Ok(service)) => vec![service],
                _ => Vec::new(),
            },
        };
        if services.is_empty() {
            let what = job.service_name.as_deref().unwrap_or("its service");
            return Ok(Candidate::Nobody(format!("{what}, which is not there any more")));
        }
        let mut why = Vec::new();
        for service in services {
            let facts = self.facts_of(&service);
            if facts.role == MemberRole::Arbiter {
                why.push(format!("{} (an arbiter has no data)", service.name));
            } else if !self.agents.is_online(&service.id, now) {
                why.push(format!("{} (offline)", service.name));
            } else if facts.problem.is_some() {
                why.push(format!("{} (does not reach its mongod)", service.name));
            } else {
                return Ok(Candidate::Agent { id: service.id, name: service.name });
            }
        }
        Ok(Candidate::Nobody(format!("an agent: {}", why.join(", "))))
    }

    fn facts_of(&self, service: &ServiceRow) -> oplogue_api::agent::AgentFacts {
        self.agents.presence(&service.id).map_or_else(|| service.facts.clone(), |presence| presence.facts)
    }
}

/// Small is better.
const fn preference(role: MemberRole) -> u8 {
    match role {
        MemberRole::Hidden => 0,
        MemberRole::Secondary => 1,
        MemberRole::Primary => 2,
        MemberRole::Delayed => 3,
        MemberRole::Arbiter | MemberRole::Other | MemberRole::Unknown => 4,
    }
}

const fn kind(kind: JobKind) -> Kind {
    match kind {
        JobKind::Backup => Kind::Backup,
        JobKind::Plan => Kind::Plan,
        JobKind::Restore => Kind::Restore,
        JobKind::Delete | JobKind::Retention => Kind::Delete,
    }
}

/// `nightly_2026-11-25T03:00:00Z`, a second later when that is taken.
fn free_backup_name(tx: &Transaction<'_>, job: &JobRow, given_name: &str, now: Timestamp) -> Result<String, AppError> {
    let mut taken = tx.prepare_cached("SELECT 1 FROM job_names WHERE location_id = ?1 AND folder = ?2 AND name = ?3")?;
    for seconds in 0..NAMES_TRIED_MAX {
        let at = Timestamp::from_second(now.as_second())
            .and_then(|at| at.checked_add(SignedDuration::from_secs(seconds)))
            .map_err(AppError::internal)?;
        let name = format!("{given_name}_{at}");
        if !taken.exists(params![job.location_id, job.folder, name])? {
            tx.prepare_cached("INSERT INTO job_names (location_id, folder, name, job_id) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
                job.location_id,
                job.folder,
                name,
                job.id
            ])?;
            return Ok(name);
        }
    }
    Err(AppError::internal(anyhow::anyhow!("no free name for a backup of {given_name}")))
}
