//! Views of one thing, each with its own URL.

use maud::{Markup, html};

/// (label, url, current)
pub fn tabs(label: &str, tabs: &[(&str, String, bool)]) -> Markup {
    html! {
        nav.tabs aria-label=(label) {
            @for (label, url, current) in tabs {
                a href=(url) aria-current=[current.then_some("page")] { (label) }
            }
        }
    }
}
