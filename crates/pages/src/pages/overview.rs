//! Is everything protected? One line per cluster answers, worst first; below it what is running and what is firing.
//!
//! Until there is a location, an agent and a PITR schedule, the page is the way there.

use maud::{Markup, html};
use oplogue_api::alerts::Alert;
use oplogue_api::clusters::{Cluster, ProtectionState};
use oplogue_api::jobs::Job;
use oplogue_api::timelines::Timeline;
use oplogue_api::users::Role;

use crate::components::badge;
use crate::components::button::Button;
use crate::components::code::command;
use crate::components::icon::{Icon, icon};
use crate::components::table::{Column, Table};
use crate::components::timeline_strip::{self, Window};
use crate::components::{live, number, progress, protection, time};
use crate::urls::Query;
use crate::{Frame, layout, urls};

pub struct Page {
    pub clusters: Vec<ClusterLine>,
    pub locations: usize,
    pub services: usize,
    /// Enabled PITR schedules.
    pub pitr_schedules: usize,
    /// Jobs that are not over.
    pub running: Vec<Job>,
    /// Alerts that fire now.
    pub alerts: Vec<Alert>,
}

pub struct ClusterLine {
    pub cluster: Cluster,
    /// Of the folder its PITR schedule, or its newest backup, writes to.
    pub timeline: Option<Timeline>,
}

/// With more clusters than that, they are a table without drawings.
pub const DRAWN_MAX: usize = 12;
const WEEK: u32 = 7 * 86_400;

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let guided = page.locations == 0 || page.services == 0 || page.pitr_schedules == 0;
    let main = html! {
        (layout::header("Overview", lead(page), html! {
            @if !page.clusters.is_empty() { (Button::link(urls::RESTORE, "Restore…").icon(Icon::Restore).needs(frame, Role::Operator)) }
        }))
        @if guided { (guide(frame, page)) }
        (live::region(frame, "overview-live", Some(5), html! {
            @if !page.clusters.is_empty() { (clusters(frame, page)) }
            @if !page.alerts.is_empty() { (alerts(frame, page)) }
            @if !page.running.is_empty() { (running(page)) }
        }))
    };
    layout::page(frame, "Overview", main)
}

fn lead(page: &Page) -> Markup {
    let bad = page.clusters.iter().filter(|line| urgency(line.cluster.protection.state) < 3).count();
    let all = page.clusters.len();
    html! {
        @if all == 0 { "Nothing is backed up yet. Three steps lead to a database that can be restored to any second." }
        @else if bad == 0 { "Every cluster can be restored, and what can be restored is fresh." }
        @else if all == 1 { "The cluster needs a look." }
        @else { (bad) " of " (all) " clusters need a look." }
    }
}

/// Worst first.
const fn urgency(state: ProtectionState) -> u8 {
    match state {
        ProtectionState::Unprotected => 0,
        ProtectionState::AtRisk => 1,
        ProtectionState::Unknown => 2,
        ProtectionState::SnapshotsOnly => 3,
        ProtectionState::Protected => 4,
    }
}

fn clusters(frame: &Frame, page: &Page) -> Markup {
    let mut lines: Vec<&ClusterLine> = page.clusters.iter().collect();
    lines.sort_by(|a, b| {
        let key = |line: &ClusterLine| (urgency(line.cluster.protection.state), line.cluster.name.clone());
        key(a).cmp(&key(b))
    });
    html! {
        @if lines.len() > DRAWN_MAX { (cluster_table(frame, &lines)) }
        @else { div.cluster-lines { @for line in lines { (cluster_line(frame, line)) } } }
    }
}

