//! Scheduled backup jobs.

use maud::{Markup, html};
use oplogue_api::ErrorBody;
use oplogue_api::locations::Location;
use oplogue_api::schedules::{LastRun, Schedule};
use oplogue_api::users::Role;
use serde::Deserialize;

use crate::components::badge::{self, Badge, Tone};
use crate::components::button::{Button, menu};
use crate::components::conflict::{self, Conflict};
use crate::components::definitions::{dash, definitions, or_dash};
use crate::components::empty;
use crate::components::field::csrf_token;
use crate::components::icon::Icon;
use crate::components::table::{self, Column, Table};
use crate::components::{code, live, notice, time};
use crate::pages::backups::{kind_word, logs, model_word, technology, type_word};
use crate::pages::retention_preview::policy_text;
use crate::typed::checked;
use crate::urls::{self, Query};
use crate::{Frame, layout};

/// What the switch of a row sends to [`urls::SCHEDULE_ENABLED`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EnabledForm {
    pub enabled: String,
    /// Switch the jobs in the way off first.
    pub disable_others: String,
}

impl EnabledForm {
    pub fn enabled(&self) -> bool {
        checked(&self.enabled)
    }

    pub fn disables_others(&self) -> bool {
        checked(&self.disable_others)
    }
}

pub struct Page {
    pub schedules: Vec<Schedule>,
    pub locations: Vec<Location>,
    /// Enabling one was refused.
    pub refused: Option<Refused>,
}

/// Why a schedule could not be enabled.
pub struct Refused {
    pub schedule_id: String,
    pub name: String,
    pub why: Why,
}

pub enum Why {
    /// Others of its cluster are in the way.
    Conflict(Conflict),
    Error(ErrorBody),
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let create = || Button::link(urls::SCHEDULE_NEW, "Create scheduled backup").icon(Icon::Plus).needs(frame, Role::Operator).primary();
    let main = html! {
        (layout::header("Scheduled backup jobs", html! {}, html! { (create()) }))
        @if let Some(refused) = &page.refused { (refusal(frame, refused)) }
        @if page.schedules.is_empty() {
            (empty::empty(Icon::Schedules, "No scheduled backups found",
                "A scheduled job takes backups by itself, and as PITR keeps every moment between them restorable.", Some(create())))
        } @else {
            (live::region(frame, "schedules", Some(15), rows(frame, page)))
        }
    };
    layout::page(frame, "Scheduled backup jobs", main)
}

fn refusal(frame: &Frame, refused: &Refused) -> Markup {
    match &refused.why {
        Why::Conflict(conflict) => {
            let path = urls::at(urls::SCHEDULE_ENABLED, &refused.schedule_id);
            let label = format!("Disable these jobs and enable {}", refused.name);
            let button =
                Button::post(frame, &path, &label, &[("enabled", "true"), ("disable_others", "true")]).needs(frame, Role::Operator);
            conflict::block(conflict, &button)
        }
        Why::Error(error) => notice::refused(&format!("{} was not changed", refused.name), error),
    }
}

fn rows(frame: &Frame, page: &Page) -> Markup {
    let columns = [
        Column::text("Name"),
        Column::text("DB technology").secondary(),
        Column::text("Frequency"),
        Column::text("Retention"),
        Column::text("Type"),
        Column::text("Location"),
        Column::text("Last backup"),
        Column::text("Next run"),
        Column::text("Enabled"),
        Column::actions(),
    ];
    let mut table = Table::new("Scheduled backup jobs", &columns);
    for schedule in &page.schedules {
        let input = &schedule.input;
        let kind = page.locations.iter().find(|location| location.id == input.location_id).map(|location| kind_word(location.kind));
        let cells = vec![
            html! {
                a href=(urls::schedule(&schedule.id)) { (input.name) }
                span.sub { (schedule.service_name) " · " (schedule.cluster) }
            },
            technology(""),
            html! { (schedule.frequency) span.sub { (input.time_zone) } },
            html! { (policy_text(&input.retention)) },
            badge::tag(type_word(input.mode)),
            html! {
                a href=(urls::location(&input.location_id)) { (schedule.location_name) }
                @if let Some(kind) = kind { span.sub { (kind) } }
            },
            last_run(frame, schedule.last_run.as_ref()),
            next_run(frame, schedule),
            switch(frame, schedule),
            menu(&input.name, &actions(frame, schedule)),
        ];
        table.row_with_details(cells, !input.enabled, details(frame, schedule));
    }
    html! { (table) (table::more(page.schedules.len(), None)) }
}

pub(crate) fn last_run(frame: &Frame, run: Option<&LastRun>) -> Markup {
    let Some(run) = run else { return dash() };
    let state = match run.ok {
        Some(true) => Badge::new(Tone::Neutral, Icon::Check, "Success"),
        Some(false) => Badge::new(Tone::Danger, Icon::Failed, "Failed").because(run.error.as_deref()),
        None => Badge::new(Tone::Working, Icon::Working, "Running").moving(),
    };
    html! { (time::ago(frame, run.at)) div { (state) " " a.quiet-link href=(logs(&run.job_id)) { "Logs" } } }
}

pub(crate) fn next_run(frame: &Frame, schedule: &Schedule) -> Markup {
    html! {
        @match schedule.next_runs.first() {
            Some(next) => { (time::ago(frame, *next)) }
            None => { (dash()) }
        }
        @if let Some(paused) = &schedule.paused { div { (Badge::new(Tone::Attention, Icon::Pause, "Paused").because(Some(paused))) } }
    }
}

