//! The SVG itself. Everything horizontal is a percentage of the width, everything vertical a pixel.

use maud::{Markup, html};
use oplogue_api::timelines::{BackupMark, ReplicaSetTimeline, Restorable, Timeline};
use oplogue_domain::OplogTime;

use super::marks::{cross, diamond, gather};
use super::ticks::ticks;
use super::{Strip, Window, now};
use crate::Frame;
use crate::components::number::{duration_text, plural, size_text};
use crate::components::time::moment_text;
use crate::urls;

const BAND: u32 = 26;
const BAND_SMALL: u32 = 10;
const MARKS: u32 = 22;
const LABEL: u32 = 20;
const AXIS: u32 = 36;

/// The newest slice is younger than this: slicing goes on, and the edge moves.
const LIVE_SECONDS: u32 = 180;

fn percent(value: f64) -> String {
    format!("{value:.3}%")
}

pub(super) fn drawing(frame: &Frame, strip: &Strip<'_>) -> Markup {
    let (timeline, window) = (strip.timeline, strip.window);
    // One replica set is its cluster: then its gaps belong on the one strip there is.
    let several = timeline.replica_sets.len() > 1;
    let sets: &[ReplicaSetTimeline] = if several { &timeline.replica_sets } else { &[] };
    let band = MARKS + if several { LABEL } else { 0 };
    let below = band + BAND + 8;
    let axis = below + u32::try_from(sets.len()).unwrap_or(0) * (LABEL + BAND_SMALL + 2);
    let height = axis + AXIS;
    html! {
        svg.strip-svg width="100%" height=(height) aria-hidden="true" data-band-top=(band) data-band-bottom=(axis) {
            (axis_ticks(window, axis))
            @if several { text.strip-label x="0" y="13" { "All replica sets" } }
            rect.track x="0" y=(band) width="100%" height=(BAND) rx="3" {}
            @for set in timeline.replica_sets.iter().filter(|_| !several) { (without_base(window, set, band, BAND)) }
            (covered(window, &timeline.restorable, band, BAND))
            @for set in &timeline.replica_sets { (gaps(window, set, band, BAND)) }
            (edge(frame, strip, band))
            (promise(strip, band + BAND + 3))
            (backups(strip, band - MARKS + 10))
            @for (at, set) in (0u32..).zip(sets) { (replica_set(window, set, below + at * (LABEL + BAND_SMALL + 2))) }
            (now_line(frame, window, band, axis))
            (pieces(strip, band, axis))
            (chosen(strip, band, axis))
            line.cursor data-cursor="" x1="0" x2="0" y1=(band - 6) y2=(axis) visibility="hidden" {}
        }
    }
}

pub(super) fn mini(frame: &Frame, timeline: &Timeline, window: Window) -> Markup {
    const HEIGHT: u32 = 16;
    html! {
        svg.strip-svg width="100%" height=(HEIGHT + 6) aria-hidden="true" {
            rect.track x="0" y="3" width="100%" height=(HEIGHT) rx="3" {}
            @for set in &timeline.replica_sets { (without_base(window, set, 3, HEIGHT)) }
            (covered(window, &timeline.restorable, 3, HEIGHT))
            @for set in &timeline.replica_sets { (gaps(window, set, 3, HEIGHT)) }
            @for backup in gather(window, points(&timeline.backups)) {
                (diamond(&percent(backup.left), "11", if backup.first.usable { "mark small-mark" } else { "mark-unusable" }))
            }
            @if now(frame) < window.to { line.now-line x1=(percent(window.percent(now(frame)))) x2=(percent(window.percent(now(frame)))) y1="0" y2=(HEIGHT + 6) {} }
        }
    }
}

