//! The timeline: what can be restored, drawn; and the same as a table.
//!
//! The server draws it, as SVG whose geometry is percentages, so it fits every width without scripts. The cluster's strip is
//! on top (what all replica sets can be restored to), one strip per replica set below it. Zooming is a URL. Without JavaScript
//! each piece between two ticks is a link that zooms into it, and where a tick is a second, one that restores to it; with it, the
//! pointer reads off the second and a click takes it. For screen readers and for copying there is the table below.
//!
//! However much lies in a window, what is drawn is bounded: what is closer together than can be seen is drawn as one mark that says how many it stands for.

mod draw;
mod marks;
mod table;
mod ticks;
mod window;

pub use window::Window;

use maud::{Markup, html};
use oplogue_api::timelines::Timeline;
use oplogue_domain::OplogTime;

use super::icon::{Icon, icon};
use super::time;
use crate::Frame;
use crate::urls::{self, Query};

/// What to draw, and where its links lead.
pub struct Strip<'a> {
    pub timeline: &'a Timeline,
    pub window: Window,
    /// Marked with a line: the moment that is about to be restored.
    pub chosen: Option<OplogTime>,
    /// The page it stands on with its query: `from` and `to` are set on it for zooming.
    pub path: &'a str,
    pub query: &'a Query,
    /// The wizard's query, to which `moment` is added. `None`: nothing can be restored from here (a viewer).
    pub restore: Option<Query>,
    /// Id of the text field that a click fills in, instead of going to the wizard.
    pub fills: Option<&'a str>,
}

/// Everything: controls, drawing, legend, table.
pub fn strip(frame: &Frame, strip: &Strip<'_>) -> Markup {
    let restore = strip.restore.as_ref().map(|query| query.clone().without("moment").on(urls::RESTORE));
    html! {
        figure.strip.full id="timeline" data-strip="" data-from=(strip.window.from) data-to=(strip.window.to) data-now=(now(frame))
            data-restore=[restore.as_deref()] data-fills=[strip.fills] data-page=(strip.query.clone().without("from").without("to").on(strip.path))
            aria-label={ "Timeline of " (name(strip.timeline)) } {
            (controls(frame, strip))
            div.strip-drawing {
                // For the keyboard; app.js reveals it and moves it.
                div.strip-slider data-slider="" role="slider" tabindex="0" aria-label="Moment" aria-valuemin=(strip.window.from)
                    aria-valuemax=(strip.window.to) aria-valuenow=(now(frame).clamp(strip.window.from, strip.window.to)) hidden {}
                (draw::drawing(frame, strip))
            }
            div.strip-below {
                output.strip-readout data-readout="" { (window_text(strip.window)) }
                (legend(strip.timeline))
            }
            (table::twin(strip))
        }
    }
}

/// One band without controls, for lists: what can be restored within the window.
pub fn mini(frame: &Frame, timeline: &Timeline, window: Window) -> Markup {
    html! { div.strip-mini.old[timeline.stale.is_some()] { (draw::mini(frame, timeline, window)) } }
}

/// The hatching, once per page; strips refer to it.
pub fn patterns() -> Markup {
    html! {
        svg.patterns width="0" height="0" aria-hidden="true" {
            defs {
                pattern #hatch width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect.hatch-ground width="6" height="6" {}
                    rect.hatch-line width="2" height="6" {}
                }
                pattern #dots width="6" height="6" patternUnits="userSpaceOnUse" {
                    circle.dots-dot cx="1.5" cy="1.5" r="0.9" {}
                    circle.dots-dot cx="4.5" cy="4.5" r="0.9" {}
                }
            }
        }
    }
}

fn name(timeline: &Timeline) -> &str {
    match &timeline.cluster {
        Some(cluster) => cluster,
        None if timeline.folder.is_empty() => &timeline.location_name,
        None => &timeline.folder,
    }
}

fn now(frame: &Frame) -> u32 {
    u32::try_from(frame.now.as_second()).unwrap_or(0)
}

fn window_text(window: Window) -> String {
    let text = |second| time::moment_text(OplogTime::start_of_second(second));
    format!("{} → {} UTC", text(window.from), text(window.to))
}

fn controls(frame: &Frame, strip: &Strip<'_>) -> Markup {
    let url = |window: Window| window.on(strip.query).on(strip.path);
    let (window, now) = (strip.window, now(frame));
    let whole = Window::whole(strip.timeline, now);
    let step = |target: Window, symbol, label: &str| {
        html! { a.button.small.icon-only href=(url(target)) data-zoom="" title=(label) { (icon(symbol)) span.sr { (label) } } }
    };
    html! {
        div.strip-controls {
            div.button-group {
                (step(window.earlier(), Icon::Left, "Earlier"))
                (step(window.zoomed_out(), Icon::Minus, "Zoom out"))
                (step(window.zoomed_in(strip.chosen.map(|chosen| chosen.seconds)), Icon::Plus, "Zoom in"))
                (step(window.later(), Icon::Right, "Later"))
            }
            nav.presets aria-label="Time range" {
                @for (label, seconds) in window::PRESETS {
                    @let target = Window::last(*seconds, now);
                    a href=(url(target)) data-zoom="" aria-current=[(window.seconds() == *seconds).then_some("true")] { (label) }
                }
                a href=(url(whole)) data-zoom="" aria-current=[(window == whole).then_some("true")] { "All" }
            }
        }
    }
}

fn legend(timeline: &Timeline) -> Markup {
    let swatch = |class: &'static str, fill: Option<&'static str>| html! { svg width="14" height="10" aria-hidden="true" { rect class=(class) fill=[fill] width="14" height="10" rx="2" {} } };
    let gaps = timeline.replica_sets.iter().any(|set| !set.gaps.is_empty());
    let unreached = timeline.replica_sets.iter().any(|set| !set.unreached.is_empty());
    html! {
        ul.legend {
            li { (swatch("covered", None)) "Restorable to any moment" }
            li { svg width="14" height="12" aria-hidden="true" { (marks::diamond("7", "6", "mark")) } "Backup" }
            @if gaps { li { (swatch("gap", Some("url(#hatch)"))) "Gap" } }
            @if unreached { li { (swatch("unreached", Some("url(#dots)"))) "Oplog that no backup leads to" } }
            @if timeline.promised_from.is_some() {
                li { svg width="14" height="10" aria-hidden="true" { rect.promise y="4" width="14" height="2" {} } "Kept by retention" }
            }
        }
    }
}

#[cfg(test)]
mod tests;
