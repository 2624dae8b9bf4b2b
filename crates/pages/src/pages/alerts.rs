//! Alerts: what fires now, what is about to, and what fired before.

use maud::{Markup, html};
use oplogue_api::alerts::{Alert, AlertState, Delivery};
use oplogue_api::users::Role;

use crate::components::badge::{self, Badge, Tone};
use crate::components::button::Button;
use crate::components::definitions::{dash, definitions};
use crate::components::empty;
use crate::components::icon::Icon;
use crate::components::table::{self, Column, Table};
use crate::components::tabs::tabs;
use crate::components::{live, time};
use crate::urls::{self, Query};
use crate::{Frame, layout};

pub struct Page {
    /// Firing and pending.
    pub now: Vec<Alert>,
    /// Resolved ones, the newest first.
    pub history: Vec<Alert>,
    /// Give it as `after` for more of the history.
    pub next: Option<String>,
    /// There is at least one enabled rule.
    pub has_rules: bool,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let main = html! {
        (layout::header("Alerts", html! {}, html! {}))
        (alert_tabs(urls::ALERTS))
        (live::region(frame, "alerts", Some(10), html! {
            (layout::section("Now", html! {}, html! {
                @if page.now.is_empty() { (quiet(frame, page.has_rules)) } @else { (table_of("Alerts now", frame, &page.now, false)) }
            }))
            (layout::section("History", html! {}, html! {
                @if page.history.is_empty() {
                    p.dim { "Nothing has fired and ended yet." }
                } @else {
                    (table_of("Alerts that have ended", frame, &page.history, true))
                    @let next = page.next.as_ref().map(|next| Query::new().with("after", next).on(urls::ALERTS));
                    (table::more(page.history.len(), next.as_deref()))
                }
            }))
        }))
    };
    layout::page(frame, "Alerts", main)
}

/// Nothing fires: because all is well, or because nobody is watching.
fn quiet(frame: &Frame, has_rules: bool) -> Markup {
    if has_rules {
        return html! { p { (Badge::new(Tone::Ok, Icon::Ok, "Nothing fires")) } };
    }
    let make = Button::link(urls::ALERT_RULE_NEW, "Create rule").primary().icon(Icon::Plus).needs(frame, Role::Administrator);
    empty::empty(
        Icon::Alerts,
        "No rule is enabled",
        "Nothing is watched, so nothing can fire. A rule is made from a template like “Backup failed”.",
        Some(make),
    )
}

/// The views of alerts.
pub(crate) fn alert_tabs(current: &str) -> Markup {
    let all = [
        ("Now and history", urls::ALERTS),
        ("Rules", urls::ALERT_RULES),
        ("Templates", urls::ALERT_TEMPLATES),
        ("Contact points", urls::CONTACT_POINTS),
        ("Silences", urls::SILENCES),
    ];
    tabs("Alerts", &all.map(|(label, url)| (label, url.to_owned(), url == current)))
}

fn table_of(caption: &str, frame: &Frame, alerts: &[Alert], over: bool) -> Markup {
    let columns = [
        Column::text("What"),
        Column::text("State"),
        Column::text("Severity"),
        Column::text("Rule"),
        Column::text(if over { "Lasted" } else { "Since" }),
        Column::text("Told to"),
        Column::text("Actions"),
    ];
    let mut table = Table::new(caption, &columns);
    for alert in alerts {
        let cells = vec![
            html! { a href=(alert.link) { (alert.summary) } span.sub { (alert.subject) } },
            html! {
                (badge::alert_state(alert.state))
                @if alert.silenced { div { (Badge::new(Tone::Neutral, Icon::Silenced, "Silenced")) } }
            },
            html! { (badge::severity(alert.severity)) },
            html! { a href=(urls::at(urls::ALERT_RULE, &alert.rule_id)) { (alert.rule_name) } },
            html! {
                @if over { (time::took(frame, Some(alert.since), alert.resolved_at)) span.sub { (time::ago(frame, alert.since)) } }
                @else { (time::ago(frame, alert.since)) }
            },
            told(&alert.deliveries),
            silence_link(frame, alert),
        ];
        table.row_with_details(cells, alert.silenced, details(frame, alert));
    }
    html! { (table) }
}

fn told(deliveries: &[Delivery]) -> Markup {
    if deliveries.is_empty() {
        return dash();
    }
    html! {
        @for delivery in deliveries {
            div {
                @match &delivery.error {
                    None => { (Badge::new(Tone::Neutral, Icon::Check, delivery.contact_point.clone())) }
                    Some(error) => { (Badge::new(Tone::Danger, Icon::Failed, delivery.contact_point.clone()).because(Some(error))) }
                }
            }
        }
    }
}

fn silence_link(frame: &Frame, alert: &Alert) -> Markup {
    if alert.state == AlertState::Resolved || alert.silenced {
        return html! {};
    }
    let query = Query::new()
        .with("rule_id", &alert.rule_id)
        .with("cluster", alert.cluster.as_deref().unwrap_or_default())
        .with("service", alert.service.as_deref().unwrap_or_default());
    let silence = Button::link(&query.on(urls::SILENCE_NEW), "Silence").small().about(&alert.rule_name).needs(frame, Role::Operator);
    html! { (silence) }
}

fn details(frame: &Frame, alert: &Alert) -> Markup {
    html! {
        (definitions(&[
            ("Cluster", alert.cluster.as_ref().map_or_else(dash, |cluster| html! { a href=(urls::cluster(cluster)) { (cluster) } })),
            ("Service", alert.service.as_ref().map_or_else(dash, |service| html! { (service) })),
            ("Since", time::absolute(frame, alert.since)),
            ("Resolved", alert.resolved_at.map_or_else(dash, |at| time::absolute(frame, at))),
        ]))
        @for delivery in &alert.deliveries {
            p {
                (delivery.contact_point) ": " (delivery.what) ", " (time::absolute(frame, delivery.at)) ", "
                @match &delivery.error { None => { "delivered" } Some(error) => { span.error-text { (error) } } }
            }
        }
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let of = |state: AlertState| world::alerts().into_iter().filter(|alert| alert.state == state).collect::<Vec<_>>();
    let now = || world::alerts().into_iter().filter(|alert| alert.state != AlertState::Resolved).collect::<Vec<_>>();
    let page = |now: Vec<Alert>, history: Vec<Alert>| Page { now, history, next: None, has_rules: true };
    vec![
        ("empty", Page { has_rules: false, ..page(Vec::new(), Vec::new()) }),
        ("quiet", page(Vec::new(), of(AlertState::Resolved))),
        ("one", page(of(AlertState::Firing), Vec::new())),
        ("many", Page { next: Some("alert-6".into()), ..page(now(), of(AlertState::Resolved)) }),
        ("viewer", page(now(), of(AlertState::Resolved))),
    ]
}
