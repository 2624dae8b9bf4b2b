//! Scheduled backup jobs: the list, one of them, its switch, running it now, deleting it, what its retention would do.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use oplogue_api::ErrorCode;
use oplogue_pages::components::conflict::Conflict;
use oplogue_pages::pages::schedules::{EnabledForm, Refused, Why};
use oplogue_pages::pages::{retention_preview, schedule, schedule_delete, schedules};
use oplogue_pages::urls;

use super::backup_form::{in_the_way, told};
use super::door::{Door, Typed, body};
use crate::app::{App, AppError};
use crate::http::ApiPath;

pub fn router() -> Router<App> {
    Router::new()
        .route(urls::SCHEDULES, get(list))
        .route(urls::SCHEDULE, get(one))
        .route(urls::SCHEDULE_ENABLED, post(enable))
        .route(urls::SCHEDULE_RUN, post(run))
        .route(urls::SCHEDULE_DELETE, get(ask_delete).post(delete))
        .route(urls::SCHEDULE_RETENTION, get(retention))
}

fn page(app: &App, refused: Option<Refused>) -> Result<schedules::Page, AppError> {
    Ok(schedules::Page { schedules: app.schedules()?, locations: app.locations()?, refused })
}

async fn list(State(app): State<App>, door: Door) -> Result<Response, AppError> {
    Ok(door.show(schedules::view(&door.frame, &page(&app, None)?)))
}

async fn one(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    Ok(door.show(schedule::view(&door.frame, &schedule::Page { schedule: app.schedule(&id)? })))
}

async fn enable(
    State(app): State<App>,
    door: Door,
    ApiPath(id): ApiPath<String>,
    Typed(form): Typed<EnabledForm>,
) -> Result<Response, AppError> {
    let before = app.schedule(&id)?;
    let enabled = form.enabled();
    if enabled && form.disables_others() {
        for other in in_the_way(&app, &before.cluster, before.input.mode, Some(&id))? {
            app.enable_schedule(&door.actor, &other.id, false)?;
        }
    }
    let error = match app.enable_schedule(&door.actor, &id, enabled) {
        Ok(schedule) => {
            let told = format!("{} is {}.", schedule.input.name, if enabled { "enabled" } else { "disabled" });
            return Ok(door.go(urls::SCHEDULES, &told));
        }
        Err(error) if matches!(error.code, ErrorCode::Conflict | ErrorCode::Refused | ErrorCode::Invalid) => error,
        Err(error) => return Err(error),
    };
    let others = in_the_way(&app, &before.cluster, before.input.mode, Some(&id))?;
    let why = if error.code == ErrorCode::Conflict && !others.is_empty() {
        Why::Conflict(Conflict { message: error.message.clone(), hint: error.hint.clone(), jobs: told(&others) })
    } else {
        Why::Error(body(&error))
    };
    let refused = Refused { schedule_id: id, name: before.input.name, why };
    Ok(door.show_again(schedules::view(&door.frame, &page(&app, Some(refused))?)))
}

async fn run(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let job = app.run_schedule(&door.actor, &id)?;
    Ok(door.go(&urls::job(&job.id), "Backup successfully started."))
}

async fn ask_delete(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    Ok(door.show(schedule_delete::view(&door.frame, &schedule_delete::Page { schedule: app.schedule(&id)? })))
}

async fn delete(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let name = app.schedule(&id)?.input.name;
    app.delete_schedule(&door.actor, &id)?;
    Ok(door.go(urls::SCHEDULES, &format!("Scheduled backup \"{name}\" successfully deleted. Its backups stay.")))
}

async fn retention(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let schedule = app.schedule(&id)?;
    let preview = app.preview_retention(&door.actor, &id, &schedule.input.retention).await;
    let preview = preview.map_err(|error| error.message);
    Ok(door.show(retention_preview::view(&door.frame, &retention_preview::Page { schedule, preview })))
}
