//! Alert rules.

use maud::{Markup, html};
use oplogue_api::alerts::{AlertRule, AlertTemplate, ContactPoint};
use oplogue_api::users::Role;

use crate::components::badge::{self, Badge, Tone};
use crate::components::button::{Button, menu};
use crate::components::definitions::dash;
use crate::components::empty;
use crate::components::icon::Icon;
use crate::components::number;
use crate::components::table::{self, Column, Table};
use crate::pages::alerts::alert_tabs;
use crate::{Frame, layout, urls};

pub struct Page {
    pub rules: Vec<AlertRule>,
    pub templates: Vec<AlertTemplate>,
    pub contact_points: Vec<ContactPoint>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let make = || Button::link(urls::ALERT_RULE_NEW, "Create rule").icon(Icon::Plus).primary().needs(frame, Role::Administrator);
    let main = html! {
        (layout::header("Alert rules", html! {}, html! { (make()) }))
        (alert_tabs(urls::ALERT_RULES))
        @if page.rules.is_empty() {
            (empty::empty(Icon::Alerts, "No rules yet", "A rule says what is watched, how long it must last, and who is told. It is made from a template.", Some(make())))
        } @else { (rows(frame, page)) }
    };
    layout::page(frame, "Alert rules", main)
}

fn rows(frame: &Frame, page: &Page) -> Markup {
    let columns = [
        Column::text("Name"),
        Column::text("Template"),
        Column::text("Limit"),
        Column::text("Lasting"),
        Column::text("Severity"),
        Column::text("About"),
        Column::text("Tells"),
        Column::text("State"),
        Column::actions(),
    ];
    let mut table = Table::new("Alert rules", &columns);
    for rule in &page.rules {
        let input = &rule.input;
        let template = page.templates.iter().find(|template| template.name == input.template);
        let severity = input.severity.or(template.map(|template| template.severity));
        let lasting = input.for_seconds.or(template.map(|template| template.for_seconds));
        let entries = [
            Button::link(&urls::at(urls::ALERT_RULE, &rule.id), "Edit").icon(Icon::Edit).quiet().needs(frame, Role::Administrator),
            Button::link(&urls::at(urls::ALERT_RULE_DELETE, &rule.id), "Delete")
                .icon(Icon::Delete)
                .quiet()
                .needs(frame, Role::Administrator),
        ];
        let cells = vec![
            html! { a href=(urls::at(urls::ALERT_RULE, &rule.id)) { (input.name) } },
            html! { (template.map_or(input.template.as_str(), |template| template.summary.as_str())) },
            limit(input.threshold, template),
            lasting.map_or_else(dash, |seconds| number::duration(u64::from(seconds))),
            severity.map_or_else(dash, |severity| html! { (badge::severity(severity)) }),
            about(rule),
            tells(rule, &page.contact_points),
            state(rule),
            menu(&input.name, &entries),
        ];
        if input.enabled { table.row(cells) } else { table.dim_row(cells) }
    }
    html! { (table) (table::more(page.rules.len(), None)) }
}

/// A threshold in the unit its template counts in.
pub(crate) fn limit(threshold: Option<f64>, template: Option<&AlertTemplate>) -> Markup {
    let Some(template) = template.filter(|template| !template.unit.is_empty()) else { return dash() };
    let threshold = threshold.unwrap_or(template.threshold);
    // Thresholds are between 0 and 10^18; a fraction says nothing here.
    let whole = if threshold.is_finite() && threshold > 0.0 { threshold as u64 } else { 0 };
    match template.unit.as_str() {
        "seconds" => number::duration(whole),
        "bytes" => number::size(whole),
        unit => html! { (threshold) " " (unit) },
    }
}

fn about(rule: &AlertRule) -> Markup {
    let input = &rule.input;
    if input.clusters.is_empty() && input.services.is_empty() {
        return html! { "everything" };
    }
    html! { @for name in input.clusters.iter().chain(&input.services) { div { (name) } } }
}

fn tells(rule: &AlertRule, points: &[ContactPoint]) -> Markup {
    if rule.input.contact_points.is_empty() {
        return html! { span.dim { "shown here only" } };
    }
    html! {
        @for id in &rule.input.contact_points {
            div { (points.iter().find(|point| point.id == *id).map_or(id.as_str(), |point| point.name.as_str())) }
        }
    }
}

fn state(rule: &AlertRule) -> Markup {
    let badge = match (rule.input.enabled, rule.firing) {
        (false, _) => Badge::new(Tone::Neutral, Icon::Minus, "Off"),
        (true, 0) => Badge::new(Tone::Neutral, Icon::Check, "Well"),
        (true, firing) => Badge::new(Tone::Danger, Icon::Alerts, format!("{firing} firing")),
    };
    html! { (badge) }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |rules| Page { rules, templates: world::alert_templates(), contact_points: world::contact_points() };
    vec![
        ("empty", page(Vec::new())),
        ("one", page(vec![world::alert_rules().remove(0)])),
        ("many", page(world::alert_rules())),
        ("viewer", page(world::alert_rules())),
    ]
}
