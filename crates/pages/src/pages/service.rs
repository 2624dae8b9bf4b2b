//! One service: its member, its agent, its slicing, and the locations as its agent sees them.

use maud::{Markup, html};
use oplogue_api::services::Service;

use crate::components::button::menu;
use crate::components::definitions::{dash, definitions, figures};
use crate::components::{badge, code, live, number};
use crate::pages::services;
use crate::urls::{self, Query};
use crate::{Frame, layout};

pub struct Page {
    pub service: Service,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let service = &page.service;
    let lead = html! {
        @match &service.cluster {
            Some(cluster) => { "Of cluster " a href=(urls::cluster(cluster)) { (cluster) } ", replica set " (service.replica_set) }
            None => { "Without a cluster label, replica set " (service.replica_set) }
        }
    };
    let slicing = service.slicing.as_ref();
    let seconds = |seconds: Option<u32>| seconds.map_or_else(dash, |seconds| number::duration(u64::from(seconds)));
    let main = html! {
        (layout::crumbs(&[("Services", urls::SERVICES)]))
        (layout::header(&service.name, lead, menu(&service.name, &services::actions(frame, service))))
        (live::region(frame, "service", Some(5), html! {
            (services::problems(frame, service))
            (figures(&[
                ("Agent", html! { (badge::agent_state(service.agent.state)) }, html! { (service.agent.version) }),
                ("Slicing", slicing.map_or_else(dash, |slicing| html! { (badge::slicing_state(slicing.state)) }), html! {}),
                ("Behind", seconds(slicing.and_then(|slicing| slicing.lag_seconds)), html! { "the newest committed write" }),
                ("Headroom", seconds(slicing.and_then(|slicing| slicing.headroom_seconds)), html! { "before oplog is lost" }),
                ("Oplog window", seconds(service.oplog.as_ref().map(|oplog| oplog.window_seconds)), html! {}),
            ]))
            (layout::section("Locations", html! {}, services::reach_table(frame, service)))
            (layout::section("Details", html! {}, definitions(&services::facts(frame, service))))
        }))
        p { a href=(Query::new().with("service", &service.name).on(urls::BACKUPS)) { "Backups of " (service.name) } }
        (code::equivalents("", &code::curl(frame, "GET", &format!("/v1/services/{}", service.id), None)))
    };
    layout::page(frame, &service.name, main)
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |at: usize| Page { service: world::services().remove(at) };
    vec![("one", page(0)), ("failed", page(1)), ("slicing", page(2)), ("no-cluster", page(4)), ("long-names", page(5)), ("viewer", page(0))]
}
