//! Gathers what is closer together than can be told apart, so that a drawing stays small however much there is.

use maud::{Markup, html};

use super::Window;

/// Two things closer than this (percent of the width; 3 px of 1,200) are drawn as one.
const CLOSE: f64 = 0.25;

/// A stretch of the drawing that stands for `count` things.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gathered<T> {
    pub(super) left: f64,
    pub(super) width: f64,
    pub(super) count: usize,
    /// The first of them.
    pub(super) first: T,
}

/// `spans` in order of their beginning. What lies outside the window is left out.
pub(super) fn gather<T: Copy>(window: Window, spans: impl Iterator<Item = (u32, u32, T)>) -> Vec<Gathered<T>> {
    let mut gathered: Vec<Gathered<T>> = Vec::new();
    for (from, to, thing) in spans {
        // A point is one second wide, so that it is seen.
        let Some((left, width)) = window.span(from, to.max(from.saturating_add(1))) else { continue };
        match gathered.last_mut() {
            Some(last) if left - (last.left + last.width) < CLOSE => {
                last.width = last.width.max(left + width - last.left);
                last.count += 1;
            }
            _ => gathered.push(Gathered { left, width, count: 1, first: thing }),
        }
    }
    gathered
}

/// A backup's mark around a point; `x` may be a percentage.
pub(super) fn diamond(x: &str, y: &str, class: &str) -> Markup {
    html! { svg.place x=(x) y=(y) overflow="visible" { path class=(class) d="M0 -5.5L5 0L0 5.5L-5 0Z" {} } }
}

/// A backup that cannot be used.
pub(super) fn cross(x: &str, y: &str) -> Markup {
    html! { svg.place x=(x) y=(y) overflow="visible" { path.mark-bad d="M-4 -4L4 4M4 -4L-4 4" {} } }
}