fn axis_ticks(window: Window, y: u32) -> Markup {
    let (ticks, _) = ticks(window);
    html! {
        g.axis {
            line.axis-line x1="0" x2="100%" y1=(y) y2=(y) {}
            @for tick in &ticks {
                @let at = window.percent(tick.second);
                @let x = percent(at);
                @let anchor = anchor(at, 3.0);
                g.tick {
                    line.grid x1=(x) x2=(x) y1="0" y2=(y + 5) {}
                    text.tick-label x=(x) y=(y + 18) text-anchor=(anchor) { (tick.label) }
                    @if let Some(day) = &tick.day { text.tick-day x=(x) y=(y + 32) text-anchor=(self::anchor(at, 11.0)) { (day) } }
                }
            }
        }
    }
}

/// A label stands in the middle of its tick, but never beyond the drawing's edges.
fn anchor(at: f64, edge: f64) -> &'static str {
    match at {
        at if at < edge => "start",
        at if at > 100.0 - edge => "end",
        _ => "middle",
    }
}

fn covered(window: Window, ranges: &[Restorable], y: u32, height: u32) -> Markup {
    let spans = ranges.iter().filter(|range| range.from.time() < range.through.time()).map(|range| (range.from.t, range.through.t, range));
    html! {
        @for piece in gather(window, spans) {
            rect.covered x=(percent(piece.left)) y=(y) width=(percent(piece.width)) height=(height) rx="3"
                data-covered=(format!("{},{}", piece.first.from.t, piece.first.through.t)) data-base=(piece.first.base) {
                title { "Restorable from " (moment_text(piece.first.from.time())) " to " (moment_text(piece.first.through.time())) " UTC" }
            }
        }
    }
}

fn gaps(window: Window, set: &ReplicaSetTimeline, y: u32, height: u32) -> Markup {
    let spans = set.gaps.iter().map(|gap| (gap.range.after.t, gap.range.through.t, gap));
    html! {
        @for piece in gather(window, spans) {
            @let gap = piece.first;
            @let length = duration_text(u64::from(gap.range.through.t.saturating_sub(gap.range.after.t)));
            @let words = if piece.count == 1 { format!("Gap of {length} in {}: {}", gap.replica_set, gap.reason) } else { format!("{} in {}; the first: {}", plural(piece.count as u64, "gap", "gaps"), gap.replica_set, gap.reason) };
            rect.gap fill="url(#hatch)" x=(percent(piece.left)) y=(y) width=(percent(piece.width.max(0.2))) height=(height)
                data-gap=(words) data-gap-span=(format!("{},{}", gap.range.after.t, gap.range.through.t)) { title { (words) } }
        }
    }
}

fn without_base(window: Window, set: &ReplicaSetTimeline, y: u32, height: u32) -> Markup {
    html! {
        @for piece in gather(window, set.unreached.iter().map(|range| (range.after.t, range.through.t, ()))) {
            rect.unreached fill="url(#dots)" x=(percent(piece.left)) y=(y) width=(percent(piece.width)) height=(height) {
                title { "Oplog of " (set.name) " that no backup leads to" }
            }
        }
    }
}

fn replica_set(window: Window, set: &ReplicaSetTimeline, y: u32) -> Markup {
    let band = y + LABEL;
    html! {
        text.strip-label x="0" y=(y + 14) { (set.name) }
        rect.track x="0" y=(band) width="100%" height=(BAND_SMALL) rx="2" {}
        (without_base(window, set, band, BAND_SMALL))
        (covered(window, &set.restorable, band, BAND_SMALL))
        (gaps(window, set, band, BAND_SMALL))
    }
}

/// The end that moves on while slices arrive.
fn edge(frame: &Frame, strip: &Strip<'_>, y: u32) -> Markup {
    let newest = strip.timeline.restorable.last().map(|range| range.through.t);
    let live = newest.filter(|newest| {
        strip.timeline.stale.is_none()
            && now(frame).saturating_sub(*newest) < LIVE_SECONDS
            && (strip.window.from..=strip.window.to).contains(newest)
    });
    html! {
        @if let Some(newest) = live {
            svg.place x=(percent(strip.window.percent(newest))) y=(y) overflow="visible" {
                rect.edge x="-2" y="-2" width="3" height=(BAND + 4) rx="1.5" {}
            }
        }
    }
}

