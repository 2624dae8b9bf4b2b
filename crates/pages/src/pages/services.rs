//! Services: clusters, their members, and the agent beside each.

mod form;

use maud::{Markup, html};
use oplogue_api::services::{AgentState, LocationReach, OplogFacts, Service, SlicingFacts};
use oplogue_api::users::Role;

pub use self::form::{EnrolForm, ServiceForm};
use crate::components::badge::{self, Badge, Tone};
use crate::components::button::{Button, menu};
use crate::components::definitions::{dash, definitions, or_dash};
use crate::components::empty;
use crate::components::icon::Icon;
use crate::components::table::{Column, Table};
use crate::components::{code, live, notice, number, time};
use crate::{Frame, layout, urls};

/// Slicing that may stand still for less than this deserves attention.
const HEADROOM_SECONDS_LOW: u32 = 6 * 3600;

pub struct Page {
    pub services: Vec<Service>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let enrol = || Button::link(urls::SERVICE_ENROL, "Enrol an agent").icon(Icon::Plus).needs(frame, Role::Administrator).primary();
    let main = html! {
        (layout::header("Services", html! { "One mongod each, with the agent beside it." }, html! { (enrol()) }))
        @if page.services.is_empty() {
            (empty::empty(Icon::Services, "No services yet",
                "A service is a mongod with an agent beside it. The agent calls this server, so no port has to be opened on the database's machine.",
                Some(enrol())))
        } @else {
            (live::region(frame, "services", Some(5), groups(frame, &page.services)))
        }
    };
    layout::page(frame, "Services", main)
}

/// By cluster label; those without one come last, with what to do.
fn groups(frame: &Frame, services: &[Service]) -> Markup {
    let mut labels = services.iter().filter_map(|service| service.cluster.as_deref()).collect::<Vec<_>>();
    labels.sort_unstable();
    labels.dedup();
    let of = |label: Option<&str>| services.iter().filter(|service| service.cluster.as_deref() == label).collect::<Vec<_>>();
    let loners = of(None);
    html! {
        @for label in labels {
            @let members = of(Some(label));
            (layout::section(label, html! { (Button::link(&urls::cluster(label), "Cluster").small().about(label)) }, table(frame, &members)))
        }
        @if !loners.is_empty() {
            (layout::section("Without a cluster label", html! {}, html! {
                p.dim { "They cannot be backed up until they have one. Edit the service, or add it again with " code { "--cluster mycluster" } "." }
                (table(frame, &loners))
            }))
        }
    }
}

fn table(frame: &Frame, services: &[&Service]) -> Markup {
    let columns = [
        Column::text("Service"),
        Column::text("Replica set"),
        Column::text("Role"),
        Column::text("MongoDB"),
        Column::text("Agent"),
        Column::text("Locations"),
        Column::text("Oplog window"),
        Column::text("Slicing"),
        Column::actions(),
    ];
    let mut sorted = services.to_vec();
    sorted.sort_by(|a, b| (&a.replica_set, &a.name).cmp(&(&b.replica_set, &b.name)));
    let mut table = Table::new("Members and agents", &columns);
    for service in sorted {
        let cells = vec![
            html! { a href=(urls::service(&service.id)) { (service.name) } span.sub { (service.member) } },
            html! { (service.replica_set) },
            badge::member_role(service.role),
            or_dash(&service.mongodb_version),
            agent(frame, service),
            locations(&service.locations),
            window(service.oplog.as_ref()),
            slicing(service.slicing.as_ref()),
            menu(&service.name, &actions(frame, service)),
        ];
        table.row_with_details(cells, service.agent.state == AgentState::Offline, details(frame, service));
    }
    html! { (table) }
}

fn agent(frame: &Frame, service: &Service) -> Markup {
    html! {
        (badge::agent_state(service.agent.state).because(service.problem.as_deref()))
        span.sub {
            @match service.agent.last_seen {
                Some(at) => { (time::ago(frame, at)) }
                None => { "never heard of" }
            }
            " · " (service.agent.version)
        }
        @if service.problem.is_some() && service.agent.state == AgentState::Online {
            div { (Badge::new(Tone::Danger, Icon::Failed, "MongoDB not reached")) }
        }
    }
}

fn locations(reaches: &[LocationReach]) -> Markup {
    if reaches.is_empty() {
        return dash();
    }
    let bad = reaches.iter().filter(|reach| !reach.ok).collect::<Vec<_>>();
    html! {
        @if bad.is_empty() { (Badge::new(Tone::Neutral, Icon::Check, format!("All {}", reaches.len()))) }
        @for reach in bad { div { (Badge::new(Tone::Danger, Icon::Failed, format!("Not {}", reach.location_name)).because(first_problem(reach))) } }
    }
}

fn first_problem(reach: &LocationReach) -> Option<&str> {
    reach.steps.iter().find_map(|step| step.problem.as_deref())
}

fn window(oplog: Option<&OplogFacts>) -> Markup {
    match oplog {
        Some(oplog) => number::duration(u64::from(oplog.window_seconds)),
        None => dash(),
    }
}

