//! Work under way: a 4 px bar with percent, rate and remaining time, or what is waited for.

use maud::{Markup, html};
use oplogue_api::jobs::{JobStep, StepState, StepUnit};

use super::badge::ellipsis;
use super::icon::{Icon, icon};
use super::number;

/// A bar. `fraction` is between 0 and 1; `None` when the total is not known.
pub fn bar(label: &str, fraction: Option<f64>) -> Markup {
    html! {
        @match fraction {
            Some(fraction) => { progress aria-label=(label) max="1000" value=(per_mille(fraction)) { (percent_text(fraction)) } }
            None => { progress aria-label=(label) {} }
        }
    }
}

fn per_mille(fraction: f64) -> u32 {
    // Between 0 and 1000, so it fits.
    (fraction.clamp(0.0, 1.0) * 1000.0).round() as u32
}

/// Rounds down, so that `100 %` means all of it.
pub fn percent_text(fraction: f64) -> String {
    format!("{:.0} %", (fraction.clamp(0.0, 1.0) * 100.0).floor())
}

/// How much of a step is done, when the total is known.
pub fn fraction(step: &JobStep) -> Option<f64> {
    match (step.state, step.total) {
        (StepState::Done, _) => Some(1.0),
        (StepState::Running, Some(total)) if total > 0 => Some(step.done as f64 / total as f64),
        _ => None,
    }
}

/// Of a table row: a short bar and the percentage.
pub fn inline(label: &str, percent: Option<f64>) -> Markup {
    let fraction = percent.map(|percent| percent / 100.0);
    html! {
        span.progress-inline {
            (bar(label, fraction))
            @if let Some(fraction) = fraction { span.quantity { (percent_text(fraction)) } }
        }
    }
}

/// All steps of a job: those done ticked off with their time, the running one with bar, rate and remaining time.
pub fn steps(steps: &[JobStep]) -> Markup {
    html! {
        ol.steps {
            @for step in steps { (one_step(step, false)) }
        }
    }
}

/// The same of a job that is over: a step that was running then is where it stopped, and nothing moves.
pub fn steps_of_ended(steps: &[JobStep]) -> Markup {
    html! {
        ol.steps {
            @for step in steps { (one_step(step, true)) }
        }
    }
}

fn one_step(step: &JobStep, ended: bool) -> Markup {
    let running = step.state == StepState::Running && !ended;
    let stopped = step.state == StepState::Running && ended;
    html! {
        li class=(if running { "step running" } else if stopped { "step stopped" } else { "step done" }) {
            div.step-line {
                span.step-name {
                    @if running { (ellipsis()) } @else if stopped { (icon(Icon::Cross)) } @else { (icon(Icon::Check)) }
                    span { (sentence(&step.name)) }
                    @if stopped { span.sr { " (not finished)" } } @else if !running { span.sr { " (done)" } }
                }
                span.step-figures {
                    @if step.done > 0 || step.total.is_some() { span { (amounts(step)) } }
                    @if let Some(rate) = step.per_second.filter(|_| running) { span { (rate_text(rate, step.unit)) } }
                    @match (running, step.seconds_left) {
                        (true, Some(left)) => { span { (number::duration_text(left)) " left" } }
                        _ => { span { (number::duration_text(whole_seconds(step.seconds))) } }
                    }
                    @if running { @if let Some(fraction) = fraction(step) { span.percent { (percent_text(fraction)) } } }
                }
            }
            @if running { (bar(&sentence(&step.name), fraction(step))) }
        }
    }
}

fn whole_seconds(seconds: f64) -> u64 {
    // Steps last from nothing to weeks; anything else is a mistake of whoever told.
    if seconds.is_finite() && seconds > 0.0 { seconds.round() as u64 } else { 0 }
}

fn amounts(step: &JobStep) -> String {
    let text = |amount: u64| match step.unit {
        StepUnit::Bytes => number::size_text(amount),
        StepUnit::Entries | StepUnit::Items => number::count_text(amount),
    };
    match (step.state, step.total) {
        (StepState::Running, Some(total)) => format!("{} of {}", text(step.done), text(total)),
        _ => text(step.done),
    }
}

fn rate_text(per_second: f64, unit: StepUnit) -> String {
    let whole = if per_second.is_finite() && per_second > 0.0 { per_second.round() as u64 } else { 0 };
    match unit {
        StepUnit::Bytes => format!("{}/s", number::size_text(whole)),
        StepUnit::Entries | StepUnit::Items => format!("{}/s", number::count_text(whole)),
    }
}

/// With a capital at the beginning.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_percent_means_all_of_it() {
        assert_eq!(percent_text(0.9999), "99 %");
        assert_eq!(percent_text(1.0), "100 %");
        assert_eq!(percent_text(-0.5), "0 %");
    }
}
