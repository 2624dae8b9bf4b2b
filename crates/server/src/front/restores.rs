//! Restoring: the wizard, the plan, the confirmation, the progress and the proof.

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use oplogue_api::ErrorCode;
use oplogue_api::jobs::{Job, JobKind};
use oplogue_api::plan::Plan;
use oplogue_api::restores::{CompatibleService, RestoreConfirmation, RestoreInput};
use oplogue_pages::pages::restore::{self, RestoreForm};
use oplogue_pages::pages::restore_plan::{self, ConfirmForm};
use oplogue_pages::pages::{restore_detail, restores};
use oplogue_pages::urls;
use serde::Deserialize;

use super::door::{Door, Typed, Wrong, go};
use super::looking::choices;
use crate::app::backups::{BackupId, Which};
use crate::app::{App, AppError};
use crate::http::ApiPath;

const ROWS: u32 = 50;

pub fn router() -> Router<App> {
    Router::new()
        .route(urls::RESTORE, get(wizard).post(send))
        .route(urls::RESTORE_PLAN, get(plan).post(confirm))
        .route(urls::RESTORES, get(list))
        .route(urls::RESTORE_SHOW, get(one))
}

async fn wizard(State(app): State<App>, door: Door, Query(form): Query<RestoreForm>) -> Result<Response, AppError> {
    Ok(door.show(restore::view(&door.frame, &page(&app, form, Wrong::default())?)))
}

async fn send(State(app): State<App>, door: Door, Typed(form): Typed<RestoreForm>) -> Result<Response, AppError> {
    if form.intent != "plan" {
        return Ok(go(&form.url()));
    }
    match app.plan_restore(&door.actor, &form.input()) {
        Ok(job) => Ok(go(&urls::restore_plan(&job.id))),
        Err(error) => Ok(door.show_again(restore::view(&door.frame, &page(&app, form, Wrong::sort(error)?)?))),
    }
}

fn page(app: &App, mut form: RestoreForm, wrong: Wrong) -> Result<restore::Page, AppError> {
    let sources = choices(app)?;
    if let (true, [only]) = (form.location_id.is_empty(), sources.as_slice()) {
        form.location_id.clone_from(&only.location_id);
        form.folder.clone_from(&only.folder);
    }
    let chosen = !form.location_id.is_empty();
    let timeline = if chosen { Some(app.timeline(&form.location_id, &form.folder)?) } else { None };
    let choice = match (form.moment_kind(), form.moment.trim()) {
        _ if !chosen => None,
        ("time", moment) if !moment.is_empty() => app.moment_choice(&form.location_id, &form.folder, moment).ok(),
        ("before", _) => match form.time() {
            Some(time) => {
                let before = time.predecessor();
                app.moment_choice(&form.location_id, &form.folder, &format!("{},{}", before.seconds, before.ordinal)).ok()
            }
            None => None,
        },
        _ => None,
    };
    let services = if chosen { services(app, &form)? } else { Vec::new() };
    if form.service_id.is_empty()
        && let Some(service) = services.iter().find(|service| service.same && service.refusal.is_none())
    {
        form.service_id.clone_from(&service.service_id);
    }
    let refusal = wrong.failure.as_ref().and_then(|_| wrong.sentence());
    Ok(restore::Page { form, errors: wrong.fields, refusal, sources, timeline, choice, services })
}

/// By what the folder's oplog, or the chosen backup, fits on.
fn services(app: &App, form: &RestoreForm) -> Result<Vec<CompatibleService>, AppError> {
    let named = match form.moment_kind() {
        "backup" if !form.backup.is_empty() => Some(BackupId::new(&form.location_id, &form.folder, Which::Named(form.backup.clone()))),
        _ => None,
    };
    let oplog = BackupId::new(&form.location_id, &form.folder, Which::Oplog);
    for id in named.into_iter().chain([oplog]) {
        match app.compatible_services(&id.to_string()) {
            Err(error) if error.code == ErrorCode::NotFound => {}
            found => return found,
        }
    }
    // Snapshots alone, and none chosen yet: what fits the newest.
    let newest = app.folder_view(&form.location_id, &form.folder).and_then(|view| Some(view.catalog.backups.last()?.name.to_string()));
    match newest {
        Some(name) => app.compatible_services(&BackupId::new(&form.location_id, &form.folder, Which::Named(name)).to_string()),
        None => Ok(Vec::new()),
    }
}

/// What a plan's page shows besides the job.
struct Planned {
    job: Job,
    input: RestoreInput,
}

fn planned(app: &App, id: &str) -> Result<Planned, AppError> {
    let job = app.job(id)?;
    if job.kind != JobKind::Plan {
        return Err(AppError::not_found("plan", id));
    }
    Ok(Planned { input: app.planned_restore(id)?, job })
}

fn plan_page(app: &App, id: &str, form: ConfirmForm, wrong: &Wrong) -> Result<restore_plan::Page, AppError> {
    let Planned { job, input } = planned(app, id)?;
    let plan: Option<Plan> = job.result.clone().and_then(|result| serde_json::from_value(result).ok());
    let service = app.service(&input.service_id).ok();
    let confirm_name = service.map(|service| service.cluster.unwrap_or(service.replica_set)).unwrap_or_default();
    Ok(restore_plan::Page {
        plan,
        location_name: job.location_name.clone().unwrap_or_default(),
        confirm_name,
        form,
        errors: wrong.fields.clone(),
        refusal: wrong.failure.as_ref().and_then(|_| wrong.sentence()),
        restore_id: app.restore_of_plan(id)?,
        input,
        job,
    })
}

async fn plan(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    Ok(door.show(restore_plan::view(&door.frame, &plan_page(&app, &id, ConfirmForm::default(), &Wrong::default())?)))
}

async fn confirm(
    State(app): State<App>,
    door: Door,
    ApiPath(id): ApiPath<String>,
    Typed(form): Typed<ConfirmForm>,
) -> Result<Response, AppError> {
    let confirmation = RestoreConfirmation { plan_job_id: id.clone(), confirm: form.confirm.clone() };
    match app.start_restore(&door.actor, &confirmation) {
        Ok(job) => Ok(go(&urls::restore(&job.id))),
        Err(error) => {
            let page = plan_page(&app, &id, form, &Wrong::sort(error)?)?;
            Ok(door.show_again(restore_plan::view(&door.frame, &page)))
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct After {
    after: Option<String>,
}

async fn list(State(app): State<App>, door: Door, Query(query): Query<After>) -> Result<Response, AppError> {
    let found = app.restores(query.after.as_deref(), ROWS)?;
    let next = found.next.map(|next| urls::Query::new().with("after", next).on(urls::RESTORES));
    Ok(door.show(restores::view(&door.frame, &restores::Page { restores: found.items, next })))
}

async fn one(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    Ok(door.show(restore_detail::view(&door.frame, &restore_detail::Page { restore: app.restore(&id)? })))
}
