//! One job: its steps as they go, what went wrong and what to do, and its log of all tries.

use maud::{Markup, html};
use oplogue_api::jobs::{Job, JobKind, JobState, LogLevel, LogLine};

use crate::components::badge::{Badge, Tone, job_state};
use crate::components::definitions::{dash, definitions};
use crate::components::icon::Icon;
use crate::components::{code, live, notice, progress, time};
use crate::pages::jobs;
use crate::urls::{self, Query};
use crate::{Frame, layout};

/// Lines of the log on one page; earlier ones follow behind a link.
pub const LINES: usize = 500;

pub struct Page {
    pub job: Job,
    /// The newest lines, oldest first.
    pub log: Vec<LogLine>,
    /// There are earlier lines than these.
    pub earlier: bool,
    /// Id of the backup it made, when there is one.
    pub backup_id: Option<String>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let job = &page.job;
    let lead = html! { (jobs::kind_tag(job.kind)) " asked for by " (job.requested_by) };
    let main = html! {
        (layout::crumbs(&[("Jobs and logs", urls::JOBS)]))
        (layout::header(&job.title, lead, html! {}))
        (live::region(frame, "job", (!job.state.is_over()).then_some(1), html! {
            (state(frame, job))
            @if let Some(error) = &job.error {
                @if job.state.is_over() { (notice::failure("What went wrong", error, job.hint.as_deref())) }
                @else { (notice::notice(Tone::Attention, "What went wrong last", html! { p.error-text { (error) } })) }
            }
            (layout::section("Steps", html! {}, html! {
                @if job.steps.is_empty() {
                    p.dim { @if job.state.is_over() { "None was begun." } @else { "None has begun yet." } }
                } @else if job.state.is_over() { (progress::steps_of_ended(&job.steps)) }
                @else { (progress::steps(&job.steps)) }
            }))
            @if let Some(result) = job.result.as_ref().filter(|_| job.kind != JobKind::Plan) { (outcome(result)) }
            div #log { (layout::section("Log", html! {}, log(frame, page))) }
        }))
        (layout::section("Details", html! {}, definitions(&facts(frame, page))))
        (code::equivalents("", &code::curl(frame, "GET", &format!("/v1/jobs/{}/log?after=0", job.id), None)))
    };
    layout::page(frame, &job.title, main)
}

fn state(frame: &Frame, job: &Job) -> Markup {
    html! {
        div.job-state role="status" {
            (job_state(job.state))
            @if job.attempts_max > 1 { span.dim { "try " (job.attempt) " of " (job.attempts_max) } }
            @if let (JobState::WaitingToRetry, Some(at)) = (job.state, job.retry_at) { span { "next try " (time::ago(frame, at)) } }
            @if let Some(waiting) = job.waiting_for.as_ref().filter(|_| !job.state.is_over()) { span { "waits for " (waiting) } }
            @if job.started_at.is_some() { span.dim { (time::took(frame, job.started_at, job.finished_at)) } }
            span.actions { @for button in [jobs::cancel(frame, job), jobs::retry(frame, job)].into_iter().flatten() { (button) } }
        }
    }
}

/// What came out, as the agent told it.
fn outcome(result: &serde_json::Value) -> Markup {
    let serde_json::Value::Object(fields) = result else { return html! {} };
    let simple = fields.iter().filter_map(|(name, value)| {
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), crate::components::number::count_text),
            serde_json::Value::Bool(yes) => (if *yes { "yes" } else { "no" }).to_owned(),
            _ => return None,
        };
        Some((progress::sentence(&name.replace('_', " ")), text))
    });
    let simple = simple.collect::<Vec<_>>();
    if simple.is_empty() {
        return html! {};
    }
    let pairs = simple.iter().map(|(name, text)| (name.as_str(), html! { (text) })).collect::<Vec<_>>();
    layout::section("Result", html! {}, definitions(&pairs))
}

