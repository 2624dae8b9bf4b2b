//! The wizard: from what, to which moment, to where, which parts. It ends with a plan, never with a deed.
//!
//! GET `/restore` has [`RestoreForm`]'s fields as query, so that every step can be left and come back to. POST `/restore` sends the
//! same fields with `csrf` and `intent`: `check` is answered with 303 to [`RestoreForm::url`], `plan` makes the plan (303 to
//! `/restores/plans/{id}`), or shows the form again with what was typed and what is wrong with it.

mod form;

pub use form::RestoreForm;

use maud::{Markup, html};
use oplogue_api::FieldError;
use oplogue_api::restores::CompatibleService;
use oplogue_api::timelines::{MomentChoice, Timeline};
use oplogue_api::users::Role;

use super::timeline::TimelineChoice;
use crate::components::badge::Tone;
use crate::components::button::Button;
use crate::components::empty::empty;
use crate::components::field::{self, Choice, Field};
use crate::components::icon::{Icon, icon};
use crate::components::table::{Column, Table};
use crate::components::timeline_strip::{self, Strip, Window};
use crate::components::{notice, number, time};
use crate::{Frame, layout, urls};

pub struct Page {
    pub form: RestoreForm,
    /// As the API names fields: `moment`, `service_id`, `namespaces`, `renames`, `source_replica_set`, `location_id`, `folder`.
    pub errors: Vec<FieldError>,
    /// What is wrong with the whole.
    pub refusal: Option<String>,
    pub sources: Vec<TimelineChoice>,
    /// Of the form's location and folder; `None` while there is none chosen.
    pub timeline: Option<Timeline>,
    /// What the form's moment would be restored from; `None` while there is no moment.
    pub choice: Option<MomentChoice>,
    pub services: Vec<CompatibleService>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let inside = match (&page.timeline, frame.refusal(Role::Operator)) {
        (_, Some(refusal)) => empty(
            Icon::Lock,
            "Restoring needs an operator",
            &format!("This {refusal}."),
            Some(Button::link(urls::TIMELINE, "Look at the timeline")),
        ),
        (None, _) => sources(page),
        (Some(timeline), None) => wizard(frame, page, timeline),
    };
    let main = html! {
        (layout::crumbs(&[("Restores", urls::RESTORES)]))
        (layout::header("Restore", html! { "First a plan: what would be read, created, replaced and dropped. Nothing is touched before you have seen and confirmed it." }, html! {}))
        (inside)
    };
    layout::page(frame, "Restore", main)
}

