//! Creating, changing, enabling and deleting schedules.

mod conflicts;

use jiff::Timestamp;
use oplogue_api::FieldError;
use oplogue_api::backups::BackupMode;
use oplogue_api::jobs::{Job, JobState, LogLevel};
use oplogue_api::schedules::{Schedule, ScheduleInput};
use oplogue_api::users::Role;
use oplogue_domain::job::JobEvent;
use rusqlite::Transaction;

use super::{AFTER_A_RESTORE, FIRST_SNAPSHOT, ScheduleRow, rules};
use crate::app::audit::Deed;
use crate::app::jobs::JobRow;
use crate::app::services::{self, ServiceRow};
use crate::app::stored::location_name;
use crate::app::{Actor, App, AppError};
use crate::ids;

pub(in crate::app) use conflicts::folder_is_free;

/// Where a backup of a service goes.
pub(in crate::app) struct Target {
    pub service: ServiceRow,
    pub cluster: String,
    pub folder: String,
}

impl App {
    pub fn create_schedule(&self, actor: &Actor, input: ScheduleInput) -> Result<Schedule, AppError> {
        actor.must_be(Role::Operator)?;
        self.checked(rules::schedule_problems(&input))?;
        let now = self.clock.now();
        let id = self.db.write(|tx| {
            name_is_free(tx, &input.name, None)?;
            let target = target(tx, &input.service_id, &input.location_id, input.folder.as_deref())?;
            let mut row = ScheduleRow {
                id: ids::new("sch", now),
                name: input.name.clone(),
                service_id: target.service.id.clone(),
                cluster: target.cluster.clone(),
                replica_set: target.service.replica_set.clone(),
                location_id: input.location_id.clone(),
                folder: target.folder.clone(),
                mode: input.mode,
                enabled: input.enabled,
                input: ScheduleInput { folder: Some(target.folder.clone()), ..input },
                considered_until: now,
                next_at: None,
                run_now: None,
                slicing_since: None,
                missed: 0,
                created_at: now,
                updated_at: now,
            };
            row.settle(now);
            if row.enabled {
                begin(&mut row, now);
            }
            conflicts::none(tx, &row)?;
            row.save(tx)?;
            self.audit(tx, actor, &Deed { action: "schedule.create", object: &row.name, detail: &told(&row), ok: true })?;
            Ok::<_, AppError>(row.id)
        })?;
        self.schedule_changed(&id)?;
        self.schedule(&id)
    }

    /// Replaces all of it.
    pub fn update_schedule(&self, actor: &Actor, id: &str, input: ScheduleInput) -> Result<Schedule, AppError> {
        actor.must_be(Role::Operator)?;
        self.checked(rules::schedule_problems(&input))?;
        let now = self.clock.now();
        self.db.write(|tx| {
            let before = ScheduleRow::find(tx, id)?;
            name_is_free(tx, &input.name, Some(id))?;
            let target = target(tx, &input.service_id, &input.location_id, input.folder.as_deref())?;
            let mut row = ScheduleRow {
                name: input.name.clone(),
                service_id: target.service.id.clone(),
                cluster: target.cluster.clone(),
                replica_set: target.service.replica_set.clone(),
                location_id: input.location_id.clone(),
                folder: target.folder.clone(),
                mode: input.mode,
                enabled: input.enabled,
                input: ScheduleInput { folder: Some(target.folder.clone()), ..input },
                updated_at: now,
                ..before.clone()
            };
            let times = |row: &ScheduleRow| (row.input.cron.clone(), row.input.time_zone.clone(), row.input.start_at);
            let place =
                |row: &ScheduleRow| (row.mode, row.cluster.clone(), row.replica_set.clone(), row.location_id.clone(), row.folder.clone());
            let elsewhere = place(&row) != place(&before);
            if elsewhere {
                row.slicing_since = None;
            }
            if times(&row) != times(&before) || (row.enabled && !before.enabled) {
                row.settle(now);
            }
            if row.enabled && (!before.enabled || elsewhere) {
                begin(&mut row, now);
            }
            if !row.enabled {
                row.run_now = None;
                self.drop_waiting_runs(tx, &row, "the schedule was disabled")?;
            }
            conflicts::none(tx, &row)?;
            row.save(tx)?;
            self.audit(tx, actor, &Deed { action: "schedule.change", object: &row.name, detail: &told(&row), ok: true })
        })?;
        self.schedule_changed(id)?;
        self.schedule(id)
    }

    /// Turns it on or off. Takes effect at once.
    pub fn enable_schedule(&self, actor: &Actor, id: &str, enabled: bool) -> Result<Schedule, AppError> {
        actor.must_be(Role::Operator)?;
        let now = self.clock.now();
        self.db.write(|tx| {
            let mut row = ScheduleRow::find(tx, id)?;
            if row.enabled == enabled {
                return Ok(());
            }
            row.enabled = enabled;
            row.input.enabled = enabled;
            row.updated_at = now;
            if enabled {
                row.settle(now);
                begin(&mut row, now);
                conflicts::none(tx, &row)?;
            } else {
                row.run_now = None;
                self.drop_waiting_runs(tx, &row, "the schedule was disabled")?;
            }
            row.save(tx)?;
            let action = if enabled { "schedule.enable" } else { "schedule.disable" };
            self.audit(tx, actor, &Deed { action, object: &row.name, detail: &told(&row), ok: true })
        })?;
        self.schedule_changed(id)?;
        self.schedule(id)
    }