fn promise(strip: &Strip<'_>, y: u32) -> Markup {
    let newest = strip.timeline.restorable.last().map(|range| range.through.t);
    let line = strip.timeline.promised_from.as_ref().zip(newest);
    html! {
        @if let Some((from, newest)) = line {
            @if let Some((left, width)) = strip.window.span(from.t, newest) {
                rect.promise x=(percent(left)) y=(y) width=(percent(width)) height="2" {
                    title { "Retention keeps every moment since " (moment_text(from.time())) " UTC" }
                }
            }
        }
    }
}

fn points(backups: &[BackupMark]) -> impl Iterator<Item = (u32, u32, &BackupMark)> {
    backups.iter().map(|backup| (backup.restores_to.t, backup.restores_to.t, backup))
}

fn backups(strip: &Strip<'_>, y: u32) -> Markup {
    let y = y.to_string();
    html! {
        @for place in gather(strip.window, points(&strip.timeline.backups)) {
            @let backup = place.first;
            @let x = percent(place.left);
            a href=(urls::backup(&backup.id)) tabindex="-1" data-at=(backup.restores_to.t) data-name=(backup.name) {
                title {
                    (backup.name) ", " (size_text(backup.bytes)) ", restores to " (moment_text(backup.restores_to.time())) " UTC"
                    @if place.count > 1 { "; and " (place.count - 1) " more close by" }
                    @if !backup.usable { "; cannot be used" }
                }
                @if backup.usable { (diamond(&x, &y, "mark")) } @else { (cross(&x, &y)) }
                @if place.count > 1 { text.mark-count x=(x) y=(y) dx="8" dy="4" { (place.count) } }
            }
        }
    }
}

fn now_line(frame: &Frame, window: Window, top: u32, bottom: u32) -> Markup {
    let now = now(frame);
    html! {
        @if (window.from..window.to).contains(&now) {
            @let x = percent(window.percent(now));
            rect.future x=(x) y=(top) width=(percent(100.0 - window.percent(now))) height=(bottom - top) {}
            line.now-line x1=(x) x2=(x) y1=(top - 4) y2=(bottom) {}
        }
    }
}

/// One link per piece between ticks: into it, or where it is a second, restoring to it.
fn pieces(strip: &Strip<'_>, top: u32, bottom: u32) -> Markup {
    let (ticks, step) = ticks(strip.window);
    let bounds: Vec<u32> =
        std::iter::once(strip.window.from).chain(ticks.iter().map(|tick| tick.second)).chain(std::iter::once(strip.window.to)).collect();
    let restore = strip.restore.as_ref().filter(|_| step == 1);
    html! {
        g.pieces {
            @for pair in bounds.windows(2).filter(|pair| pair[0] < pair[1]) {
                @let left = strip.window.percent(pair[0]);
                @let moment = OplogTime::start_of_second(pair[0]);
                @let url = match restore {
                    Some(query) => query.clone().with("moment", moment.rfc3339()).on(urls::RESTORE),
                    None => Window::new(pair[0], pair[1]).on(strip.query).on(strip.path),
                };
                a href=(url) tabindex="-1" {
                    rect.piece x=(percent(left)) y=(top) width=(percent(strip.window.percent(pair[1]) - left)) height=(bottom - top) {
                        title { @if restore.is_some() { "Restore to " } @else { "Zoom to " } (moment_text(moment)) " UTC" }
                    }
                }
            }
        }
    }
}

fn chosen(strip: &Strip<'_>, top: u32, bottom: u32) -> Markup {
    let inside = strip.chosen.filter(|chosen| (strip.window.from..=strip.window.to).contains(&chosen.seconds));
    html! {
        @if let Some(chosen) = inside {
            @let x = percent(strip.window.percent(chosen.seconds));
            line.chosen x1=(x) x2=(x) y1=(top - 8) y2=(bottom) {}
            svg.place x=(x) y=(top - 8) overflow="visible" { circle.chosen-head r="4" {} }
        }
    }
}