/// On or off, as a form of its own.
pub(crate) fn switch(frame: &Frame, schedule: &Schedule) -> Markup {
    let enabled = schedule.input.enabled;
    let refusal = frame.refusal(Role::Operator);
    html! {
        form.inline method="post" action=(urls::at(urls::SCHEDULE_ENABLED, &schedule.id)) {
            (csrf_token(&frame.csrf))
            input type="hidden" name="enabled" value=(!enabled);
            button.switch type=(if refusal.is_some() { "button" } else { "submit" }) role="switch" aria-checked=(enabled)
                aria-disabled=[refusal.as_ref().map(|_| "true")] title=[refusal.as_deref()] aria-label={ "Enabled: " (schedule.input.name) } {
                span.switch-track aria-hidden="true" { span.switch-thumb {} }
                span { (if enabled { "On" } else { "Off" }) }
            }
        }
    }
}

pub(crate) fn actions(frame: &Frame, schedule: &Schedule) -> Vec<Button> {
    let id = &schedule.id;
    let run = Button::post(frame, &urls::at(urls::SCHEDULE_RUN, id), "Run now", &[]).icon(Icon::Run);
    let copy = Button::link(&Query::new().with("copy", id).on(urls::SCHEDULE_NEW), "Copy").icon(Icon::Copy);
    let edit = Button::link(&urls::at(urls::SCHEDULE_EDIT, id), "Edit").icon(Icon::Edit);
    let delete = Button::link(&urls::at(urls::SCHEDULE_DELETE, id), "Delete").icon(Icon::Delete);
    let retention = Button::link(&urls::at(urls::SCHEDULE_RETENTION, id), "Preview retention").icon(Icon::See).quiet();
    let mut actions = [run, copy, edit].map(|button| button.quiet().needs(frame, Role::Operator)).to_vec();
    actions.push(retention);
    actions.push(delete.quiet().needs(frame, Role::Operator));
    actions
}

/// What stands below a row.
pub(crate) fn details(frame: &Frame, schedule: &Schedule) -> Markup {
    html! {
        @if let Some(error) = schedule.last_run.as_ref().and_then(|run| run.error.as_ref()) { p.error-text { (error) } }
        @if let Some(slicing) = &schedule.slicing { p { "Slicing: " (slicing) } }
        (definitions(&facts(frame, schedule)))
    }
}

/// Everything about it, by name.
pub(crate) fn facts(frame: &Frame, schedule: &Schedule) -> Vec<(&'static str, Markup)> {
    let input = &schedule.input;
    let namespaces = if input.namespaces.is_empty() {
        html! { "everything" }
    } else {
        html! { @for namespace in &input.namespaces { div { code { (namespace) } } } }
    };
    vec![
        ("Name", code::identifier(&input.name, "the name")),
        ("Service", html! { (schedule.service_name) }),
        ("Cluster", html! { a href=(urls::cluster(&schedule.cluster)) { (schedule.cluster) } }),
        ("Data model", html! { (model_word(input.data_model)) }),
        ("Description", or_dash(&input.description)),
        ("Cron expression", html! { code { (input.cron) } " " span.dim { (input.time_zone) } }),
        ("Start time", input.start_at.map_or_else(dash, |at| time::absolute(frame, at))),
        ("Folder", code::identifier(input.folder.as_deref().unwrap_or(&schedule.cluster), "the folder")),
        ("Retries", html! { (retries_text(schedule)) }),
        ("Compression", html! { (input.compression.as_deref().unwrap_or("zstd")) }),
        ("Namespaces", namespaces),
        ("Changed", time::absolute(frame, schedule.updated_at)),
    ]
}

fn retries_text(schedule: &Schedule) -> String {
    let input = &schedule.input;
    match input.retry_mode {
        oplogue_api::backups::RetryMode::Manual => "manual".to_owned(),
        oplogue_api::backups::RetryMode::Auto => {
            let interval = crate::components::number::duration_text(u64::from(input.retry_interval_seconds));
            format!("{}, {interval} apart", crate::components::number::plural(u64::from(input.retries), "time", "times"))
        }
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::components::conflict::InTheWay;
    use crate::samples::world;
    use oplogue_api::ErrorCode;
    let page = |schedules: Vec<Schedule>| Page { schedules, locations: world::locations(), refused: None };
    let conflict = Conflict {
        message: "A PITR backup for the cluster 'shop' can be enabled only if there are no other scheduled backups for this cluster."
            .into(),
        hint: None,
        jobs: vec![InTheWay { schedule_id: "sched-nightly".into(), name: "nightly".into(), remark: "Full, at 03:00, every day".into() }],
    };
    let error = ErrorBody {
        code: ErrorCode::Conflict,
        message: "run nightly: a run of it is queued already".into(),
        hint: Some("Wait for it, or cancel it under Jobs and logs.".into()),
        fields: Vec::new(),
        retryable: true,
        request_id: "req_01k9x3m2f7".into(),
    };
    let refused = |why| Some(Refused { schedule_id: "sched-off".into(), name: "weekly".into(), why });
    vec![
        ("empty", page(Vec::new())),
        ("one", page(vec![world::schedules().remove(0)])),
        ("many", page(world::schedules())),
        ("failed", page(vec![world::schedules().remove(3)])),
        ("conflict", Page { refused: refused(Why::Conflict(conflict)), ..page(world::schedules()) }),
        ("refused", Page { refused: refused(Why::Error(error)), ..page(world::schedules()) }),
        ("viewer", page(world::schedules())),
        ("viewer-empty", page(Vec::new())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_sends_what_it_would_be_next() {
        assert!(EnabledForm { enabled: "true".into(), ..Default::default() }.enabled());
        assert!(!EnabledForm { enabled: "false".into(), ..Default::default() }.enabled());
        assert!(!EnabledForm::default().disables_others());
    }
}
