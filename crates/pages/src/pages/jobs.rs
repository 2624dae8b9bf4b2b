//! Jobs: the queue, what runs, and what has run.

mod filter;

use maud::{Markup, html};
use oplogue_api::jobs::{Job, JobKind, JobState};
use oplogue_api::users::Role;

pub use self::filter::JobsFilter;
use crate::components::badge::{self, job_state};
use crate::components::button::{Button, menu};
use crate::components::empty;
use crate::components::field::Field;
use crate::components::icon::Icon;
use crate::components::table::{self, Column, Table};
use crate::components::{live, number, progress, time};
use crate::pages::backups::{choices, logs};
use crate::{Frame, layout, urls};

/// Rows on one page; the rest follows behind "Load more".
pub const ROWS: usize = 100;

/// How many jobs are in each state, whatever the filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub queued: u32,
    pub running: u32,
    pub waiting_to_retry: u32,
    pub done: u32,
    pub failed: u32,
    pub cancelled: u32,
}

pub struct Page {
    pub filter: JobsFilter,
    pub counts: Counts,
    pub jobs: Vec<Job>,
    /// Give it as `after` for the rest.
    pub next: Option<String>,
    /// Labels to choose from.
    pub clusters: Vec<String>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let main = html! {
        (layout::header("Jobs and logs", html! { "One at a time per cluster, in the order they came." }, html! {}))
        (live::region(frame, "jobs", Some(2), html! {
            (boxes(page))
            @if page.jobs.is_empty() && page.filter.is_empty() {
                (empty::empty(Icon::Jobs, "No jobs yet", "Every backup, restore and deletion is a job, with its progress and its log. They appear here and stay.", None))
            } @else if page.jobs.is_empty() {
                (empty::nothing_matches(urls::JOBS))
            } @else {
                (rows(frame, page))
            }
        }))
    };
    layout::page(frame, "Jobs and logs", main)
}

/// A job's life from left to right; each box shows the jobs in that state.
fn boxes(page: &Page) -> Markup {
    let counts = &page.counts;
    let boxes = [
        ("queued", "Queued", counts.queued),
        ("running", "Running", counts.running),
        ("waiting_to_retry", "Waiting to retry", counts.waiting_to_retry),
        ("done", "Done", counts.done),
        ("failed", "Failed", counts.failed),
        ("cancelled", "Cancelled", counts.cancelled),
    ];
    let query = page.filter.query().without("after");
    html! {
        nav.states aria-label="Jobs by state" {
            @for (state, label, count) in boxes {
                @let current = page.filter.state == state;
                @let url = query.clone().with("state", if current { "" } else { state }).on(urls::JOBS);
                a.state href=(url) aria-current=[current.then_some("true")] {
                    span.state-count { (number::count_text(u64::from(count))) }
                    span.state-name { (label) }
                }
            }
        }
        (filters(page))
    }
}

fn filters(page: &Page) -> Markup {
    let kinds = choices(&[
        ("", "Any"),
        ("backup", "Backup"),
        ("plan", "Plan"),
        ("restore", "Restore"),
        ("delete", "Delete"),
        ("retention", "Retention"),
    ]);
    let mut clusters = choices(&[("", "Any")]);
    clusters.extend(page.clusters.iter().map(|cluster| crate::components::field::Choice::new(cluster, cluster)));
    let inside = html! {
        (Field::new("kind", "Kind").value(&page.filter.kind).required().select(&kinds))
        (Field::new("cluster", "Cluster").value(&page.filter.cluster).required().select(&clusters))
        @if !page.filter.state.is_empty() { input type="hidden" name="state" value=(page.filter.state); }
    };
    table::filters(urls::JOBS, inside, (!page.filter.is_empty()).then_some(urls::JOBS))
}

fn rows(frame: &Frame, page: &Page) -> Markup {
    let columns = [
        Column::text("Job"),
        Column::text("State"),
        Column::text("Progress"),
        Column::text("Cluster"),
        Column::text("Asked for by"),
        Column::text("Created"),
        Column::text("Took"),
        Column::actions(),
    ];
    let mut table = Table::new("Jobs", &columns);
    for job in &page.jobs {
        table.row(vec![
            html! { a href=(urls::job(&job.id)) { (job.title) } span.sub { (kind_word(job.kind)) } },
            state(frame, job),
            current_step(job),
            html! {
                @match &job.cluster { Some(cluster) => { a href=(urls::cluster(cluster)) { (cluster) } } None => { (crate::components::definitions::dash()) } }
            },
            html! { (job.requested_by) },
            time::ago(frame, job.created_at),
            time::took(frame, job.started_at, job.finished_at),
            menu(&job.title, &actions(frame, job)),
        ]);
    }
    let next = page.next.as_ref().map(|next| page.filter.query().with("after", next).on(urls::JOBS));
    html! { (table) (table::more(page.jobs.len(), next.as_deref())) }
}