const SOURCES: &[Column<'_>] = &[Column::text("Cluster or folder"), Column::text("Location"), Column::text("Folder")];

fn sources(page: &Page) -> Markup {
    let mut table = Table::new("What to restore from", SOURCES);
    for source in &page.sources {
        let url = page.form.query().with("location_id", &source.location_id).with("folder", &source.folder).on(urls::RESTORE);
        table.row(vec![html! { a href=(url) { (source.label()) } }, html! { (source.location_name) }, html! { code { (source.folder) } }]);
    }
    html! {
        @if page.sources.is_empty() {
            (empty(Icon::Restore, "Nothing to restore from", "No storage location holds a backup yet. One that PBM wrote can be restored too: add its location.", Some(Button::link(urls::LOCATION_NEW, "Add a location"))))
        } @else {
            h2 { "Restore from" }
            (table)
        }
    }
}

fn wizard(frame: &Frame, page: &Page, timeline: &Timeline) -> Markup {
    let form = &page.form;
    field::form(
        frame,
        urls::RESTORE,
        html! {
            input type="hidden" name="location_id" value=(form.location_id);
            input type="hidden" name="folder" value=(form.folder);
            (field::summary(&page.errors))
            @if let Some(refusal) = &page.refusal { (notice::notice(Tone::Danger, "No plan was made", html! { p { (refusal) } })) }
            div.source-line {
                (icon(Icon::Locations))
                span { "From " strong { (timeline.cluster.as_deref().unwrap_or(&timeline.folder)) } " on " (timeline.location_name) @if !timeline.folder.is_empty() { ", folder " code { (timeline.folder) } } }
                @if page.sources.len() > 1 { a href=(urls::RESTORE) { "Restore from another" } }
            }
            (moment(frame, page, timeline))
            (target(page))
            (parts(page))
            (field::buttons(html! {
                (Button::submit_as("Make the plan", "intent", "plan").primary())
                (Button::link(&urls::timeline(&timeline.location_id, &timeline.folder), "Cancel").quiet())
                span.hint { "A plan reads the storage and the target; it changes neither." }
            }))
        },
    )
}

/// Swapped as a whole when a moment is picked on the timeline.
fn moment(frame: &Frame, page: &Page, timeline: &Timeline) -> Markup {
    let form = &page.form;
    let now = u32::try_from(frame.now.as_second()).unwrap_or(0);
    let chosen = page.choice.as_ref().map(|choice| choice.moment.time()).or_else(|| form.time());
    let query = form.query();
    let window =
        form.window().unwrap_or_else(|| chosen.map_or_else(|| Window::last(86_400, now), |moment| Window::around(moment.seconds, now)));
    // A click on the timeline means that very moment, whatever kind was chosen before.
    let restore = query.clone().without("kind").without("backup");
    let strip = Strip { timeline, window, chosen, path: urls::RESTORE, query: &query, restore: Some(restore), fills: Some("field-moment") };
    let kinds = [
        Choice::new("time", "To a moment").description("The state when a second began; with an ordinal, including that operation."),
        Choice::new("before", "Just before an operation").description("Everything up to it, without it: the way to undo one write."),
        Choice::new("latest", "The newest moment").description(timeline.restorable.last().map_or_else(
            || "Nothing is restorable now.".to_owned(),
            |range| format!("{} UTC at the moment.", time::moment_text(range.through.time())),
        )),
        Choice::new("backup", "A backup as it is").description("The state that one snapshot stands for, without any slices."),
    ];
    let backups: Vec<Choice> = std::iter::once(Choice::new("", "Choose a backup"))
        .chain(timeline.backups.iter().rev().map(|backup| {
            Choice::new(&backup.name, &backup.name)
                .description(number::size_text(backup.bytes))
                .unless((!backup.usable).then_some("cannot be used"))
        }))
        .collect();
    html! {
        section.step-section id="moment" data-swap="" aria-labelledby="moment-title" {
            h2 id="moment-title" { span.step-number { "1" } "Moment" }
            @if let Some(stale) = &timeline.stale { (notice::stale(frame, timeline.as_of, stale)) }
            (timeline_strip::strip(frame, &strip))
            @if !form.from.is_empty() { input type="hidden" name="from" value=(form.from); input type="hidden" name="to" value=(form.to); }
            div.moment-fields {
                (Field::new("kind", "Restore to").value(form.moment_kind()).cards(&kinds))
                div.moment-entry {
                    (Field::new("moment", "Moment, exactly").value(&form.moment).errors(&page.errors).mono().required()
                        .placeholder("2026-11-25T14:03:07Z or 1795615387,2")
                        .hint("Click the timeline, or type: a time in UTC (2026-11-25T14:03:07Z), or seconds and ordinal of an operation (1795615387,2). For the first two kinds.").text())
                    (Field::new("backup", "Backup").value(&form.backup).errors(&page.errors).hint("For “A backup as it is”.").required().select(&backups))
                    div { (Button::submit_as("Check this moment", "intent", "check").small()) }
                }
            }
            @if let Some(choice) = &page.choice { (chosen_moment(form, choice)) }
        }
    }
}

fn chosen_moment(form: &RestoreForm, choice: &MomentChoice) -> Markup {
    let to = |moment: &oplogue_api::MomentJson| {
        let text = format!("{},{}", moment.t, moment.i);
        let url = form.query().with("moment", text).without("kind").without("backup").without("from").without("to").on(urls::RESTORE);
        html! { a href=(url) { (time::moment_text(moment.time())) } }
    };
    html! {
        @match (&choice.refusal, &choice.base) {
            (Some(refusal), _) => (notice::notice(Tone::Attention, "This moment cannot be restored", html! {
                p { (refusal) }
                @if choice.nearest_before.is_some() || choice.nearest_after.is_some() {
                    p {
                        "Nearest that can: "
                        @if let Some(before) = &choice.nearest_before { (to(before)) " before" }
                        @if choice.nearest_before.is_some() && choice.nearest_after.is_some() { ", " }
                        @if let Some(after) = &choice.nearest_after { (to(after)) " after" }
                        "."
                    }
                }
            })),
            (None, Some(base)) => {
                p.choice role="status" {
                    (icon(Icon::Check))
                    span {
                        (time::moment(&choice.moment)) " can be restored: from " code { (base) }
                        @if choice.slices > 0 { ", then " (number::plural(u64::from(choice.slices), "slice", "slices")) " of oplog" }
                        "; " (number::size(choice.read_bytes)) " to read."
                    }
                }
            }
            (None, None) => {}
        }
    }
}

fn target(page: &Page) -> Markup {
    let choices: Vec<Choice> = page
        .services
        .iter()
        .map(|service| {
            let place = match &service.cluster {
                Some(cluster) => format!("{cluster}, {}, MongoDB {}", service.replica_set, service.mongodb_version),
                None => format!("{}, MongoDB {}", service.replica_set, service.mongodb_version),
            };
            let same = if service.same { "the same cluster: " } else { "" };
            Choice::new(&service.service_id, &service.service_name).description(format!("{same}{place}")).unless(service.refusal.as_deref())
        })
        .collect();
    let fits = page.services.iter().any(|service| service.refusal.is_none());
    html! {
        section.step-section aria-labelledby="target-title" {
            h2 id="target-title" { span.step-number { "2" } "Target" }
            @if !fits && !page.services.is_empty() { (notice::notice(Tone::Attention, "No service fits", html! { p { "Each reason stands beside its service. Another replica set can be enrolled and restored to." } })) }
            div.step-fields {
                @if choices.len() <= 6 && !choices.is_empty() {
                    (Field::new("service_id", "Restore to the replica set of").value(&page.form.service_id).errors(&page.errors).cards(&choices))
                } @else {
                    (Field::new("service_id", "Restore to the replica set of").value(&page.form.service_id).errors(&page.errors).required().select(&choices))
                }
            }
        }
    }
}

fn parts(page: &Page) -> Markup {
    let form = &page.form;
    let open = !form.source_replica_set.is_empty() || page.errors.iter().any(|error| error.field == "source_replica_set");
    html! {
        section.step-section aria-labelledby="parts-title" {
            h2 id="parts-title" { span.step-number { "3" } "Parts" }
            div.step-fields {
                (Field::new("namespaces", "Only these namespaces").value(&form.namespaces).errors(&page.errors).mono().placeholder("shop.orders\nbilling.*")
                    .hint("One a line: a collection, or a database with .* behind it. Empty: everything.").textarea(3))
                (Field::new("renames", "Under other names").value(&form.renames).errors(&page.errors).mono().placeholder("shop.orders=shop.orders_before")
                    .hint("Beside the live data: from=to, one a line. What is not renamed replaces what is there.").textarea(2))
                (Field::new("users_and_roles", "Restore users and roles too").value(&form.users_and_roles).errors(&page.errors)
                    .hint("Those in the backup are written; others on the target stay.").checkbox())
                (field::advanced("Replica set with another name", open, html! {
                    (Field::new("source_replica_set", "Replica set in the backup").value(&form.source_replica_set).errors(&page.errors).mono()
                        .hint("When it is not called like the target's.").text())
                }))
            }
        }
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::fixtures as f;
    let form = RestoreForm { location_id: "loc-main".into(), folder: "shop".into(), ..RestoreForm::default() };
    let empty = || Page {
        form: RestoreForm::default(),
        errors: vec![],
        refusal: None,
        sources: vec![],
        timeline: None,
        choice: None,
        services: vec![],
    };
    let begun = |form: RestoreForm, timeline| Page {
        form,
        sources: f::timeline_choices(),
        timeline: Some(timeline),
        services: f::compatible_services(),
        ..empty()
    };
    let moment = RestoreForm { moment: "2026-11-25T13:58:07Z".into(), service_id: "svc-shop-1".into(), ..form.clone() };
    let gap = RestoreForm { moment: "2026-11-24T21:59:00Z".into(), service_id: "svc-shop-1".into(), ..form.clone() };
    let typed = RestoreForm {
        kind: "before".into(),
        moment: "yesterday at noon".into(),
        namespaces: "shop.orders\nshop".into(),
        renames: "shop.orders".into(),
        users_and_roles: "true".into(),
        ..form.clone()
    };
    let errors = vec![
        FieldError::new(
            "moment",
            "`yesterday at noon` is not a moment: write `SECONDS,ORDINAL` (e.g. `1795397942,21`) or an RFC 3339 time (e.g. `2026-11-22T10:00:05Z`).",
        ),
        FieldError::new("service_id", "Choose the service to restore to."),
        FieldError::new("namespaces", "`shop` is not a namespace: write `shop.*` for the whole database."),
        FieldError::new("renames", "`shop.orders` has no new name: write `shop.orders=shop.orders_before`."),
    ];
    vec![
        ("nothing", empty()),
        ("choose", Page { sources: f::timeline_choices(), ..empty() }),
        ("begun", begun(form, f::timeline())),
        ("moment", Page { choice: Some(f::moment_choice()), ..begun(moment, f::timeline()) }),
        ("moment-in-a-gap", Page { choice: Some(f::moment_refused()), ..begun(gap, f::timeline_with_gap()) }),
        ("errors", Page { errors, refusal: None, ..begun(typed, f::timeline()) }),
        ("viewer-forbidden", begun(RestoreForm::default(), f::timeline())),
    ]
}
