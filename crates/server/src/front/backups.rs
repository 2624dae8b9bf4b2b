//! All backups, one backup, deleting it.

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use oplogue_api::backups::Backup;
use oplogue_pages::pages::backup_delete::{self, BackupDeleteForm};
use oplogue_pages::pages::backups::{BackupsFilter, ROWS, Stale};
use oplogue_pages::pages::{backup, backups};
use oplogue_pages::{typed, urls};

use super::door::{Door, Typed, Wrong};
use crate::app::backups::BackupFilter;
use crate::app::{App, AppError};
use crate::http::ApiPath;

pub fn router() -> Router<App> {
    Router::new().route(urls::BACKUPS, get(list)).route(urls::BACKUP, get(one)).route(urls::BACKUP_DELETE, get(ask_delete).post(delete))
}

async fn list(State(app): State<App>, door: Door, Query(filter): Query<BackupsFilter>) -> Result<Response, AppError> {
    let (rows, next) = rows(&app, &filter)?;
    let locations = app.locations()?;
    let name =
        |id: &str| locations.iter().find(|location| location.id == id).map_or_else(|| id.to_owned(), |location| location.name.clone());
    let views = app.folder_views();
    let stale = views.iter().filter_map(|view| {
        let why = view.error.clone()?;
        Some(Stale { location: name(&view.location_id), folder: view.folder.clone(), as_of: view.read_at(), why })
    });
    let stale = stale.collect();
    Ok(door.show(backups::view(&door.frame, &backups::Page { filter, rows, next, locations, stale })))
}

/// The filter looks at more than the API's, so pages are read until one of ours is full.
fn rows(app: &App, filter: &BackupsFilter) -> Result<(Vec<Backup>, Option<String>), AppError> {
    let asked = BackupFilter {
        cluster: typed::optional(&filter.cluster),
        status: None,
        location_id: typed::optional(&filter.location_id),
        schedule_id: None,
    };
    let mut found = Vec::new();
    let mut after = typed::optional(&filter.after);
    // Bounded: who searches for what is not there must not read everything there ever was.
    for _ in 0..20 {
        let page = app.backups(&asked, after.as_deref(), ROWS as u32)?;
        found.extend(page.items.into_iter().filter(|row| filter.matches(row)));
        after = page.next;
        if found.len() >= ROWS || after.is_none() {
            break;
        }
    }
    filter.sort(&mut found);
    Ok((found, after))
}

fn storage_url(app: &App, backup: &Backup) -> Result<String, AppError> {
    Ok(app.location(&backup.location_id)?.url)
}

async fn one(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let found = app.backup(&id)?;
    let page = backup::Page {
        storage_url: storage_url(&app, &found)?,
        job: found.job_id.as_deref().and_then(|job| app.job(job).ok()),
        delete: app.preview_delete(&id).ok(),
        backup: found,
    };
    Ok(door.show(backup::view(&door.frame, &page)))
}

fn delete_page(app: &App, id: &str, form: BackupDeleteForm) -> Result<backup_delete::Page, AppError> {
    let found = app.backup(id)?;
    Ok(backup_delete::Page { form, preview: app.preview_delete(id).ok(), storage_url: storage_url(app, &found)?, backup: found })
}

async fn ask_delete(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    Ok(door.show(backup_delete::view(&door.frame, &delete_page(&app, &id, BackupDeleteForm::new())?)))
}

async fn delete(
    State(app): State<App>,
    door: Door,
    ApiPath(id): ApiPath<String>,
    Typed(form): Typed<BackupDeleteForm>,
) -> Result<Response, AppError> {
    match app.delete_backup(&door.actor, &id, form.with_storage(), form.accepts_loss()) {
        Ok(Some(job)) => Ok(door.go(&urls::job(&job.id), "The backup is being deleted.")),
        Ok(None) => Ok(door.go(urls::BACKUPS, "The backup is not listed any more.")),
        Err(error) => {
            let wrong = Wrong::sort(error)?;
            let mut page = delete_page(&app, &id, form)?;
            if page.preview.as_ref().is_none_or(|preview| preview.refusal.is_none()) {
                page.backup.delete_refusal = wrong.sentence();
            }
            Ok(door.show_again(backup_delete::view(&door.frame, &page)))
        }
    }
}
