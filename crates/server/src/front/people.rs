//! Settings: about this server, one's own password, users, API tokens, the audit log.

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use oplogue_api::session::ServerInfo;
use oplogue_api::tokens::NewApiToken;
use oplogue_api::users::Role;
use oplogue_pages::pages::audit::{AuditFilter, ROWS};
use oplogue_pages::pages::tokens::TokenForm;
use oplogue_pages::pages::users::{PasswordForm, UserForm};
use oplogue_pages::pages::{account_delete, audit, password, settings, token_new, tokens, user, users};
use oplogue_pages::urls;

use super::door::{Door, Typed, Wrong};
use crate::app::{App, AppError};
use crate::http::ApiPath;

pub fn router() -> Router<App> {
    Router::new()
        .route(urls::SETTINGS, get(about))
        .route(urls::PASSWORD, get(ask_password).post(change_password))
        .route(urls::USERS, get(list_users))
        .route(urls::USER_NEW, get(new_user).post(add_user))
        .route(urls::USER, get(one_user).post(change_user))
        .route(urls::USER_DELETE, get(ask_delete_user).post(delete_user))
        .route(urls::TOKENS, get(list_tokens))
        .route(urls::TOKEN_NEW, get(new_token).post(make_token))
        .route(urls::TOKEN_DELETE, get(ask_delete_token).post(delete_token))
        .route(urls::AUDIT, get(log))
}

async fn about(State(app): State<App>, door: Door) -> Response {
    let info = ServerInfo { version: env!("CARGO_PKG_VERSION").to_owned(), started_at: app.started_at, now: app.clock.now() };
    door.show(settings::view(&door.frame, &settings::Page { info }))
}

async fn ask_password(door: Door) -> Response {
    door.show(password::view(&door.frame, &password::Page { errors: Vec::new(), failure: None }))
}

async fn change_password(State(app): State<App>, door: Door, Typed(form): Typed<PasswordForm>) -> Result<Response, AppError> {
    let done = match form.to_input() {
        Ok(change) => app.change_password(&door.identity, change).await,
        Err(fields) => Err(AppError::invalid(fields)),
    };
    match done {
        Ok(()) => Ok(door.go(urls::SETTINGS, "Your password was changed; your other sessions have ended.")),
        Err(error) => {
            let wrong = Wrong::sort(error)?;
            Ok(door.show_again(password::view(&door.frame, &password::Page { errors: wrong.fields, failure: wrong.failure })))
        }
    }
}

/// Administrators see what others may not; for them the page says who may.
fn for_administrators<T>(door: &Door, load: impl FnOnce() -> Result<T, AppError>) -> Result<Option<T>, AppError> {
    if door.actor.role >= Role::Administrator { load().map(Some) } else { Ok(None) }
}

async fn list_users(State(app): State<App>, door: Door) -> Result<Response, AppError> {
    let users = for_administrators(&door, || app.users(&door.actor))?;
    Ok(door.show(users::view(&door.frame, &users::Page { users })))
}

async fn new_user(door: Door) -> Response {
    door.show(user::view(&door.frame, &user::Page { id: None, form: UserForm::new(), errors: Vec::new(), failure: None }))
}

async fn one_user(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let form = UserForm::from_user(&app.user(&door.actor, &id)?);
    Ok(door.show(user::view(&door.frame, &user::Page { id: Some(id), form, errors: Vec::new(), failure: None })))
}

async fn add_user(State(app): State<App>, door: Door, Typed(form): Typed<UserForm>) -> Result<Response, AppError> {
    save_user(&app, &door, None, form).await
}

async fn change_user(
    State(app): State<App>,
    door: Door,
    ApiPath(id): ApiPath<String>,
    Typed(form): Typed<UserForm>,
) -> Result<Response, AppError> {
    save_user(&app, &door, Some(id), form).await
}

async fn save_user(app: &App, door: &Door, id: Option<String>, form: UserForm) -> Result<Response, AppError> {
    let done = match (form.to_input(), &id) {
        (Err(fields), _) => Err(AppError::invalid(fields)),
        (Ok(input), Some(id)) => app.change_user(&door.actor, id, input).await,
        (Ok(input), None) => app.create_user(&door.actor, input).await,
    };
    match done {
        Ok(saved) => Ok(door.go(urls::USERS, &format!("{} was saved.", saved.name))),
        Err(error) => {
            let wrong = Wrong::sort(error)?;
            let form = UserForm { password: String::new(), ..form };
            Ok(door.show_again(user::view(&door.frame, &user::Page { id, form, errors: wrong.fields, failure: wrong.failure })))
        }
    }
}

async fn ask_delete_user(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let page = account_delete::Page::User { user: app.user(&door.actor, &id)?, refusal: None };
    Ok(door.show(account_delete::view(&door.frame, &page)))
}

async fn delete_user(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let user = app.user(&door.actor, &id)?;
    match app.delete_user(&door.actor, &id) {
        Ok(()) => Ok(door.go(urls::USERS, &format!("{} was deleted.", user.name))),
        Err(error) => {
            let refusal = Wrong::sort(error)?.sentence();
            Ok(door.show_again(account_delete::view(&door.frame, &account_delete::Page::User { user, refusal })))
        }
    }
}

fn tokens_page(app: &App, door: &Door, made: Option<NewApiToken>) -> Result<tokens::Page, AppError> {
    Ok(tokens::Page { tokens: for_administrators(door, || app.tokens(&door.actor))?, made })
}

async fn list_tokens(State(app): State<App>, door: Door) -> Result<Response, AppError> {
    Ok(door.show(tokens::view(&door.frame, &tokens_page(&app, &door, None)?)))
}

async fn new_token(door: Door) -> Response {
    door.show(token_new::view(&door.frame, &token_new::Page { form: TokenForm::new(), errors: Vec::new(), failure: None }))
}

async fn make_token(State(app): State<App>, door: Door, Typed(form): Typed<TokenForm>) -> Result<Response, AppError> {
    match form.to_input().map_err(AppError::invalid).and_then(|input| app.create_token(&door.actor, &input)) {
        Ok(made) => Ok(door.show(tokens::view(&door.frame, &tokens_page(&app, &door, Some(made))?))),
        Err(error) => {
            let wrong = Wrong::sort(error)?;
            Ok(door.show_again(token_new::view(&door.frame, &token_new::Page { form, errors: wrong.fields, failure: wrong.failure })))
        }
    }
}

async fn ask_delete_token(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let token = app.tokens(&door.actor)?.into_iter().find(|token| token.id == id).ok_or_else(|| AppError::not_found("token", &id))?;
    Ok(door.show(account_delete::view(&door.frame, &account_delete::Page::Token(token))))
}

async fn delete_token(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    app.delete_token(&door.actor, &id)?;
    Ok(door.go(urls::TOKENS, "The token is worth nothing any more."))
}

async fn log(State(app): State<App>, door: Door, Query(filter): Query<AuditFilter>) -> Result<Response, AppError> {
    let mut next = filter.after.parse().ok();
    let entries = for_administrators(&door, || {
        let mut found = Vec::new();
        // Bounded, as a search for what is not there.
        for _ in 0..20 {
            let page = app.audit_log(&door.actor, next, ROWS as u32)?;
            found.extend(page.items.into_iter().filter(|entry| filter.matches(entry)));
            next = page.next.and_then(|next| next.parse().ok());
            if found.len() >= ROWS || next.is_none() {
                break;
            }
        }
        Ok(found)
    })?;
    let next = next.filter(|_| entries.is_some()).map(|next| next.to_string());
    Ok(door.show(audit::view(&door.frame, &audit::Page { filter, entries, next })))
}
