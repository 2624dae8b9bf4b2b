//! What cannot be shown: what was attempted, why it did not work, what to do next.

use maud::{Markup, html};
use oplogue_api::{ErrorBody, ErrorCode};

use crate::components::button::Button;
use crate::components::definitions::definitions;
use crate::components::empty;
use crate::components::icon::Icon;
use crate::components::progress::sentence;
use crate::{Frame, layout, urls};

pub struct Page {
    pub error: ErrorBody,
}

pub fn view(frame: &Frame, page: &Page) -> Markup {
    let error = &page.error;
    let (symbol, title) = match error.code {
        ErrorCode::NotFound => (Icon::Search, "Nothing here"),
        ErrorCode::Forbidden => (Icon::Lock, "Not allowed"),
        ErrorCode::Unauthenticated => (Icon::Key, "Sign in first"),
        ErrorCode::Conflict | ErrorCode::Refused => (Icon::Cancelled, "Refused"),
        ErrorCode::BadRequest | ErrorCode::MethodNotAllowed | ErrorCode::Invalid => (Icon::Attention, "This cannot be understood"),
        ErrorCode::TooMany => (Icon::Waiting, "Too many tries"),
        ErrorCode::Unavailable => (Icon::Attention, "Not available now"),
        ErrorCode::Internal => (Icon::Failed, "This went wrong, and it is our mistake"),
    };
    let action = match error.code {
        ErrorCode::Unauthenticated => Button::link(urls::SIGN_IN, "Sign in").primary(),
        _ if error.retryable => Button::link(&frame.path, "Try again").icon(Icon::Refresh),
        _ => Button::link(urls::OVERVIEW, "To the overview"),
    };
    let main = html! {
        (layout::header(title, html! {}, html! {}))
        (empty::empty(symbol, &sentence(&error.message), error.hint.as_deref().unwrap_or("Nothing was changed."), Some(action)))
        @if !error.fields.is_empty() {
            ul { @for field in &error.fields { li { code { (field.field) } ": " (field.message) } } }
        }
        (definitions(&[
            ("Request", html! { code { (error.request_id) } " " span.dim { "stands in the server's log beside what happened" } }),
            ("Answer", html! { code { (error.code.status()) } }),
        ]))
    };
    if frame.who.is_some() { layout::page(frame, title, main) } else { layout::bare(title, main) }
}

pub fn samples() -> Vec<(&'static str, Page)> {
    let page = |code, message: &str, hint: Option<&str>, retryable| Page {
        error: ErrorBody {
            code,
            message: message.into(),
            hint: hint.map(Into::into),
            fields: Vec::new(),
            retryable,
            request_id: "req_01k9x3m2f7".into(),
        },
    };
    vec![
        (
            "not-found",
            page(
                ErrorCode::NotFound,
                "there is no backup \"nightly_2026-11-20T03:00:00Z\"",
                Some("It may have been deleted since the page was loaded."),
                false,
            ),
        ),
        (
            "viewer-forbidden",
            page(
                ErrorCode::Forbidden,
                "deleting a backup needs an operator; anna is a viewer",
                Some("Ask an administrator for another role."),
                false,
            ),
        ),
        (
            "unavailable",
            page(
                ErrorCode::Unavailable,
                "read the folder shop of s3-main: connection refused (10.0.3.7:9000)",
                Some("Test the location; what was known before is on the timeline."),
                true,
            ),
        ),
        ("internal", page(ErrorCode::Internal, "the page could not be made", None, true)),
        ("signed-out", page(ErrorCode::Unauthenticated, "the session has ended", None, false)),
    ]
}
