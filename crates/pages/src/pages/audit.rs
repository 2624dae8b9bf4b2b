//! The audit log: who did what, when, from where.

mod filter;

use maud::{Markup, html};
use oplogue_api::audit::AuditEntry;
use oplogue_api::users::Role;

pub use self::filter::AuditFilter;
use crate::components::badge::{Badge, Tone};
use crate::components::definitions::dash;
use crate::components::empty;
use crate::components::field::Field;
use crate::components::icon::Icon;
use crate::components::table::{self, Column, Table};
use crate::components::{code, time};
use crate::pages::backups::choices;
use crate::pages::settings::settings_tabs;
use crate::{Frame, layout, urls};

/// Rows on one page; the rest follows behind "Load more".
pub const ROWS: usize = 100;

pub struct Page {
    pub filter: AuditFilter,
    /// The newest first; `None`: who asks may not see them.
    pub entries: Option<Vec<AuditEntry>>,
    /// Give it as `after` for the rest.
    pub next: Option<String>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let main = html! {
        (layout::header("Audit log", html! { "Who did what, when, from where. Nothing is ever taken out of it." }, html! {}))
        (settings_tabs(urls::AUDIT))
        @match &page.entries {
            None => { (empty::forbidden(frame, Role::Administrator)) }
            Some(entries) => { (filters(page)) (rows(frame, page, entries)) }
        }
        (code::equivalents("", &code::curl(frame, "GET", "/v1/audit?limit=100", None)))
    };
    layout::page(frame, "Audit log", main)
}

fn filters(page: &Page) -> Markup {
    let results = choices(&[("", "Any"), ("yes", "Done"), ("no", "Refused or failed")]);
    let filter = &page.filter;
    let inside = html! {
        (Field::new("actor", "Who").value(&filter.actor).required().search())
        (Field::new("action", "Action").value(&filter.action).required().search())
        (Field::new("object", "About").value(&filter.object).required().search())
        (Field::new("ok", "Result").value(&filter.ok).required().select(&results))
    };
    table::filters(urls::AUDIT, inside, (!filter.is_empty()).then_some(urls::AUDIT))
}

fn rows(frame: &Frame, page: &Page, entries: &[AuditEntry]) -> Markup {
    if entries.is_empty() {
        return if page.filter.is_empty() {
            empty::empty(Icon::File, "Nothing yet", "Everything that is changed here is written down.", None)
        } else {
            empty::nothing_matches(urls::AUDIT)
        };
    }
    let columns = [
        Column::text("When"),
        Column::text("Who"),
        Column::text("Action"),
        Column::text("About"),
        Column::text("Detail"),
        Column::text("From"),
        Column::text("Result"),
    ];
    let mut table = Table::new("Audit log", &columns);
    for entry in entries {
        let result = if entry.ok {
            Badge::new(Tone::Neutral, Icon::Check, "Done")
        } else {
            Badge::new(Tone::Attention, Icon::Cancelled, "Refused or failed")
        };
        table.row(vec![
            time::absolute(frame, entry.at),
            html! { (entry.actor) },
            html! { code { (entry.action) } },
            html! { (entry.object) },
            html! { (entry.detail) },
            if entry.from.is_empty() {
                dash()
            } else {
                html! { code { (entry.from) } }
            },
            html! { (result) },
        ]);
    }
    let next = page.next.as_ref().map(|next| page.filter.query().with("after", next).on(urls::AUDIT));
    html! { (table) (table::more(entries.len(), next.as_deref())) }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |entries| Page { filter: AuditFilter::default(), entries, next: None };
    let filter = AuditFilter { ok: "no".into(), ..AuditFilter::default() };
    let refused = world::audit_entries().into_iter().filter(|entry| filter.matches(entry)).collect();
    vec![
        ("empty", page(Some(Vec::new()))),
        ("many", Page { next: Some("37".into()), ..page(Some(world::audit_entries())) }),
        ("filtered", Page { filter: filter.clone(), ..page(Some(refused)) }),
        ("nothing-matches", Page { filter, ..page(Some(Vec::new())) }),
        ("viewer-forbidden", page(None)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::world;

    #[test]
    fn every_part_of_the_filter_narrows_the_log() {
        let ids = |filter: AuditFilter| {
            world::audit_entries().into_iter().filter(|entry| filter.matches(entry)).map(|entry| entry.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(AuditFilter { actor: "ANNA".into(), ..Default::default() }), [41, 40]);
        assert_eq!(ids(AuditFilter { action: "backup".into(), ..Default::default() }), [39]);
        assert_eq!(ids(AuditFilter { object: "refused".into(), ..Default::default() }), [40]);
        assert_eq!(ids(AuditFilter { ok: "no".into(), ..Default::default() }), [40]);
        assert_eq!(ids(AuditFilter { ok: "yes".into(), ..Default::default() }).len(), 3);
    }
}
