//! A restore's plan in full, and the confirmation that carries it out.
//!
//! GET `/restores/plans/{id}`, `id` being the plan's job. POST to the same path sends [`ConfirmForm`]; done, it leads to `/restores/{id}`.

use maud::{Markup, html};
use oplogue_api::FieldError;
use oplogue_api::jobs::{Job, JobState};
use oplogue_api::plan::{Plan, PlannedCollection, PlannedDrop};
use oplogue_api::restores::RestoreInput;
use oplogue_api::users::Role;
use serde::Deserialize;

use super::restore::RestoreForm;
use crate::components::badge::{self, Tone};
use crate::components::button::Button;
use crate::components::definitions::{definitions, figures};
use crate::components::field::{self, Field};
use crate::components::icon::Icon;
use crate::components::table::{Column, Table};
use crate::components::{code, live, notice, number, progress, time};
use crate::{Frame, layout, urls};

/// `confirm`: the target's name, typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ConfirmForm {
    pub csrf: String,
    pub confirm: String,
}

pub struct Page {
    /// Of kind `plan`.
    pub job: Job,
    pub input: RestoreInput,
    /// Once the job is done.
    pub plan: Option<Plan>,
    pub location_name: String,
    /// What must be typed: the target's cluster label, or its replica set.
    pub confirm_name: String,
    pub form: ConfirmForm,
    pub errors: Vec<FieldError>,
    /// Why it is not carried out now: the plan would be another by now, a restore is running.
    pub refusal: Option<String>,
    /// It was carried out, by this job.
    pub restore_id: Option<String>,
}

/// More collections than that are listed by the first of them.
const ROWS_MAX: usize = 500;

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let again = RestoreForm::again(&page.input).url();
    let inside = match &page.plan {
        Some(plan) => full(frame, page, plan),
        None => making(frame, page, &again),
    };
    let main = html! {
        (layout::crumbs(&[("Restores", urls::RESTORES)]))
        (layout::header("Restore plan", lead(page), html! { (Button::link(&again, "Change it")) }))
        (inside)
    };
    layout::page(frame, "Restore plan", main)
}

fn lead(page: &Page) -> Markup {
    html! {
        @match &page.plan {
            Some(plan) => {
                "Restores " strong { (page.confirm_name) } " to " (time::moment(&plan.through)) " UTC. Nothing has been touched yet."
            }
            None => { (badge::job_state(page.job.state)) }
        }
    }
}

fn making(frame: &Frame, page: &Page, again: &str) -> Markup {
    let job = &page.job;
    let over = job.state.is_over();
    html! {
        (live::region(frame, "plan-live", (!over).then_some(1), html! {
            @match job.state {
                JobState::Failed => {
                    (notice::failure("No plan could be made; nothing was touched", job.error.as_deref().unwrap_or("No reason was given."), job.hint.as_deref()))
                    div.actions { (Button::link(again, "Change what was asked for").primary()) (Button::link(&urls::job(&job.id), "Log")) }
                }
                JobState::Cancelled => { (notice::notice(Tone::Neutral, "Cancelled", html! { p { "Nothing was touched." } })) }
                _ => {
                    @if let Some(waiting) = &job.waiting_for { p.lead { "Waits for " (waiting) "." } }
                    (progress::steps(&job.steps))
                    @if job.steps.is_empty() { (progress::bar("Making the plan", None)) }
                    p.hint { "The plan reads the oplog up to the moment, to know every collection there is then. You can leave this page and come back." }
                }
            }
        }))
    }
}

