//! States: always an icon and a word, a colour only where somebody should look.

use maud::{Markup, Render, html};
use oplogue_api::alerts::{AlertState, Severity};
use oplogue_api::backups::BackupStatus;
use oplogue_api::clusters::ProtectionState;
use oplogue_api::jobs::JobState;
use oplogue_api::services::{AgentState, MemberRole, SlicingState};

use super::icon::{Icon, icon};

/// What a colour means. Healthy things are mostly `Neutral`: green is scarce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Neutral,
    Ok,
    Working,
    Attention,
    Danger,
}

impl Tone {
    /// Class of the element that takes the colour.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Neutral => "tone-neutral",
            Self::Ok => "tone-ok",
            Self::Working => "tone-working",
            Self::Attention => "tone-attention",
            Self::Danger => "tone-danger",
        }
    }

    pub const fn icon(self) -> Icon {
        match self {
            Self::Neutral => Icon::Info,
            Self::Ok => Icon::Ok,
            Self::Working => Icon::Working,
            Self::Attention => Icon::Attention,
            Self::Danger => Icon::Failed,
        }
    }
}

/// An icon and a word. `moving` adds the animated ellipsis of work in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    pub tone: Tone,
    pub icon: Icon,
    pub word: String,
    pub moving: bool,
    /// Said on hover and to screen readers: why.
    pub title: Option<String>,
}

impl Badge {
    pub fn new(tone: Tone, icon: Icon, word: impl Into<String>) -> Self {
        Self { tone, icon, word: word.into(), moving: false, title: None }
    }

    #[must_use]
    pub fn moving(mut self) -> Self {
        self.moving = true;
        self
    }

    #[must_use]
    pub fn because(mut self, title: Option<&str>) -> Self {
        self.title = title.map(ToOwned::to_owned);
        self
    }
}

impl Render for Badge {
    fn render(&self) -> Markup {
        html! {
            span class={ "badge " (self.tone.class()) } title=[self.title.as_deref()] {
                @if self.moving { (ellipsis()) } @else { (icon(self.icon)) }
                span { (self.word) }
                @if let Some(title) = &self.title { span.sr { ": " (title) } }
            }
        }
    }
}

/// Three dots that move while something is being worked on, and stand still under `prefers-reduced-motion`.
pub fn ellipsis() -> Markup {
    html! { span.ellipsis aria-hidden="true" { i {} i {} i {} } }
}

pub fn backup_status(status: BackupStatus) -> Badge {
    match status {
        BackupStatus::Pending => Badge::new(Tone::Neutral, Icon::Clock, "Pending"),
        BackupStatus::InProgress => Badge::new(Tone::Working, Icon::Working, "In progress").moving(),
        BackupStatus::Success => Badge::new(Tone::Ok, Icon::Ok, "Success"),
        BackupStatus::Error => Badge::new(Tone::Danger, Icon::Failed, "Error"),
        BackupStatus::Cancelled => Badge::new(Tone::Neutral, Icon::Cancelled, "Cancelled"),
        BackupStatus::Deleting => Badge::new(Tone::Working, Icon::Working, "Deleting").moving(),
        BackupStatus::FailedToDelete => Badge::new(Tone::Danger, Icon::Failed, "Failed to delete"),
        BackupStatus::Invalid => Badge::new(Tone::Attention, Icon::Attention, "Invalid"),
    }
}

pub fn job_state(state: JobState) -> Badge {
    match state {
        JobState::Queued => Badge::new(Tone::Neutral, Icon::Clock, "Queued"),
        JobState::Running => Badge::new(Tone::Working, Icon::Working, "Running").moving(),
        JobState::Cancelling => Badge::new(Tone::Working, Icon::Working, "Cancelling").moving(),
        JobState::WaitingToRetry => Badge::new(Tone::Attention, Icon::Waiting, "Waiting to retry"),
        JobState::Done => Badge::new(Tone::Ok, Icon::Ok, "Done"),
        JobState::Failed => Badge::new(Tone::Danger, Icon::Failed, "Failed"),
        JobState::Cancelled => Badge::new(Tone::Neutral, Icon::Cancelled, "Cancelled"),
    }
}

pub fn protection(state: ProtectionState) -> Badge {
    match state {
        ProtectionState::Protected => Badge::new(Tone::Ok, Icon::Protected, "Protected"),
        ProtectionState::SnapshotsOnly => Badge::new(Tone::Neutral, Icon::Backups, "Snapshots only"),
        ProtectionState::AtRisk => Badge::new(Tone::Attention, Icon::AtRisk, "At risk"),
        ProtectionState::Unprotected => Badge::new(Tone::Danger, Icon::Unprotected, "Not protected"),
        ProtectionState::Unknown => Badge::new(Tone::Attention, Icon::ProtectionUnknown, "Unknown"),
    }
}

pub fn agent_state(state: AgentState) -> Badge {
    match state {
        AgentState::Online => Badge::new(Tone::Neutral, Icon::Check, "Online"),
        AgentState::Offline => Badge::new(Tone::Danger, Icon::Failed, "Offline"),
    }
}

pub fn slicing_state(state: SlicingState) -> Badge {
    match state {
        SlicingState::Off => Badge::new(Tone::Neutral, Icon::Minus, "Off"),
        SlicingState::StandingBy => Badge::new(Tone::Neutral, Icon::Clock, "Standing by"),
        SlicingState::Slicing => Badge::new(Tone::Working, Icon::Working, "Slicing").moving(),
        SlicingState::Retrying => Badge::new(Tone::Attention, Icon::Attention, "Retrying"),
    }
}

pub fn severity(severity: Severity) -> Badge {
    match severity {
        Severity::Info => Badge::new(Tone::Neutral, Icon::Info, "Info"),
        Severity::Warning => Badge::new(Tone::Attention, Icon::Attention, "Warning"),
        Severity::Error => Badge::new(Tone::Danger, Icon::Failed, "Error"),
        Severity::Critical => Badge::new(Tone::Danger, Icon::Alerts, "Critical"),
    }
}

pub fn alert_state(state: AlertState) -> Badge {
    match state {
        AlertState::Pending => Badge::new(Tone::Neutral, Icon::Clock, "Pending"),
        AlertState::Firing => Badge::new(Tone::Danger, Icon::Alerts, "Firing"),
        AlertState::Resolved => Badge::new(Tone::Neutral, Icon::Check, "Resolved"),
    }
}

pub fn member_role(role: MemberRole) -> Markup {
    let word = match role {
        MemberRole::Primary => "Primary",
        MemberRole::Secondary => "Secondary",
        MemberRole::Hidden => "Hidden",
        MemberRole::Delayed => "Delayed",
        MemberRole::Arbiter => "Arbiter",
        MemberRole::Other => "Not ready",
        MemberRole::Unknown => "Unknown",
    };
    html! { span.role { (word) } }
}

/// A small grey word: a kind, a type, a label.
pub fn tag(word: &str) -> Markup {
    html! { span.tag { (word) } }
}
