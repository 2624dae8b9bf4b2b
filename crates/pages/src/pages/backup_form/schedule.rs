//! The fields that only a schedule has: type, when, retention, enabled.

use maud::{Markup, html};
use oplogue_api::schedules::CronPreview;

use super::form::{Action, SLICE_SECONDS};
use super::when::{DAYS, EVERY_HOURS};
use super::{Page, again, locked};
use crate::Frame;
use crate::components::badge::Tone;
use crate::components::field::{self, Choice, Field};
use crate::components::{notice, time};
use crate::pages::retention_preview;

/// Offered for the time zone; any other name may be typed.
const ZONES: &[&str] = &[
    "UTC",
    "Africa/Cairo",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "Africa/Nairobi",
    "America/Anchorage",
    "America/Argentina/Buenos_Aires",
    "America/Bogota",
    "America/Chicago",
    "America/Denver",
    "America/Halifax",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Phoenix",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Toronto",
    "Asia/Bangkok",
    "Asia/Dubai",
    "Asia/Ho_Chi_Minh",
    "Asia/Hong_Kong",
    "Asia/Jakarta",
    "Asia/Jerusalem",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Manila",
    "Asia/Riyadh",
    "Asia/Seoul",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Taipei",
    "Asia/Tashkent",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Atlantic/Azores",
    "Australia/Adelaide",
    "Australia/Brisbane",
    "Australia/Perth",
    "Australia/Sydney",
    "Europe/Amsterdam",
    "Europe/Athens",
    "Europe/Berlin",
    "Europe/Brussels",
    "Europe/Dublin",
    "Europe/Helsinki",
    "Europe/Istanbul",
    "Europe/Kyiv",
    "Europe/Lisbon",
    "Europe/London",
    "Europe/Madrid",
    "Europe/Oslo",
    "Europe/Paris",
    "Europe/Prague",
    "Europe/Rome",
    "Europe/Sofia",
    "Europe/Stockholm",
    "Europe/Vienna",
    "Europe/Warsaw",
    "Europe/Zurich",
    "Pacific/Auckland",
    "Pacific/Honolulu",
];

pub(super) fn fields(frame: &Frame, page: &Page) -> Markup {
    let form = &page.form;
    let errors = &page.errors;
    html! {
        (field::group("Type", "", mode(page)))
        (field::group("Schedule", "", html! {
            (pattern(page))
            div.fields.wide {
                (Field::new("time_zone", "Time zone").value(&form.time_zone).errors(errors).required().suggestions(ZONES)
                    .hint("The schedule follows its clock changes: a time that is skipped runs when it would have come, one that comes twice runs once.").text())
                (Field::new("start_at", "Start time").value(&form.start_at).errors(errors).hint("In that zone. No run before it.").date_time())
            }
            (runs(frame, page.runs.as_ref()))
            (again(frame, "Show next runs", Action::Runs, "change from:#when delay:200ms", "#next-runs"))
            (Field::new("enabled", "Enabled").value(&form.enabled).errors(errors).hint("A job that is not enabled keeps its backups and takes none.").checkbox())
        }))
        (field::group("Retention", "A backup is kept when any of these rules keeps it. With no rule, everything is kept.", retention(frame, page)))
    }
}

fn mode(page: &Page) -> Markup {
    let modes = [
        Choice::new("snapshot", "Full").description("A backup at each run. Only those moments can be restored."),
        Choice::new("pitr", "PITR").description("A backup at each run, and all writes between them: every moment can be restored."),
    ];
    html! {
        (Field::new("mode", "Backup type").value(&page.form.mode).errors(&page.errors).locked(locked(page)).cards(&modes))
        div data-mode="pitr" {
            (notice::notice(Tone::Neutral, "How PITR works", html! {
                p {
                    "Writes are stored from the end of the first backup on, and stay so until the job is disabled. Frequent runs are not needed; they only make "
                    "restoring quicker. No other scheduled backup of the same cluster may be enabled; backups on demand may be taken any time."
                }
            }))
        }
    }
}

