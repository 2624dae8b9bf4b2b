//! The frame around every page: menu, header, what was just done, and the main part.

use maud::{DOCTYPE, Markup, html};

use crate::components::badge::Tone;
use crate::components::field;
use crate::components::icon::{Icon, icon};
use crate::components::timeline_strip;
use crate::{Frame, assets, urls};

/// What htmx may do under the content security policy: nothing inline, no evaluation, only our own origin.
const HTMX_CONFIG: &str =
    r#"{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0,"scrollIntoViewOnBoost":false}"#;

/// One entry of the menu: label, path, icon, the letter that `g` goes there with.
struct Entry(&'static str, &'static str, Icon, char);

const TOP: &[Entry] = &[Entry("Overview", urls::OVERVIEW, Icon::Overview, 'o')];
const BACKUP: &[Entry] = &[
    Entry("All backups", urls::BACKUPS, Icon::Backups, 'b'),
    Entry("Scheduled backup jobs", urls::SCHEDULES, Icon::Schedules, 's'),
    Entry("Restores", urls::RESTORES, Icon::Restores, 'r'),
    Entry("Storage locations", urls::LOCATIONS, Icon::Locations, 'l'),
];
const REST: &[Entry] = &[
    Entry("Timeline", urls::TIMELINE, Icon::Timeline, 't'),
    Entry("Services", urls::SERVICES, Icon::Services, 'v'),
    Entry("Jobs and logs", urls::JOBS, Icon::Jobs, 'j'),
    Entry("Alerts", urls::ALERTS, Icon::Alerts, 'a'),
    Entry("Settings", urls::SETTINGS, Icon::Settings, 'e'),
];

/// A whole page. `main` begins with [`header`], which has the one `h1`.
pub fn page(frame: &Frame, title: &str, main: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-now=(frame.now.as_second()) {
            (head(title))
            body hx-ext="morph" {
                a.skip href="#main" { "Skip to the content" }
                @if frame.who.is_some() { (menus(frame)) }
                div.content {
                    (flash(frame))
                    main #main tabindex="-1" { (main) }
                    (footer(frame))
                }
                (shortcuts())
                (timeline_strip::patterns())
            }
        }
    }
}

/// A page without a menu, for those who are not signed in: one narrow column in the middle.
pub fn bare(title: &str, main: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body.bare {
                main #main tabindex="-1" {
                    div.brand.brand-large { (mark()) span { "Oplogue" } }
                    (main)
                }
            }
        }
    }
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="same-origin";
            meta name="htmx-config" content=(HTMX_CONFIG);
            title { (title) " · Oplogue" }
            link rel="icon" href=(assets::url("favicon.svg")) type="image/svg+xml";
            link rel="preload" href=(assets::url("inter-5.3.0-latin.woff2")) as="font" type="font/woff2" crossorigin;
            link rel="stylesheet" href=(assets::url("app.css"));
            // First, and waited for: it sets the chosen theme before anything is painted.
            script src=(assets::url("app.js")) {}
            script src=(assets::url("htmx-2.0.11.min.js")) defer {}
            script src=(assets::url("idiomorph-ext-0.8.0.min.js")) defer {}
        }
    }
}

/// Title, a sentence below it, and the page's actions on the right.
pub fn header(title: &str, lead: Markup, actions: Markup) -> Markup {
    html! {
        header.page-header {
            div {
                h1 { (title) }
                @if !lead.0.is_empty() { div.lead { (lead) } }
            }
            @if !actions.0.is_empty() { div.actions { (actions) } }
        }
    }
}

/// Above the header: where this page hangs, `[("Restores", urls::RESTORES)]`.
pub fn crumbs(crumbs: &[(&str, &str)]) -> Markup {
    html! {
        nav.crumbs aria-label="Breadcrumb" {
            @for (label, url) in crumbs { a href=(url) { (label) } span aria-hidden="true" { "/" } }
        }
    }
}

/// A part of a page under a heading, with its own actions.
pub fn section(title: &str, actions: Markup, inside: Markup) -> Markup {
    html! {
        section.section {
            div.section-head {
                h2 { (title) }
                @if !actions.0.is_empty() { div.actions { (actions) } }
            }
            (inside)
        }
    }
}

fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" width="24" height="24" aria-hidden="true" {
            rect.mark-ground width="32" height="32" rx="7" {}
            path.mark-turn d="M8.2 16a7.8 7.8 0 1 0 2.7-5.9L8.2 12.6M8.2 7.9v4.7h4.7" {}
            path.mark-line d="M16 11.8V16l3 1.8" {}
        }
    }
}