fn cluster_line(frame: &Frame, line: &ClusterLine) -> Markup {
    let Cluster { name, replica_sets, services, agents_online, protection: state } = &line.cluster;
    let now = u32::try_from(frame.now.as_second()).unwrap_or(0);
    html! {
        article.cluster-line aria-label=(name) {
            div.cluster-head {
                h2 { a href=(urls::cluster(name)) { (name) } }
                (badge::protection(state.state))
                span.cluster-facts {
                    (replica_sets.join(", ")) " · "
                    @if agents_online == services { (number::plural(u64::from(*services), "agent", "agents")) }
                    @else { span.tone-attention.toned { (agents_online) " of " (services) " agents online" } }
                    @if state.stored_bytes > 0 { " · " (number::size(state.stored_bytes)) }
                }
            }
            (protection::answer(frame, state))
            (protection::reasons(state))
            @if let Some(timeline) = &line.timeline {
                a.strip-link href=(urls::timeline(&timeline.location_id, &timeline.folder)) {
                    (timeline_strip::mini(frame, timeline, Window::last(WEEK, now)))
                    span.strip-caption { span { "7 days ago" } span { "Open the timeline" span.sr { " of " (name) } } span { "now" } }
                }
            }
        }
    }
}

const COLUMNS: &[Column<'_>] = &[
    Column::text("Cluster"),
    Column::text("State"),
    Column::text("Restorable to"),
    Column::text("Since"),
    Column::text("Agents"),
    Column::number("Stored"),
];

fn cluster_table(frame: &Frame, lines: &[&ClusterLine]) -> Markup {
    let mut table = Table::new("Clusters", COLUMNS);
    for ClusterLine { cluster, .. } in lines {
        let state = &cluster.protection;
        let ago = |moment: &Option<oplogue_api::MomentJson>| html! { @if let Some(moment) = moment { (time::ago(frame, moment.time().timestamp())) } };
        table.row(vec![
            html! { a href=(urls::cluster(&cluster.name)) { (cluster.name) } },
            html! { (badge::protection(state.state).because(state.reasons.first().map(String::as_str))) },
            ago(&state.newest),
            ago(&state.oldest),
            html! { (cluster.agents_online) " of " (cluster.services) },
            number::size(state.stored_bytes),
        ]);
    }
    html! { (table) }
}

fn alerts(frame: &Frame, page: &Page) -> Markup {
    layout::section(
        "Firing alerts",
        html! { (Button::link(urls::ALERTS, "All alerts").small().quiet()) },
        html! {
            ul.plain-list {
                @for alert in &page.alerts {
                    li {
                        (badge::severity(alert.severity))
                        a.grow href=(alert.link) { (alert.summary) }
                        span.dim { (time::ago(frame, alert.since)) }
                    }
                }
            }
        },
    )
}

fn running(page: &Page) -> Markup {
    layout::section(
        "Running now",
        html! { (Button::link(urls::JOBS, "All jobs").small().quiet()) },
        html! {
            ul.plain-list {
                @for job in &page.running {
                    li {
                        (badge::job_state(job.state))
                        a.grow href=(urls::job(&job.id)) { (job.title) }
                        @if let Some(step) = job.steps.iter().rev().find(|step| progress::fraction(step).is_some_and(|part| part < 1.0)) {
                            (progress::inline(&step.name, progress::fraction(step).map(|part| part * 100.0)))
                            @if let Some(left) = step.seconds_left { span.dim { (number::duration_text(left)) " left" } }
                        } @else if let Some(waiting) = &job.waiting_for { span.dim { "waits for " (waiting) } }
                    }
                }
            }
        },
    )
}