    /// Its backups stay.
    pub fn delete_schedule(&self, actor: &Actor, id: &str) -> Result<(), AppError> {
        actor.must_be(Role::Operator)?;
        self.db.write(|tx| {
            let row = ScheduleRow::find(tx, id)?;
            self.drop_waiting_runs(tx, &row, "the schedule was deleted")?;
            tx.prepare_cached("DELETE FROM schedules WHERE id = ?1")?.execute([id])?;
            self.audit(tx, actor, &Deed { action: "schedule.delete", object: &row.name, detail: &told(&row), ok: true })
        })?;
        self.wake_agents();
        self.look_at_queue();
        Ok(())
    }

    /// One run now, also of a schedule that is disabled.
    pub fn run_schedule(&self, actor: &Actor, id: &str) -> Result<Job, AppError> {
        actor.must_be(Role::Operator)?;
        let job_id = self.db.write(|tx| {
            let row = ScheduleRow::find(tx, id)?;
            if let Some(open) = JobRow::open_of_schedule(tx, id)? {
                return Err(AppError::conflict(format!("a run of {} is not over yet: it is {}", row.name, open.state_words()))
                    .hint("wait for it, or cancel it first"));
            }
            let job = self.job_of(tx, &row, None, &actor.name)?;
            let id = self.insert_job(tx, &job)?.expect("only occurrences are taken already");
            self.audit(tx, actor, &Deed { action: "schedule.run", object: &row.name, detail: &id, ok: true })?;
            Ok(id)
        })?;
        self.look_at_queue();
        self.job(&job_id)
    }

    pub(in crate::app) fn checked(&self, problems: Vec<FieldError>) -> Result<(), AppError> {
        if problems.is_empty() { Ok(()) } else { Err(AppError::invalid(problems)) }
    }

    fn schedule_changed(&self, id: &str) -> Result<(), AppError> {
        let row = self.db.read(|tx| ScheduleRow::find(tx, id))?;
        self.watch_folder(&row.location_id, &row.folder);
        self.wake_agents();
        self.tick_soon();
        Ok(())
    }

    /// Runs of the schedule's own that nobody works on end here.
    fn drop_waiting_runs(&self, tx: &Transaction<'_>, row: &ScheduleRow, why: &str) -> Result<(), AppError> {
        let now = self.clock.now();
        for mut job in JobRow::in_state(tx, &[JobState::Queued, JobState::WaitingToRetry])? {
            let by_itself =
                job.requested_by.starts_with("schedule ") || [FIRST_SNAPSHOT, AFTER_A_RESTORE].contains(&job.requested_by.as_str());
            if job.schedule_id.as_ref() != Some(&row.id) || !by_itself {
                continue;
            }
            job.advance(JobEvent::CancelAsked)?;
            job.log(tx, now, LogLevel::Warn, "server", why)?;
            job.error = Some(why.to_owned());
            self.job_is_over(tx, &mut job, now, false)?;
            job.save(tx)?;
        }
        Ok(())
    }
}

/// PITR begins with a snapshot, at once unless a later start was asked for.
fn begin(row: &mut ScheduleRow, now: Timestamp) {
    let later = row.input.start_at.is_some_and(|start| start > now);
    if row.mode == BackupMode::Pitr && !later {
        row.run_now = Some(FIRST_SNAPSHOT.to_owned());
    }
}

/// The service with its label, and the folder, which is the label's unless said otherwise.
pub(in crate::app) fn target(tx: &Transaction<'_>, service_id: &str, location_id: &str, folder: Option<&str>) -> Result<Target, AppError> {
    let service =
        services::find(tx, service_id).map_err(|_| AppError::field("service_id", format!("there is no service `{service_id}`")))?;
    if location_name(tx, location_id)?.is_none() {
        return Err(AppError::field("location_id", format!("there is no location `{location_id}`")));
    }
    let Some(cluster) = service.cluster.clone() else {
        let message = format!("Service {} must be a member of a cluster", service.name);
        let command = format!(
            "oplogue admin add mongodb --uri mongodb://{} --cluster mycluster --service-name {} --server … --api-token …",
            service.member, service.name
        );
        return Err(AppError::field("service_id", message)
            .hint(format!("give it a cluster label on the page Services, or enrol it again: {command}")));
    };
    let folder = folder.map_or_else(|| cluster.clone(), str::to_owned);
    Ok(Target { service, cluster, folder })
}

fn name_is_free(tx: &Transaction<'_>, name: &str, but: Option<&str>) -> Result<(), AppError> {
    if tx.prepare_cached("SELECT 1 FROM schedules WHERE name = ?1 AND id <> coalesce(?2, '')")?.exists([Some(name), but])? {
        let message = format!("there is already a scheduled backup `{name}`");
        return Err(AppError { fields: vec![FieldError::new("name", message.clone())], ..AppError::conflict(message) });
    }
    Ok(())
}

fn told(row: &ScheduleRow) -> String {
    let mode = if row.mode == BackupMode::Pitr { "PITR" } else { "full" };
    let on = if row.enabled { "enabled" } else { "disabled" };
    format!("{mode} of {} into {}, `{}` {}, {on}", row.cluster, row.folder, row.input.cron, row.input.time_zone)
}
