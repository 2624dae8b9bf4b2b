//! `/audit`.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use oplogue_api::Page;
use oplogue_api::audit::AuditEntry;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::audit::LIMIT_DEFAULT;
use crate::app::{App, AppError};
use crate::http::{ApiQuery, Caller};

pub fn router() -> Router<App> {
    Router::new().route("/audit", get(list))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// Where the part before ended: its `next`.
    after: Option<u64>,
    /// At most so many entries, 1 to 1000.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// Who did what, newest first.
#[utoipa::path(get, path = "/audit", operation_id = "listAudit", tag = "audit", params(Part), responses((status = 200, description = "A part of the log", body = Page<AuditEntry>)))]
pub async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    ApiQuery(part): ApiQuery<Part>,
) -> Result<Json<Page<AuditEntry>>, AppError> {
    Ok(Json(app.audit_log(&actor, part.after, part.limit.unwrap_or(LIMIT_DEFAULT))?))
}
