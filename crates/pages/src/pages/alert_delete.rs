//! The page between "Delete" of an alert rule or a contact point and the deed.

use maud::{Markup, html};
use oplogue_api::alerts::{AlertRule, ContactPoint};
use oplogue_api::users::Role;

use crate::components::code;
use crate::components::confirm::{self, Confirm};
use crate::{Frame, urls};

pub enum Page {
    Rule(AlertRule),
    /// With the names of the rules that tell it.
    ContactPoint {
        point: ContactPoint,
        rules: Vec<String>,
        refusal: Option<String>,
    },
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let role = frame.refusal(Role::Administrator);
    let (title, question, details, action, cancel, refusal) = match page {
        Page::Rule(rule) => (
            "Delete alert rule",
            format!("Are you sure you want to delete the alert rule “{}”?", rule.input.name),
            html! {
                p { "What it watches is not watched any more. Its alerts that fire now are resolved." }
                (code::equivalents("", &code::curl(frame, "DELETE", &format!("/v1/alerts/rules/{}", rule.id), None)))
            },
            urls::at(urls::ALERT_RULE_DELETE, &rule.id),
            urls::ALERT_RULES,
            role,
        ),
        Page::ContactPoint { point, rules, refusal } => (
            "Delete contact point",
            format!("Are you sure you want to delete the contact point “{}”?", point.name),
            html! {
                @if rules.is_empty() { p { "No rule tells it." } }
                @else { p { "These rules tell it, and would not any more:" } ul { @for rule in rules { li { (rule) } } } }
                (code::equivalents("", &code::curl(frame, "DELETE", &format!("/v1/alerts/contact-points/{}", point.id), None)))
            },
            urls::at(urls::CONTACT_POINT_DELETE, &point.id),
            urls::CONTACT_POINTS,
            role.or_else(|| refusal.clone()),
        ),
    };
    let confirm = Confirm {
        title,
        question: &question,
        details,
        fields: html! {},
        action: &action,
        verb: "Delete",
        danger: true,
        refusal: refusal.as_deref(),
        cancel,
    };
    confirm::page(frame, &confirm)
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let point = |rules: Vec<String>, refusal| Page::ContactPoint { point: world::contact_points().remove(0), rules, refusal };
    vec![
        ("rule", Page::Rule(world::alert_rules().remove(0))),
        ("rule-long-names", Page::Rule(world::alert_rules().remove(1))),
        ("contact-point", point(Vec::new(), None)),
        ("contact-point-used", point(vec!["A backup failed".into()], Some("Rules use it: A backup failed.".into()))),
        ("viewer-forbidden", Page::Rule(world::alert_rules().remove(0))),
    ]
}
