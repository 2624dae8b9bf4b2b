//! The own password.

use maud::{Markup, html};
use oplogue_api::{ErrorBody, FieldError};

use crate::components::button::Button;
use crate::components::field::{self, Field};
use crate::components::notice;
use crate::pages::settings::settings_tabs;
use crate::{Frame, layout, urls};

pub struct Page {
    pub errors: Vec<FieldError>,
    pub failure: Option<ErrorBody>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let main = html! {
        (layout::header("Your password", html! { "Changing it ends your other sessions. API tokens stay." }, html! {}))
        (settings_tabs(urls::PASSWORD))
        div.narrow {
            (field::form(frame, urls::PASSWORD, html! {
                (field::summary(&page.errors))
                @if let Some(failure) = &page.failure { (notice::refused("The password was not changed", failure)) }
                (Field::new("current", "Current password").errors(&page.errors).required().autocomplete("current-password").secret(false))
                (Field::new("new", "New password").errors(&page.errors).required().autocomplete("new-password")
                    .hint("At least 12 characters. A few words are easier than a few symbols.").secret(false))
                (Field::new("again", "New password again").errors(&page.errors).required().autocomplete("new-password").secret(false))
                (field::buttons(html! { (Button::submit("Change password").primary()) }))
            }))
        }
    };
    layout::page(frame, "Your password", main)
}

pub fn samples() -> Vec<(&'static str, Page)> {
    let wrong = vec![
        FieldError::new("current", "It is not the current password."),
        FieldError::new("new", "The password has 8 characters; it needs at least 12."),
        FieldError::new("again", "The two new passwords differ."),
    ];
    vec![
        ("empty", Page { errors: Vec::new(), failure: None }),
        ("wrong", Page { errors: wrong, failure: None }),
        ("viewer", Page { errors: Vec::new(), failure: None }),
    ]
}
