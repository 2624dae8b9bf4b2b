//! Restores: a plan first, then just that plan.
//!
//! Working out the plan touches nothing. Everything that can be checked is checked before a restore is queued, and again by the agent before it touches
//! anything. Schedules of the target wait only while the restore runs.

use oplogue_api::jobs::{Job, JobKind, JobState};
use oplogue_api::plan::Plan;
use oplogue_api::restores::{Restore, RestoreConfirmation, RestoreInput, RestoreMoment};
use oplogue_api::users::Role;
use oplogue_api::{FieldError, Page};
use oplogue_domain::{BackupName, NamespacePattern, OplogTime, Rename, ReplicaSetName};
use rusqlite::Transaction;

use super::audit::Deed;
use super::jobs::{JobFilter, JobRow, NewJob, PAGE_MAX, StoredWork};
use super::schedules::rules;
use super::services;
use super::stored::location_name;
use super::{Actor, App, AppError};

const PATTERNS_MAX: usize = 1000;

impl App {
    /// Has the target's agent work out what a restore would do. The job's result is the plan.
    pub fn plan_restore(&self, actor: &Actor, input: &RestoreInput) -> Result<Job, AppError> {
        actor.must_be(Role::Operator)?;
        self.checked(problems(input))?;
        let id = self.db.write(|tx| {
            let (service, location) = target(tx, input)?;
            let title =
                format!("Plan a restore of {} to {}", service.cluster.as_deref().unwrap_or(&service.replica_set), told(&input.moment));
            let job = NewJob {
                location_id: input.location_id.clone(),
                folder: input.folder.clone(),
                ..NewJob::of_service(JobKind::Plan, &service, title, StoredWork::Plan { restore: input.clone() }, &actor.name)
            };
            let id = self.insert_job(tx, &job)?.expect("only occurrences of schedules are taken already");
            let detail = format!("{} from {location}, folder {}", told(&input.moment), input.folder);
            self.audit(tx, actor, &Deed { action: "restore.plan", object: &service.name, detail: &detail, ok: true })?;
            Ok::<_, AppError>(id)
        })?;
        self.look_at_queue();
        self.job(&id)
    }

    /// Carries out a plan that was confirmed by typing the target's name.
    pub fn start_restore(&self, actor: &Actor, confirmation: &RestoreConfirmation) -> Result<Job, AppError> {
        actor.must_be(Role::Operator)?;
        let id = self.db.write(|tx| {
            let planned = JobRow::look_up(tx, &confirmation.plan_job_id)?.filter(|job| job.kind == JobKind::Plan);
            let Some(planned) = planned else {
                return Err(AppError::field("plan_job_id", format!("there is no plan `{}`", confirmation.plan_job_id)));
            };
            let (StoredWork::Plan { restore }, JobState::Done, Some(plan)) = (&planned.work, planned.state, planned.result.clone()) else {
                return Err(AppError::refused(format!("the plan is {}", planned.state_words())).hint("wait until it is done, or make a new one"));
            };
            let plan: Plan = serde_json::from_value(plan).map_err(AppError::internal)?;
            let (service, location) = target(tx, restore)?;
            let expected = service.cluster.as_deref().unwrap_or(&service.replica_set);
            if confirmation.confirm.trim() != expected {
                let what = if service.cluster.is_some() { "cluster" } else { "replica set" };
                return Err(AppError::field("confirm", format!("type the name of the {what} that is restored to: {expected}")));
            }
            if service.replica_set != plan.target_replica_set {
                let message = format!("the plan is for replica set {}, and {} is a member of {} now", plan.target_replica_set, service.name, service.replica_set);
                return Err(AppError::refused(message).hint("make a new plan"));
            }
            let mut open = tx.prepare_cached("SELECT title FROM jobs WHERE kind = 'restore' AND state NOT IN ('done', 'failed', 'cancelled') AND replica_set = ?1 AND cluster IS ?2")?;
            let open: Option<String> = open.query_map(rusqlite::params![service.replica_set, service.cluster], |row| row.get(0))?.next().transpose()?;
            if let Some(open) = open {
                return Err(AppError::conflict(format!("another restore of the same target is not over: {open}")).hint("wait for it, or cancel it first"));
            }
            let title = format!("Restore {expected} to {}", told(&restore.moment));
            let work = StoredWork::Restore { restore: restore.clone(), plan: Box::new(plan), plan_job_id: planned.id.clone() };
            let job = NewJob {
                location_id: restore.location_id.clone(),
                folder: restore.folder.clone(),
                ..NewJob::of_service(JobKind::Restore, &service, title, work, &actor.name)
            };
            let id = self.insert_job(tx, &job)?.expect("only occurrences of schedules are taken already");
            let detail = format!("{} from {location}, folder {}, plan {}", told(&restore.moment), restore.folder, planned.id);
            self.audit(tx, actor, &Deed { action: "restore.start", object: expected, detail: &detail, ok: true })?;
            Ok(id)
        })?;
        self.look_at_queue();
        self.wake_agents();
        self.job(&id)
    }

    /// What a plan was asked for.
    pub fn planned_restore(&self, plan_job_id: &str) -> Result<RestoreInput, AppError> {
        let row = self.db.read(|tx| JobRow::look_up(tx, plan_job_id))?;
        match row.map(|row| row.work) {
            Some(StoredWork::Plan { restore }) => Ok(restore),
            _ => Err(AppError::not_found("plan", plan_job_id)),
        }
    }