fn facts(frame: &Frame, page: &Page) -> Vec<(&'static str, Markup)> {
    let job = &page.job;
    let link = |text: Option<&String>, url: &dyn Fn(&str) -> String| text.map_or_else(dash, |text| html! { a href=(url(text)) { (text) } });
    let named = |id: &Option<String>, name: &Option<String>, url: &dyn Fn(&str) -> String| match (id, name) {
        (Some(id), Some(name)) => html! { a href=(url(id)) { (name) } },
        _ => dash(),
    };
    let instant = |at: Option<jiff::Timestamp>| at.map_or_else(dash, |at| time::absolute(frame, at));
    vec![
        ("Job", code::identifier(&job.id, "the job's id")),
        ("Cluster", link(job.cluster.as_ref(), &urls::cluster)),
        ("Service", named(&job.service_id, &job.service_name, &urls::service)),
        ("Location", named(&job.location_id, &job.location_name, &urls::location)),
        ("Folder", job.folder.as_ref().map_or_else(dash, |folder| html! { (folder) })),
        (
            "Backup",
            match (&job.backup_name, &page.backup_id) {
                (Some(name), Some(id)) => html! { a href=(urls::backup(id)) { (name) } },
                (Some(name), None) => html! { (name) },
                (None, _) => dash(),
            },
        ),
        ("Schedule", job.schedule_id.as_ref().map_or_else(dash, |id| html! { a href=(urls::schedule(id)) { (job.requested_by) } })),
        ("Created", instant(Some(job.created_at))),
        ("Started", instant(job.started_at)),
        ("Finished", instant(job.finished_at)),
    ]
}

/// All tries, one after the other; a heading where another try begins.
fn log(frame: &Frame, page: &Page) -> Markup {
    if page.log.is_empty() {
        return html! { p.dim { "No lines yet." } };
    }
    let first = page.log.first().map_or(0, |line| line.seq);
    html! {
        @if page.earlier {
            p { a href=(format!("{}#log", Query::new().with("before", first).on(&urls::job(&page.job.id)))) { "Show earlier lines" } }
        }
        div.log role="log" aria-label="Log" tabindex="0" {
            @for (at, line) in page.log.iter().enumerate() {
                @if page.job.attempts_max > 1 && (at == 0 || page.log[at - 1].attempt != line.attempt) {
                    p.log-try { "Try " (line.attempt) }
                }
                (one_line(frame, line))
            }
        }
    }
}

fn one_line(frame: &Frame, line: &LogLine) -> Markup {
    let zoned = line.at.to_zoned(frame.zone.clone());
    html! {
        p class={ "log-line" (match line.level { LogLevel::Info => "", LogLevel::Warn => " tone-attention", LogLevel::Error => " tone-danger" }) } {
            time datetime=(line.at.to_string()) title=(time::absolute_text(frame, line.at)) { (zoned.strftime("%H:%M:%S")) }
            " " span.dim { (line.source) } " "
            @match line.level {
                LogLevel::Info => {}
                LogLevel::Warn => { (Badge::new(Tone::Attention, Icon::Attention, "Warning")) " " }
                LogLevel::Error => { (Badge::new(Tone::Danger, Icon::Failed, "Error")) " " }
            }
            span.log-text { (line.text) }
        }
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |at: usize| Page { job: world::jobs().remove(at), log: world::job_log(), earlier: false, backup_id: Some("running".into()) };
    let mut long = page(8);
    long.log = (0..LINES as u64)
        .map(|seq| LogLine { seq, text: format!("{} {seq}", world::long_name("object ")), ..world::job_log().remove((seq % 5) as usize) })
        .collect();
    long.earlier = true;
    vec![
        ("running", page(0)),
        ("queued", Page { log: Vec::new(), ..page(1) }),
        ("waiting-to-retry", page(2)),
        ("cancelling", page(3)),
        ("failed", page(4)),
        ("done", page(5)),
        ("retention", page(6)),
        ("cancelled", page(7)),
        ("long-names", long),
        ("viewer", page(0)),
    ]
}