/// The sidebar, and the same folded away at the top for narrow screens. Only one of them is displayed.
fn menus(frame: &Frame) -> Markup {
    html! {
        header.sidebar {
            a.brand href=(urls::OVERVIEW) { (mark()) span { "Oplogue" } }
            (navigation(frame, "Main"))
            (account(frame))
        }
        header.topbar {
            a.brand href=(urls::OVERVIEW) { (mark()) span { "Oplogue" } }
            details.topmenu {
                summary { (icon(Icon::Menu)) span { "Menu" } }
                div.topmenu-inside { (navigation(frame, "Main, folded")) (account(frame)) }
            }
        }
    }
}

fn navigation(frame: &Frame, label: &str) -> Markup {
    html! {
        nav.navigation aria-label=(label) {
            ul { @for entry in TOP { (link(frame, entry)) } }
            p.nav-heading { "Backup" }
            ul { @for entry in BACKUP { (link(frame, entry)) } }
            p.nav-heading { "Operations" }
            ul { @for entry in REST { (link(frame, entry)) } }
        }
    }
}

fn link(frame: &Frame, Entry(label, url, symbol, letter): &Entry) -> Markup {
    let count = match *url {
        urls::ALERTS => frame.firing_alerts,
        urls::JOBS => frame.running_jobs,
        _ => 0,
    };
    let said = if *url == urls::ALERTS { " firing" } else { " running" };
    html! {
        li {
            a href=(url) aria-current=[belongs(frame.path_only(), url).then_some("page")] data-go=(letter) {
                (icon(*symbol)) span { (label) }
                @if count > 0 {
                    span class={ "count" @if *url == urls::ALERTS { " tone-danger" } } { (count) span.sr { (said) } }
                }
            }
        }
    }
}

/// Whether the page at `path` stands below the menu's entry `url`.
fn belongs(path: &str, url: &str) -> bool {
    match url {
        urls::OVERVIEW => path == urls::OVERVIEW || path.starts_with("/clusters/"),
        // The wizard leads to the list.
        urls::RESTORES => path == urls::RESTORE || path.starts_with(urls::RESTORES),
        _ => path == url || path.strip_prefix(url).is_some_and(|rest| rest.starts_with('/')),
    }
}

fn account(frame: &Frame) -> Markup {
    html! {
        div.account {
            button.button.quiet.small type="button" data-theme-switch="" hidden { (icon(Icon::System)) span { "Theme" } }
            @if let Some(who) = &frame.who {
                div.account-who {
                    span.who { (icon(Icon::User)) span { a href=(urls::PASSWORD) { (who.name) } span.dim { (who.role.as_str()) } } }
                    form.inline method="post" action=(urls::SIGN_OUT) {
                        (field::csrf_token(&frame.csrf))
                        button.button.quiet.small type="submit" { (icon(Icon::SignOut)) span { "Sign out" } }
                    }
                }
            }
        }
    }
}

fn flash(frame: &Frame) -> Markup {
    html! {
        div.flash-place role="status" {
            @if let Some(flash) = &frame.flash {
                div class={ "flash " (flash.tone.class()) } {
                    (icon(if flash.tone == Tone::Neutral { Icon::Ok } else { flash.tone.icon() })) p { (flash.text) }
                }
            }
        }
    }
}

fn footer(frame: &Frame) -> Markup {
    html! {
        footer.footer {
            span { "Oplogue " (frame.version) }
            span { @if frame.zone_name() == "UTC" { "All times are UTC" } @else { "Moments of the oplog are UTC; other times are " (frame.zone_name()) } }
            button.link type="button" data-help="" hidden { "Keyboard: " kbd { "?" } }
        }
    }
}

fn shortcuts() -> Markup {
    html! {
        dialog #shortcuts aria-labelledby="shortcuts-title" {
            h2 id="shortcuts-title" { "Keyboard" }
            dl.shortcut-list {
                @for Entry(label, _, _, letter) in TOP.iter().chain(BACKUP).chain(REST) {
                    div { dt { kbd { "g" } " " kbd { (letter) } } dd { (label) } }
                }
                div { dt { kbd { "/" } } dd { "Search in the list" } }
                div { dt { kbd { "←" } " " kbd { "→" } } dd { "Move on the timeline; with Shift by larger steps" } }
                div { dt { kbd { "+" } " " kbd { "−" } } dd { "Zoom the timeline" } }
                div { dt { kbd { "Enter" } } dd { "Restore to the moment under the cursor" } }
                div { dt { kbd { "?" } } dd { "This list" } }
            }
            form method="dialog" data-no-csrf="" { button.button type="submit" { "Close" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_marks_the_menu_entry_it_stands_below() {
        assert!(belongs("/backups/new", urls::BACKUPS));
        assert!(belongs("/restore", urls::RESTORES) && belongs("/restores/job_1", urls::RESTORES));
        assert!(belongs("/clusters/shop", urls::OVERVIEW));
        assert!(!belongs("/backups", urls::OVERVIEW) && !belongs("/backupsy", urls::BACKUPS));
    }
}
