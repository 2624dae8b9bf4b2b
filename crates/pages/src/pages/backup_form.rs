//! Create backup: on demand or as a schedule; and editing or copying a schedule.
//!
//! One form. The page is asked for with GET and sent with POST to the same path, where [`BackupForm::action`] says which button was
//! pressed. Fields that do not belong to what is chosen (a schedule's, while a backup is wanted now) are left out by the style sheet
//! alone, so that choosing needs neither script nor server, and nothing typed is lost on the way.

mod advanced;
mod form;
mod schedule;
mod when;

use maud::{Markup, html};
use oplogue_api::locations::Location;
use oplogue_api::retention::RetentionPreview;
use oplogue_api::schedules::CronPreview;
use oplogue_api::services::{AgentState, Service};
use oplogue_api::users::Role;
use oplogue_api::{ErrorBody, FieldError};

pub use self::form::{Action, BackupForm};
pub use self::when::WhenForm;
use crate::components::badge::Tone;
use crate::components::button::Button;
use crate::components::code;
use crate::components::conflict::{self, Conflict};
use crate::components::field::{self, Choice, Field};
use crate::components::icon::Icon;
use crate::components::notice;
use crate::pages::backups::{choices, kind_word};
use crate::{Frame, layout, urls};

/// What the form is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    Create,
    /// Begins with the fields of another schedule, whose name this is.
    Copy(String),
    /// Changes the schedule of this id.
    Edit(String),
}

pub struct Page {
    pub purpose: Purpose,
    pub form: BackupForm,
    pub errors: Vec<FieldError>,
    /// What the server refused that concerns no single field.
    pub failure: Option<ErrorBody>,
    /// The PITR rule.
    pub conflict: Option<Conflict>,
    pub services: Vec<Service>,
    pub locations: Vec<Location>,
    /// What the schedule means; `None` when it means nothing.
    pub runs: Option<CronPreview>,
    /// Only after it was asked for.
    pub retention: Option<RetentionPreview>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let (title, back) = match &page.purpose {
        Purpose::Create if page.form.is_schedule() => ("Create scheduled backup".to_owned(), ("Scheduled backup jobs", urls::SCHEDULES)),
        Purpose::Create => ("Create backup".to_owned(), ("All backups", urls::BACKUPS)),
        Purpose::Copy(_) => ("Copy scheduled backup".to_owned(), ("Scheduled backup jobs", urls::SCHEDULES)),
        Purpose::Edit(_) => ("Edit scheduled backup".to_owned(), ("Scheduled backup jobs", urls::SCHEDULES)),
    };
    let lead = match &page.purpose {
        Purpose::Copy(name) => html! { "Begins with everything that " (name) " has, under another name and switched off." },
        Purpose::Create | Purpose::Edit(_) => html! {},
    };
    let main = html! {
        (layout::crumbs(&[back]))
        (layout::header(&title, lead, html! {}))
        div #backup-form { (whole_form(frame, page, back.1)) }
    };
    layout::page(frame, &title, main)
}

fn whole_form(frame: &Frame, page: &Page, cancel: &str) -> Markup {
    field::form_for(
        frame,
        Role::Operator,
        &frame.path,
        html! {
            (field::default_button("action", Action::Submit.as_str()))
            (field::summary(&page.errors))
            @if let Some(conflict) = &page.conflict {
                (conflict::block(conflict, &Button::submit_as("Disable these jobs and save", "action", Action::DisableOthers.as_str()).needs(frame, Role::Operator)))
            }
            @if let Some(failure) = &page.failure { (notice::refused("The server refused it", failure)) }
            (kind(page))
            (field::group("What", "", html! {
                (Field::new("name", "Backup name").value(&page.form.name).errors(&page.errors).required()
                    .hint("Letters, digits, dots, colons, underscores and dashes; at most 100. The time of the start is added to each backup.").text())
                (service(frame, page))
                @if page.services.is_empty() { (no_services_notice(frame)) }
                (facts_of_service(frame, page))
                (data_model(page))
            }))
            (field::group("Where", "", html! {
                (location(page))
                @if page.locations.is_empty() { (no_locations_notice(frame)) }
                (Field::new("description", "Description").value(&page.form.description).errors(&page.errors).textarea(2))
            }))
            div data-kind="schedule" { (schedule::fields(frame, page)) }
            (advanced::fields(page))
            (field::buttons(html! {
                @if matches!(page.purpose, Purpose::Edit(_)) {
                    (Button::submit_as("Save", "action", Action::Submit.as_str()).primary().needs(frame, Role::Operator))
                } @else {
                    span data-kind="on_demand" { (Button::submit_as("Back up now", "action", Action::Submit.as_str()).primary().icon(Icon::Play).needs(frame, Role::Operator)) }
                    span data-kind="schedule" { (Button::submit_as("Schedule", "action", Action::Submit.as_str()).primary().icon(Icon::Schedules).needs(frame, Role::Operator)) }
                }
                (Button::link(cancel, "Cancel").quiet())
            }))
        },
    )
}

