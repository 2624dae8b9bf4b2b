//! One cluster: how well it is protected, its timeline, its members, its schedules and what was done last.

use maud::{Markup, html};
use oplogue_api::clusters::{Cluster, ProtectionState};
use oplogue_api::jobs::Job;
use oplogue_api::schedules::Schedule;
use oplogue_api::services::{Service, SlicingState};
use oplogue_api::timelines::Timeline;
use oplogue_api::users::Role;

use crate::components::badge;
use crate::components::button::Button;
use crate::components::definitions::{dash, figures, or_dash};
use crate::components::empty::empty;
use crate::components::icon::Icon;
use crate::components::table::{Column, Table};
use crate::components::timeline_strip::{self, Strip, Window};
use crate::components::{live, notice, number, protection, time};
use crate::urls::Query;
use crate::{Frame, layout, urls};

pub struct Page {
    pub cluster: Cluster,
    /// Each location and folder that holds something of it; the one written to now comes first.
    pub timelines: Vec<Timeline>,
    /// `from` and `to` of the URL.
    pub window: Option<Window>,
    pub services: Vec<Service>,
    pub schedules: Vec<Schedule>,
    /// The newest few.
    pub jobs: Vec<Job>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let cluster = &page.cluster;
    let state = &cluster.protection;
    let actions = html! {
        (Button::link(urls::BACKUP_NEW, "Back up now").icon(Icon::Backups).needs(frame, Role::Operator))
        @if let Some(timeline) = page.timelines.first() {
            (Button::link(&restore_query(timeline).on(urls::RESTORE), "Restore…").primary().icon(Icon::Restore).needs(frame, Role::Operator))
        }
    };
    let main = html! {
        (layout::crumbs(&[("Overview", urls::OVERVIEW)]))
        (layout::header(&cluster.name, html! { (badge::protection(state.state)) }, actions))
        (live::region(frame, "cluster-live", Some(10), html! {
            div.cluster-line.alone { (protection::answer(frame, state)) (protection::reasons(state)) }
            @if let Some(timeline) = page.timelines.first() { (drawn(frame, page, timeline)) }
            @for timeline in page.timelines.iter().skip(1) { (elsewhere(frame, timeline)) }
            (facts(frame, page))
            (members(frame, page))
            (schedules(frame, page))
            @if !page.jobs.is_empty() { (jobs(frame, page)) }
        }))
    };
    layout::page(frame, &cluster.name, main)
}

pub(crate) fn restore_query(timeline: &Timeline) -> Query {
    Query::new().with("location_id", &timeline.location_id).with("folder", &timeline.folder)
}

fn drawn(frame: &Frame, page: &Page, timeline: &Timeline) -> Markup {
    let now = u32::try_from(frame.now.as_second()).unwrap_or(0);
    let path = urls::cluster(&page.cluster.name);
    let strip = Strip {
        timeline,
        window: page.window.unwrap_or_else(|| Window::last(7 * 86_400, now)),
        chosen: None,
        path: &path,
        query: &Query::new(),
        restore: frame.may(Role::Operator).then(|| restore_query(timeline)),
        fills: None,
    };
    html! {
        @if let Some(stale) = &timeline.stale { (notice::stale(frame, timeline.as_of, stale)) }
        (timeline_strip::strip(frame, &strip))
    }
}

fn elsewhere(frame: &Frame, timeline: &Timeline) -> Markup {
    let now = u32::try_from(frame.now.as_second()).unwrap_or(0);
    html! {
        a.strip-link href=(urls::timeline(&timeline.location_id, &timeline.folder)) {
            span.label { "Also on " (timeline.location_name) ", folder " (timeline.folder) }
            (timeline_strip::mini(frame, timeline, Window::whole(timeline, now)))
        }
    }
}

fn facts(frame: &Frame, page: &Page) -> Markup {
    let state = &page.cluster.protection;
    let slices: u64 = page.timelines.iter().flat_map(|timeline| &timeline.replica_sets).map(|set| set.slices).sum();
    figures(&[
        (
            "Backups",
            number::count(u64::from(state.backups)),
            html! { @if let Some(at) = state.last_backup_at { "last " (time::ago(frame, at)) @if state.last_backup_failed { ", failed" } } },
        ),
        ("Slices", number::count(slices), html! {}),
        ("Stored", number::size(state.stored_bytes), html! {}),
        ("Agents online", html! { (page.cluster.agents_online) " of " (page.cluster.services) }, html! {}),
    ])
}

const MEMBERS: &[Column<'_>] = &[
    Column::text("Service"),
    Column::text("Role"),
    Column::text("Replica set"),
    Column::text("MongoDB").secondary(),
    Column::text("Agent"),
    Column::text("Slicing"),
    Column::number("Headroom"),
];

