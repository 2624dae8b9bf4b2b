//! Create backup: on demand or as a schedule; copying and changing a schedule.

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use oplogue_api::ErrorCode;
use oplogue_api::backups::BackupMode;
use oplogue_api::schedules::{Schedule, ScheduleInput};
use oplogue_pages::components::conflict::{Conflict, InTheWay};
use oplogue_pages::pages::backup_form::{Action, BackupForm, Page, Purpose, view};
use oplogue_pages::urls;
use serde::Deserialize;

use super::door::{Door, Typed, Wrong};
use crate::app::{App, AppError};
use crate::http::ApiPath;

pub fn router() -> Router<App> {
    Router::new()
        .route(urls::BACKUP_NEW, get(new_backup).post(send_new))
        .route(urls::SCHEDULE_NEW, get(new_schedule).post(send_new))
        .route(urls::SCHEDULE_EDIT, get(edit).post(send_edit))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Begin {
    /// Id of a backup whose fields to begin with.
    like: String,
    /// Id of a schedule whose fields to begin with.
    copy: String,
}

async fn new_backup(State(app): State<App>, door: Door, Query(begin): Query<Begin>) -> Result<Response, AppError> {
    let form = if begin.like.is_empty() { BackupForm::on_demand() } else { BackupForm::like(&app.backup(&begin.like)?) };
    Ok(door.show(view(&door.frame, &page(&app, Purpose::Create, form, Wrong::default())?)))
}

async fn new_schedule(State(app): State<App>, door: Door, Query(begin): Query<Begin>) -> Result<Response, AppError> {
    let (purpose, form) = if begin.copy.is_empty() {
        (Purpose::Create, BackupForm::schedule())
    } else {
        let copied = app.schedule(&begin.copy)?;
        (Purpose::Copy(copied.input.name.clone()), BackupForm::copy_of(&copied))
    };
    Ok(door.show(view(&door.frame, &page(&app, purpose, form, Wrong::default())?)))
}

async fn edit(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let form = BackupForm::from_schedule(&app.schedule(&id)?);
    Ok(door.show(view(&door.frame, &page(&app, Purpose::Edit(id), form, Wrong::default())?)))
}

async fn send_new(
    State(app): State<App>,
    door: Door,
    Query(begin): Query<Begin>,
    Typed(form): Typed<BackupForm>,
) -> Result<Response, AppError> {
    let purpose = match begin.copy.as_str() {
        "" => Purpose::Create,
        id => Purpose::Copy(app.schedule(id).map(|copied| copied.input.name).unwrap_or_default()),
    };
    send(&app, &door, purpose, form).await
}

async fn send_edit(
    State(app): State<App>,
    door: Door,
    ApiPath(id): ApiPath<String>,
    Typed(form): Typed<BackupForm>,
) -> Result<Response, AppError> {
    send(&app, &door, Purpose::Edit(id), form).await
}

async fn send(app: &App, door: &Door, purpose: Purpose, mut form: BackupForm) -> Result<Response, AppError> {
    form.fill_in(&app.services()?);
    match form.action() {
        Action::FillIn | Action::Runs => Ok(door.show(view(&door.frame, &page(app, purpose, form, Wrong::default())?))),
        Action::Retention => retention(app, door, purpose, form).await,
        Action::Submit => submit(app, door, purpose, form),
        Action::DisableOthers => {
            if let Ok(input) = form.to_schedule_input() {
                disable_others(app, door, &purpose, &input)?;
            }
            submit(app, door, purpose, form)
        }
    }
}

fn submit(app: &App, door: &Door, purpose: Purpose, form: BackupForm) -> Result<Response, AppError> {
    let done = if form.is_schedule() { save_schedule(app, door, &purpose, &form) } else { take_backup(app, door, &form) };
    match done {
        Ok(response) => Ok(response),
        Err(error) => {
            let conflict = conflict(app, &purpose, &form, &error)?;
            let mut wrong = Wrong::sort(error)?;
            if conflict.is_some() {
                wrong.failure = None;
            }
            let page = Page { conflict, ..page(app, purpose, form, wrong)? };
            Ok(door.show_again(view(&door.frame, &page)))
        }
    }
}

fn take_backup(app: &App, door: &Door, form: &BackupForm) -> Result<Response, AppError> {
    let input = form.to_backup_input().map_err(AppError::invalid)?;
    let job = app.create_backup(&door.actor, &input)?;
    Ok(door.go(&urls::job(&job.id), "Backup successfully started."))
}

fn save_schedule(app: &App, door: &Door, purpose: &Purpose, form: &BackupForm) -> Result<Response, AppError> {
    let input = form.to_schedule_input().map_err(AppError::invalid)?;
    match purpose {
        Purpose::Edit(id) => {
            let saved = app.update_schedule(&door.actor, id, input)?;
            Ok(door.go(&urls::schedule(&saved.id), &format!("Scheduled backup \"{}\" successfully updated.", saved.input.name)))
        }
        Purpose::Create | Purpose::Copy(_) => {
            let saved = app.create_schedule(&door.actor, input)?;
            Ok(door.go(&urls::schedule(&saved.id), "Backup successfully scheduled."))
        }
    }
}

/// The enabled schedules that the PITR rule is about.
pub(super) fn in_the_way(app: &App, cluster: &str, mode: BackupMode, but: Option<&str>) -> Result<Vec<Schedule>, AppError> {
    let others = app.schedules()?.into_iter().filter(|other| {
        let counts = mode == BackupMode::Pitr || other.input.mode == BackupMode::Pitr;
        other.cluster == cluster && other.input.enabled && counts && Some(other.id.as_str()) != but
    });
    Ok(others.collect())
}

pub(super) fn told(schedules: &[Schedule]) -> Vec<InTheWay> {
    let one = |schedule: &Schedule| InTheWay {
        schedule_id: schedule.id.clone(),
        name: schedule.input.name.clone(),
        remark: format!("{}, {}", if schedule.input.mode == BackupMode::Pitr { "PITR" } else { "Full" }, schedule.frequency),
    };
    schedules.iter().map(one).collect()
}

/// What the PITR rule is about, when that is why it was refused.
fn conflict(app: &App, purpose: &Purpose, form: &BackupForm, error: &AppError) -> Result<Option<Conflict>, AppError> {
    let Ok(input) = form.to_schedule_input() else { return Ok(None) };
    if error.code != ErrorCode::Conflict || !error.fields.iter().any(|field| field.field == "mode") {
        return Ok(None);
    }
    let jobs = told(&others(app, purpose, &input)?);
    Ok(Some(Conflict { message: error.message.clone(), hint: error.hint.clone(), jobs }))
}

fn others(app: &App, purpose: &Purpose, input: &ScheduleInput) -> Result<Vec<Schedule>, AppError> {
    let cluster = app.service(&input.service_id)?.cluster.unwrap_or_default();
    let own = if let Purpose::Edit(id) = purpose { Some(id.as_str()) } else { None };
    in_the_way(app, &cluster, input.mode, own)
}

fn disable_others(app: &App, door: &Door, purpose: &Purpose, input: &ScheduleInput) -> Result<(), AppError> {
    for other in others(app, purpose, input)? {
        app.enable_schedule(&door.actor, &other.id, false)?;
    }
    Ok(())
}

async fn retention(app: &App, door: &Door, purpose: Purpose, form: BackupForm) -> Result<Response, AppError> {
    let wanted = form.to_retention().map_err(AppError::invalid);
    let id = if let Purpose::Edit(id) = &purpose { Some(id.clone()) } else { None };
    let preview = match (wanted, id) {
        (Ok(policy), Some(id)) => app.preview_retention(&door.actor, &id, &policy).await.map(Some),
        (Ok(policy), None) => {
            let folder = oplogue_pages::typed::optional(&form.folder).unwrap_or_default();
            app.preview_folder_retention(&door.actor, &form.location_id, &folder, &policy).await.map(Some)
        }
        (Err(error), _) => Err(error),
    };
    let (retention, wrong) = match preview {
        Ok(preview) => (preview, Wrong::default()),
        Err(error) => (None, Wrong::sort(error)?),
    };
    Ok(door.show(view(&door.frame, &Page { retention, ..page(app, purpose, form, wrong)? })))
}

fn page(app: &App, purpose: Purpose, form: BackupForm, wrong: Wrong) -> Result<Page, AppError> {
    let runs = form.when.to_cron().ok().and_then(|cron| app.preview_cron(&cron, &form.time_zone, None).ok());
    Ok(Page {
        purpose,
        form,
        errors: wrong.fields,
        failure: wrong.failure,
        conflict: None,
        services: app.services()?,
        locations: app.locations()?,
        runs,
        retention: None,
    })
}
