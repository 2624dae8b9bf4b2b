//! Jobs that stand in the way of another: who they are, and the button that switches them off.

use maud::{Markup, html};

use super::badge::Tone;
use super::button::Button;
use super::notice::notice;
use crate::urls;

/// The rule that was broken and the jobs that are in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The server's sentence.
    pub message: String,
    pub hint: Option<String>,
    pub jobs: Vec<InTheWay>,
}

/// An enabled job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InTheWay {
    pub schedule_id: String,
    pub name: String,
    /// `Full` or `PITR`, and when it runs.
    pub remark: String,
}

/// `button` switches them off and tries again.
pub fn block(conflict: &Conflict, button: &Button) -> Markup {
    notice(
        Tone::Danger,
        "Other backup jobs are in the way",
        html! {
            p { (conflict.message) }
            @if !conflict.jobs.is_empty() {
                p { "Enabled now:" }
                ul {
                    @for job in &conflict.jobs {
                        li { a href=(urls::schedule(&job.schedule_id)) { (job.name) } " " span.dim { (job.remark) } }
                    }
                }
                div.actions { (button) span.dim { "Their backups stay." } }
            } @else {
                @if let Some(hint) = &conflict.hint { p.error-hint { (hint) } }
            }
        },
    )
}
