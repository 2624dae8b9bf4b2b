//! One backup: everything known about it, the job that made it, what deleting it would cost, and the same from a terminal.

use maud::{Markup, html};
use oplogue_api::backups::{Backup, BackupMode, BackupStatus, DeletePreview};
use oplogue_api::jobs::{Job, JobState};
use oplogue_api::users::Role;

use crate::components::badge::{self, Tone, backup_status};
use crate::components::button::{Button, menu};
use crate::components::definitions::{definitions, figures};
use crate::components::icon::Icon;
use crate::components::{code, live, notice, number, progress, time};
use crate::pages::backups;
use crate::{Frame, layout, urls};

pub struct Page {
    pub backup: Backup,
    /// The location's URL, for commands.
    pub storage_url: String,
    /// The job that makes it, or made it last.
    pub job: Option<Job>,
    /// `None` when it cannot be told.
    pub delete: Option<DeletePreview>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let backup = &page.backup;
    let restore = Button::link(&backups::restore_url(backup), "Restore from backup")
        .icon(Icon::Restore)
        .primary()
        .needs(frame, Role::Operator)
        .unless(backup.restore_refusal.as_deref());
    let lead = html! { (backup_status(backup.status)) " " (badge::tag(backups::type_word(backup.mode))) };
    let main = html! {
        (layout::crumbs(&[("All backups", urls::BACKUPS)]))
        (layout::header(&backup.name, lead, html! { (restore) (menu(&backup.name, &backups::actions(frame, backup)[1..])) }))
        @let seconds = backups::moves(backup).then_some(2).or((backup.mode == BackupMode::Pitr).then_some(10));
        (live::region(frame, "backup", seconds, html! {
            @if let Some(problem) = &backup.problem {
                @let hint = page.job.as_ref().and_then(|job| job.hint.as_deref());
                @if backup.status == BackupStatus::Invalid {
                    (notice::notice(Tone::Attention, "It cannot be used", html! { p { (problem) } }))
                } @else {
                    (notice::failure("It went wrong", problem, hint))
                }
            }
            (figures(&[
                ("Restores to", backup.restores_to.as_ref().map_or_else(|| html! { "–" }, time::moment), html! { "UTC" }),
                ("Size", number::size(backup.bytes), html! { (backup.compression) }),
                ("Location", html! { a href=(urls::location(&backup.location_id)) { (backup.location_name) } }, html! { (backups::folder_text(&backup.folder)) }),
            ]))
            @if let Some(job) = &page.job { (of_job(frame, job)) }
        }))
        @if backup.mode == BackupMode::Pitr { (layout::section("What can be restored", html! {}, backups::ranges(backup))) }
        (layout::section("Details", html! {}, definitions(&backups::facts(frame, backup))))
        (deletion(frame, page))
        (code::equivalents(&commands(page), &code::curl(frame, "GET", &format!("/v1/backups/{}", urls::escape(&backup.id)), None)))
    };
    layout::page(frame, &backup.name, main)
}

fn of_job(frame: &Frame, job: &Job) -> Markup {
    let logs = html! { (Button::link(&backups::logs(&job.id), "Logs").small().icon(Icon::Log)) };
    layout::section(
        "Job",
        logs,
        html! {
            p {
                (badge::job_state(job.state)) " " a href=(urls::job(&job.id)) { (job.title) }
                @if job.attempts_max > 1 { " " span.dim { "try " (job.attempt) " of " (job.attempts_max) } }
            }
            @if let (JobState::WaitingToRetry, Some(at)) = (job.state, job.retry_at) { p { "Next try " (time::ago(frame, at)) "." } }
            @if let Some(waiting) = &job.waiting_for { p.dim { "Waits for " (waiting) "." } }
            @if !job.state.is_over() && !job.steps.is_empty() { (progress::steps(&job.steps)) }
        },
    )
}

fn deletion(frame: &Frame, page: &Page) -> Markup {
    let backup = &page.backup;
    let refusal = backup.delete_refusal.as_deref().or(page.delete.as_ref().and_then(|delete| delete.refusal.as_deref()));
    let button = Button::link(&urls::at(urls::BACKUP_DELETE, &backup.id), "Delete backup").danger().small().icon(Icon::Delete);
    layout::section(
        "If it is deleted",
        html! { (button.needs(frame, Role::Operator).unless(refusal)) },
        html! {
            @if let Some(refusal) = refusal { p { (refusal) } } @else { (consequences(page.delete.as_ref())) }
        },
    )
}

/// What deleting takes away.
pub(crate) fn consequences(delete: Option<&DeletePreview>) -> Markup {
    html! {
        @match delete {
            None => { p.dim { "What would be lost cannot be told now, because the storage cannot be read." } }
            Some(delete) => {
                p { (number::size(delete.objects_bytes)) " become free on the storage." }
                @if delete.lost.is_empty() {
                    p { "Every moment that can be restored now can still be restored." }
                } @else {
                    p { strong { "These moments could not be restored any more:" } }
                    ul.ranges { @for range in &delete.lost { li { (time::range(range)) } } }
                }
            }
        }
    }
}

fn commands(page: &Page) -> String {
    let backup = &page.backup;
    let place = format!("--storage '{}'{}", page.storage_url, folder_option(&backup.folder));
    match backup.mode {
        BackupMode::Snapshot => format!(
            "oplogue describe {name} {place}\noplogue restore --uri \"$MONGODB_URI\" {place} --backup {name} --plan",
            name = backup.name
        ),
        BackupMode::Pitr => format!("oplogue timeline {place}\noplogue restore --uri \"$MONGODB_URI\" {place} --latest --plan"),
    }
}

/// `--folder`, when there is one.
pub(crate) fn folder_option(folder: &str) -> String {
    if folder.is_empty() { String::new() } else { format!(" --folder '{folder}'") }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |backup: Backup, job: Option<Job>| Page {
        backup,
        storage_url: world::locations().remove(0).url,
        job,
        delete: Some(world::delete_preview()),
    };
    let of = |id: &str| world::backups().into_iter().find(|row| row.id == id).unwrap_or_else(world::backup);
    let job = |id: &str| world::jobs().into_iter().find(|job| job.id == id);
    vec![
        ("one", page(world::backup(), job("job-101"))),
        ("pitr", page(world::pitr_row(), None)),
        ("running", page(of("running"), Some(world::running_job()))),
        ("pending", page(of("pending"), job("job-103"))),
        ("failed", page(of("failed"), job("job-102"))),
        ("needed", page(of("needed"), None)),
        ("invalid", page(of("invalid"), None)),
        ("stale", Page { delete: None, ..page(world::backup(), None) }),
        ("long-names", page(of("long"), None)),
        ("viewer", page(world::backup(), None)),
    ]
}
