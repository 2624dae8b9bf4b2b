//! Jobs and their logs.

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use oplogue_api::jobs::JobState;
use oplogue_pages::pages::jobs::{Counts, JobsFilter, ROWS};
use oplogue_pages::pages::{job, jobs};
use oplogue_pages::{typed, urls};
use serde::Deserialize;

use super::door::{Door, go_telling};
use super::locations::clusters;
use crate::app::backups::{BackupId, Which};
use crate::app::jobs::JobFilter;
use crate::app::{App, AppError};
use crate::http::ApiPath;

pub fn router() -> Router<App> {
    Router::new()
        .route(urls::JOBS, get(list))
        .route(urls::JOB, get(one))
        .route(urls::JOB_CANCEL, post(cancel))
        .route(urls::JOB_RETRY, post(retry))
}

async fn list(State(app): State<App>, door: Door, Query(filter): Query<JobsFilter>) -> Result<Response, AppError> {
    let kind = serde_json::from_value(serde_json::Value::String(filter.kind.clone())).ok();
    let asked = JobFilter { state: filter.state(), cluster: typed::optional(&filter.cluster), kind, ..JobFilter::default() };
    let found = app.jobs(&asked, typed::optional(&filter.after).as_deref(), ROWS as u32)?;
    let page = jobs::Page { counts: counts(&app)?, jobs: found.items, next: found.next, clusters: clusters(&app)?, filter };
    Ok(door.show(jobs::view(&door.frame, &page)))
}

fn counts(app: &App) -> Result<Counts, AppError> {
    let mut counts = Counts::default();
    for (_, state, many) in app.job_counts()? {
        let place = match state {
            JobState::Queued => &mut counts.queued,
            JobState::Running | JobState::Cancelling => &mut counts.running,
            JobState::WaitingToRetry => &mut counts.waiting_to_retry,
            JobState::Done => &mut counts.done,
            JobState::Failed => &mut counts.failed,
            JobState::Cancelled => &mut counts.cancelled,
        };
        *place = place.saturating_add(u32::try_from(many).unwrap_or(u32::MAX));
    }
    Ok(counts)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Lines {
    /// Only lines earlier than this one.
    before: Option<u64>,
}

async fn one(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>, Query(lines): Query<Lines>) -> Result<Response, AppError> {
    let found = app.job(&id)?;
    let (log, earlier) = app.lines_before(&id, lines.before, job::LINES as u32)?;
    let backup_id = match (&found.backup_name, &found.location_id) {
        (Some(name), Some(location)) => {
            let id = BackupId::new(location, found.folder.as_deref().unwrap_or_default(), Which::Named(name.clone())).to_string();
            app.backup(&id).ok().map(|backup| backup.id)
        }
        _ => None,
    };
    Ok(door.show(job::view(&door.frame, &job::Page { job: found, log, earlier, backup_id })))
}

async fn cancel(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let told = match app.cancel_job(&door.actor, &id)?.state {
        JobState::Cancelled => "The job is cancelled.",
        _ => "The agent is told to stop.",
    };
    Ok(go_telling(&urls::job(&id), oplogue_pages::components::badge::Tone::Ok, told))
}

async fn retry(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let job = app.retry_job(&door.actor, &id)?;
    Ok(door.go(&urls::job(&job.id), "The job is tried again."))
}