/// State, how far behind, and how long it may stand still.
pub(crate) fn slicing(slicing: Option<&SlicingFacts>) -> Markup {
    let Some(slicing) = slicing else { return dash() };
    html! {
        (badge::slicing_state(slicing.state).because(slicing.message.as_deref()))
        @if let Some(lag) = slicing.lag_seconds { span.sub { (number::duration(u64::from(lag))) " behind" } }
        @if let Some(headroom) = slicing.headroom_seconds {
            @if headroom < HEADROOM_SECONDS_LOW {
                div { (Badge::new(Tone::Attention, Icon::Attention, format!("{} headroom", number::duration_text(u64::from(headroom))))) }
            }
        }
    }
}

pub(crate) fn actions(frame: &Frame, service: &Service) -> Vec<Button> {
    vec![
        Button::link(&urls::at(urls::SERVICE_EDIT, &service.id), "Edit").icon(Icon::Edit).quiet().needs(frame, Role::Administrator),
        Button::link(&urls::at(urls::SERVICE_DELETE, &service.id), "Remove").icon(Icon::Delete).quiet().needs(frame, Role::Administrator),
    ]
}

fn details(frame: &Frame, service: &Service) -> Markup {
    html! {
        @if let Some(problem) = &service.problem { p.error-text { (problem) } }
        @if let Some(message) = service.slicing.as_ref().and_then(|slicing| slicing.message.as_ref()) { p.error-text { (message) } }
        (definitions(&facts(frame, service)))
    }
}

/// Everything about it, by name.
pub(crate) fn facts(frame: &Frame, service: &Service) -> Vec<(&'static str, Markup)> {
    let mut facts = vec![
        ("Member", code::identifier(&service.member, "the address")),
        ("Replica set", html! { (service.replica_set) }),
        ("Role", badge::member_role(service.role)),
        (
            "MongoDB",
            html! { (service.mongodb_version) @if !service.fcv.is_empty() { " " span.dim { "feature compatibility " (service.fcv) } } },
        ),
        ("Agent's machine", or_dash(&service.agent.host)),
        ("Agent's version", or_dash(&service.agent.version)),
        ("Last heard of", service.agent.last_seen.map_or_else(dash, |at| time::absolute(frame, at))),
        ("Enrolled", time::absolute(frame, service.agent.enrolled_at)),
    ];
    if let Some(oplog) = &service.oplog {
        facts.push(("Oldest entry of the oplog", time::moment(&oplog.oldest)));
        facts.push(("Newest entry", time::moment(&oplog.newest)));
        facts.push(("Newest that a majority has", time::moment(&oplog.majority)));
    }
    if let Some(slicing) = &service.slicing {
        facts.push(("Slicing", html! { (badge::slicing_state(slicing.state)) }));
        facts.push(("Newest slice ends", slicing.newest.as_ref().map_or_else(dash, time::moment)));
        facts.push(("Headroom", slicing.headroom_seconds.map_or_else(dash, |seconds| number::duration(u64::from(seconds)))));
    }
    facts
}

/// What its agent found at each location.
pub(crate) fn reach_table(frame: &Frame, service: &Service) -> Markup {
    if service.locations.is_empty() {
        return html! { p.dim { "Its agent has not looked at any location yet." } };
    }
    let columns = [Column::text("Location"), Column::text("Reaches it"), Column::text("What is wrong")];
    let mut table = Table::new("Locations as its agent sees them", &columns);
    for reach in &service.locations {
        table.row(vec![
            html! { a href=(urls::location(&reach.location_id)) { (reach.location_name) } },
            crate::pages::locations::reach(frame, Some(reach)),
            html! {
                @for step in &reach.steps { @if let Some(problem) = &step.problem { div { (step.name) ": " (problem) } } }
                @if reach.ok { (dash()) }
            },
        ]);
    }
    html! { (table) }
}

/// What is wrong with a service, at the top of its page.
pub(crate) fn problems(frame: &Frame, service: &Service) -> Markup {
    html! {
        @if service.agent.state == AgentState::Offline {
            (notice::notice(Tone::Attention, "Its agent is offline", html! {
                p {
                    "It was last heard of "
                    @match service.agent.last_seen { Some(at) => { (time::ago(frame, at)) } None => { "never" } }
                    ". It may still be slicing: an agent works on while it cannot reach this server, and reports later."
                }
            }))
        }
        @if let Some(problem) = &service.problem {
            (notice::failure("The agent cannot reach its MongoDB", problem, Some("Backups and slicing go on from other members of the replica set that have an agent.")))
        }
        @if let Some(message) = service.slicing.as_ref().and_then(|slicing| slicing.message.as_ref()) {
            (notice::notice(Tone::Attention, "Slicing is not well", html! { p.error-text { (message) } }))
        }
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let many = || world::services();
    vec![
        ("empty", Page { services: Vec::new() }),
        ("one", Page { services: vec![many().remove(0)] }),
        ("many", Page { services: many() }),
        ("failed", Page { services: vec![many().remove(1)] }),
        ("no-cluster", Page { services: vec![many().remove(4)] }),
        ("long-names", Page { services: vec![many().remove(5)] }),
        ("viewer", Page { services: many() }),
    ]
}
