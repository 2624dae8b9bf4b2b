//! Times: relative in lists with the absolute on hover, absolute in details with the zone's name, the machine's form in `datetime`.

use jiff::Timestamp;
use maud::{Markup, html};
use oplogue_api::{MomentJson, RangeJson};
use oplogue_domain::OplogTime;

use super::number::duration_text;
use crate::Frame;

/// `3 m ago`, `in 2 h`, `now`; ticks with JavaScript.
pub fn ago(frame: &Frame, at: Timestamp) -> Markup {
    html! {
        time datetime=(at.to_string()) title=(absolute_text(frame, at)) data-relative="" { (relative_text(frame.now, at)) }
    }
}

/// `2026-08-21 14:03:07 UTC`
pub fn absolute(frame: &Frame, at: Timestamp) -> Markup {
    html! {
        time datetime=(at.to_string()) title=(relative_text(frame.now, at)) { (absolute_text(frame, at)) }
    }
}

pub fn absolute_text(frame: &Frame, at: Timestamp) -> String {
    let zoned = at.to_zoned(frame.zone.clone());
    format!("{} {} {}", zoned.date(), zoned.strftime("%H:%M:%S"), frame.zone_name())
}

/// One unit, as lists need it.
pub fn relative_text(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    let words = |seconds: u64| {
        let text = duration_text(seconds);
        let mut words = text.splitn(3, ' ');
        match (words.next(), words.next()) {
            (Some(figure), Some(unit)) => format!("{figure} {unit}"),
            _ => text,
        }
    };
    match seconds {
        // What was read while the page was made is a moment younger than the page.
        -2..=0 => "now".to_owned(),
        1.. => format!("{} ago", words(seconds.unsigned_abs())),
        _ => format!("in {}", words(seconds.unsigned_abs())),
    }
}

/// From then to now, or to `finished`.
pub fn took(frame: &Frame, started: Option<Timestamp>, finished: Option<Timestamp>) -> Markup {
    let Some(started) = started else { return super::definitions::dash() };
    let end = finished.unwrap_or(frame.now);
    super::number::duration(u64::try_from(end.as_second() - started.as_second()).unwrap_or(0))
}

/// A moment of the oplog, `2026-08-21 14:03:07 +2`, in UTC; on hover `T,I`, as the command line takes it.
pub fn moment(moment: &MomentJson) -> Markup {
    let time = moment.time();
    html! {
        time.moment datetime=(time.rfc3339()) title={ (moment.t) "," (moment.i) " (UTC)" } { (moment_text(time)) }
    }
}

/// `2026-08-21 14:03:07 +2`; the ordinal is left out when it is 0: the moment when that second begins.
pub fn moment_text(time: OplogTime) -> String {
    let text = time.to_string();
    match text.strip_suffix(" +0") {
        Some(second) => second.to_owned(),
        None => text,
    }
}

/// `from → through`, with how long that is.
pub fn range(range: &RangeJson) -> Markup {
    let (after, through) = (range.after.time(), range.through.time());
    html! {
        span.range {
            (moment(&range.after)) span.arrow aria-hidden="true" { " → " } span.sr { " to " } (moment(&range.through))
            " " span.dim { (duration_text(u64::from(through.seconds_since(after)))) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn relative_times_have_one_unit() {
        let now = at(1_795_000_000);
        let texts = [0, 12, 192, 7_503, -7_503].map(|ago| relative_text(now, at(1_795_000_000 - ago)));
        assert_eq!(texts, ["now", "12 s ago", "3 m ago", "2 h ago", "in 2 h"]);
    }

    #[test]
    fn the_ordinal_is_shown_when_it_says_something() {
        assert_eq!(moment_text(OplogTime::new(1_787_321_000, 2)), "2026-08-21 14:03:20 +2");
        assert_eq!(moment_text(OplogTime::new(1_787_321_000, 0)), "2026-08-21 14:03:20");
    }
}
