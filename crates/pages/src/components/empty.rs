//! Nothing there yet: what this is, why it is empty, the one thing to do.

use maud::{Markup, html};
use oplogue_api::users::Role;

use super::button::Button;
use super::icon::{Icon, icon};
use crate::Frame;

pub fn empty(symbol: Icon, title: &str, sentence: &str, action: Option<Button>) -> Markup {
    html! {
        div.empty {
            (icon(symbol))
            p.empty-title { (title) }
            p { (sentence) }
            @if let Some(action) = action { (action) }
        }
    }
}

/// A list that is empty because of its filters.
pub fn nothing_matches(clear: &str) -> Markup {
    empty(
        Icon::Filter,
        "Nothing matches",
        "There are entries, but none that fits what is asked for.",
        Some(Button::link(clear, "Clear filters")),
    )
}

/// What takes `role` to see or do, for those who have a lesser one.
pub fn forbidden(frame: &Frame, role: Role) -> Markup {
    let sentence = match frame.refusal(role) {
        Some(refusal) => format!("This {refusal}. An administrator can give another role."),
        None => "The server did not show it.".to_owned(),
    };
    empty(Icon::Lock, "Not for everybody", &sentence, None)
}
