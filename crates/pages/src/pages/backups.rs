//! All backups: every snapshot on a storage, those being taken, those that failed, and one row for each cluster's continuous oplog.

pub mod filter;

use maud::{Markup, html};
use oplogue_api::backups::{Backup, BackupMode, BackupStatus, DataModel, Trigger};
use oplogue_api::locations::{Location, LocationKind};
use oplogue_api::users::Role;

pub use self::filter::BackupsFilter;
use crate::components::badge::{self, backup_status};
use crate::components::button::{Button, menu};
use crate::components::definitions::{dash, definitions, or_dash};
use crate::components::empty;
use crate::components::field::{Choice, Field};
use crate::components::icon::{Icon, icon};
use crate::components::table::{self, Column, Table};
use crate::components::{code, live, notice, number, progress, time};
use crate::urls::{self, Query};
use crate::{Frame, layout};

/// Rows on one page; the rest follows behind "Load more".
pub const ROWS: usize = 100;

pub struct Page {
    pub filter: BackupsFilter,
    pub rows: Vec<Backup>,
    /// Give it as `after` for the rest.
    pub next: Option<String>,
    pub locations: Vec<Location>,
    /// Storages that could not be read lately.
    pub stale: Vec<Stale>,
}

/// A folder whose storage could not be read.
pub struct Stale {
    pub location: String,
    pub folder: String,
    pub as_of: Option<jiff::Timestamp>,
    pub why: String,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let create = || Button::link(urls::BACKUP_NEW, "Create backup").icon(Icon::Plus).needs(frame, Role::Operator).primary();
    let main = html! {
        (layout::header("All backups", html! {}, html! { (create()) }))
        @for stale in &page.stale {
            (notice::stale(frame, stale.as_of, &format!("{} in {} cannot be read: {}.", folder_text(&stale.folder), stale.location, stale.why)))
        }
        @if page.rows.is_empty() && page.filter.is_empty() && page.filter.after.is_empty() {
            (empty::empty(Icon::Backups, "No backups found",
                "A backup holds the data of one cluster at one moment; a PITR job makes every moment after it restorable. \
                 Backups that others left on a storage location appear here too.", Some(create())))
        } @else {
            (filters(page))
            (live::region(frame, "backups", Some(if page.rows.iter().any(moves) { 2 } else { 15 }), rows(frame, page)))
        }
    };
    layout::page(frame, "All backups", main)
}

fn rows(frame: &Frame, page: &Page) -> Markup {
    if page.rows.is_empty() {
        return empty::nothing_matches(urls::BACKUPS);
    }
    let columns = [
        Column::text("Backup name").sorted_by("name"),
        Column::text("Status"),
        Column::text("Service name"),
        Column::text("DB technology").secondary(),
        Column::text("Created").sorted_by("created"),
        Column::text("Type"),
        Column::number("Size").sorted_by("size"),
        Column::text("Location"),
        Column::actions(),
    ];
    let query = page.filter.query();
    let mut table = Table::new("Backups", &columns).sort(&query, urls::BACKUPS);
    for row in &page.rows {
        let cells = vec![
            html! { a href=(urls::backup(&row.id)) { (row.name) } },
            status(row),
            service(row),
            technology(&row.mongodb_version),
            created(frame, row),
            badge::tag(type_word(row.mode)),
            number::size(row.bytes),
            location(row, &page.locations),
            menu(&row.name, &actions(frame, row)),
        ];
        table.row_with_details(cells, row.status == BackupStatus::Cancelled, details(frame, row));
    }
    html! {
        (table)
        (table::more(page.rows.len(), page.next.as_ref().map(|next| query.clone().with("after", next).on(urls::BACKUPS)).as_deref()))
    }
}

fn filters(page: &Page) -> Markup {
    let filter = &page.filter;
    let statuses = choices(&[
        ("", "Any"),
        ("pending", "Pending"),
        ("in_progress", "In progress"),
        ("success", "Success"),
        ("error", "Error"),
        ("cancelled", "Cancelled"),
        ("deleting", "Deleting"),
        ("failed_to_delete", "Failed to delete"),
        ("invalid", "Invalid"),
    ]);
    let types = choices(&[("", "Any"), ("snapshot", "Full"), ("pitr", "PITR")]);
    let mut places = choices(&[("", "Any")]);
    places.extend(page.locations.iter().map(|location| Choice::new(&location.id, &location.name)));
    let inside = html! {
        (Field::new("name", "Backup name").value(&filter.name).required().search())
        (Field::new("service", "Service or cluster").value(&filter.service).required().search())
        (Field::new("status", "Status").value(&filter.status).required().select(&statuses))
        (Field::new("mode", "Type").value(&filter.mode).required().select(&types))
        (Field::new("location_id", "Location").value(&filter.location_id).required().select(&places))
        @if !filter.cluster.is_empty() { input type="hidden" name="cluster" value=(filter.cluster); }
        @if !filter.sort.is_empty() { input type="hidden" name="sort" value=(filter.sort); }
    };
    table::filters(urls::BACKUPS, inside, (!filter.is_empty()).then_some(urls::BACKUPS))
}

