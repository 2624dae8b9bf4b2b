//! Add a silence.

mod form;

use maud::{Markup, html};
use oplogue_api::alerts::AlertRule;
use oplogue_api::users::Role;
use oplogue_api::{ErrorBody, FieldError};

pub use self::form::SilenceForm;
use crate::components::button::Button;
use crate::components::field::{self, Choice, Field};
use crate::components::notice;
use crate::pages::backups::choices;
use crate::{Frame, layout, urls};

pub struct Page {
    pub form: SilenceForm,
    pub errors: Vec<FieldError>,
    pub failure: Option<ErrorBody>,
    pub rules: Vec<AlertRule>,
    pub clusters: Vec<String>,
    pub services: Vec<String>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let form = &page.form;
    let errors = &page.errors;
    let some = |names: &[String]| {
        let mut all = choices(&[("", "All")]);
        all.extend(names.iter().map(|name| Choice::new(name, name)));
        all
    };
    let mut rules = choices(&[("", "All")]);
    rules.extend(page.rules.iter().map(|rule| Choice::new(&rule.id, &rule.input.name)));
    let (clusters, services) = (some(&page.clusters), some(&page.services));
    let main = html! {
        (layout::crumbs(&[("Silences", urls::SILENCES)]))
        (layout::header("Add silence", html! { "Alerts it covers are shown and not delivered." }, html! {}))
        div.narrow {
            (field::form_for(frame, Role::Operator, urls::SILENCE_NEW, html! {
                (field::summary(errors))
                @if let Some(failure) = &page.failure { (notice::refused("The silence was not added", failure)) }
                (Field::new("rule_id", "Rule").value(&form.rule_id).errors(errors).required().select(&rules))
                (Field::new("cluster", "Cluster").value(&form.cluster).errors(errors).required().select(&clusters))
                (Field::new("service", "Service").value(&form.service).errors(errors).required().select(&services))
                div.fields {
                    (Field::new("hours", "For").value(&form.hours).errors(errors).unit("hours").number(1, 8760))
                    (Field::new("until", "Or until (UTC)").value(&form.until).errors(errors).hint("Wins over the hours.").date_time())
                }
                (Field::new("comment", "Comment").value(&form.comment).errors(errors).hint("Why, for those who find it.").textarea(2))
                (field::buttons(html! {
                    (Button::submit("Add").primary().needs(frame, Role::Operator))
                    (Button::link(urls::SILENCES, "Cancel").quiet())
                }))
            }))
        }
    };
    layout::page(frame, "Add silence", main)
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |form| Page {
        form,
        errors: Vec::new(),
        failure: None,
        rules: world::alert_rules(),
        clusters: vec!["shop".into(), "billing".into()],
        services: world::services().into_iter().map(|service| service.name).collect(),
    };
    let filled = SilenceForm {
        rule_id: "rule-1".into(),
        cluster: "billing".into(),
        comment: "Storage is being moved.".into(),
        ..SilenceForm::new()
    };
    let wrong = SilenceForm { until: "2026-11-24T00:00".into(), ..SilenceForm::new() };
    vec![
        ("empty", page(SilenceForm::new())),
        ("filled-in", page(filled)),
        ("wrong", Page { errors: vec![FieldError::new("until", "Must lie in the future.")], ..page(wrong) }),
        ("viewer-forbidden", page(SilenceForm::new())),
    ]
}
