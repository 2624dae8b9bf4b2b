//! Services: the list, one of them, its name and label, enrolling an agent, removing one.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use oplogue_pages::pages::services::{EnrolForm, ServiceForm};
use oplogue_pages::pages::{service, service_edit, service_enrol, service_remove, services};
use oplogue_pages::urls;

use super::door::{Door, Typed, Wrong};
use super::locations::clusters;
use crate::app::{App, AppError};
use crate::http::ApiPath;

pub fn router() -> Router<App> {
    Router::new()
        .route(urls::SERVICES, get(list))
        .route(urls::SERVICE_ENROL, get(enrol).post(make_token))
        .route(urls::SERVICE, get(one))
        .route(urls::SERVICE_EDIT, get(edit).post(change))
        .route(urls::SERVICE_DELETE, get(ask_delete).post(delete))
}

async fn list(State(app): State<App>, door: Door) -> Result<Response, AppError> {
    Ok(door.show(services::view(&door.frame, &services::Page { services: app.services()? })))
}

async fn one(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    Ok(door.show(service::view(&door.frame, &service::Page { service: app.service(&id)? })))
}

async fn enrol(State(app): State<App>, door: Door) -> Result<Response, AppError> {
    let page = service_enrol::Page { form: EnrolForm::new(), errors: Vec::new(), failure: None, clusters: clusters(&app)?, made: None };
    Ok(door.show(service_enrol::view(&door.frame, &page)))
}

async fn make_token(State(app): State<App>, door: Door, Typed(form): Typed<EnrolForm>) -> Result<Response, AppError> {
    let done = form.to_input().map_err(AppError::invalid).and_then(|request| app.create_enrolment(&door.actor, &request));
    let clusters = clusters(&app)?;
    match done {
        Ok(made) => {
            let page = service_enrol::Page { form, errors: Vec::new(), failure: None, clusters, made: Some(made) };
            Ok(door.show(service_enrol::view(&door.frame, &page)))
        }
        Err(error) => {
            let wrong = Wrong::sort(error)?;
            let page = service_enrol::Page { form, errors: wrong.fields, failure: wrong.failure, clusters, made: None };
            Ok(door.show_again(service_enrol::view(&door.frame, &page)))
        }
    }
}

async fn edit(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let service = app.service(&id)?;
    let form = ServiceForm::from_service(&service);
    let page = service_edit::Page { service, form, errors: Vec::new(), failure: None, clusters: clusters(&app)? };
    Ok(door.show(service_edit::view(&door.frame, &page)))
}

async fn change(
    State(app): State<App>,
    door: Door,
    ApiPath(id): ApiPath<String>,
    Typed(form): Typed<ServiceForm>,
) -> Result<Response, AppError> {
    let done = form.to_input().map_err(AppError::invalid).and_then(|change| app.change_service(&door.actor, &id, &change));
    match done {
        Ok(service) => Ok(door.go(&urls::service(&id), &format!("{} was changed.", service.name))),
        Err(error) => {
            let wrong = Wrong::sort(error)?;
            let page = service_edit::Page {
                service: app.service(&id)?,
                form,
                errors: wrong.fields,
                failure: wrong.failure,
                clusters: clusters(&app)?,
            };
            Ok(door.show_again(service_edit::view(&door.frame, &page)))
        }
    }
}

fn remove_page(app: &App, id: &str, refusal: Option<String>) -> Result<service_remove::Page, AppError> {
    let schedules = app.schedules()?.into_iter().filter(|schedule| schedule.input.service_id == id).map(|schedule| schedule.input.name);
    Ok(service_remove::Page { schedules: schedules.collect(), service: app.service(id)?, refusal })
}

async fn ask_delete(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    Ok(door.show(service_remove::view(&door.frame, &remove_page(&app, &id, None)?)))
}

async fn delete(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let name = app.service(&id)?.name;
    match app.delete_service(&door.actor, &id) {
        Ok(()) => Ok(door.go(urls::SERVICES, &format!("{name} was removed; its agent's credential is worth nothing any more."))),
        Err(error) => {
            let refusal = Wrong::sort(error)?.sentence();
            Ok(door.show_again(service_remove::view(&door.frame, &remove_page(&app, &id, refusal)?)))
        }
    }
}