/// Choices of a select from values and labels.
pub(crate) fn choices(pairs: &[(&str, &str)]) -> Vec<Choice> {
    pairs.iter().map(|(value, label)| Choice::new(*value, *label)).collect()
}

/// Whether the row will look different soon.
pub(crate) fn moves(backup: &Backup) -> bool {
    matches!(backup.status, BackupStatus::Pending | BackupStatus::InProgress | BackupStatus::Deleting)
}

/// Ellipsis and percentage while it is worked on, the reason when it went wrong, and the way to the logs.
pub(crate) fn status(backup: &Backup) -> Markup {
    html! {
        span.status-cell {
            (backup_status(backup.status).because(backup.problem.as_deref()))
            @if backup.status == BackupStatus::InProgress {
                (progress::inline(&format!("Progress of {}", backup.name), backup.percent))
            }
            @if let Some(job_id) = &backup.job_id {
                a.quiet-link href=(logs(job_id)) { "Logs" span.sr { " of " (backup.name) } }
            }
        }
    }
}

/// The log of a job, on its page.
pub(crate) fn logs(job_id: &str) -> String {
    format!("{}#log", urls::job(job_id))
}

/// The service it was taken of, and its cluster.
fn service(backup: &Backup) -> Markup {
    html! {
        @match (&backup.service_name, &backup.cluster) {
            (Some(service), Some(cluster)) => { (service) span.sub { a href=(urls::cluster(cluster)) { (cluster) } } }
            (Some(service), None) => { (service) }
            (None, Some(cluster)) => { a href=(urls::cluster(cluster)) { (cluster) } }
            (None, None) => { span.dim title="Somebody else made it; it was found on the storage." { "found on the storage" } }
        }
    }
}

pub(crate) fn technology(version: &str) -> Markup {
    html! { span.nowrap { "MongoDB" @if !version.is_empty() { " " span.dim { (version) } } } }
}

/// Of a continuous oplog, what counts is how fresh it is.
fn created(frame: &Frame, backup: &Backup) -> Markup {
    html! {
        (time::ago(frame, backup.created_at))
        @if let (BackupMode::Pitr, Some(newest)) = (backup.mode, &backup.restores_to) {
            span.sub { "restorable until " (freshness(frame, newest)) }
        }
    }
}

fn freshness(frame: &Frame, newest: &oplogue_api::MomentJson) -> Markup {
    match jiff::Timestamp::from_second(i64::from(newest.t)) {
        Ok(at) => time::ago(frame, at),
        Err(_) => time::moment(newest),
    }
}

pub(crate) const fn type_word(mode: BackupMode) -> &'static str {
    match mode {
        BackupMode::Snapshot => "Full",
        BackupMode::Pitr => "PITR",
    }
}

pub(crate) const fn model_word(model: DataModel) -> &'static str {
    match model {
        DataModel::Logical => "Logical",
        DataModel::Physical => "Physical",
    }
}

pub(crate) const fn kind_word(kind: LocationKind) -> &'static str {
    match kind {
        LocationKind::S3 => "S3",
        LocationKind::Gcs => "Google Cloud Storage",
        LocationKind::Azure => "Azure Blob Storage",
        LocationKind::Local => "Local",
    }
}

/// Name and type.
fn location(backup: &Backup, locations: &[Location]) -> Markup {
    let kind = locations.iter().find(|location| location.id == backup.location_id).map(|location| kind_word(location.kind));
    html! {
        a href=(urls::location(&backup.location_id)) { (backup.location_name) }
        @if let Some(kind) = kind { span.sub { (kind) } }
    }
}

pub(crate) fn folder_text(folder: &str) -> String {
    if folder.is_empty() { "the location's top folder".to_owned() } else { format!("folder {folder}") }
}

/// Where restoring it begins: a snapshot's own moment, or the timeline of a continuous oplog.
pub(crate) fn restore_url(backup: &Backup) -> String {
    match backup.mode {
        BackupMode::Pitr => urls::timeline(&backup.location_id, &backup.folder),
        BackupMode::Snapshot => Query::new()
            .with("location_id", &backup.location_id)
            .with("folder", &backup.folder)
            .with("backup", &backup.name)
            .on(urls::RESTORE),
    }
}

