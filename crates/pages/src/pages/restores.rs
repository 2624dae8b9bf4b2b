//! All restores, newest first.

use maud::{Markup, html};
use oplogue_api::restores::Restore;
use oplogue_api::users::Role;

use super::restore::RestoreForm;
use super::restore_plan::parts;
use crate::components::badge::{self, tag};
use crate::components::button::{Button, menu};
use crate::components::definitions::{dash, definitions};
use crate::components::empty::empty;
use crate::components::icon::Icon;
use crate::components::table::{self, Column, Table};
use crate::components::{live, progress, time};
use crate::{Frame, layout, urls};

pub struct Page {
    pub restores: Vec<Restore>,
    /// URL of what comes after, when there is more.
    pub next: Option<String>,
}

const COLUMNS: &[Column<'_>] = &[
    Column::text("Target service"),
    Column::text("Status"),
    Column::text("Restored to"),
    Column::text("Backup name"),
    Column::text("Location").secondary(),
    Column::text("Started at"),
    Column::text("Finished at").secondary(),
    Column::actions(),
];

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let running = page.restores.iter().any(|restore| !restore.state.is_over());
    let new = || Button::link(urls::RESTORE, "Restore…").primary().icon(Icon::Restore).needs(frame, Role::Operator);
    let main = html! {
        (layout::header("Restores", html! { "What was brought back, and the proof that it is whole." }, html! { (new()) }))
        (live::region(frame, "restores-live", Some(if running { 2 } else { 15 }), html! {
            @if page.restores.is_empty() {
                (empty(Icon::Restores, "No restores yet", "A backup is as good as its last restore: try one beside the live data, under another name.", Some(new())))
            } @else {
                (list(frame, page))
                (table::more(page.restores.len(), page.next.as_deref()))
            }
        }))
    };
    layout::page(frame, "Restores", main)
}

fn list(frame: &Frame, page: &Page) -> Markup {
    let mut table = Table::new("Restores", COLUMNS);
    for restore in &page.restores {
        let url = urls::restore(&restore.id);
        let cells = vec![
            html! { a href=(url) { (restore.target_service) } @if let Some(cluster) = &restore.target_cluster { span.sub { (cluster) } } },
            status(restore),
            html! { (time::moment(&restore.through)) span.sub { (parts(&restore.input)) } },
            html! { code { (restore.base) } },
            html! { (restore.location_name) },
            html! { @match restore.started_at { Some(at) => { (time::ago(frame, at)) } None => { (dash()) } } },
            html! { @match restore.finished_at { Some(at) => { (time::ago(frame, at)) } None => { (dash()) } } },
            menu(
                &format!("the restore of {}", restore.target_service),
                &[
                    Button::link(&url, "Details").quiet(),
                    Button::link(&urls::job(&restore.id), "Log").quiet(),
                    Button::link(&RestoreForm::again(&restore.input).url(), "Restore again…").quiet().needs(frame, Role::Operator),
                ],
            ),
        ];
        let details = definitions(&[
            ("DB technology", html! { "MongoDB " (restore.plan.target_mongodb_version) }),
            ("Data model", html! { (tag("Logical")) }),
            ("Requested by", html! { (restore.requested_by) }),
            ("Took", time::took(frame, restore.started_at, restore.finished_at)),
            ("Folder", html! { code { (restore.input.folder) } }),
            ("Collections", html! { (restore.plan.collections.len()) }),
        ]);
        table.row_with_details(cells, false, details);
    }
    html! { (table) }
}

fn status(restore: &Restore) -> Markup {
    let running = restore.steps.iter().rev().find(|step| progress::fraction(step).is_some_and(|part| part < 1.0));
    html! {
        (badge::job_state(restore.state).because(restore.error.as_deref()))
        @if !restore.state.is_over() {
            @if let Some(step) = running { span.sub { (progress::inline(&step.name, progress::fraction(step).map(|part| part * 100.0))) } }
        }
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::fixtures as f;
    let many = f::restores();
    vec![
        ("empty", Page { restores: vec![], next: None }),
        ("viewer-one", Page { restores: many[1..2].to_vec(), next: None }),
        ("many", Page { restores: many, next: Some("/restores?after=abc".into()) }),
    ]
}
