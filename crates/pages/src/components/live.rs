//! A part of a page that stays current: with JavaScript it asks for its own page again and takes over what changed in it, so
//! that focus, scrolling and opened details stay. Without, the page is as true as when it was loaded, and says when that was.

use maud::{Markup, html};

use crate::Frame;

/// `id` is unique on the page. `seconds`: how often; `None` when nothing can change any more, which also ends a refresh that runs.
pub fn region(frame: &Frame, id: &str, seconds: Option<u32>, inside: Markup) -> Markup {
    let trigger = seconds.map(|seconds| format!("every {}s", seconds.max(1)));
    let url = seconds.map(|_| frame.path.as_str());
    let select = format!("#{id}");
    html! {
        div.live id=(id) hx-get=[url] hx-trigger=[trigger] hx-select=[seconds.map(|_| select.as_str())]
            hx-target=[seconds.map(|_| "this")] hx-swap=[seconds.map(|_| "morph:outerHTML")] { (inside) }
    }
}
