//! Add or edit a user.

use maud::{Markup, html};
use oplogue_api::users::Role;
use oplogue_api::{ErrorBody, FieldError};

use crate::components::button::Button;
use crate::components::field::{self, Choice, Field};
use crate::components::notice;
use crate::components::progress::sentence;
use crate::pages::settings::role_words;
use crate::pages::users::UserForm;
use crate::{Frame, layout, urls};

pub struct Page {
    /// The user that is changed; `None` adds one.
    pub id: Option<String>,
    pub form: UserForm,
    pub errors: Vec<FieldError>,
    pub failure: Option<ErrorBody>,
}

/// Roles as cards.
pub(crate) fn roles() -> [Choice; 3] {
    Role::ALL.map(|role| Choice::new(role.as_str(), sentence(role.as_str())).description(sentence(role_words(role))))
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let title = if page.id.is_some() { "Edit user" } else { "Add user" };
    let roles = roles();
    let password = Field::new("password", "Password").errors(&page.errors).hint("At least 12 characters.").secret(page.id.is_some());
    let password = if page.id.is_some() { password } else { password.required() };
    let main = html! {
        (layout::crumbs(&[("Users", urls::USERS)]))
        (layout::header(title, html! {}, html! {}))
        div.narrow {
            (field::form_for(frame, Role::Administrator, frame.path_only(), html! {
                (field::summary(&page.errors))
                @if let Some(failure) = &page.failure { (notice::refused("The user was not saved", failure)) }
                (Field::new("name", "Name").value(&page.form.name).errors(&page.errors).required().text())
                (Field::new("role", "Role").value(&page.form.role).errors(&page.errors).cards(&roles))
                (password)
                @if page.id.is_some() {
                    (Field::new("disabled", "May not sign in").value(&page.form.disabled).errors(&page.errors).hint("Their sessions end at once.").checkbox())
                }
                (field::buttons(html! {
                    (Button::submit(if page.id.is_some() { "Save" } else { "Add" }).primary().needs(frame, Role::Administrator))
                    (Button::link(urls::USERS, "Cancel").quiet())
                }))
            }))
        }
    };
    layout::page(frame, title, main)
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let page = |form| Page { id: None, form, errors: Vec::new(), failure: None };
    let edit = |at: usize| {
        let user = world::users().remove(at);
        Page { id: Some(user.id.clone()), ..page(UserForm::from_user(&user)) }
    };
    let wrong = UserForm { name: "anna".into(), ..UserForm::new() };
    let errors = vec![
        FieldError::new("name", "A user with this name already exists."),
        FieldError::new("password", "The password has 8 characters; it needs at least 12."),
    ];
    vec![
        ("empty", page(UserForm::new())),
        ("edit", edit(1)),
        ("disabled", edit(3)),
        ("wrong", Page { errors, ..page(wrong) }),
        ("long-names", edit(4)),
        ("viewer-forbidden", page(UserForm::new())),
    ]
}
