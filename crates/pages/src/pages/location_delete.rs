//! The page between "Delete" of a location and the deed.

use maud::{Markup, html};
use oplogue_api::locations::Location;
use oplogue_api::users::Role;
use serde::Deserialize;

use crate::components::badge::Tone;
use crate::components::confirm::{self, Confirm};
use crate::components::field::Field;
use crate::components::{code, notice, number};
use crate::typed::checked;
use crate::{Frame, urls};

/// What was ticked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LocationDeleteForm {
    pub force: String,
}

impl LocationDeleteForm {
    /// Whether what uses it goes too.
    pub fn force(&self) -> bool {
        checked(&self.force)
    }
}

pub struct Page {
    pub location: Location,
    pub form: LocationDeleteForm,
    /// What the server refused last time: `backup location with ID … has scheduled tasks`.
    pub refused: Option<String>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let location = &page.location;
    let in_use = location.schedules > 0 || location.backups > 0;
    confirm::page(
        frame,
        &Confirm {
            title: "Delete storage location",
            question: &format!("Are you sure you want to delete the storage location “{}”?", location.name),
            details: html! {
                @if let Some(refused) = &page.refused { (notice::notice(Tone::Danger, "It was not deleted", html! { p { (refused) } })) }
                p { "Nothing on the storage is deleted. The location can be added again, and shows then what is there." }
                @if in_use {
                    (notice::notice(Tone::Attention, "It is in use", html! {
                        ul {
                            @if location.backups > 0 { li { (number::plural(u64::from(location.backups), "backup", "backups")) " can no longer be seen or restored here" } }
                            @if location.schedules > 0 { li { (number::plural(u64::from(location.schedules), "scheduled job", "scheduled jobs")) " would be deleted with it, and slicing into it stops" } }
                        }
                    }))
                }
                (code::equivalents("", &code::curl(frame, "DELETE", &format!("/v1/locations/{}?force={}", location.id, page.form.force()), None)))
            },
            fields: html! {
                @if in_use {
                    (Field::new("force", "Force").value(&page.form.force)
                        .hint("Delete it although it is in use. Without, the deletion is refused.").checkbox())
                }
            },
            action: &urls::at(urls::LOCATION_DELETE, &location.id),
            verb: "Delete",
            danger: true,
            refusal: frame.refusal(Role::Administrator).as_deref(),
            cancel: &urls::location(&location.id),
        },
    )
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |at: usize| Page { location: world::locations().remove(at), form: LocationDeleteForm::default(), refused: None };
    vec![
        ("unused", page(2)),
        ("in-use", page(0)),
        ("refused", Page { refused: Some("backup location with ID \"loc-main\" has scheduled tasks.".into()), ..page(0) }),
        ("long-names", page(3)),
        ("viewer-forbidden", page(0)),
    ]
}
