//! The timeline of one folder, in full width; or the choice of one.

use maud::{Markup, html};
use oplogue_api::timelines::Timeline;
use oplogue_api::users::Role;

use super::cluster::restore_query;
use crate::components::button::Button;
use crate::components::code;
use crate::components::definitions::{dash, definitions};
use crate::components::empty::empty;
use crate::components::icon::Icon;
use crate::components::table::{Column, Table};
use crate::components::timeline_strip::{self, Strip, Window};
use crate::components::{live, notice, number, time};
use crate::urls::Query;
use crate::{Frame, layout, urls};

pub struct Page {
    /// Folders there are, the clusters' first.
    pub choices: Vec<TimelineChoice>,
    /// Of `location_id` and `folder` in the URL; of the only choice, when there is just one.
    pub timeline: Option<Timeline>,
    /// `from` and `to` of the URL. Absent: the last day, moving on.
    pub window: Option<Window>,
}

/// A folder that has a timeline.
#[derive(Debug, Clone)]
pub struct TimelineChoice {
    pub location_id: String,
    pub location_name: String,
    pub folder: String,
    pub cluster: Option<String>,
}

impl TimelineChoice {
    /// `shop`, or the folder's name where no cluster of ours uses it.
    pub(crate) fn label(&self) -> &str {
        match &self.cluster {
            Some(cluster) => cluster,
            None if self.folder.is_empty() => "(top folder)",
            None => &self.folder,
        }
    }
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let Some(timeline) = &page.timeline else { return choose(frame, page) };
    let name = timeline.cluster.as_deref().unwrap_or(&timeline.folder);
    let may = frame.may(Role::Operator);
    let query = restore_query(timeline);
    let now = u32::try_from(frame.now.as_second()).unwrap_or(0);
    let strip = Strip {
        timeline,
        window: page.window.unwrap_or_else(|| Window::last(86_400, now)),
        chosen: None,
        path: urls::TIMELINE,
        query: &query,
        restore: may.then(|| query.clone()),
        fills: None,
    };
    let lead = html! {
        "On " a href=(urls::location(&timeline.location_id)) { (timeline.location_name) }
        @if !timeline.folder.is_empty() { ", folder " code { (timeline.folder) } }
        @if may { ". Point at a moment to see what it would be restored from; click to restore to it." }
    };
    let main = html! {
        @if page.choices.len() > 1 { (layout::crumbs(&[("Timelines", urls::TIMELINE)])) }
        (layout::header(&format!("Timeline of {name}"), lead, html! {
            (Button::link(&query.on(urls::RESTORE), "Restore…").primary().icon(Icon::Restore).needs(frame, Role::Operator))
        }))
        (live::region(frame, "timeline-live", Some(10), html! {
            @if let Some(stale) = &timeline.stale { (notice::stale(frame, timeline.as_of, stale)) }
            @if timeline.restorable.is_empty() && timeline.backups.is_empty() {
                (empty(Icon::Timeline, "Nothing here can be restored yet", "A backup is the first thing a restore needs; slices join it to every later moment.",
                    Some(Button::link(&Query::new().with("mode", "pitr").on(urls::SCHEDULE_NEW), "Schedule PITR").primary().needs(frame, Role::Operator))))
            } @else { (timeline_strip::strip(frame, &strip)) }
            (facts(frame, timeline))
            (unreadable(timeline))
        }))
        (code::equivalents(
            &format!("oplogue timeline --storage … --folder {}", if timeline.folder.is_empty() { "''" } else { &timeline.folder }),
            &code::curl(frame, "GET", &query.on("/v1/timelines"), None),
        ))
    };
    layout::page(frame, &format!("Timeline of {name}"), main)
}

fn facts(frame: &Frame, timeline: &Timeline) -> Markup {
    let oldest = timeline.restorable.first().map(|range| &range.from);
    let newest = timeline.restorable.last().map(|range| &range.through);
    let of = |moment: Option<&oplogue_api::MomentJson>| html! { @match moment { Some(moment) => { (time::moment(moment)) span.sub { (time::ago(frame, moment.time().timestamp())) } } None => { (dash()) } } };
    let gaps: usize = timeline.replica_sets.iter().map(|set| set.gaps.len()).sum();
    let slices: u64 = timeline.replica_sets.iter().map(|set| set.slices).sum();
    let bytes: u64 = timeline.replica_sets.iter().map(|set| set.slice_bytes).sum();
    definitions(&[
        ("Newest moment", of(newest)),
        ("Oldest moment", of(oldest)),
        ("Kept since", of(timeline.promised_from.as_ref())),
        ("Backups", html! { (number::count(timeline.backups.len() as u64)) }),
        ("Slices", html! { (number::count(slices)) ", " (number::size(bytes)) }),
        ("Gaps", number::count(gaps as u64)),
        ("Read from storage", html! { @match timeline.as_of { Some(at) => { (time::ago(frame, at)) } None => { "not yet" } } }),
    ])
}

const UNREADABLE: &[Column<'_>] = &[Column::text("Object"), Column::text("Why")];

fn unreadable(timeline: &Timeline) -> Markup {
    let mut table = Table::new("Objects that could not be understood", UNREADABLE);
    for object in timeline.unreadable.iter().take(100) {
        table.row(vec![html! { code { (object.object) } }, html! { (object.why) }]);
    }
    html! {
        @if !timeline.unreadable.is_empty() {
            (layout::section("Objects that could not be understood", html! {}, html! { (table) }))
        }
    }
}

const FOLDERS: &[Column<'_>] = &[Column::text("Cluster or folder"), Column::text("Location"), Column::text("Folder")];

fn choose(frame: &Frame, page: &Page) -> Markup {
    let mut table = Table::new("Folders with backups", FOLDERS);
    for choice in &page.choices {
        table.row(vec![
            html! { a href=(urls::timeline(&choice.location_id, &choice.folder)) { (choice.label()) } },
            html! { (choice.location_name) },
            html! { code { (choice.folder) } },
        ]);
    }
    let main = html! {
        (layout::header("Timeline", html! { "What can be restored, to the second." }, html! {}))
        @if page.choices.is_empty() {
            (empty(Icon::Timeline, "No timeline yet", "A timeline begins with the first backup on a storage location.", Some(Button::link(urls::OVERVIEW, "First steps"))))
        } @else { (table) }
    };
    layout::page(frame, "Timeline", main)
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::fixtures as f;
    let choices = f::timeline_choices();
    let page = |timeline| Page { choices: choices.clone(), timeline: Some(timeline), window: None };
    let now = f::NOW_SECOND;
    let damaged = oplogue_api::timelines::Timeline { unreadable: f::unreadable(), ..f::timeline_with_gap() };
    vec![
        ("empty", Page { choices: vec![], timeline: None, window: None }),
        ("choose", Page { choices: choices.clone(), timeline: None, window: None }),
        ("day", page(f::timeline())),
        ("gap", Page { window: Some(Window::last(7 * 86_400, now)), ..page(damaged) }),
        ("three", Page { window: Some(Window::last(3 * 86_400, now)), ..page(f::timeline_of_three()) }),
        ("viewer-seconds", Page { window: Some(Window::new(now - 40, now + 8)), ..page(f::timeline()) }),
        ("stale", page(f::timeline_stale())),
        ("nothing-restorable", page(f::timeline_empty())),
        ("snapshots", Page { window: Some(Window::last(30 * 86_400, now)), ..page(f::timeline_of_snapshots()) }),
    ]
}
