//! Contact points: who is told about alerts.

use maud::{Markup, html};
use oplogue_api::alerts::{ContactKind, ContactPoint, TestDelivery};
use oplogue_api::users::Role;

use crate::components::badge::{self, Tone};
use crate::components::button::{Button, menu};
use crate::components::empty;
use crate::components::icon::Icon;
use crate::components::table::{self, Column, Table};
use crate::components::{notice, time};
use crate::pages::alerts::alert_tabs;
use crate::{Frame, layout, urls};

pub struct Page {
    pub contact_points: Vec<ContactPoint>,
    /// The point that was just tested, by name, and what came of it.
    pub tested: Option<(String, TestDelivery)>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let add = || Button::link(urls::CONTACT_POINT_NEW, "Add contact point").icon(Icon::Plus).primary().needs(frame, Role::Administrator);
    let main = html! {
        (layout::header("Contact points", html! {}, html! { (add()) }))
        (alert_tabs(urls::CONTACT_POINTS))
        @if let Some((name, tested)) = &page.tested { (result(name, tested)) }
        @if page.contact_points.is_empty() {
            (empty::empty(Icon::Mail, "No contact points yet", "A contact point is a mailbox, a webhook, a Slack channel, a PagerDuty service or an Alertmanager. Rules say which are told.", Some(add())))
        } @else { (rows(frame, &page.contact_points)) }
    };
    layout::page(frame, "Contact points", main)
}

/// What came of a test message.
pub(crate) fn result(name: &str, tested: &TestDelivery) -> Markup {
    if tested.ok {
        return notice::notice(Tone::Ok, "Delivered", html! { p { "A test alert was delivered to " (name) "." } });
    }
    notice::failure(
        "Not delivered",
        &format!("A test alert to {name}: {}", tested.error.as_deref().unwrap_or("no reason was given")),
        Some("Alerts to it would not arrive either."),
    )
}

fn rows(frame: &Frame, points: &[ContactPoint]) -> Markup {
    let columns =
        [Column::text("Name"), Column::text("Type"), Column::text("Where"), Column::text("Added"), Column::text("Test"), Column::actions()];
    let mut table = Table::new("Contact points", &columns);
    for point in points {
        let entries = [
            Button::link(&urls::at(urls::CONTACT_POINT, &point.id), "Edit").icon(Icon::Edit).quiet().needs(frame, Role::Administrator),
            Button::link(&urls::at(urls::CONTACT_POINT_DELETE, &point.id), "Delete")
                .icon(Icon::Delete)
                .quiet()
                .needs(frame, Role::Administrator),
        ];
        let test = Button::post(frame, &urls::at(urls::CONTACT_POINT_TEST, &point.id), "Send a test", &[]).small();
        table.row(vec![
            html! { a href=(urls::at(urls::CONTACT_POINT, &point.id)) { (point.name) } },
            badge::tag(kind_word(point.kind)),
            place(point),
            time::ago(frame, point.created_at),
            html! { (test.about(&point.name).needs(frame, Role::Administrator)) },
            menu(&point.name, &entries),
        ]);
    }
    html! { (table) (table::more(points.len(), None)) }
}

pub(crate) const fn kind_word(kind: ContactKind) -> &'static str {
    match kind {
        ContactKind::Email => "E-mail",
        ContactKind::Webhook => "Webhook",
        ContactKind::Slack => "Slack",
        ContactKind::Pagerduty => "PagerDuty",
        ContactKind::Alertmanager => "Alertmanager",
    }
}

/// What is not secret about where it goes.
fn place(point: &ContactPoint) -> Markup {
    let settings = &point.settings;
    match point.kind {
        ContactKind::Email => html! { (settings.mail_to.join(", ")) span.sub { "through " (settings.smtp) } },
        ContactKind::Alertmanager => html! { code { (settings.url) } },
        ContactKind::Webhook | ContactKind::Slack => html! { span.dim { "its URL is a secret" } },
        ContactKind::Pagerduty => html! { span.dim { "its key is a secret" } },
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = || Page { contact_points: world::contact_points(), tested: None };
    let bad = TestDelivery { ok: false, error: Some("connect to mail.example.org:587: timed out after 10 s".into()) };
    vec![
        ("empty", Page { contact_points: Vec::new(), ..page() }),
        ("many", page()),
        ("tested", Page { tested: Some(("Mail".into(), TestDelivery { ok: true, error: None })), ..page() }),
        ("test-failed", Page { tested: Some(("Mail".into(), bad)), ..page() }),
        ("viewer", page()),
    ]
}
