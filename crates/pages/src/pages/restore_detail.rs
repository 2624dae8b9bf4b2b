//! One restore: step by step while it runs, then the proof.

use maud::{Markup, html};
use oplogue_api::jobs::JobState;
use oplogue_api::restores::{ProofJson, Restore, RestoreReport};
use oplogue_api::users::Role;

use super::restore::RestoreForm;
use super::restore_plan::{parts, summary};
use crate::components::badge::{self, Badge, Tone};
use crate::components::button::Button;
use crate::components::definitions::{definitions, figures};
use crate::components::icon::Icon;
use crate::components::table::{Column, Table};
use crate::components::{code, live, notice, number, progress, time};
use crate::{Frame, layout, urls};

pub struct Page {
    pub restore: Restore,
}

/// More namespaces than that are proven, and listed in the API.
const ROWS_MAX: usize = 500;

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let restore = &page.restore;
    let name = restore.target_cluster.as_deref().unwrap_or(&restore.target_service);
    let running = !restore.state.is_over();
    let title = format!("Restore of {name}");
    let main = html! {
        (layout::crumbs(&[("Restores", urls::RESTORES)]))
        (live::region(frame, "restore-live", running.then_some(1), html! {
            (layout::header(&title, html! { (badge::job_state(restore.state)) " to " (time::moment(&restore.through)) " UTC" }, html! {
                (Button::link(&urls::job(&restore.id), "Log").icon(Icon::Log))
                @if running && restore.state != JobState::Cancelling {
                    (Button::post(frame, &urls::at(urls::JOB_CANCEL, &restore.id), "Cancel", &[]).danger().needs(frame, Role::Operator))
                } @else if restore.state.is_over() {
                    (Button::link(&RestoreForm::again(&restore.input).url(), "Restore again…").icon(Icon::Restore).needs(frame, Role::Operator))
                }
            }))
            (outcome(restore))
            @if let Some(report) = &restore.report { (proof(restore, report)) } @else { (summary(&restore.plan)) }
            @if !restore.steps.is_empty() { (layout::section("Steps", html! {}, progress::steps(&restore.steps))) }
            @else if running { (progress::bar("Waiting to begin", None)) }
            (facts(frame, restore))
        }))
        (code::equivalents("", &code::curl(frame, "GET", &format!("/v1/restores/{}", urls::escape(&restore.id)), None)))
    };
    layout::page(frame, &title, main)
}

fn outcome(restore: &Restore) -> Markup {
    let error = restore.error.as_deref().unwrap_or("No reason was given.");
    html! {
        @match restore.state {
            JobState::Failed => (notice::failure("The restore failed", error, restore.hint.as_deref())),
            JobState::Cancelled => (notice::notice(Tone::Attention, "Cancelled before its end", html! { p { (restore.error.as_deref().unwrap_or("What was restored so far is on the target; a restore of the same plan begins again and finishes it.")) } })),
            JobState::WaitingToRetry => (notice::failure("An attempt failed; it will be tried again", error, restore.hint.as_deref())),
            JobState::Queued | JobState::Running | JobState::Cancelling => { p.hint.run-hint { "It goes on when you leave this page. Schedules of the cluster pause meanwhile." } }
            JobState::Done => {}
        }
    }
}

const PROOFS: &[Column<'_>] = &[Column::text("Namespace"), Column::text("Result"), Column::number("Documents"), Column::number("Indexes")];

fn as_promised(namespaces: usize) -> String {
    match namespaces {
        1 => "The one namespace has as many documents and indexes as the plan promised.".to_owned(),
        many => format!("All {many} namespaces have as many documents and indexes as the plan promised."),
    }
}

fn proof(restore: &Restore, report: &RestoreReport) -> Markup {
    let mut table = Table::new("What was found on the target afterwards", PROOFS);
    // What does not fit comes first.
    let mut proofs: Vec<&ProofJson> = report.proofs.iter().collect();
    proofs.sort_by_key(|proof| proof.problem.is_none());
    for proof in proofs.into_iter().take(ROWS_MAX) {
        let result = match &proof.problem {
            None => Badge::new(Tone::Ok, Icon::Ok, "As planned"),
            Some(problem) => Badge::new(Tone::Danger, Icon::Failed, problem.clone()),
        };
        table.row(vec![
            html! { code { (proof.namespace) } },
            html! { (result) },
            number::count(proof.documents),
            number::count(proof.indexes as u64),
        ]);
    }
    let wrong = report.proofs.iter().filter(|proof| proof.problem.is_some()).count();
    let seconds = if report.seconds.is_finite() && report.seconds > 0.0 { report.seconds.round() as u64 } else { 0 };
    html! {
        @if wrong > 0 {
            (notice::notice(Tone::Danger, &number::plural(wrong as u64, "namespace is not as planned", "namespaces are not as planned"), html! { p { "They come first in the list below." } }))
        } @else if restore.state == JobState::Done {
            (notice::notice(Tone::Ok, "Restored, and counted again", html! { p { (as_promised(report.proofs.len())) } }))
        }
        (figures(&[
            ("Collections", number::count(report.collections as u64), html! { (number::plural(report.views as u64, "view", "views")) }),
            ("Documents", number::count(report.documents_loaded), html! { "loaded" }),
            ("Operations", number::count(report.operations_applied), html! { "of oplog, " (number::count_text(report.operations_folded)) " folded" }),
            ("Indexes", number::count(report.indexes as u64), html! {}),
            ("Took", number::duration(seconds), html! {}),
        ]))
        @if !report.notes.is_empty() { (notice::notice(Tone::Neutral, "Worth knowing", html! { ul { @for note in &report.notes { li { (note) } } } })) }
        (layout::section("Proof", html! {}, html! {
            (table)
            @if report.proofs.len() > ROWS_MAX { p.hint { "The first " (ROWS_MAX) " of " (number::count_text(report.proofs.len() as u64)) " are shown; the API has all." } }
        }))
    }
}

fn facts(frame: &Frame, restore: &Restore) -> Markup {
    let at =
        |time: Option<jiff::Timestamp>| html! { @match time { Some(time) => { (time::absolute(frame, time)) } None => { "not yet" } } };
    layout::section(
        "Details",
        html! {},
        definitions(&[
            (
                "Target service",
                html! { a href=(urls::service(&restore.input.service_id)) { (restore.target_service) } span.sub { (restore.plan.target_host) } },
            ),
            ("Backup", html! { code { (restore.base) } }),
            (
                "Location",
                html! { (restore.location_name) @if !restore.input.folder.is_empty() { ", folder " code { (restore.input.folder) } } },
            ),
            ("Parts", parts(&restore.input)),
            ("Started", at(restore.started_at)),
            ("Finished", at(restore.finished_at)),
            ("Requested by", html! { (restore.requested_by) }),
            ("Job", html! { a href=(urls::job(&restore.id)) { (restore.id) } }),
        ]),
    )
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::fixtures as f;
    let page = |state| Page { restore: f::restore(state) };
    let mut wrong = page(JobState::Done);
    if let Some(report) = &mut wrong.restore.report {
        report.proofs[1].problem = Some("1,204 documents, the plan promised 1,206".into());
    }
    vec![
        ("queued", page(JobState::Queued)),
        ("running", page(JobState::Running)),
        ("viewer-running", page(JobState::Running)),
        ("failed", page(JobState::Failed)),
        ("cancelled", page(JobState::Cancelled)),
        ("done", page(JobState::Done)),
        ("not-as-planned", wrong),
    ]
}
