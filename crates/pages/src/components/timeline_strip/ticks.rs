//! Where the axis is marked, and what the marks say: about ten, on round times.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use oplogue_domain::OplogTime;

use super::Window;

/// More than that and labels run into each other.
const TICKS_MAX: u32 = 11;

const STEPS: &[u32] = &[
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 345_600, 604_800, 1_209_600,
];

/// 1970-01-05 was a Monday: weeks begin there.
const MONDAY: u32 = 4 * 86_400;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) second: u32,
    pub(super) label: String,
    /// The day, where it begins or is first seen.
    pub(super) day: Option<String>,
}

/// Ticks in order, and how many seconds they are apart (roughly, for months).
pub(super) fn ticks(window: Window) -> (Vec<Tick>, u32) {
    let step = STEPS.iter().copied().find(|step| window.seconds() / step <= TICKS_MAX);
    match step {
        Some(step) => (regular(window, step), step),
        None => monthly(window),
    }
}

fn regular(window: Window, step: u32) -> Vec<Tick> {
    let phase = if step >= 604_800 { MONDAY } else { 0 };
    let first = phase + window.from.saturating_sub(phase).div_ceil(step) * step;
    let mut ticks = Vec::new();
    let mut day_before = None;
    let mut second = first;
    while second <= window.to {
        let at = OplogTime::start_of_second(second).timestamp().to_zoned(TimeZone::UTC);
        let day = at.date();
        let label = match step {
            0..60 => at.strftime("%H:%M:%S").to_string(),
            60..86_400 => at.strftime("%H:%M").to_string(),
            _ => at.strftime("%-d %b").to_string(),
        };
        let new_day = step < 86_400 && day_before != Some(day);
        ticks.push(Tick { second, label, day: new_day.then(|| at.strftime("%-d %b %Y").to_string()) });
        day_before = Some(day);
        let Some(next) = second.checked_add(step) else { break };
        second = next;
    }
    ticks
}

fn monthly(window: Window) -> (Vec<Tick>, u32) {
    const MONTH: u32 = 2_629_800;
    let months =
        [1, 2, 3, 6, 12, 24, 60, 120, 240].into_iter().find(|months| window.seconds() / (months * MONTH) <= TICKS_MAX).unwrap_or(240);
    let first = OplogTime::start_of_second(window.from).timestamp().to_zoned(TimeZone::UTC).date();
    let mut ticks = Vec::new();
    let mut month = (i32::from(first.year()) * 12 + i32::from(first.month()) - 1) / months as i32 * months as i32;
    while ticks.len() <= 2 * TICKS_MAX as usize {
        let date =
            i16::try_from(month / 12).ok().zip(i8::try_from(month % 12 + 1).ok()).and_then(|(year, month)| Date::new(year, month, 1).ok());
        let second = date.and_then(|date| date.to_zoned(TimeZone::UTC).ok()).and_then(|at| u32::try_from(at.timestamp().as_second()).ok());
        match (date, second) {
            (Some(date), Some(second)) if second <= window.to => {
                if second >= window.from {
                    let label = if months >= 12 { date.strftime("%Y").to_string() } else { date.strftime("%b %Y").to_string() };
                    ticks.push(Tick { second, label, day: None });
                }
            }
            // Before 1970 comes first and is passed over; later than the window, or than seconds can say, is the end.
            (Some(date), None) if date.year() < 1970 => {}
            _ => break,
        }
        month += months as i32;
    }
    (ticks, months * MONTH)
}