fn full(frame: &Frame, page: &Page, plan: &Plan) -> Markup {
    html! {
        (summary(plan))
        @if !plan.warnings.is_empty() {
            (notice::notice(Tone::Attention, &number::plural(plan.warnings.len() as u64, "warning", "warnings"), html! { ul { @for warning in &plan.warnings { li { (warning) } } } }))
        }
        (lost(plan))
        (collections(plan))
        (sources(page, plan))
        (confirm(frame, page, plan))
        (code::equivalents(&command_line(page, plan), &code::curl(frame, "POST", "/v1/restores", Some(&format!(r#"{{"plan_job_id":"{}","confirm":"{}"}}"#, page.job.id, page.confirm_name)))))
    }
}

/// The figures that decide whether to go on.
pub(crate) fn summary(plan: &Plan) -> Markup {
    let documents: u64 = plan.collections.iter().map(|collection| collection.documents).sum();
    figures(&[
        (
            "Collections",
            number::count(plan.collections.len() as u64),
            html! { (number::plural(documents, "document", "documents")) ", " (number::size_text(plan.document_bytes)) },
        ),
        ("To read", number::size(plan.read_bytes), html! { (number::plural(plan.operations, "operation", "operations")) " of oplog" }),
        ("About", number::duration(plan.seconds_estimate), html! { "at the pace of the last restores" }),
        (
            "Writes not in it",
            html! { @if !plan.writes_after.complete { "≥ " } (number::count(plan.writes_after.counted)) },
            html! { "made after the moment" },
        ),
    ])
}

const DROPS: &[Column<'_>] =
    &[Column::text("On the target now"), Column::text("What becomes of it"), Column::number("Documents"), Column::number("Size")];

fn lost(plan: &Plan) -> Markup {
    let mut table = Table::new("What is replaced or dropped", DROPS);
    for PlannedDrop { namespace, documents, bytes, replaced } in plan.drops.iter().take(ROWS_MAX) {
        table.row(vec![
            html! { code { (namespace) } },
            html! { @if *replaced { "replaced by the restored one" } @else { span.tone-danger.toned { "dropped: it did not exist then" } } },
            number::count(*documents),
            number::size(*bytes),
        ]);
    }
    layout::section(
        "What is lost",
        html! {},
        html! {
            p {
                @if plan.writes_after.counted == 0 && plan.writes_after.complete { "No write was made after the moment." }
                @else {
                    @if plan.writes_after.complete { (number::plural(plan.writes_after.counted, "write", "writes")) }
                    @else { "At least " (number::plural(plan.writes_after.counted, "write", "writes")) }
                    " made after the moment will not be there; the newest known is of " (time::moment(&plan.writes_after.newest)) "."
                }
                @if plan.unfinished_transactions > 0 { " " (number::plural(plan.unfinished_transactions as u64, "transaction was", "transactions were")) " under way at the moment, and will not be there either." }
            }
            @if plan.drops.is_empty() { p.dim { "Nothing on the target is replaced or dropped." } } @else { (table) (cut(plan.drops.len())) }
        },
    )
}

fn cut(count: usize) -> Markup {
    html! { @if count > ROWS_MAX { p.hint { "The first " (ROWS_MAX) " of " (number::count_text(count as u64)) " are shown; the API has all." } } }
}

const COLLECTIONS: &[Column<'_>] = &[
    Column::text("Collection"),
    Column::text("Restored as"),
    Column::number("Documents"),
    Column::number("Size"),
    Column::number("Writes since the base"),
    Column::number("Indexes").secondary(),
    Column::text("UUID").secondary(),
];

fn collections(plan: &Plan) -> Markup {
    let mut table = Table::new("Collections that will be there", COLLECTIONS);
    for collection in plan.collections.iter().take(ROWS_MAX) {
        let PlannedCollection {
            namespace,
            target,
            time_series,
            loaded_from,
            document_bytes,
            documents,
            writes,
            replayed_because,
            indexes,
            keeps_uuid,
        } = collection;
        table.row(vec![
            html! { code { (namespace) } @if *time_series { " " (badge::tag("time series")) } @if let Some(from) = loaded_from.as_deref().filter(|from| from != namespace) { span.sub { "called " code { (from) } " in the base" } } },
            html! { @if namespace == target { span.dim { "the same name" } } @else { code { (target) } } },
            number::count(*documents),
            number::size(*document_bytes),
            html! { (number::count(*writes)) @if let Some(why) = replayed_because { span.sub { "applied by the server, because " (why) } } },
            number::count(*indexes as u64),
            html! { @if *keeps_uuid { "kept" } @else { "new" } },
        ]);
    }
    layout::section(
        "What will be there",
        html! {},
        html! {
            (table)
            (cut(plan.collections.len()))
            @if !plan.views.is_empty() {
                p { (number::plural(plan.views.len() as u64, "view", "views")) ": " @for (at, view) in plan.views.iter().enumerate() { @if at > 0 { ", " } code { (view.target) } } "." }
            }
            p {
                @match (plan.users, plan.roles) {
                    (None, None) => { "Users and roles are left alone." }
                    (users, roles) => { (number::plural(users.unwrap_or(0), "user", "users")) " and " (number::plural(roles.unwrap_or(0), "role", "roles")) " are written; others stay." }
                }
            }
        },
    )
}

fn sources(page: &Page, plan: &Plan) -> Markup {
    layout::section(
        "From what, to where",
        html! {},
        html! {
            (definitions(&[
                ("Base", html! { code { (plan.base) } span.sub { "MongoDB " (plan.base_mongodb_version) ", FCV " (plan.base_fcv) } }),
                ("Location", html! { (page.location_name) @if !page.input.folder.is_empty() { ", folder " code { (page.input.folder) } } }),
                ("Target", html! { (plan.target_host) span.sub { "MongoDB " (plan.target_mongodb_version) ", FCV " (plan.target_fcv) } }),
                ("Replica set", html! { (plan.source_replica_set) @if plan.source_replica_set != plan.target_replica_set { " → " (plan.target_replica_set) } }),
                ("Through", time::moment(&plan.through)),
                ("Only", html! { @if page.input.namespaces.is_empty() { "everything" } @else { code { (page.input.namespaces.join(", ")) } } }),
            ]))
            details.twin {
                summary { (crate::components::icon::icon(Icon::Right)) span { "Oplog to read" } span.dim { (number::plural(plan.oplog.len() as u64, "piece", "pieces")) } }
                ul.pieces-list {
                    @for piece in plan.oplog.iter().take(ROWS_MAX) { li { (time::range(&piece.range)) " " span.dim { (piece.source) } } }
                }
                (cut(plan.oplog.len()))
            }
            @if !plan.passed_over.is_empty() {
                p.hint { "Newer backups that were passed over: " (plan.passed_over.join("; ")) }
            }
        },
    )
}

fn confirm(frame: &Frame, page: &Page, plan: &Plan) -> Markup {
    if let Some(id) = &page.restore_id {
        return html! {
            section.confirm {
                p { "This plan is being carried out, or was." }
                (Button::link(&urls::restore(id), "To the restore").primary())
            }
        };
    }
    let replaced = plan.drops.len();
    html! {
        section.confirm aria-labelledby="confirm-title" {
            h2 id="confirm-title" { "Carry it out" }
            @if let Some(refusal) = &page.refusal { (notice::notice(Tone::Danger, "Not carried out; nothing was touched", html! { p { (refusal) } })) }
            p {
                @if replaced > 0 { (number::plural(replaced as u64, "collection", "collections")) " on " strong { (page.confirm_name) } " will be replaced or dropped. " }
                "Schedules of the cluster pause while it runs and come back by themselves, with a fresh base snapshot."
            }
            (field::form(frame, &urls::restore_plan(&page.job.id), html! {
                (Field::new("confirm", &format!("Type “{}” to confirm", page.confirm_name)).value(&page.form.confirm).errors(&page.errors).required().mono().text())
                (field::buttons(html! { (Button::submit(&format!("Restore {}", page.confirm_name)).danger().needs(frame, Role::Operator)) (Button::link(urls::RESTORES, "Not now").quiet()) }))
            }))
        }
    }
}

/// The same as a command. The storage's URL is not known to pages.
fn command_line(page: &Page, plan: &Plan) -> String {
    let mut text = format!("oplogue restore --uri 'mongodb://{}' --storage …", plan.target_host);
    if !page.input.folder.is_empty() {
        text.push_str(&format!(" --folder {}", page.input.folder));
    }
    text.push_str(&format!(" \\\n  --time {},{}", plan.through.t, plan.through.i));
    for namespace in &page.input.namespaces {
        text.push_str(&format!(" --ns '{namespace}'"));
    }
    for rename in &page.input.renames {
        text.push_str(&format!(" --rename '{rename}'"));
    }
    if page.input.users_and_roles {
        text.push_str(" --users-and-roles");
    }
    text
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::fixtures as f;
    let page = |state| Page {
        job: f::plan_job(state),
        input: f::restore_input(),
        plan: (state == JobState::Done).then(f::plan),
        location_name: "s3-main".into(),
        confirm_name: "shop".into(),
        form: ConfirmForm::default(),
        errors: vec![],
        refusal: None,
        restore_id: None,
    };
    let mistyped = Page {
        form: ConfirmForm { confirm: "shp".into(), ..ConfirmForm::default() },
        errors: vec![FieldError::new("confirm", "Type shop, exactly.")],
        ..page(JobState::Done)
    };
    let many = Page { plan: Some(f::plan_of_many()), ..page(JobState::Done) };
    let changed = Page {
        refusal: Some("Since the plan was made, shop.orders got 12 more documents that it does not know of. Make the plan again.".into()),
        ..page(JobState::Done)
    };
    vec![
        ("queued", page(JobState::Queued)),
        ("running", page(JobState::Running)),
        ("failed", page(JobState::Failed)),
        ("done", page(JobState::Done)),
        ("viewer-done", page(JobState::Done)),
        ("mistyped", mistyped),
        ("changed", changed),
        ("many", many),
        ("carried-out", Page { restore_id: Some("job-120".into()), ..page(JobState::Done) }),
    ]
}

/// What a plan restores, in one line: for lists.
pub(crate) fn parts(input: &RestoreInput) -> Markup {
    html! {
        @if input.namespaces.is_empty() { "everything" } @else { code { (input.namespaces.join(", ")) } }
        @if !input.renames.is_empty() { ", renamed" }
    }
}