fn members(frame: &Frame, page: &Page) -> Markup {
    let mut table = Table::new("Members", MEMBERS);
    for service in &page.services {
        let slicing = service.slicing.as_ref();
        table.row(vec![
            html! { a href=(urls::service(&service.id)) { (service.name) } span.sub { (service.member) } },
            badge::member_role(service.role),
            html! { (service.replica_set) },
            or_dash(&service.mongodb_version),
            html! { (badge::agent_state(service.agent.state)) @if let Some(seen) = service.agent.last_seen { span.sub { (time::ago(frame, seen)) } } },
            html! {
                @match slicing {
                    Some(facts) => {
                        (badge::slicing_state(facts.state).because(facts.message.as_deref()))
                        @if facts.state == SlicingState::Slicing { @if let Some(lag) = facts.lag_seconds { span.sub { (number::duration_text(u64::from(lag))) " behind" } } }
                    }
                    None => { (dash()) }
                }
            },
            html! { @match slicing.and_then(|facts| facts.headroom_seconds) { Some(seconds) => { (number::duration(u64::from(seconds))) } None => { (dash()) } } },
        ]);
    }
    layout::section(
        "Members",
        html! {},
        html! {
            @if page.services.is_empty() {
                (empty(Icon::Services, "No agent belongs to this cluster any more", "What is on the storage stays, and can be restored to another service.", Some(Button::link(urls::SERVICE_ENROL, "Enrol an agent").needs(frame, Role::Administrator))))
            } @else { (table) }
        },
    )
}

const SCHEDULES: &[Column<'_>] = &[
    Column::text("Job"),
    Column::text("Type"),
    Column::text("Frequency"),
    Column::text("Location"),
    Column::text("Last run"),
    Column::text("Next run"),
];

fn schedules(frame: &Frame, page: &Page) -> Markup {
    let mut table = Table::new("Scheduled backup jobs", SCHEDULES);
    for schedule in &page.schedules {
        let cells = vec![
            html! { a href=(urls::schedule(&schedule.id)) { (schedule.input.name) } },
            html! { (match schedule.input.mode { oplogue_api::backups::BackupMode::Pitr => "PITR", oplogue_api::backups::BackupMode::Snapshot => "Full" }) },
            html! { (schedule.frequency) },
            html! { (schedule.location_name) },
            html! { @match &schedule.last_run { Some(run) => { (time::ago(frame, run.at)) @if run.ok == Some(false) { " " span.tone-danger.toned { "failed" } } } None => { (dash()) } } },
            html! { @match (schedule.input.enabled, schedule.next_runs.first()) { (true, Some(at)) => { (time::ago(frame, *at)) } (false, _) => { "disabled" } _ => { (dash()) } } },
        ];
        if schedule.input.enabled { table.row(cells) } else { table.dim_row(cells) }
    }
    let new = Query::new().with("mode", "pitr").on(urls::SCHEDULE_NEW);
    layout::section(
        "Scheduled backup jobs",
        html! { (Button::link(urls::SCHEDULE_NEW, "Schedule").small().icon(Icon::Plus).needs(frame, Role::Operator)) },
        html! {
            @if page.schedules.is_empty() {
                (empty(Icon::Schedules, "No backup is scheduled", "A PITR job makes every second restorable from its first snapshot on.", Some(Button::link(&new, "Schedule PITR").primary().needs(frame, Role::Operator))))
            } @else { (table) }
        },
    )
}

const JOBS: &[Column<'_>] =
    &[Column::text("Job"), Column::text("State"), Column::text("Begun"), Column::number("Took"), Column::text("Requested by")];

fn jobs(frame: &Frame, page: &Page) -> Markup {
    let mut table = Table::new("Latest jobs", JOBS);
    for job in &page.jobs {
        table.row(vec![
            html! { a href=(urls::job(&job.id)) { (job.title) } },
            html! { (badge::job_state(job.state).because(job.error.as_deref())) },
            time::ago(frame, job.started_at.unwrap_or(job.created_at)),
            time::took(frame, job.started_at, job.finished_at),
            html! { (job.requested_by) },
        ]);
    }
    let all = Query::new().with("cluster", &page.cluster.name).on(urls::JOBS);
    layout::section("Latest jobs", html! { (Button::link(&all, "All jobs").small().quiet()) }, html! { (table) })
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::{fixtures as f, world};
    let page = |name: &str, state, timelines| Page {
        cluster: f::cluster(name, state),
        timelines,
        window: None,
        services: world::services(),
        schedules: world::schedules(),
        jobs: world::jobs(),
    };
    let bare = Page {
        services: vec![],
        schedules: vec![],
        jobs: vec![],
        ..page("old-shop", ProtectionState::SnapshotsOnly, vec![f::timeline_of_snapshots()])
    };
    vec![
        ("protected", page("shop", ProtectionState::Protected, vec![f::timeline()])),
        ("viewer-at-risk", page("billing", ProtectionState::AtRisk, vec![f::timeline_of_three(), f::timeline_of_snapshots()])),
        ("stale", page("archive", ProtectionState::Unknown, vec![f::timeline_stale()])),
        ("no-agents", bare),
        ("long-name", page(f::LONG_NAME, ProtectionState::Unprotected, vec![])),
    ]
}
