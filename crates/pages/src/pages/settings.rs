//! Settings: what this server is, and the ways to the other settings.

use maud::{Markup, html};
use oplogue_api::session::ServerInfo;
use oplogue_api::users::Role;

use crate::components::code;
use crate::components::definitions::definitions;
use crate::components::tabs::tabs;
use crate::components::time;
use crate::{Frame, layout, urls};

pub struct Page {
    pub info: ServerInfo,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let info = &page.info;
    let who = frame.who.as_ref();
    let main = html! {
        (layout::header("Settings", html! {}, html! {}))
        (settings_tabs(urls::SETTINGS))
        (layout::section("About", html! {}, definitions(&[
            ("Version", html! { "Oplogue " (info.version) }),
            ("Running since", time::absolute(frame, info.started_at)),
            ("The server's clock", time::absolute(frame, info.now)),
            ("Times are shown in", html! { (frame.zone_name()) }),
            ("REST API", html! { a href="/v1/openapi.json" { "OpenAPI description" } }),
            ("Metrics", html! { a href=(urls::METRICS) { "Prometheus text" } }),
        ])))
        @if let Some(who) = who {
            (layout::section("You", html! {}, definitions(&[
                ("Name", html! { (who.name) }),
                ("Role", html! { (who.role.as_str()) " " span.dim { (role_words(who.role)) } }),
                ("Session ends", who.expires_at.map_or_else(crate::components::definitions::dash, |at| time::absolute(frame, at))),
                ("Password", html! { a href=(urls::PASSWORD) { "Change password" } }),
            ])))
        }
        (code::equivalents("oplogue status --server $OPLOGUE_SERVER", &code::curl(frame, "GET", "/v1/info", None)))
    };
    layout::page(frame, "Settings", main)
}

/// The views of settings.
pub(crate) fn settings_tabs(current: &str) -> Markup {
    let all = [
        ("About", urls::SETTINGS),
        ("Users", urls::USERS),
        ("API tokens", urls::TOKENS),
        ("Audit log", urls::AUDIT),
        ("Your password", urls::PASSWORD),
    ];
    tabs("Settings", &all.map(|(label, url)| (label, url.to_owned(), url == current)))
}

/// What a role may do.
pub(crate) const fn role_words(role: Role) -> &'static str {
    match role {
        Role::Viewer => "sees everything but secrets",
        Role::Operator => "takes, schedules, restores and deletes backups",
        Role::Administrator => "locations, agents, users, tokens, alerts",
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = || Page { info: ServerInfo { version: "0.1.0".into(), started_at: world::ago(400_000), now: world::now() } };
    vec![("one", page()), ("viewer", page())]
}
