//! Create an API token.

use maud::{Markup, html};
use oplogue_api::users::Role;
use oplogue_api::{ErrorBody, FieldError};

use crate::components::button::Button;
use crate::components::field::{self, Field};
use crate::components::notice;
use crate::pages::tokens::TokenForm;
use crate::pages::user::roles;
use crate::{Frame, layout, urls};

pub struct Page {
    pub form: TokenForm,
    pub errors: Vec<FieldError>,
    pub failure: Option<ErrorBody>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let roles = roles();
    let main = html! {
        (layout::crumbs(&[("API tokens", urls::TOKENS)]))
        (layout::header("Create API token", html! {}, html! {}))
        div.narrow {
            (field::form_for(frame, Role::Administrator, urls::TOKEN_NEW, html! {
                (field::summary(&page.errors))
                @if let Some(failure) = &page.failure { (notice::refused("No token was made", failure)) }
                (Field::new("name", "Name").value(&page.form.name).errors(&page.errors).required().hint("What will use it.").text())
                (Field::new("role", "Role").value(&page.form.role).errors(&page.errors).cards(&roles))
                (Field::new("valid_days", "Valid for").value(&page.form.valid_days).errors(&page.errors).unit("days").hint("Empty: it does not expire.").number(1, 3650))
                (field::buttons(html! {
                    (Button::submit("Create").primary().needs(frame, Role::Administrator))
                    (Button::link(urls::TOKENS, "Cancel").quiet())
                }))
            }))
        }
    };
    layout::page(frame, "Create API token", main)
}

pub fn samples() -> Vec<(&'static str, Page)> {
    let page = || Page { form: TokenForm::new(), errors: Vec::new(), failure: None };
    let wrong = TokenForm { valid_days: "4000".into(), ..TokenForm::new() };
    let errors = vec![FieldError::new("name", "Must not be empty."), FieldError::new("valid_days", "Must be 3650 at most.")];
    vec![("empty", page()), ("wrong", Page { form: wrong, errors, ..page() }), ("viewer-forbidden", page())]
}
