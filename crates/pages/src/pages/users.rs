//! People who may sign in.

mod form;

use maud::{Markup, html};
use oplogue_api::users::{Role, User};

pub use self::form::{PasswordForm, UserForm};
use crate::components::badge::{Badge, Tone};
use crate::components::button::{Button, menu};
use crate::components::empty;
use crate::components::icon::Icon;
use crate::components::table::{self, Column, Table};
use crate::components::time;
use crate::pages::settings::{role_words, settings_tabs};
use crate::{Frame, layout, urls};

pub struct Page {
    /// `None`: who asks may not see them.
    pub users: Option<Vec<User>>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let add = Button::link(urls::USER_NEW, "Add user").icon(Icon::Plus).primary().needs(frame, Role::Administrator);
    let main = html! {
        (layout::header("Users", html! {}, html! { (add) }))
        (settings_tabs(urls::USERS))
        @match &page.users {
            None => { (empty::forbidden(frame, Role::Administrator)) }
            Some(users) => { (rows(frame, users)) }
        }
    };
    layout::page(frame, "Users", main)
}

fn rows(frame: &Frame, users: &[User]) -> Markup {
    let columns = [
        Column::text("Name"),
        Column::text("Role"),
        Column::text("May sign in"),
        Column::text("Last sign-in"),
        Column::text("Added"),
        Column::actions(),
    ];
    let mut table = Table::new("Users", &columns);
    for user in users {
        let own = frame.who.as_ref().is_some_and(|who| who.name == user.name);
        let own_refusal = own.then_some("it is you");
        let entries = [
            Button::link(&urls::at(urls::USER, &user.id), "Edit").icon(Icon::Edit).quiet().needs(frame, Role::Administrator),
            Button::link(&urls::at(urls::USER_DELETE, &user.id), "Delete")
                .icon(Icon::Delete)
                .quiet()
                .needs(frame, Role::Administrator)
                .unless(own_refusal),
        ];
        let may = if user.disabled { Badge::new(Tone::Neutral, Icon::Lock, "No") } else { Badge::new(Tone::Neutral, Icon::Check, "Yes") };
        let cells = vec![
            html! { a href=(urls::at(urls::USER, &user.id)) { (user.name) } @if own { " " span.dim { "(you)" } } },
            html! { (user.role.as_str()) span.sub { (role_words(user.role)) } },
            html! { (may) },
            user.last_sign_in.map_or_else(|| html! { span.dim { "never" } }, |at| time::ago(frame, at)),
            time::ago(frame, user.created_at),
            menu(&user.name, &entries),
        ];
        if user.disabled { table.dim_row(cells) } else { table.row(cells) }
    }
    html! { (table) (table::more(users.len(), None)) }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    vec![
        ("one", Page { users: Some(vec![world::users().remove(0)]) }),
        ("many", Page { users: Some(world::users()) }),
        ("viewer-forbidden", Page { users: None }),
    ]
}
