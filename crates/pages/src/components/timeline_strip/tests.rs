//! What is drawn, as text.

use oplogue_api::timelines::{BackupMark, GapJson};

use super::ticks::ticks;
use super::*;
use crate::samples::{self, fixtures};

fn drawn(timeline: &Timeline, window: Window) -> String {
    let frame = samples::frame(urls::TIMELINE);
    let query = Query::new().with("location_id", "loc_1").with("folder", "shop");
    let part = Strip { timeline, window, chosen: None, path: urls::TIMELINE, query: &query, restore: Some(query.clone()), fills: None };
    strip(&frame, &part).into_string()
}

#[test]
fn ticks_are_few_round_and_in_order_at_every_zoom() {
    let now = fixtures::NOW_SECOND;
    for seconds in [10, 30, 59, 300, 900, 3_600, 21_600, 86_400, 604_800, 2_592_000, 31_536_000, 315_360_000, now] {
        let window = Window::last(seconds, now);
        let (ticks, step) = ticks(window);
        assert!((2..=13).contains(&ticks.len()), "{seconds}: {}", ticks.len());
        assert!(step >= 1 && ticks.is_sorted_by_key(|tick| tick.second), "{seconds}");
        assert!(ticks.iter().all(|tick| (window.from..=window.to).contains(&tick.second)), "{seconds}");
    }
}

#[test]
fn a_gap_is_hatched_and_says_why() {
    let html = drawn(&fixtures::timeline_with_gap(), Window::last(86_400, fixtures::NOW_SECOND));
    assert!(html.contains("url(#hatch)") && html.contains("no slicer held the lease"), "{html}");
}

#[test]
fn any_number_of_backups_and_gaps_makes_a_drawing_of_bounded_size() {
    let mut timeline = fixtures::timeline_with_gap();
    let mark = timeline.backups[0].clone();
    timeline.backups = (0..20_000).map(|at| BackupMark { restores_to: fixtures::moment(20_000 * 60 - at * 60), ..mark.clone() }).collect();
    let gap = timeline.replica_sets[0].gaps[0].clone();
    timeline.replica_sets[0].gaps = (0..20_000)
        .map(|at| GapJson {
            range: oplogue_api::RangeJson {
                after: fixtures::moment(20_000 * 60 - at * 60),
                through: fixtures::moment(20_000 * 60 - at * 60 - 5),
            },
            ..gap.clone()
        })
        .collect();
    let html = drawn(&timeline, Window::whole(&timeline, fixtures::NOW_SECOND));
    assert!(html.len() < 600_000, "{}", html.len());
    assert!(html.matches("<a ").count() < 1_000);
}

#[test]
fn at_the_finest_zoom_every_second_is_a_link_that_restores_to_it() {
    let now = fixtures::NOW_SECOND;
    let html = drawn(&fixtures::timeline(), Window::new(now - 20, now - 10));
    assert!(html.contains("moment=2026-11-25T14%3A12%3A25Z"), "{html}");
}

#[test]
fn windows_stay_in_order_and_never_shrink_to_nothing() {
    let now = fixtures::NOW_SECOND;
    let mut window = Window::last(86_400, now);
    for _ in 0..40 {
        window = window.zoomed_in(Some(now - 100));
    }
    assert_eq!(window.seconds(), 10);
    assert!((window.from..=window.to).contains(&(now - 100)));
    for _ in 0..60 {
        window = window.zoomed_out().earlier();
    }
    assert!(window.from < window.to);
    assert_eq!(Window::asked_for(Some("x"), Some("5")), None);
    assert_eq!(Window::asked_for(Some("9"), Some("5")), Some(Window::new(5, 15)));
}