/// What can be done with it. What cannot be done now stays, with the reason.
pub(crate) fn actions(frame: &Frame, backup: &Backup) -> Vec<Button> {
    let mut actions = vec![
        Button::link(&restore_url(backup), "Restore from backup")
            .icon(Icon::Restore)
            .quiet()
            .needs(frame, Role::Operator)
            .unless(backup.restore_refusal.as_deref()),
    ];
    if let (true, Some(job_id)) = (matches!(backup.status, BackupStatus::Pending | BackupStatus::InProgress), &backup.job_id) {
        let cancel = Button::post(frame, &urls::at(urls::JOB_CANCEL, job_id), "Cancel", &[]);
        actions.push(cancel.icon(Icon::Cancelled).quiet().needs(frame, Role::Operator));
    }
    if let Some(job_id) = &backup.job_id {
        actions.push(Button::link(&logs(job_id), "Logs").icon(Icon::Log).quiet());
    }
    if backup.mode == BackupMode::Snapshot && backup.service_id.is_some() {
        let again = Query::new().with("like", &backup.id).on(urls::BACKUP_NEW);
        actions.push(Button::link(&again, "Back up like this again").icon(Icon::Copy).quiet().needs(frame, Role::Operator));
    }
    let delete = Button::link(&urls::at(urls::BACKUP_DELETE, &backup.id), "Delete backup").icon(Icon::Delete).quiet();
    actions.push(delete.needs(frame, Role::Operator).unless(backup.delete_refusal.as_deref()));
    actions
}

/// What stands below a row.
fn details(frame: &Frame, backup: &Backup) -> Markup {
    html! {
        @if let Some(problem) = &backup.problem { p.error-text { (problem) } }
        (definitions(&facts(frame, backup)))
        @if backup.mode == BackupMode::Pitr { (ranges(backup)) }
    }
}

/// Everything about it, by name.
pub(crate) fn facts(frame: &Frame, backup: &Backup) -> Vec<(&'static str, Markup)> {
    let mut facts = vec![
        ("Backup name", code::identifier(&backup.name, "the name")),
        ("Data model", html! { (model_word(backup.data_model)) }),
        (
            "Folder",
            if backup.folder.is_empty() {
                html! { span.dim { "the location's top" } }
            } else {
                code::identifier(&backup.folder, "the folder")
            },
        ),
        ("Description", or_dash(&backup.description)),
        ("Created", time::absolute(frame, backup.created_at)),
    ];
    if backup.mode == BackupMode::Snapshot {
        facts.push(("Took", time::took(frame, Some(backup.created_at), backup.finished_at)));
    }
    facts.extend([
        ("Restores to", backup.restores_to.as_ref().map_or_else(dash, time::moment)),
        ("Size", number::size(backup.bytes)),
        ("Compression", or_dash(&backup.compression)),
        ("Replica sets", or_dash(&backup.replica_sets.join(", "))),
        ("Taken", html! { (trigger(backup)) }),
        ("Made by", or_dash(&backup.made_by)),
    ]);
    facts.push((
        "Namespaces",
        match &backup.namespaces {
            None => html! { "everything" },
            Some(namespaces) => html! { @for namespace in namespaces { div { code { (namespace) } } } },
        },
    ));
    facts
}

fn trigger(backup: &Backup) -> Markup {
    html! {
        @match (backup.trigger, &backup.schedule_id, &backup.schedule_name) {
            (Trigger::Scheduled, Some(id), Some(name)) => { "by the schedule " a href=(urls::schedule(id)) { (name) } }
            (Trigger::Scheduled, ..) => { "by a schedule that is gone" }
            (Trigger::OnDemand, ..) => { "on demand" }
            (Trigger::Found, ..) => { "by somebody else; found on the storage" }
        }
    }
}

/// Ranges of a continuous oplog, newest first, and the way to the timeline.
pub(crate) fn ranges(backup: &Backup) -> Markup {
    html! {
        p.label { "Restorable ranges" }
        @if backup.ranges.is_empty() {
            p.dim { "None yet. The first begins with the first backup of this job." }
        } @else {
            ul.ranges { @for range in backup.ranges.iter().rev() { li { (time::range(range)) } } }
        }
        p { a href=(urls::timeline(&backup.location_id, &backup.folder)) { (icon(Icon::Timeline)) " Show the timeline, with the gaps and why" } }
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page =
        |rows: Vec<Backup>| Page { filter: BackupsFilter::default(), rows, next: None, locations: world::locations(), stale: Vec::new() };
    let only = |status: BackupStatus| world::backups().into_iter().filter(|row| row.status == status).collect::<Vec<_>>();
    let stale = Stale { location: "s3-main".into(), folder: "shop".into(), as_of: Some(world::ago(1200)), why: "403 AccessDenied".into() };
    vec![
        ("empty", page(Vec::new())),
        ("one", page(vec![world::backup()])),
        ("many", Page { next: Some("abc".into()), ..page(world::backups()) }),
        ("pitr", page(vec![world::pitr_row()])),
        ("running", page(only(BackupStatus::InProgress))),
        ("failed", page(only(BackupStatus::Error))),
        ("stale", Page { stale: vec![stale], ..page(vec![world::backup()]) }),
        (
            "filtered",
            Page {
                filter: BackupsFilter { status: "error".into(), sort: "-name".into(), ..Default::default() },
                ..page(only(BackupStatus::Error))
            },
        ),
        ("nothing-matches", Page { filter: BackupsFilter { name: "x".into(), ..Default::default() }, ..page(Vec::new()) }),
        ("viewer", page(world::backups())),
    ]
}
