//! The one question: can I get my data back, to when, and is that still true?

use maud::{Markup, html};
use oplogue_api::MomentJson;
use oplogue_api::clusters::{Protection, ProtectionState};

use super::number::plural;
use super::time;
use crate::Frame;

/// `Restorable to 12 s ago · since 3 Jun 2026 · last proven by a restore 2 d ago`
pub fn answer(frame: &Frame, protection: &Protection) -> Markup {
    html! {
        p.answer {
            @match (protection.state, &protection.newest) {
                (ProtectionState::Unknown, None) => { strong { "Not known" } }
                (_, None) => { strong { "Nothing can be restored" } }
                (ProtectionState::SnapshotsOnly, Some(newest)) => {
                    strong { "Restorable to " (plural(u64::from(protection.backups), "backup", "backups")) }
                    span { "the newest is of " (ago(frame, newest)) ", not to the moments between" }
                }
                (_, Some(newest)) => {
                    strong { "Restorable to " (ago(frame, newest)) }
                    @if let Some(oldest) = &protection.oldest {
                        span {
                            "since " time datetime=(oldest.time().rfc3339()) title=(time::moment_text(oldest.time())) { (day(frame, oldest)) }
                            @if protection.gaps > 0 { ", with " (plural(u64::from(protection.gaps), "gap", "gaps")) }
                        }
                    }
                }
            }
            @if protection.newest.is_some() {
                @match protection.last_restore_at {
                    Some(at) => { span { "last proven by a restore " (time::ago(frame, at)) } }
                    None => { span { "not proven by a restore yet" } }
                }
            }
        }
    }
}

/// Why the state is what it is; nothing for what is well.
pub fn reasons(protection: &Protection) -> Markup {
    let well = matches!(protection.state, ProtectionState::Protected);
    html! {
        @if !well && !protection.reasons.is_empty() {
            ul.reasons { @for reason in &protection.reasons { li { (reason) } } }
        }
    }
}

fn ago(frame: &Frame, moment: &MomentJson) -> Markup {
    time::ago(frame, moment.time().timestamp())
}

/// `3 Jun`, with the year when it is another.
fn day(frame: &Frame, moment: &MomentJson) -> String {
    let at = moment.time().timestamp().to_zoned(frame.zone.clone());
    let this_year = frame.now.to_zoned(frame.zone.clone()).year() == at.year();
    at.strftime(if this_year { "%-d %b" } else { "%-d %b %Y" }).to_string()
}
