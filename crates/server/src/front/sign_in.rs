//! Signing in and out, and the links that let somebody in once.

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use axum::routing::{get, post};
use oplogue_api::session::{FirstStart, SignIn};
use oplogue_api::{ErrorCode, FieldError};
use oplogue_pages::pages::sign_in::{FirstStartForm, Page, SignInForm, view};
use oplogue_pages::urls;
use serde::Deserialize;

use super::door::{OpenDoor, Typed, Wrong, go};
use crate::app::links::Link;
use crate::app::{App, AppError};
use crate::http::cookie;
use crate::http::identity::{From, Identity};

pub fn router() -> Router<App> {
    Router::new()
        .route(urls::SIGN_IN, get(form).post(sign_in))
        .route(urls::SIGN_OUT, post(sign_out))
        .route(urls::FIRST_START, get(first).post(use_link))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Next {
    next: String,
}

async fn form(door: OpenDoor, Query(query): Query<Next>) -> Response {
    if door.frame.who.is_some() {
        return go(inside(&query.next));
    }
    let form = SignInForm { next: query.next, ..SignInForm::default() };
    door.show(view(&door.frame, &Page::SignIn { form, errors: Vec::new(), refusal: None }))
}

async fn sign_in(State(app): State<App>, door: OpenDoor, From(from): From, Typed(form): Typed<SignInForm>) -> Result<Response, AppError> {
    let tried = app.sign_in(SignIn { name: form.name.clone(), password: form.password.clone() }, &from).await;
    match tried {
        Ok(signed_in) => {
            let mut response = go(inside(&form.next));
            response.headers_mut().append(SET_COOKIE, cookie::set(&app.config, &signed_in.secret));
            Ok(response)
        }
        Err(error) if matches!(error.code, ErrorCode::Unauthenticated | ErrorCode::TooMany) => {
            let form = SignInForm { password: String::new(), ..form };
            Ok(door.show_again(view(&door.frame, &Page::SignIn { form, errors: error.fields, refusal: Some(error.message) })))
        }
        Err(error) => Err(error),
    }
}

/// Only to pages of ours.
fn inside(next: &str) -> &str {
    if next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && !next.starts_with(urls::SIGN_IN) {
        next
    } else {
        urls::OVERVIEW
    }
}

async fn sign_out(State(app): State<App>, identity: Identity) -> Result<Response, AppError> {
    app.sign_out(&identity)?;
    let mut response = go(urls::SIGN_IN);
    response.headers_mut().append(SET_COOKIE, cookie::clear(&app.config));
    Ok(response)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Code {
    code: String,
}

async fn first(State(app): State<App>, door: OpenDoor, Query(query): Query<Code>) -> Result<Response, AppError> {
    let form = FirstStartForm { code: query.code, ..FirstStartForm::default() };
    let page = match app.link(&form.code) {
        Ok(Link::First) => Page::FirstStart { form, user: None, errors: Vec::new(), refusal: None },
        Ok(Link::Reset { user }) => Page::FirstStart { form, user: Some(user), errors: Vec::new(), refusal: None },
        Err(error) => Page::FirstStart { form, user: None, errors: Vec::new(), refusal: Some(refusal(error)?) },
    };
    Ok(door.show(view(&door.frame, &page)))
}

fn refusal(error: AppError) -> Result<String, AppError> {
    if error.code != ErrorCode::NotFound {
        return Err(error);
    }
    Ok(match &error.hint {
        Some(hint) => format!("{}. To get another: {hint}.", error.message),
        None => error.message,
    })
}

async fn use_link(
    State(app): State<App>,
    door: OpenDoor,
    From(from): From,
    Typed(form): Typed<FirstStartForm>,
) -> Result<Response, AppError> {
    let user = match app.link(&form.code) {
        Ok(Link::First) => None,
        Ok(Link::Reset { user }) => Some(user),
        Err(error) => {
            let page = Page::FirstStart { form, user: None, errors: Vec::new(), refusal: Some(refusal(error)?) };
            return Ok(door.show_again(view(&door.frame, &page)));
        }
    };
    let tried = if form.password == form.password_again {
        let input = FirstStart { code: form.code.clone(), name: form.name.clone(), password: form.password.clone() };
        app.use_link(input, &from).await
    } else {
        Err(AppError::invalid(vec![FieldError::new("password_again", "The two passwords differ.")]))
    };
    match tried {
        Ok(signed_in) => {
            let mut response = go(urls::OVERVIEW);
            response.headers_mut().append(SET_COOKIE, cookie::set(&app.config, &signed_in.secret));
            Ok(response)
        }
        Err(error) => {
            let wrong = Wrong::sort(error)?;
            let refusal = wrong.failure.as_ref().and_then(|_| wrong.sentence());
            let form = FirstStartForm { password: String::new(), password_again: String::new(), ..form };
            Ok(door.show_again(view(&door.frame, &Page::FirstStart { form, user, errors: wrong.fields, refusal })))
        }
    }
}
