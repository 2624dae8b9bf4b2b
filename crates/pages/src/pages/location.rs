//! One storage location: who reaches it, what a test found, and what lies in it — also what nobody here made.

use maud::{Markup, html};
use oplogue_api::locations::{Location, LocationFolder, LocationTest};
use oplogue_api::services::LocationReach;
use oplogue_api::users::Role;

use crate::components::badge::{self, Badge, Tone};
use crate::components::button::{Button, menu};
use crate::components::definitions::{definitions, figures};
use crate::components::empty;
use crate::components::icon::Icon;
use crate::components::table::{self, Column, Table};
use crate::components::{code, notice, number};
use crate::pages::backups::{folder_text, kind_word};
use crate::pages::locations;
use crate::urls::{self, Query};
use crate::{Frame, layout};

pub struct Page {
    pub location: Location,
    /// The services' names and what their agents found at their last check.
    pub agents: Vec<(String, LocationReach)>,
    /// What lies in it, or why it cannot be read.
    pub folders: Result<Vec<LocationFolder>, String>,
    /// Of the test that was just asked for.
    pub test: Option<LocationTest>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let location = &page.location;
    let test =
        Button::post(frame, &urls::at(urls::LOCATION_TEST, &location.id), "Test", &[]).icon(Icon::Run).needs(frame, Role::Administrator);
    let lead = html! { (badge::tag(kind_word(location.kind))) " " (location.description) };
    let main = html! {
        (layout::crumbs(&[("Storage locations", urls::LOCATIONS)]))
        (layout::header(&location.name, lead, html! { (test) (menu(&location.name, &locations::actions(frame, location)[2..])) }))
        @if let Some(test) = &page.test { (layout::section("Test", html! {}, locations::test_result(test))) }
        (figures(&[
            ("Backups", number::count(u64::from(location.backups)), html! {}),
            ("Stored", number::size(location.stored_bytes), html! {}),
            ("Scheduled jobs", number::count(u64::from(location.schedules)), html! {}),
        ]))
        div #folders { (layout::section("What lies in it", html! {}, folders(location, &page.folders))) }
        (layout::section("Who reaches it", html! {}, reached(frame, page)))
        (layout::section("Details", html! {}, definitions(&locations::facts(frame, location))))
        (code::equivalents(&format!("oplogue list --storage '{}'", location.url),
            &code::curl(frame, "POST", &format!("/v1/locations/{}/test", location.id), None)))
    };
    layout::page(frame, &location.name, main)
}

/// Folders with backups: ours, and those that can be adopted.
fn folders(location: &Location, folders: &Result<Vec<LocationFolder>, String>) -> Markup {
    let folders = match folders {
        Ok(folders) => folders,
        Err(problem) => {
            return notice::failure("It cannot be read", problem, Some("Press Test to see which right is missing, and from where."));
        }
    };
    if folders.is_empty() {
        return empty::empty(
            Icon::Backups,
            "Nothing in it yet",
            "The first backup makes its folder. Folders of Percona Backup for MongoDB appear here too.",
            None,
        );
    }
    let columns =
        [Column::text("Folder"), Column::text("Cluster"), Column::text("Replica sets"), Column::number("Backups"), Column::text("Open")];
    let mut table = Table::new("Folders with backups", &columns);
    for folder in folders {
        let name = if folder.folder.is_empty() { "(top)" } else { folder.folder.as_str() };
        let restore = Query::new().with("location_id", &location.id).with("folder", &folder.folder).on(urls::RESTORE);
        table.row(vec![
            html! { a href=(urls::timeline(&location.id, &folder.folder)) { (name) } },
            html! {
                @match &folder.cluster {
                    Some(cluster) => { a href=(urls::cluster(cluster)) { (cluster) } }
                    None => { (Badge::new(Tone::Neutral, Icon::Info, "Made by others")) }
                }
            },
            html! { (folder.replica_sets.join(", ")) },
            number::count(u64::from(folder.backups)),
            html! {
                (Button::link(&urls::timeline(&location.id, &folder.folder), "Timeline").small().about(&folder_text(&folder.folder))) " "
                (Button::link(&restore, "Restore").small().about(&folder_text(&folder.folder)))
            },
        ]);
    }
    let foreign = folders.iter().any(|folder| folder.cluster.is_none());
    html! {
        @if foreign {
            p { "Folders that no cluster of ours uses can be restored from as they are; nothing in them is changed. \
                 To go on backing up into one, give a schedule its name as folder." }
        }
        (table)
        (table::more(folders.len(), None))
    }
}

fn reached(frame: &Frame, page: &Page) -> Markup {
    let columns = [Column::text("From"), Column::text("Reaches it"), Column::text("What is wrong")];
    let mut table = Table::new("Who reaches it", &columns);
    let server = ("this server".to_owned(), page.location.server_reach.clone());
    let agents = page.agents.iter().map(|(name, reach)| (name.clone(), Some(reach.clone())));
    for (name, reach) in std::iter::once(server).chain(agents) {
        let problems =
            reach.iter().flat_map(|reach| &reach.steps).filter_map(|step| Some((&step.name, step.problem.as_ref()?))).collect::<Vec<_>>();
        table.row(vec![
            html! { (name) },
            locations::reach(frame, reach.as_ref()),
            html! { @for (step, problem) in &problems { div { (step) ": " (problem) } } @if problems.is_empty() { (crate::components::definitions::dash()) } },
        ]);
    }
    html! { (table) }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |at: usize| Page {
        location: world::locations().remove(at),
        agents: world::services().iter().take(3).map(|service| (service.name.clone(), service.locations[0].clone())).collect(),
        folders: Ok(world::location_folders()),
        test: None,
    };
    let (good, bad) = world::location_tests();
    vec![
        ("empty", Page { folders: Ok(Vec::new()), agents: Vec::new(), ..page(2) }),
        ("many", page(0)),
        ("tested", Page { test: Some(good), ..page(0) }),
        ("test-failed", Page { test: Some(bad), ..page(0) }),
        ("failed", Page { folders: Err("list bucket backups below mongodb/: 403 AccessDenied".into()), ..page(1) }),
        ("long-names", page(3)),
        ("viewer", page(0)),
    ]
}