    /// The restore that carries a plan out, or did.
    pub fn restore_of_plan(&self, plan_job_id: &str) -> Result<Option<String>, AppError> {
        self.db.read(|tx| {
            let sql = "SELECT id FROM jobs WHERE kind = 'restore' AND json_extract(work, '$.plan_job_id') = ?1 ORDER BY seq DESC LIMIT 1";
            let mut found = tx.prepare_cached(sql)?;
            Ok(found.query_map([plan_job_id], |row| row.get(0))?.next().transpose()?)
        })
    }

    /// Newest first. They are kept, whatever becomes of their backups.
    pub fn restores(&self, after: Option<&str>, limit: u32) -> Result<Page<Restore>, AppError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let before = match after {
            None => i64::MAX,
            Some(text) => text
                .parse()
                .map_err(|_| AppError::new(oplogue_api::ErrorCode::BadRequest, "`after` is not the `next` of an earlier answer"))?,
        };
        self.db.read(|tx| {
            let filter = JobFilter { kind: Some(JobKind::Restore), ..JobFilter::default() };
            let mut rows = JobRow::list(tx, &filter, before, limit + 1)?;
            let most = limit as usize;
            let next = if rows.len() > most { rows.get(most - 1).map(|row| row.seq.to_string()) } else { None };
            rows.truncate(most);
            let items = rows.into_iter().filter_map(|row| shown(tx, row).transpose()).collect::<Result<_, _>>()?;
            Ok(Page { items, next })
        })
    }

    pub fn restore(&self, id: &str) -> Result<Restore, AppError> {
        self.db.read(|tx| {
            let row = JobRow::look_up(tx, id)?.ok_or_else(|| AppError::not_found("restore", id))?;
            shown(tx, row)?.ok_or_else(|| AppError::not_found("restore", id))
        })
    }
}

fn shown(tx: &Transaction<'_>, row: JobRow) -> Result<Option<Restore>, AppError> {
    let StoredWork::Restore { restore, plan, .. } = &row.work else { return Ok(None) };
    let (input, plan) = (restore.clone(), (**plan).clone());
    let location_name =
        location_name(tx, &input.location_id)?.or_else(|| row.location_name.clone()).unwrap_or_else(|| input.location_id.clone());
    Ok(Some(Restore {
        target_service: row.service_name.clone().unwrap_or_default(),
        target_cluster: row.cluster.clone(),
        location_name,
        base: plan.base.clone(),
        through: plan.through.clone(),
        report: row.result.clone().and_then(|report| serde_json::from_value(report).ok()),
        id: row.id,
        state: row.state,
        input,
        plan,
        started_at: row.started_at,
        finished_at: row.finished_at,
        requested_by: row.requested_by,
        steps: row.steps,
        error: row.error,
        hint: row.hint,
    }))
}

/// The service restored to, and the location's name.
fn target(tx: &Transaction<'_>, input: &RestoreInput) -> Result<(services::ServiceRow, String), AppError> {
    let service = services::find(tx, &input.service_id)
        .map_err(|_| AppError::field("service_id", format!("there is no service `{}`", input.service_id)))?;
    let location = location_name(tx, &input.location_id)?;
    let location = location.ok_or_else(|| AppError::field("location_id", format!("there is no location `{}`", input.location_id)))?;
    Ok((service, location))
}

fn told(moment: &RestoreMoment) -> String {
    match moment {
        RestoreMoment::Backup(name) => format!("backup {name}"),
        RestoreMoment::Time(time) => time.clone(),
        RestoreMoment::Before(time) => format!("just before {time}"),
        RestoreMoment::Latest => "the latest moment".to_owned(),
    }
}

fn problems(input: &RestoreInput) -> Vec<FieldError> {
    let mut problems = Vec::new();
    let mut wrong = |field: &str, message: String| problems.push(FieldError::new(field, message));
    if input.service_id.is_empty() {
        wrong("service_id", "choose the service to restore to".to_owned());
    }
    if input.location_id.is_empty() {
        wrong("location_id", "choose the location to restore from".to_owned());
    }
    if let Some(problem) = rules::folder_problem(&input.folder) {
        wrong("folder", problem);
    }
    let moment = match &input.moment {
        RestoreMoment::Backup(name) => name.parse::<BackupName>().err().map(|error| error.to_string()),
        RestoreMoment::Time(time) => time.parse::<OplogTime>().err().map(|error| error.to_string()),
        RestoreMoment::Before(time) => match time.parse::<OplogTime>() {
            Ok(OplogTime::MIN) => Some("nothing lies before that".to_owned()),
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        },
        RestoreMoment::Latest => None,
    };
    if let Some(message) = moment {
        wrong("moment", message);
    }
    if input.namespaces.len() > PATTERNS_MAX || input.renames.len() > PATTERNS_MAX {
        wrong("namespaces", format!("at most {PATTERNS_MAX} namespaces and renames"));
    }
    if let Some(error) = input.namespaces.iter().find_map(|text| text.parse::<NamespacePattern>().err()) {
        wrong("namespaces", error.to_string());
    }
    if let Some(error) = input.renames.iter().find_map(|text| text.parse::<Rename>().err()) {
        wrong("renames", error.to_string());
    }
    if let Some(error) =
        input.source_replica_set.as_deref().filter(|name| !name.is_empty()).and_then(|name| name.parse::<ReplicaSetName>().err())
    {
        wrong("source_replica_set", error.to_string());
    }
    problems
}
