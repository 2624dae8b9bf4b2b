//! The page between "Delete" of a schedule and the deed.

use maud::Markup;
use maud::html;
use oplogue_api::backups::BackupMode;
use oplogue_api::schedules::Schedule;
use oplogue_api::users::Role;

use crate::components::code;
use crate::components::confirm::{self, Confirm};
use crate::{Frame, urls};

pub struct Page {
    pub schedule: Schedule,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let schedule = &page.schedule;
    confirm::page(
        frame,
        &Confirm {
            title: "Delete scheduled backup",
            question: &format!("Are you sure you want to delete the scheduled backup “{}”?", schedule.input.name),
            details: html! {
                p { "No backup is deleted. Those it took stay, and no retention rule removes them any more." }
                @if schedule.input.mode == BackupMode::Pitr && schedule.input.enabled {
                    p { strong { "Slicing stops: writes to " (schedule.cluster) " from now on cannot be restored to." } }
                }
                (code::equivalents("", &code::curl(frame, "DELETE", &format!("/v1/schedules/{}", schedule.id), None)))
            },
            fields: html! {},
            action: &urls::at(urls::SCHEDULE_DELETE, &schedule.id),
            verb: "Delete",
            danger: true,
            refusal: frame.refusal(Role::Operator).as_deref(),
            cancel: urls::SCHEDULES,
        },
    )
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |at: usize| Page { schedule: world::schedules().remove(at) };
    vec![("one", page(0)), ("pitr", page(1)), ("long-names", page(5)), ("viewer-forbidden", page(0))]
}
