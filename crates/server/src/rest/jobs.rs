//! `/jobs`.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use oplogue_api::jobs::{Job, JobKind, JobState, LogPage};
use oplogue_api::{ErrorBody, Page};
use serde::Deserialize;

use crate::app::jobs::JobFilter;
use crate::app::{App, AppError};
use crate::http::{ApiPath, ApiQuery, Caller};

pub fn router() -> Router<App> {
    Router::new()
        .route("/jobs", get(list))
        .route("/jobs/{id}", get(one))
        .route("/jobs/{id}/cancel", post(cancel))
        .route("/jobs/{id}/retry", post(retry))
        .route("/jobs/{id}/log", get(log))
}

const ROWS: u32 = 100;
const LINES: u32 = 1000;

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    pub state: Option<JobState>,
    /// Only in the queue of this cluster.
    pub cluster: Option<String>,
    pub kind: Option<JobKind>,
    /// Only of this schedule.
    pub schedule_id: Option<String>,
    /// Only those that are not over.
    pub open: bool,
    /// The `next` of the answer before.
    pub after: Option<String>,
    /// 100 by default.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}

/// All jobs, newest first. Plans and reports of restores are only told of a single job.
#[utoipa::path(get, path = "/jobs", operation_id = "listJobs", tag = "jobs", params(ListQuery), responses((status = 200, description = "A page of jobs", body = Page<Job>)))]
pub async fn list(State(app): State<App>, Caller(_): Caller, ApiQuery(query): ApiQuery<ListQuery>) -> Result<Json<Page<Job>>, AppError> {
    let filter =
        JobFilter { state: query.state, cluster: query.cluster, kind: query.kind, schedule_id: query.schedule_id, open: query.open };
    Ok(Json(app.jobs(&filter, query.after.as_deref(), query.limit.unwrap_or(ROWS))?))
}

#[utoipa::path(get, path = "/jobs/{id}", operation_id = "getJob", tag = "jobs", params(("id" = String, Path)), responses((status = 200, description = "The job", body = Job)))]
pub async fn one(State(app): State<App>, Caller(_): Caller, ApiPath(id): ApiPath<String>) -> Result<Json<Job>, AppError> {
    Ok(Json(app.job(&id)?))
}

/// Ends a job. Asked a second time while its agent is not heard of, the job ends without the agent's word.
#[utoipa::path(post, path = "/jobs/{id}/cancel", operation_id = "cancelJob", tag = "jobs", params(("id" = String, Path)), responses(
    (status = 200, description = "The job, cancelled or on the way to it", body = Job),
    (status = 409, description = "It is over already", body = ErrorBody),
))]
pub async fn cancel(State(app): State<App>, Caller(actor): Caller, ApiPath(id): ApiPath<String>) -> Result<Json<Job>, AppError> {
    Ok(Json(app.cancel_job(&actor, &id)?))
}

/// Has a job that failed, was cancelled or waits for its next try, tried again now. Not for restores: they need a new plan.
#[utoipa::path(post, path = "/jobs/{id}/retry", operation_id = "retryJob", tag = "jobs", params(("id" = String, Path)), responses(
    (status = 200, description = "The job, in its queue again", body = Job),
    (status = 409, description = "It cannot be tried again", body = ErrorBody),
))]
pub async fn retry(State(app): State<App>, Caller(actor): Caller, ApiPath(id): ApiPath<String>) -> Result<Json<Job>, AppError> {
    Ok(Json(app.retry_job(&actor, &id)?))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Only lines later than this number.
    pub after: u64,
    /// 1,000 by default.
    #[param(minimum = 1, maximum = 5000)]
    pub limit: Option<u32>,
}

/// The job's log, from all its attempts.
#[utoipa::path(get, path = "/jobs/{id}/log", operation_id = "getJobLog", tag = "jobs", params(("id" = String, Path), LogQuery), responses((status = 200, description = "Some lines", body = LogPage)))]
pub async fn log(
    State(app): State<App>,
    Caller(_): Caller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<LogQuery>,
) -> Result<Json<LogPage>, AppError> {
    Ok(Json(app.job_log(&id, query.after, query.limit.unwrap_or(LINES))?))
}