pub(crate) const fn kind_word(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Backup => "Backup",
        JobKind::Plan => "Restore plan",
        JobKind::Restore => "Restore",
        JobKind::Delete => "Deletion",
        JobKind::Retention => "Retention",
    }
}

fn state(frame: &Frame, job: &Job) -> Markup {
    html! {
        (job_state(job.state).because(job.error.as_deref()))
        @if let (JobState::WaitingToRetry, Some(at)) = (job.state, job.retry_at) { span.sub { "next try " (time::ago(frame, at)) } }
        @if job.attempts_max > 1 && job.attempt > 1 { span.sub { "try " (job.attempt) " of " (job.attempts_max) } }
    }
}

/// The step it is at, or what it waits for.
fn current_step(job: &Job) -> Markup {
    if job.state.is_over() {
        return html! { @if let Some(error) = &job.error { span.error-text.clip title=(error) { (error) } } @else { (crate::components::definitions::dash()) } };
    }
    let step = job.steps.iter().find(|step| step.state == oplogue_api::jobs::StepState::Running);
    html! {
        @match (step, &job.waiting_for) {
            (Some(step), _) => {
                div { (progress::sentence(&step.name)) }
                (progress::inline(&format!("Progress of {}", job.title), progress::fraction(step).map(|fraction| fraction * 100.0)))
            }
            (None, Some(waiting)) => { span.dim { "Waits for " (waiting) } }
            (None, None) => { (crate::components::definitions::dash()) }
        }
    }
}

/// Cancel while it is not over, try again when it failed.
pub(crate) fn actions(frame: &Frame, job: &Job) -> Vec<Button> {
    let mut actions = vec![Button::link(&logs(&job.id), "Logs").icon(Icon::Log).quiet()];
    actions.extend(cancel(frame, job).map(Button::quiet));
    actions.extend(retry(frame, job).map(Button::quiet));
    actions
}

pub(crate) fn cancel(frame: &Frame, job: &Job) -> Option<Button> {
    let refusal = (job.state == JobState::Cancelling).then_some("the agent was told already");
    let cancel = Button::post(frame, &urls::at(urls::JOB_CANCEL, &job.id), "Cancel", &[]).icon(Icon::Cancelled);
    (!job.state.is_over()).then(|| cancel.needs(frame, Role::Operator).unless(refusal))
}

/// A restore is begun anew from its plan, so that it is looked at again.
pub(crate) fn retry(frame: &Frame, job: &Job) -> Option<Button> {
    let refusal = matches!(job.kind, JobKind::Restore).then_some("a restore is begun anew, with a new plan");
    let over = matches!(job.state, JobState::Failed | JobState::Cancelled);
    let label = if job.state == JobState::WaitingToRetry { "Retry now" } else { "Retry" };
    let retry = Button::post(frame, &urls::at(urls::JOB_RETRY, &job.id), label, &[]).icon(Icon::Refresh);
    (over || job.state == JobState::WaitingToRetry).then(|| retry.needs(frame, Role::Operator).unless(refusal))
}

/// The class is neutral: a kind is no state.
pub(crate) fn kind_tag(kind: JobKind) -> Markup {
    badge::tag(kind_word(kind))
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let counts = Counts { queued: 1, running: 2, waiting_to_retry: 1, done: 1204, failed: 1, cancelled: 1 };
    let page =
        |jobs: Vec<Job>| Page { filter: JobsFilter::default(), counts, jobs, next: None, clusters: vec!["shop".into(), "billing".into()] };
    let of = |state: JobState| world::jobs().into_iter().filter(|job| job.state == state).collect::<Vec<_>>();
    vec![
        ("empty", Page { counts: Counts::default(), ..page(Vec::new()) }),
        ("one", page(of(JobState::Queued))),
        ("many", Page { next: Some("job-090".into()), ..page(world::jobs()) }),
        ("running", page(of(JobState::Running))),
        ("failed", Page { filter: JobsFilter { state: "failed".into(), ..Default::default() }, ..page(of(JobState::Failed)) }),
        ("nothing-matches", Page { filter: JobsFilter { kind: "restore".into(), ..Default::default() }, ..page(Vec::new()) }),
        ("viewer", page(world::jobs())),
    ]
}