/// On demand or schedule. What exists as a schedule stays one.
fn kind(page: &Page) -> Markup {
    if page.purpose != Purpose::Create {
        return html! { input type="hidden" name="kind" value="schedule"; };
    }
    let kinds = [
        Choice::new("on_demand", "On demand").description("Create a backup of a database immediately."),
        Choice::new("schedule", "Schedule")
            .description("Create a task that takes regular backups, or keeps every moment restorable (PITR)."),
    ];
    html! { (Field::new("kind", "When").value(&page.form.kind).errors(&page.errors).cards(&kinds)) }
}

/// What may not change once there are backups.
fn locked(page: &Page) -> Option<&'static str> {
    matches!(page.purpose, Purpose::Edit(_)).then_some("Fixed, because backups already taken belong to it. Copy the job to change it.")
}

fn service(frame: &Frame, page: &Page) -> Markup {
    let mut services = choices(&[("", "Choose a service")]);
    services.extend(page.services.iter().map(|service| {
        let cluster = service.cluster.as_deref().unwrap_or("no cluster label");
        let offline = if service.agent.state == AgentState::Offline { ", agent offline" } else { "" };
        Choice::new(&service.id, &service.name).description(format!("{cluster}, {}{offline}", service.replica_set))
    }));
    // A service that is gone stays chosen, so that nothing changes unseen.
    if !page.form.service_id.is_empty() && page.form.service(&page.services).is_none() {
        services.push(Choice::new(&page.form.service_id, "A service that is gone").description(&page.form.service_id));
    }
    html! {
        div.with-button {
            (Field::new("service_id", "Service name").value(&page.form.service_id).errors(&page.errors).required().locked(locked(page)).select(&services))
            @if locked(page).is_none() { (again(frame, "Fill in", Action::FillIn, "change from:#field-service_id", "#backup-form")) }
        }
        input type="hidden" name="filled_folder" value=(page.form.filled_folder);
    }
}

/// A button that shows the form again with more in it. With JavaScript it happens in place, and by itself when `trigger` does.
fn again(frame: &Frame, label: &str, action: Action, trigger: &str, target: &str) -> Markup {
    html! {
        button.button.small type="submit" name="action" value=(action.as_str()) hx-post=(frame.path)
            hx-trigger=(if trigger.is_empty() { "click".to_owned() } else { format!("click, {trigger}") })
            hx-target=(target) hx-select=(target) hx-swap="morph:outerHTML" { span { (label) } }
    }
}

/// What follows from the service: the technology, the cluster — or what to do when it has none.
fn facts_of_service(frame: &Frame, page: &Page) -> Markup {
    let Some(service) = page.form.service(&page.services) else {
        return html! { (Field::new("db_technology", "DB technology").placeholder("Follows from the service").locked(Some("Follows from the service.")).required().text()) };
    };
    let technology = format!("MongoDB {}", service.mongodb_version);
    html! {
        (Field::new("db_technology", "DB technology").value(technology.trim()).locked(Some("Follows from the service.")).required().text())
        @if service.cluster.is_none() {
            (notice::notice(Tone::Attention, &format!("{} is not a member of a cluster", service.name), html! {
                p {
                    "Backups need a cluster label: all backups of a cluster lie in one folder of that name, and the PITR rule is about clusters. "
                    "Add the service again on its machine with a label:"
                }
                (code::command(&add_again(frame, &service.member)))
                p {
                    "Or " a href=(urls::at(urls::SERVICE_EDIT, &service.id)) { "give it a label here" } "."
                    @if let Some(refusal) = frame.refusal(Role::Administrator) { " That " (refusal) "." }
                }
            }))
        }
        @if service.agent.state == AgentState::Offline {
            (notice::notice(Tone::Attention, "Its agent is offline", html! {
                p { "The backup is taken by another member's agent of the same cluster, or waits until one is back." }
            }))
        }
    }
}

/// What adds a member under a label, with an API token of an administrator.
fn add_again(frame: &Frame, member: &str) -> String {
    format!(
        "oplogue admin add mongodb --uri 'mongodb://USER:PASSWORD@{member}' --cluster mycluster \\\n  --server {} --api-token TOKEN",
        frame.base_url
    )
}

fn no_services_notice(frame: &Frame) -> Markup {
    notice::notice(
        Tone::Attention,
        "There is no service yet",
        html! {
            p { "A service is a mongod with an agent beside it. On its machine, after making a one-time token:" }
            (code::command(&add_again(frame, "127.0.0.1:27017")))
            (Button::link(urls::SERVICE_ENROL, "Enrol an agent").small().needs(frame, Role::Administrator))
        },
    )
}

fn no_locations_notice(frame: &Frame) -> Markup {
    notice::notice(
        Tone::Attention,
        "There is no storage location yet",
        html! {
            p { "Backups need a place: a bucket, or a folder that every machine mounts." }
            (Button::link(urls::LOCATION_NEW, "Add a storage location").small().needs(frame, Role::Administrator))
        },
    )
}

