//! Names and values of one thing.

use maud::{Markup, html};

/// A definition list in columns. Values are markup; use [`dash`] for what there is none of.
pub fn definitions(pairs: &[(&str, Markup)]) -> Markup {
    html! {
        dl.definitions {
            @for (name, value) in pairs {
                div { dt { (name) } dd { (value) } }
            }
        }
    }
}

/// What is not there.
pub fn dash() -> Markup {
    html! { span.dim { span aria-hidden="true" { "–" } span.sr { "none" } } }
}

/// The text, or a dash when it is empty.
pub fn or_dash(text: &str) -> Markup {
    if text.is_empty() {
        dash()
    } else {
        html! { (text) }
    }
}

/// Few big figures at the top of a page: (label, figure, remark).
pub fn figures(figures: &[(&str, Markup, Markup)]) -> Markup {
    html! {
        dl.figures {
            @for (label, figure, remark) in figures {
                div { dt { (label) } dd { span.figure { (figure) } span.remark { (remark) } } }
            }
        }
    }
}
