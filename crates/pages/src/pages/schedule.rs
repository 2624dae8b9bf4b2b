//! One scheduled backup job: what it does, when it ran and will run, and the same from a terminal.

use maud::{Markup, html};
use oplogue_api::backups::BackupMode;
use oplogue_api::schedules::Schedule;
use oplogue_api::users::Role;

use crate::components::badge::{self, Tone};
use crate::components::button::{Button, menu};
use crate::components::definitions::{definitions, figures};
use crate::components::icon::Icon;
use crate::components::{code, live, notice, time};
use crate::pages::{backups, retention_preview, schedules};
use crate::urls::{self, Query};
use crate::{Frame, layout};

pub struct Page {
    pub schedule: Schedule,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let schedule = &page.schedule;
    let input = &schedule.input;
    let run = Button::post(frame, &urls::at(urls::SCHEDULE_RUN, &schedule.id), "Run now", &[]).icon(Icon::Run).needs(frame, Role::Operator);
    let lead = html! { (badge::tag(backups::type_word(input.mode))) " " (schedule.frequency) ", " (input.time_zone) };
    let main = html! {
        (layout::crumbs(&[("Scheduled backup jobs", urls::SCHEDULES)]))
        (layout::header(&input.name, lead, html! {
            (schedules::switch(frame, schedule)) (run) (menu(&input.name, &schedules::actions(frame, schedule)[1..]))
        }))
        (live::region(frame, "schedule", Some(10), html! {
            @if let Some(paused) = &schedule.paused {
                (notice::notice(Tone::Attention, "Paused", html! { p { "It does not run now: " (paused) "." } }))
            }
            @if let Some(error) = schedule.last_run.as_ref().and_then(|run| run.error.as_ref()) {
                (notice::failure("The last run failed", error, Some("What was restorable before still is. The job's log says more.")))
            }
            (figures(&[
                ("Last backup", schedules::last_run(frame, schedule.last_run.as_ref()), html! {}),
                ("Next run", schedules::next_run(frame, schedule), html! {}),
                ("Retention", html! { (retention_preview::policy_text(&input.retention)) },
                    html! { a href=(urls::at(urls::SCHEDULE_RETENTION, &schedule.id)) { "Preview" } }),
            ]))
            @if let Some(slicing) = &schedule.slicing { p { "Slicing: " (slicing) } }
            (layout::section("Next runs", html! {}, html! {
                @if schedule.next_runs.is_empty() {
                    p.dim { @if input.enabled { "It does not run again." } @else { "It is not enabled." } }
                } @else {
                    ol.runs { @for run in &schedule.next_runs { li { (time::absolute(frame, *run)) " " span.dim { (time::relative_text(frame.now, *run)) } } } }
                }
            }))
        }))
        (layout::section("Details", html! {}, definitions(&schedules::facts(frame, schedule))))
        p {
            a href=(Query::new().with("service", &schedule.service_name).on(urls::BACKUPS)) { "Backups of " (schedule.service_name) }
            @if input.mode == BackupMode::Pitr {
                " · " a href=(urls::timeline(&input.location_id, input.folder.as_deref().unwrap_or(&schedule.cluster))) { "Timeline" }
            }
        }
        (code::equivalents("", &code::curl(frame, "POST", &format!("/v1/schedules/{}/run", schedule.id), None)))
    };
    layout::page(frame, &input.name, main)
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let names = ["one", "pitr", "paused", "failed", "disabled", "long-names"];
    let mut samples: Vec<_> = names.into_iter().zip(world::schedules()).map(|(name, schedule)| (name, Page { schedule })).collect();
    samples.push(("viewer", Page { schedule: world::schedules().remove(0) }));
    samples
}
