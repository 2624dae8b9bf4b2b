//! API tokens: for programs.

mod form;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use oplogue_api::tokens::{ApiToken, NewApiToken};
use oplogue_api::users::Role;

pub use self::form::TokenForm;
use crate::components::badge::{Badge, Tone};
use crate::components::button::Button;
use crate::components::empty;
use crate::components::icon::Icon;
use crate::components::table::{self, Column, Table};
use crate::components::{code, notice, time};
use crate::pages::settings::settings_tabs;
use crate::{Frame, layout, urls};

/// A token that expires sooner than this deserves attention.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

pub struct Page {
    /// `None`: who asks may not see them.
    pub tokens: Option<Vec<ApiToken>>,
    /// The token that was just made: shown this once.
    pub made: Option<NewApiToken>,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let make = || Button::link(urls::TOKEN_NEW, "Create token").icon(Icon::Plus).primary().needs(frame, Role::Administrator);
    let main = html! {
        (layout::header("API tokens", html! {}, html! { (make()) }))
        (settings_tabs(urls::TOKENS))
        @if let Some(made) = &page.made { (new_token(frame, made)) }
        @match &page.tokens {
            None => { (empty::forbidden(frame, Role::Administrator)) }
            Some(tokens) if tokens.is_empty() => {
                (empty::empty(Icon::Key, "No API tokens yet", "A token lets a program do what its role may: a script, a dashboard, the command line.", Some(make())))
            }
            Some(tokens) => { (rows(frame, tokens)) }
        }
    };
    layout::page(frame, "API tokens", main)
}

fn new_token(frame: &Frame, made: &NewApiToken) -> Markup {
    let whoami = format!("curl -H 'Authorization: Bearer {}' '{}/v1/whoami'", made.token, frame.base_url);
    notice::notice(
        Tone::Ok,
        &format!("The token {} was made", made.details.name),
        html! {
            p { "Copy it now: it is not shown again." }
            (code::command(&made.token))
            p { "To try it:" }
            (code::command(&whoami))
        },
    )
}

fn rows(frame: &Frame, tokens: &[ApiToken]) -> Markup {
    let columns = [
        Column::text("Name"),
        Column::text("Role"),
        Column::text("Begins with"),
        Column::text("Made by"),
        Column::text("Last used"),
        Column::text("Expires"),
        Column::text("Actions"),
    ];
    let mut table = Table::new("API tokens", &columns);
    for token in tokens {
        let delete = Button::link(&urls::at(urls::TOKEN_DELETE, &token.id), "Delete").small().icon(Icon::Delete);
        let cells = vec![
            html! { (token.name) },
            html! { (token.role.as_str()) },
            html! { code.nowrap { (token.prefix) "…" } },
            html! { (token.created_by) span.sub { (time::ago(frame, token.created_at)) } },
            token.last_used_at.map_or_else(|| html! { span.dim { "never" } }, |at| time::ago(frame, at)),
            expiry(frame, token.expires_at),
            html! { (delete.about(&token.name).needs(frame, Role::Administrator)) },
        ];
        if token.expires_at.is_some_and(|at| at <= frame.now) { table.dim_row(cells) } else { table.row(cells) }
    }
    html! { (table) (table::more(tokens.len(), None)) }
}

fn expiry(frame: &Frame, expires: Option<Timestamp>) -> Markup {
    let Some(at) = expires else { return html! { span.dim { "never" } } };
    html! {
        @if at <= frame.now { (Badge::new(Tone::Danger, Icon::Failed, "Expired")) " " }
        @else if at.duration_since(frame.now) < EXPIRES_SOON { (Badge::new(Tone::Attention, Icon::Attention, "Soon")) " " }
        (time::ago(frame, at))
    }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let made = NewApiToken { token: "opl_1x7f5d2c9b4a8e6f0d3c7b1a5e9f2d6c8b".into(), details: world::tokens().remove(0) };
    vec![
        ("empty", Page { tokens: Some(Vec::new()), made: None }),
        ("many", Page { tokens: Some(world::tokens()), made: None }),
        ("made", Page { tokens: Some(world::tokens()), made: Some(made) }),
        ("viewer-forbidden", Page { tokens: None, made: None }),
    ]
}
