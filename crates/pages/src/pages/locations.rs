//! Storage locations.

use maud::{Markup, html};
use oplogue_api::locations::{Location, LocationKind, LocationTest};
use oplogue_api::services::{LocationReach, ProbeStep};
use oplogue_api::users::Role;

use crate::components::badge::{self, Badge, Tone};
use crate::components::button::{Button, menu};
use crate::components::definitions::{dash, definitions, or_dash};
use crate::components::empty;
use crate::components::icon::Icon;
use crate::components::table::{self, Column, Table};
use crate::components::{code, number, time};
use crate::pages::backups::kind_word;
use crate::{Frame, layout, urls};

pub struct Page {
    pub locations: Vec<Location>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let add = || Button::link(urls::LOCATION_NEW, "Add storage location").icon(Icon::Plus).needs(frame, Role::Administrator).primary();
    let main = html! {
        (layout::header("Storage locations", html! {}, html! { (add()) }))
        @if page.locations.is_empty() {
            (empty::empty(Icon::Locations, "No storage locations found",
                "A location is where backups lie: a bucket, or a folder that every machine mounts. \
                 One that already holds backups of Percona Backup for MongoDB shows them as soon as it is added.", Some(add())))
        } @else {
            (rows(frame, &page.locations))
        }
    };
    layout::page(frame, "Storage locations", main)
}

fn rows(frame: &Frame, locations: &[Location]) -> Markup {
    let columns = [
        Column::text("Name"),
        Column::text("Type"),
        Column::text("Endpoint or path"),
        Column::text("Reached by the server"),
        Column::number("Backups"),
        Column::number("Stored"),
        Column::actions(),
    ];
    let mut table = Table::new("Storage locations", &columns);
    for location in locations {
        let cells = vec![
            html! { a href=(urls::location(&location.id)) { (location.name) } },
            badge::tag(kind_word(location.kind)),
            html! { code { (place(location)) } },
            reach(frame, location.server_reach.as_ref()),
            number::count(u64::from(location.backups)),
            number::size(location.stored_bytes),
            menu(&location.name, &actions(frame, location)),
        ];
        table.row_with_details(cells, false, details(frame, location));
    }
    html! { (table) (table::more(locations.len(), None)) }
}

/// Where it is, in a few words.
fn place(location: &Location) -> String {
    let settings = &location.settings;
    if location.kind == LocationKind::Local {
        return settings.path.clone();
    }
    let endpoint = match (location.kind, settings.endpoint.as_str()) {
        (LocationKind::S3, "") => "Amazon S3",
        (LocationKind::Gcs, "") => "Google Cloud",
        (LocationKind::Azure, "") => "Azure",
        (_, endpoint) => endpoint,
    };
    let prefix = if settings.prefix.is_empty() { String::new() } else { format!("/{}", settings.prefix) };
    format!("{endpoint}: {}{prefix}", settings.bucket)
}

/// Whether it can be used from one place, and what is missing.
pub(crate) fn reach(frame: &Frame, reach: Option<&LocationReach>) -> Markup {
    let Some(reach) = reach else {
        return html! { (Badge::new(Tone::Neutral, Icon::Unknown, "Not tested")) };
    };
    let badge = if reach.ok {
        Badge::new(Tone::Neutral, Icon::Check, "Yes")
    } else {
        Badge::new(Tone::Danger, Icon::Failed, "No").because(problems(&reach.steps).as_deref())
    };
    html! { (badge) " " span.dim { (time::ago(frame, reach.checked_at)) } }
}

/// Every step that failed, in one text.
fn problems(steps: &[ProbeStep]) -> Option<String> {
    let all = steps.iter().filter_map(|step| Some(format!("{}: {}", step.name, step.problem.as_ref()?))).collect::<Vec<_>>();
    (!all.is_empty()).then(|| all.join("; "))
}