/// The patterns as cards, and the fields of the one that is chosen.
fn pattern(page: &Page) -> Markup {
    let when = &page.form.when;
    let errors = &page.errors;
    let patterns = [
        Choice::new("hours", "Hours"),
        Choice::new("day", "Every day"),
        Choice::new("week", "Days of the week"),
        Choice::new("month", "Day of the month"),
        Choice::new("cron", "Cron expression"),
    ];
    let every = EVERY_HOURS
        .map(|hours| Choice::new(hours.to_string(), if hours == 1 { "Every hour".to_owned() } else { format!("Every {hours} hours") }));
    html! {
        div #when.when {
            (Field::new("pattern", "How often").value(&when.pattern).errors(errors).cards(&patterns))
            div.fields {
                div data-pattern="hours" { (Field::new("every_hours", "Every").value(&when.every_hours).errors(errors).required().select(&every)) }
                div data-pattern="hours" { (Field::new("minute", "Minutes past the hour").value(&when.minute).errors(errors).required().number(0, 59)) }
                div data-pattern="month" {
                    (Field::new("day_of_month", "Day of the month").value(&when.day_of_month).errors(errors).required()
                        .hint("1 to 31, or L for the last.").text())
                }
                div data-pattern="day week month" { (Field::new("at", "At").value(&when.at).errors(errors).required().time()) }
            }
            div data-pattern="week" {
                (field::set("weekdays", "On", errors, html! {
                    @for (_, name, label) in DAYS { (Field::new(name, label).value(when.day(name)).checkbox()) }
                }))
            }
            div data-pattern="cron" {
                (Field::new("cron", "Cron expression").value(&when.cron).errors(errors).required().mono().placeholder("0 3 * * *")
                    .hint("Minute, hour, day, month, weekday; or six fields with seconds first. L is the last day of a month.").text())
            }
        }
    }
}

/// The next five runs, in the schedule's own zone as the server says.
fn runs(frame: &Frame, runs: Option<&CronPreview>) -> Markup {
    html! {
        div #next-runs aria-live="polite" {
            @match runs {
                Some(runs) => {
                    p.label { "Next runs" }
                    p { (runs.frequency) }
                    @if runs.next_runs.is_empty() { p.dim { "It never runs." } }
                    ol.runs { @for run in &runs.next_runs { li { (time::absolute(frame, *run)) " " span.dim { (time::relative_text(frame.now, *run)) } } } }
                }
                None => { p.dim { "The next runs are shown here once the schedule can be understood." } }
            }
        }
    }
}

fn retention(frame: &Frame, page: &Page) -> Markup {
    let form = &page.form;
    let errors = &page.errors;
    let further = [&form.retention_daily, &form.retention_weekly, &form.retention_monthly, &form.retention_yearly];
    html! {
        div.fields {
            (Field::new("retention.count", "Number of backups").value(&form.retention_count).errors(errors).hint("The newest. 0 for unlimited.").number(0, 9999))
            (Field::new("retention.days", "Age").value(&form.retention_days).errors(errors).hint("Younger than this.").unit("days").number(0, 36_500))
            (Field::new("retention.window_hours", "Window").value(&form.retention_window_hours).errors(errors)
                .hint("Every moment of it stays restorable.").unit("hours").number(0, 876_000))
        }
        (field::advanced("Daily, weekly, monthly, yearly", further.iter().any(|text| !text.trim().is_empty()), html! {
            p.hint { "The newest backup of each of the last so many days, weeks, months and years that have one." }
            div.fields {
                (Field::new("retention.daily", "Days").value(&form.retention_daily).errors(errors).number(0, 9999))
                (Field::new("retention.weekly", "Weeks").value(&form.retention_weekly).errors(errors).number(0, 9999))
                (Field::new("retention.monthly", "Months").value(&form.retention_monthly).errors(errors).number(0, 9999))
                (Field::new("retention.yearly", "Years").value(&form.retention_yearly).errors(errors).number(0, 9999))
            }
        }))
        div #retention-preview aria-live="polite" {
            @if let Some(preview) = &page.retention { (retention_preview::result(preview)) }
        }
        (again(frame, "Preview what is kept and deleted", Action::Retention, "", "#retention-preview"))
    }
}

pub(super) fn slice_seconds(page: &Page) -> Markup {
    html! {
        div data-kind="schedule" {
            div data-mode="pitr" {
                (Field::new("slice_seconds", "Length of a slice").value(&page.form.slice_seconds).errors(&page.errors).unit("seconds")
                    .placeholder(&SLICE_SECONDS.to_string())
                    .hint("How much oplog one object holds, and so how old the newest restorable moment can be.").number(1, 3600))
            }
        }
    }
}
