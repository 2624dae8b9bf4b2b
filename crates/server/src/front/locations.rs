//! Storage locations: the list, one of them with what lies in it, adding, changing, testing, deleting.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use oplogue_api::locations::LocationTest;
use oplogue_pages::pages::location_delete::{self, LocationDeleteForm};
use oplogue_pages::pages::location_form::{self, LocationAction, LocationForm};
use oplogue_pages::pages::{location, locations};
use oplogue_pages::urls;

use super::door::{Door, Typed, Wrong};
use crate::app::{App, AppError};
use crate::http::ApiPath;

/// Fields that the API groups, and the form names with their group.
const SETTINGS: &[&str] = &[
    "path",
    "endpoint",
    "bucket",
    "region",
    "prefix",
    "path_style",
    "storage_class",
    "server_side_encryption",
    "kms_key_id",
    "ca_pem",
    "insecure_tls",
    "account",
];
const SECRETS: &[&str] = &["access_key", "secret_key", "session_token", "service_account", "account_key"];

pub fn router() -> Router<App> {
    Router::new()
        .route(urls::LOCATIONS, get(list))
        .route(urls::LOCATION_NEW, get(new).post(add))
        .route(urls::LOCATION, get(one))
        .route(urls::LOCATION_EDIT, get(edit).post(change))
        .route(urls::LOCATION_TEST, post(test))
        .route(urls::LOCATION_DELETE, get(ask_delete).post(delete))
}

async fn list(State(app): State<App>, door: Door) -> Result<Response, AppError> {
    Ok(door.show(locations::view(&door.frame, &locations::Page { locations: app.locations()? })))
}

fn one_page(app: &App, id: &str, test: Option<LocationTest>) -> Result<location::Page, AppError> {
    let agents = app.services()?.into_iter().filter_map(|service| {
        let reach = service.locations.into_iter().find(|reach| reach.location_id == id)?;
        Some((service.name, reach))
    });
    Ok(location::Page {
        agents: agents.collect(),
        location: app.location(id)?,
        folders: app.location_folders(id).map_err(|error| error.message),
        test,
    })
}

async fn one(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    Ok(door.show(location::view(&door.frame, &one_page(&app, &id, None)?)))
}

async fn test(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let test = app.test_saved_location(&door.actor, &id).await?;
    Ok(door.show(location::view(&door.frame, &one_page(&app, &id, Some(test))?)))
}

fn form_page(id: Option<String>, form: LocationForm, has_secret: bool, wrong: Wrong, test: Option<LocationTest>) -> location_form::Page {
    let wrong = wrong.within("settings", SETTINGS).within("secrets", SECRETS);
    location_form::Page { id, form, errors: wrong.fields, failure: wrong.failure, has_secret, test }
}

async fn new(door: Door) -> Response {
    door.show(location_form::view(&door.frame, &form_page(None, LocationForm::new(), false, Wrong::default(), None)))
}

async fn add(State(app): State<App>, door: Door, Typed(form): Typed<LocationForm>) -> Result<Response, AppError> {
    send(&app, &door, None, form).await
}

async fn edit(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let found = app.location(&id)?;
    let page = form_page(Some(id), LocationForm::from_location(&found), found.has_secret, Wrong::default(), None);
    Ok(door.show(location_form::view(&door.frame, &page)))
}

async fn change(
    State(app): State<App>,
    door: Door,
    ApiPath(id): ApiPath<String>,
    Typed(form): Typed<LocationForm>,
) -> Result<Response, AppError> {
    send(&app, &door, Some(id), form).await
}

/// Adds, changes, tests, or only shows the fields of another kind.
async fn send(app: &App, door: &Door, id: Option<String>, form: LocationForm) -> Result<Response, AppError> {
    let has_secret = match &id {
        Some(id) => app.location(id)?.has_secret,
        None => false,
    };
    let input = match form.action() {
        LocationAction::Kind => {
            let page = form_page(id, form, has_secret, Wrong::default(), None);
            return Ok(door.show(location_form::view(&door.frame, &page)));
        }
        LocationAction::Save | LocationAction::Test => form.to_input().map_err(AppError::invalid),
    };
    let done = match (input, form.action(), &id) {
        (Err(error), ..) => Err(error),
        (Ok(input), LocationAction::Test, id) => app.test_location(&door.actor, input, id.as_deref()).await.map(Done::Tested),
        (Ok(input), _, Some(id)) => app.change_location(&door.actor, id, input).map(|location| Done::Saved(location.name, "updated")),
        (Ok(input), _, None) => app.create_location(&door.actor, input).map(|location| Done::Saved(location.name, "added")),
    };
    match done {
        Ok(Done::Saved(name, what)) => Ok(door.go(urls::LOCATIONS, &format!("Backup location \"{name}\" was successfully {what}."))),
        Ok(Done::Tested(test)) => {
            let page = form_page(id, form, has_secret, Wrong::default(), Some(test));
            Ok(door.show(location_form::view(&door.frame, &page)))
        }
        Err(error) => {
            let page = form_page(id, form, has_secret, Wrong::sort(error)?, None);
            Ok(door.show_again(location_form::view(&door.frame, &page)))
        }
    }
}

enum Done {
    Saved(String, &'static str),
    Tested(LocationTest),
}

async fn ask_delete(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let page = location_delete::Page { location: app.location(&id)?, form: LocationDeleteForm::default(), refused: None };
    Ok(door.show(location_delete::view(&door.frame, &page)))
}

async fn delete(
    State(app): State<App>,
    door: Door,
    ApiPath(id): ApiPath<String>,
    Typed(form): Typed<LocationDeleteForm>,
) -> Result<Response, AppError> {
    let found = app.location(&id)?;
    match app.delete_location(&door.actor, &id, form.force()) {
        Ok(()) => Ok(door.go(urls::LOCATIONS, &format!("Backup location \"{}\" was successfully deleted.", found.name))),
        Err(error) => {
            let refused = Wrong::sort(error)?.sentence();
            Ok(door.show_again(location_delete::view(&door.frame, &location_delete::Page { location: found, form, refused })))
        }
    }
}

/// Labels in use, to choose from.
pub(super) fn clusters(app: &App) -> Result<Vec<String>, AppError> {
    let labels: BTreeMap<String, ()> = app.services()?.into_iter().filter_map(|service| Some((service.cluster?, ()))).collect();
    Ok(labels.into_keys().collect())
}