fn data_model(page: &Page) -> Markup {
    let models = [
        Choice::new("logical", "Logical").description("Documents and indexes. Any namespace and any moment can be restored."),
        Choice::new("physical", "Physical").description("The server's files.").unless(Some(
            "Not available: point-in-time recovery is only supported for logical backups, and copying files needs Percona Server.",
        )),
    ];
    html! { (Field::new("data_model", "Data model").value(&page.form.data_model).errors(&page.errors).cards(&models)) }
}

fn location(page: &Page) -> Markup {
    let mut locations = choices(&[("", "Choose a location")]);
    locations.extend(page.locations.iter().map(|location| Choice::new(&location.id, &location.name).description(kind_word(location.kind))));
    if !page.form.location_id.is_empty() && !page.locations.iter().any(|location| location.id == page.form.location_id) {
        locations.push(Choice::new(&page.form.location_id, "A location that is gone").description(&page.form.location_id));
    }
    html! { (Field::new("location_id", "Location").value(&page.form.location_id).errors(&page.errors).required().locked(locked(page)).select(&locations)) }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::components::conflict::InTheWay;
    use crate::samples::world;
    use oplogue_api::ErrorCode;

    let page = |form: BackupForm| Page {
        purpose: Purpose::Create,
        form,
        errors: Vec::new(),
        failure: None,
        conflict: None,
        services: world::services(),
        locations: world::locations(),
        runs: Some(CronPreview {
            frequency: "At 00:00, every day".into(),
            next_runs: (0..5).map(|day| world::ahead(35_240 + day * 86_400)).collect(),
        }),
        retention: None,
    };
    let filled = |mut form: BackupForm| {
        form.name = "shop-pitr".into();
        form.service_id = "svc-shop-1".into();
        form.location_id = "loc-main".into();
        form.fill_in(&world::services());
        form
    };
    let pitr = || BackupForm { mode: "pitr".into(), ..filled(BackupForm::schedule()) };
    let unlabelled = || {
        let mut form = BackupForm { name: "first".into(), service_id: "svc-loner".into(), ..BackupForm::on_demand() };
        form.fill_in(&world::services());
        form
    };
    let conflict = Conflict {
        message: "A PITR backup for the cluster 'shop' can be enabled only if there are no other scheduled backups for this cluster."
            .into(),
        hint: Some("Disable nightly and weekly, or create this job disabled.".into()),
        jobs: vec![
            InTheWay { schedule_id: "sched-nightly".into(), name: "nightly".into(), remark: "Full, at 03:00, every day".into() },
            InTheWay { schedule_id: "sched-off".into(), name: "weekly".into(), remark: "Full, at 04:30 on Monday and Thursday".into() },
        ],
    };
    let wrong = BackupForm {
        name: "Copy of nightly!".into(),
        retries: "eleven".into(),
        retry_mode: "auto".into(),
        retry_interval_seconds: "90000".into(),
        time_zone: "Europe/Bielefeld".into(),
        folder: "../other".into(),
        when: WhenForm { pattern: "cron".into(), cron: "61 * * * *".into(), ..WhenForm::new() },
        ..filled(BackupForm::schedule())
    };
    let wrong_fields = vec![
        FieldError::new("name", "Backup name can contain only dots, colons, letters, digits, underscores and dashes."),
        FieldError::new("cron", "Invalid cron expression: minute 61 is greater than 59."),
        FieldError::new("time_zone", "There is no time zone “Europe/Bielefeld”. Use a name like Europe/Berlin, or UTC."),
        FieldError::new("retries", "Must be a whole number that is not negative; “eleven” is not."),
        FieldError::new("retry_interval_seconds", "Exceeded max retry interval 8h0m0s."),
        FieldError::new("folder", "Specified folder refers to a parent directory."),
    ];
    let failure = ErrorBody {
        code: ErrorCode::Unavailable,
        message: "create schedule nightly: the database is locked".into(),
        hint: Some("Try again in a moment.".into()),
        fields: Vec::new(),
        retryable: true,
        request_id: "req_01k9x3m2f7".into(),
    };
    let schedules = world::schedules();
    let long = BackupForm::from_schedule(&schedules[5]);
    vec![
        ("empty", Page { services: Vec::new(), locations: Vec::new(), ..page(BackupForm::on_demand()) }),
        ("on-demand", page(filled(BackupForm::on_demand()))),
        ("no-cluster", page(unlabelled())),
        ("schedule", page(BackupForm::schedule())),
        ("pitr", page(pitr())),
        ("conflict", Page { conflict: Some(conflict), ..page(pitr()) }),
        ("wrong", Page { errors: wrong_fields, runs: None, ..page(wrong) }),
        ("failed", Page { failure: Some(failure), ..page(pitr()) }),
        ("retention", Page { retention: Some(world::retention_preview()), ..page(pitr()) }),
        ("edit", Page { purpose: Purpose::Edit("sched-nightly".into()), ..page(BackupForm::from_schedule(&schedules[0])) }),
        ("copy", Page { purpose: Purpose::Copy("nightly".into()), ..page(BackupForm::copy_of(&schedules[4])) }),
        ("long-names", Page { purpose: Purpose::Edit("sched-long".into()), ..page(long) }),
        ("viewer-forbidden", page(filled(BackupForm::on_demand()))),
    ]
}
