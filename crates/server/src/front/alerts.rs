//! Alerts: what fires, rules, templates, contact points, silences.

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use oplogue_api::alerts::{AlertState, TestDelivery};
use oplogue_pages::pages::alert_rule::AlertRuleForm;
use oplogue_pages::pages::alert_templates::TemplateImportForm;
use oplogue_pages::pages::contact_point::ContactPointForm;
use oplogue_pages::pages::silence::SilenceForm;
use oplogue_pages::pages::{
    alert_delete, alert_rule, alert_rules, alert_templates, alerts, contact_point, contact_points, silence, silences,
};
use oplogue_pages::urls;
use serde::Deserialize;

use super::door::{Door, Typed, Wrong};
use super::locations::clusters;
use crate::app::alerts::AlertFilter;
use crate::app::{App, AppError};
use crate::http::ApiPath;

const ROWS: u32 = 100;
const SETTINGS: &[&str] = &["smtp", "smtp_security", "smtp_user", "mail_from", "mail_to", "url"];
const SECRETS: &[&str] = &["smtp_password", "webhook_url", "authorization", "routing_key"];

pub fn router() -> Router<App> {
    Router::new()
        .route(urls::ALERTS, get(now))
        .route(urls::ALERT_RULES, get(rules))
        .route(urls::ALERT_RULE_NEW, get(new_rule).post(add_rule))
        .route(urls::ALERT_RULE, get(one_rule).post(change_rule))
        .route(urls::ALERT_RULE_DELETE, get(ask_delete_rule).post(delete_rule))
        .route(urls::ALERT_TEMPLATES, get(templates).post(import))
        .route(urls::ALERT_TEMPLATE_DELETE, post(delete_template))
        .route(urls::CONTACT_POINTS, get(points))
        .route(urls::CONTACT_POINT_NEW, get(new_point).post(add_point))
        .route(urls::CONTACT_POINT, get(one_point).post(change_point))
        .route(urls::CONTACT_POINT_TEST, post(test_point))
        .route(urls::CONTACT_POINT_DELETE, get(ask_delete_point).post(delete_point))
        .route(urls::SILENCES, get(list_silences))
        .route(urls::SILENCE_NEW, get(new_silence).post(add_silence))
        .route(urls::SILENCE_DELETE, post(delete_silence))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct After {
    after: Option<String>,
}

async fn now(State(app): State<App>, door: Door, Query(query): Query<After>) -> Result<Response, AppError> {
    let of = |state, after| app.alerts(&door.actor, &AlertFilter { state: Some(state), after, ..AlertFilter::default() }, ROWS);
    let mut standing = of(AlertState::Firing, None)?.items;
    standing.extend(of(AlertState::Pending, None)?.items);
    let history = of(AlertState::Resolved, query.after)?;
    let has_rules = app.alert_rules(&door.actor)?.iter().any(|rule| rule.input.enabled);
    Ok(door.show(alerts::view(&door.frame, &alerts::Page { now: standing, history: history.items, next: history.next, has_rules })))
}

async fn rules(State(app): State<App>, door: Door) -> Result<Response, AppError> {
    let page = alert_rules::Page {
        rules: app.alert_rules(&door.actor)?,
        templates: app.alert_templates(&door.actor)?,
        contact_points: app.contact_points(&door.actor)?,
    };
    Ok(door.show(alert_rules::view(&door.frame, &page)))
}

fn rule_page(app: &App, door: &Door, id: Option<String>, form: AlertRuleForm, wrong: Wrong) -> Result<alert_rule::Page, AppError> {
    Ok(alert_rule::Page {
        id,
        form,
        errors: wrong.fields,
        failure: wrong.failure,
        templates: app.alert_templates(&door.actor)?,
        contact_points: app.contact_points(&door.actor)?,
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Begin {
    template: String,
}

async fn new_rule(State(app): State<App>, door: Door, Query(begin): Query<Begin>) -> Result<Response, AppError> {
    let mut form = AlertRuleForm::new();
    if let Some(template) = app.alert_templates(&door.actor)?.iter().find(|template| template.name == begin.template) {
        form.template.clone_from(&template.name);
        form.fill_in(template);
    }
    Ok(door.show(alert_rule::view(&door.frame, &rule_page(&app, &door, None, form, Wrong::default())?)))
}

async fn one_rule(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let form = AlertRuleForm::from_rule(&app.alert_rule(&door.actor, &id)?);
    Ok(door.show(alert_rule::view(&door.frame, &rule_page(&app, &door, Some(id), form, Wrong::default())?)))
}

async fn add_rule(State(app): State<App>, door: Door, Typed(form): Typed<AlertRuleForm>) -> Result<Response, AppError> {
    save_rule(&app, &door, None, form)
}

async fn change_rule(
    State(app): State<App>,
    door: Door,
    ApiPath(id): ApiPath<String>,
    Typed(form): Typed<AlertRuleForm>,
) -> Result<Response, AppError> {
    save_rule(&app, &door, Some(id), form)
}

fn save_rule(app: &App, door: &Door, id: Option<String>, mut form: AlertRuleForm) -> Result<Response, AppError> {
    if form.wants_fill_in() {
        if let Some(template) = app.alert_templates(&door.actor)?.iter().find(|template| template.name == form.template) {
            form.fill_in(template);
        }
        return Ok(door.show(alert_rule::view(&door.frame, &rule_page(app, door, id, form, Wrong::default())?)));
    }
    let done = form.to_input().map_err(AppError::invalid).and_then(|input| match &id {
        Some(id) => app.change_alert_rule(&door.actor, id, &input),
        None => app.create_alert_rule(&door.actor, &input),
    });
    match done {
        Ok(rule) => Ok(door.go(urls::ALERT_RULES, &format!("The rule \"{}\" was saved.", rule.input.name))),
        Err(error) => Ok(door.show_again(alert_rule::view(&door.frame, &rule_page(app, door, id, form, Wrong::sort(error)?)?))),
    }
}

async fn ask_delete_rule(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    Ok(door.show(alert_delete::view(&door.frame, &alert_delete::Page::Rule(app.alert_rule(&door.actor, &id)?))))
}

async fn delete_rule(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let name = app.alert_rule(&door.actor, &id)?.input.name;
    app.delete_alert_rule(&door.actor, &id)?;
    Ok(door.go(urls::ALERT_RULES, &format!("The rule \"{name}\" was deleted.")))
}

async fn templates(State(app): State<App>, door: Door) -> Result<Response, AppError> {
    let templates = app.alert_templates(&door.actor)?;
    let page = alert_templates::Page { templates, form: TemplateImportForm::default(), errors: Vec::new(), failure: None };
    Ok(door.show(alert_templates::view(&door.frame, &page)))
}

async fn import(State(app): State<App>, door: Door, Typed(form): Typed<TemplateImportForm>) -> Result<Response, AppError> {
    let done = form.to_input().map_err(AppError::invalid).and_then(|input| app.import_alert_templates(&door.actor, &input));
    match done {
        Ok(imported) => {
            Ok(door.go(urls::ALERT_TEMPLATES, &format!("{} imported.", names(imported.iter().map(|template| template.name.as_str())))))
        }
        Err(error) => {
            let wrong = Wrong::sort(error)?;
            let templates = app.alert_templates(&door.actor)?;
            let page = alert_templates::Page { templates, form, errors: wrong.fields, failure: wrong.failure };
            Ok(door.show_again(alert_templates::view(&door.frame, &page)))
        }
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

async fn delete_template(State(app): State<App>, door: Door, ApiPath(name): ApiPath<String>) -> Result<Response, AppError> {
    app.delete_alert_template(&door.actor, &name)?;
    Ok(door.go(urls::ALERT_TEMPLATES, &format!("The template \"{name}\" was deleted.")))
}

fn points_page(app: &App, door: &Door, tested: Option<(String, TestDelivery)>) -> Result<contact_points::Page, AppError> {
    Ok(contact_points::Page { contact_points: app.contact_points(&door.actor)?, tested })
}

async fn points(State(app): State<App>, door: Door) -> Result<Response, AppError> {
    Ok(door.show(contact_points::view(&door.frame, &points_page(&app, &door, None)?)))
}

async fn test_point(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let point = app.contact_point(&door.actor, &id)?;
    let outcome = app.test_contact_point(&door.actor, &id).await?;
    Ok(door.show(contact_points::view(&door.frame, &points_page(&app, &door, Some((point.name, outcome)))?)))
}

fn point_page(id: Option<String>, form: ContactPointForm, has_secret: bool, wrong: Wrong) -> contact_point::Page {
    let wrong = wrong.within("settings", SETTINGS).within("secrets", SECRETS);
    contact_point::Page { id, form, errors: wrong.fields, failure: wrong.failure, has_secret }
}

async fn new_point(door: Door) -> Response {
    door.show(contact_point::view(&door.frame, &point_page(None, ContactPointForm::new(), false, Wrong::default())))
}

async fn one_point(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    let point = app.contact_point(&door.actor, &id)?;
    let page = point_page(Some(id), ContactPointForm::from_contact_point(&point), point.has_secret, Wrong::default());
    Ok(door.show(contact_point::view(&door.frame, &page)))
}

async fn add_point(State(app): State<App>, door: Door, Typed(form): Typed<ContactPointForm>) -> Result<Response, AppError> {
    save_point(&app, &door, None, form)
}

async fn change_point(
    State(app): State<App>,
    door: Door,
    ApiPath(id): ApiPath<String>,
    Typed(form): Typed<ContactPointForm>,
) -> Result<Response, AppError> {
    save_point(&app, &door, Some(id), form)
}

fn save_point(app: &App, door: &Door, id: Option<String>, form: ContactPointForm) -> Result<Response, AppError> {
    let has_secret = match &id {
        Some(id) => app.contact_point(&door.actor, id)?.has_secret,
        None => false,
    };
    if form.wants_kind() {
        return Ok(door.show(contact_point::view(&door.frame, &point_page(id, form, has_secret, Wrong::default()))));
    }
    let done = form.to_input().map_err(AppError::invalid).and_then(|input| match &id {
        Some(id) => app.change_contact_point(&door.actor, id, &input),
        None => app.create_contact_point(&door.actor, &input),
    });
    match done {
        Ok(point) => Ok(door.go(urls::CONTACT_POINTS, &format!("The contact point \"{}\" was saved. Test it.", point.name))),
        Err(error) => Ok(door.show_again(contact_point::view(&door.frame, &point_page(id, form, has_secret, Wrong::sort(error)?)))),
    }
}

fn delete_point_page(app: &App, door: &Door, id: &str, refusal: Option<String>) -> Result<alert_delete::Page, AppError> {
    let told_by = app.alert_rules(&door.actor)?.into_iter().filter(|rule| rule.input.contact_points.iter().any(|point| point == id));
    Ok(alert_delete::Page::ContactPoint {
        rules: told_by.map(|rule| rule.input.name).collect(),
        point: app.contact_point(&door.actor, id)?,
        refusal,
    })
}

async fn ask_delete_point(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    Ok(door.show(alert_delete::view(&door.frame, &delete_point_page(&app, &door, &id, None)?)))
}

async fn delete_point(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    match app.delete_contact_point(&door.actor, &id) {
        Ok(()) => Ok(door.go(urls::CONTACT_POINTS, "The contact point was deleted.")),
        Err(error) => {
            let refusal = Wrong::sort(error)?.sentence();
            Ok(door.show_again(alert_delete::view(&door.frame, &delete_point_page(&app, &door, &id, refusal)?)))
        }
    }
}

async fn list_silences(State(app): State<App>, door: Door) -> Result<Response, AppError> {
    let page = silences::Page { silences: app.silences(&door.actor)?, rules: app.alert_rules(&door.actor)? };
    Ok(door.show(silences::view(&door.frame, &page)))
}

fn silence_page(app: &App, door: &Door, form: SilenceForm, wrong: Wrong) -> Result<silence::Page, AppError> {
    Ok(silence::Page {
        form,
        errors: wrong.fields,
        failure: wrong.failure,
        rules: app.alert_rules(&door.actor)?,
        clusters: clusters(app)?,
        services: app.services()?.into_iter().map(|service| service.name).collect(),
    })
}

async fn new_silence(State(app): State<App>, door: Door, Query(begin): Query<SilenceForm>) -> Result<Response, AppError> {
    let form = SilenceForm { rule_id: begin.rule_id, cluster: begin.cluster, service: begin.service, ..SilenceForm::new() };
    Ok(door.show(silence::view(&door.frame, &silence_page(&app, &door, form, Wrong::default())?)))
}

async fn add_silence(State(app): State<App>, door: Door, Typed(form): Typed<SilenceForm>) -> Result<Response, AppError> {
    let done = form.to_input(door.frame.now).map_err(AppError::invalid).and_then(|input| app.create_silence(&door.actor, &input));
    match done {
        Ok(_) => Ok(door.go(urls::SILENCES, "The silence has begun.")),
        Err(error) => Ok(door.show_again(silence::view(&door.frame, &silence_page(&app, &door, form, Wrong::sort(error)?)?))),
    }
}

async fn delete_silence(State(app): State<App>, door: Door, ApiPath(id): ApiPath<String>) -> Result<Response, AppError> {
    app.delete_silence(&door.actor, &id)?;
    Ok(door.go(urls::SILENCES, "The silence has ended."))
}
