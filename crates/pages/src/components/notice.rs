//! Sentences that must be seen: what went wrong, what is old, what is missing.

use jiff::Timestamp;
use maud::{Markup, html};
use oplogue_api::ErrorBody;

use super::badge::Tone;
use super::icon::icon;
use super::time;
use crate::Frame;

/// A title and what there is to say about it.
pub fn notice(tone: Tone, title: &str, inside: Markup) -> Markup {
    html! {
        div class={ "notice " (tone.class()) } role=[(tone == Tone::Danger).then_some("alert")] {
            (icon(tone.icon()))
            div { p.notice-title { (title) } (inside) }
        }
    }
}

/// What a failure says: the error in full, and what to do next.
pub fn failure(title: &str, error: &str, hint: Option<&str>) -> Markup {
    notice(
        Tone::Danger,
        title,
        html! {
            p.error-text { (error) }
            @if let Some(hint) = hint { p.error-hint { (hint) } }
        },
    )
}

/// What the server said when it refused or could not do something. What concerns single fields stands beside them.
pub fn refused(title: &str, error: &ErrorBody) -> Markup {
    notice(
        Tone::Danger,
        title,
        html! {
            p.error-text { (error.message) }
            @if let Some(hint) = &error.hint { p.error-hint { (hint) } }
            @if !error.request_id.is_empty() { p.dim { "Request " code { (error.request_id) } } }
        },
    )
}

/// What is shown is not the newest. `as_of`: when it was.
pub fn stale(frame: &Frame, as_of: Option<Timestamp>, why: &str) -> Markup {
    notice(
        Tone::Attention,
        "This may be out of date",
        html! {
            p {
                (why)
                @match as_of {
                    Some(at) => { " What is shown was read " (time::ago(frame, at)) "." }
                    None => { " The storage has not been read yet." }
                }
            }
        },
    )
}