pub(crate) fn actions(frame: &Frame, location: &Location) -> Vec<Button> {
    let test = Button::post(frame, &urls::at(urls::LOCATION_TEST, &location.id), "Test", &[]).icon(Icon::Run);
    let edit = Button::link(&urls::at(urls::LOCATION_EDIT, &location.id), "Edit").icon(Icon::Edit);
    let delete = Button::link(&urls::at(urls::LOCATION_DELETE, &location.id), "Delete").icon(Icon::Delete);
    vec![
        test.quiet().needs(frame, Role::Administrator),
        Button::link(&format!("{}#folders", urls::location(&location.id)), "Show what is in it").icon(Icon::See).quiet(),
        edit.quiet().needs(frame, Role::Administrator),
        delete.quiet().needs(frame, Role::Administrator),
    ]
}

fn details(frame: &Frame, location: &Location) -> Markup {
    html! {
        @if let Some(problem) = location.server_reach.as_ref().and_then(|reach| problems(&reach.steps)) { p.error-text { (problem) } }
        (definitions(&facts(frame, location)))
    }
}

/// Everything about it, by name. Secrets are not known here.
pub(crate) fn facts(frame: &Frame, location: &Location) -> Vec<(&'static str, Markup)> {
    let settings = &location.settings;
    let mut facts = vec![("Description", or_dash(&location.description)), ("URL", code::identifier(&location.url, "the URL"))];
    let mut text = |name: &'static str, value: &str| {
        if !value.is_empty() {
            facts.push((name, html! { code { (value) } }));
        }
    };
    text("Path", &settings.path);
    text("Endpoint", &settings.endpoint);
    text(if location.kind == LocationKind::Azure { "Container" } else { "Bucket" }, &settings.bucket);
    text("Region", &settings.region);
    text("Prefix", &settings.prefix);
    text("Storage account", &settings.account);
    text("Storage class", &settings.storage_class);
    text("Encryption by the storage", &settings.server_side_encryption);
    text("KMS key", &settings.kms_key_id);
    if location.kind != LocationKind::Local {
        let keys = if location.has_secret { "stored, encrypted" } else { "none: those of the machine's environment are used" };
        facts.push(("Credentials", html! { (keys) }));
    }
    if settings.insecure_tls {
        facts.push(("TLS", html! { (Badge::new(Tone::Attention, Icon::Attention, "Accepts any certificate")) }));
    }
    facts.push(("Scheduled jobs", number::count(u64::from(location.schedules))));
    facts.push(("Changed", time::absolute(frame, location.updated_at)));
    facts
}

/// What a test found, one row per place.
pub(crate) fn test_result(test: &LocationTest) -> Markup {
    let columns = [
        Column::text("From"),
        Column::text("Result"),
        Column::text("Write"),
        Column::text("Read"),
        Column::text("List"),
        Column::text("Delete"),
        Column::text("What is wrong"),
    ];
    let mut table = Table::new("Test results", &columns);
    for place in &test.places {
        let result = if place.ok { Badge::new(Tone::Ok, Icon::Ok, "Works") } else { Badge::new(Tone::Danger, Icon::Failed, "Fails") };
        let mut cells = vec![html! { (place.from) }, html! { (result) }];
        for name in ["write", "read", "list", "delete"] {
            cells.push(match place.steps.iter().find(|step| step.name == name) {
                None => dash(),
                Some(ProbeStep { problem: None, .. }) => html! { (Badge::new(Tone::Neutral, Icon::Check, "Yes")) },
                Some(ProbeStep { problem: Some(problem), .. }) => {
                    html! { (Badge::new(Tone::Danger, Icon::Cross, "No").because(Some(problem))) }
                }
            });
        }
        cells.push(match (&place.problem, problems(&place.steps)) {
            (Some(problem), _) => html! { (problem) },
            (None, Some(problems)) => html! { (problems) },
            (None, None) => dash(),
        });
        table.row(cells);
    }
    html! {
        @if test.ok {
            p { (Badge::new(Tone::Ok, Icon::Ok, "This storage location is valid")) " It can be written, read, listed and deleted from everywhere." }
        } @else {
            p { (Badge::new(Tone::Danger, Icon::Failed, "This storage location cannot be used from everywhere")) }
        }
        (table)
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    vec![
        ("empty", Page { locations: Vec::new() }),
        ("one", Page { locations: vec![world::locations().remove(0)] }),
        ("many", Page { locations: world::locations() }),
        ("failed", Page { locations: vec![world::locations().remove(1)] }),
        ("viewer", Page { locations: world::locations() }),
    ]
}