fn guide(frame: &Frame, page: &Page) -> Markup {
    let enrol =
        format!("oplogue agent --uri 'mongodb://localhost:27017' \\\n  --server {} --cluster mycluster --token TOKEN", frame.base_url);
    let steps = [
        (
            page.locations > 0,
            "Add a storage location",
            html! { "Where backups and slices are stored: an S3-compatible bucket, Google Cloud, Azure, or a folder that every machine mounts. “Test” writes, reads, lists and deletes before anything relies on it." },
            html! { (Button::link(urls::LOCATION_NEW, "Add a location").primary().needs(frame, Role::Administrator)) },
        ),
        (
            page.services > 0,
            "Enrol an agent beside each mongod",
            html! {
                "On the machine of each member of the replica set. The token is good for one agent; the cluster label keeps members and their backups together."
                (command(&enrol))
            },
            html! { (Button::link(urls::SERVICE_ENROL, "Get a token").primary().needs(frame, Role::Administrator)) },
        ),
        (
            page.pitr_schedules > 0,
            "Schedule a PITR backup",
            html! { "A snapshot now and then, and every write in between as it happens. From the first snapshot's end, each second can be restored." },
            html! {
                (Button::link(&Query::new().with("mode", "pitr").on(urls::SCHEDULE_NEW), "Schedule PITR").primary().needs(frame, Role::Operator)
                    .unless((page.locations == 0).then_some("add a location first")).unless((page.services == 0).then_some("enrol an agent first")))
            },
        ),
    ];
    let next = steps.iter().position(|(done, ..)| !done);
    html! {
        ol.guide aria-label="First steps" {
            @for (at, (done, title, text, action)) in steps.iter().enumerate() {
                li class=(if *done { "done" } else if next == Some(at) { "next" } else { "later" }) {
                    span.guide-mark { @if *done { (icon(Icon::Check)) span.sr { "Done:" } } @else { (at + 1) } }
                    div {
                        h2 { (title) }
                        @if !done { div.guide-text { (text) } }
                        @if next == Some(at) { (action) }
                    }
                }
            }
        }
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::fixtures as f;
    use crate::samples::world;
    let shop = || ClusterLine { cluster: f::cluster("shop", ProtectionState::Protected), timeline: Some(f::timeline()) };
    let empty = || Page { clusters: vec![], locations: 0, services: 0, pitr_schedules: 0, running: vec![], alerts: vec![] };
    let firing = || world::alerts().into_iter().filter(|alert| alert.state == oplogue_api::alerts::AlertState::Firing).collect();
    vec![
        ("empty", empty()),
        ("viewer-empty", empty()),
        (
            "half-way",
            Page {
                clusters: vec![ClusterLine { cluster: f::cluster("shop", ProtectionState::Unprotected), timeline: None }],
                locations: 1,
                services: 3,
                ..empty()
            },
        ),
        ("one", Page { clusters: vec![shop()], locations: 1, services: 3, pitr_schedules: 1, ..empty() }),
        (
            "several",
            Page {
                clusters: vec![
                    shop(),
                    ClusterLine { cluster: f::cluster("billing", ProtectionState::AtRisk), timeline: Some(f::timeline_with_gap()) },
                    ClusterLine {
                        cluster: f::cluster("reports", ProtectionState::SnapshotsOnly),
                        timeline: Some(f::timeline_of_snapshots()),
                    },
                    ClusterLine { cluster: f::cluster("archive", ProtectionState::Unknown), timeline: Some(f::timeline_stale()) },
                    ClusterLine { cluster: f::cluster(f::LONG_NAME, ProtectionState::Unprotected), timeline: None },
                ],
                locations: 2,
                services: 9,
                pitr_schedules: 2,
                running: world::jobs().into_iter().filter(|job| !job.state.is_over()).collect(),
                alerts: firing(),
            },
        ),
        (
            "many",
            Page {
                clusters: (0..40)
                    .map(|at| {
                        let state = [
                            ProtectionState::Protected,
                            ProtectionState::Protected,
                            ProtectionState::SnapshotsOnly,
                            ProtectionState::AtRisk,
                        ][at % 4];
                        ClusterLine { cluster: f::cluster(&format!("tenant-{at:03}"), state), timeline: None }
                    })
                    .collect(),
                locations: 3,
                services: 120,
                pitr_schedules: 30,
                ..empty()
            },
        ),
    ]
}
