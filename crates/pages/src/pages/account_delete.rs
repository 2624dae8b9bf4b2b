//! The page between "Delete" of a user or an API token and the deed.

use maud::{Markup, html};
use oplogue_api::tokens::ApiToken;
use oplogue_api::users::{Role, User};

use crate::components::code;
use crate::components::confirm::{self, Confirm};
use crate::{Frame, urls};

pub enum Page {
    /// With the reason when it may not be deleted: the last administrator, oneself.
    User {
        user: User,
        refusal: Option<String>,
    },
    Token(ApiToken),
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let role = frame.refusal(Role::Administrator);
    let (title, question, sentence, action, path, cancel, refusal) = match page {
        Page::User { user, refusal } => (
            "Delete user",
            format!("Are you sure you want to delete the user “{}”?", user.name),
            "Their sessions end at once. What they did stays in the audit log.",
            urls::at(urls::USER_DELETE, &user.id),
            format!("/v1/users/{}", user.id),
            urls::USERS,
            role.or_else(|| refusal.clone()),
        ),
        Page::Token(token) => (
            "Delete API token",
            format!("Are you sure you want to delete the API token “{}”?", token.name),
            "Whatever uses it is refused from now on.",
            urls::at(urls::TOKEN_DELETE, &token.id),
            format!("/v1/tokens/{}", token.id),
            urls::TOKENS,
            role,
        ),
    };
    let confirm = Confirm {
        title,
        question: &question,
        details: html! { p { (sentence) } (code::equivalents("", &code::curl(frame, "DELETE", &path, None))) },
        fields: html! {},
        action: &action,
        verb: "Delete",
        danger: true,
        refusal: refusal.as_deref(),
        cancel,
    };
    confirm::page(frame, &confirm)
}

pub fn samples() -> Vec<(&'static str, Page)> {
    use crate::samples::world;
    let user = |at: usize, refusal: Option<&str>| Page::User { user: world::users().remove(at), refusal: refusal.map(Into::into) };
    vec![
        ("user", user(1, None)),
        ("user-refused", user(0, Some("admin is the last administrator who may sign in."))),
        ("user-long-names", user(4, None)),
        ("token", Page::Token(world::tokens().remove(0))),
        ("viewer-forbidden", user(1, None)),
    ]
}
