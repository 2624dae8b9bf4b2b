//! The life of a job.
//!
//! A job stands in its cluster's queue, is worked on in attempts, and ends once. [`advance`] is the only place where its state changes; whoever stores
//! jobs stores what it returns. Which of the queued jobs begin is decided by [`who_may_start`], whether a failed one is tried again by [`after_failure`].

mod queue;

use std::fmt;

use jiff::{SignedDuration, Timestamp};

pub use queue::{Kind, Queued, Running, Turn, who_may_start};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Waits for its turn.
    Queued,
    /// An attempt is given to one agent, or is carried out by the server.
    Running,
    /// A cancel is on its way to whoever works on it.
    Cancelling,
    /// Failed, and will be queued again.
    WaitingToRetry,
    Done,
    Failed,
    Cancelled,
}

impl JobState {
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Running, Self::Cancelling, Self::WaitingToRetry, Self::Done, Self::Failed, Self::Cancelled];

    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// An attempt is on its way or being carried out.
    pub const fn is_worked_on(self) -> bool {
        matches!(self, Self::Running | Self::Cancelling)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::WaitingToRetry => "waiting to retry",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEvent {
    /// An attempt was given to somebody.
    Started,
    /// The work is done, even if a cancel came too late for it.
    Succeeded,
    /// The attempt failed; `again`: another one will follow.
    AttemptFailed {
        again: bool,
    },
    /// It will not work however often it is tried, or nothing may be tried any more.
    Refused,
    /// The attempt's worker stopped it.
    Stopped,
    /// The attempt was never begun and goes back into the queue: whoever should have carried it out is gone.
    PutBack,
    CancelAsked,
    /// The user ends a job whose worker is not heard of: its word is not waited for any longer.
    GivenUp,
    /// The time of the next try has come.
    RetryDue,
    /// The user wants it tried again.
    RetryAsked,
}

impl JobEvent {
    pub const ALL: [Self; 11] = [
        Self::Started,
        Self::Succeeded,
        Self::AttemptFailed { again: false },
        Self::AttemptFailed { again: true },
        Self::Refused,
        Self::Stopped,
        Self::PutBack,
        Self::CancelAsked,
        Self::GivenUp,
        Self::RetryDue,
        Self::RetryAsked,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "be started",
            Self::Succeeded => "succeed",
            Self::AttemptFailed { .. } => "fail",
            Self::Refused => "be refused",
            Self::Stopped => "be stopped",
            Self::PutBack => "go back into the queue",
            Self::CancelAsked => "be cancelled",
            Self::GivenUp => "be given up",
            Self::RetryDue | Self::RetryAsked => "be tried again",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {state} cannot {}", event.as_str())]
pub struct InvalidTransition {
    pub state: JobState,
    pub event: JobEvent,
}

/// The state after `event`.
pub const fn advance(state: JobState, event: JobEvent) -> Result<JobState, InvalidTransition> {
    use JobEvent as E;
    use JobState as S;
    Ok(match (state, event) {
        (S::Queued, E::Started) => S::Running,
        (S::Queued | S::WaitingToRetry, E::CancelAsked) => S::Cancelled,
        // What it would have worked on is gone.
        (S::Queued, E::Refused | E::AttemptFailed { again: false }) => S::Failed,

        (S::Running | S::Cancelling, E::Succeeded) => S::Done,
        (S::Running, E::AttemptFailed { again: true }) => S::WaitingToRetry,
        (S::Running, E::AttemptFailed { again: false } | E::Refused) => S::Failed,
        (S::Running, E::PutBack) => S::Queued,
        (S::Running, E::CancelAsked) | (S::Cancelling, E::CancelAsked) => S::Cancelling,
        // Somebody beside the mongod stopped it.
        (S::Running, E::Stopped) => S::Cancelled,
        // Whatever it ended with: its end is what was asked for.
        (S::Cancelling, E::AttemptFailed { .. } | E::Refused | E::Stopped | E::PutBack | E::GivenUp) => S::Cancelled,

        (S::WaitingToRetry, E::RetryDue | E::RetryAsked) => S::Queued,
        (S::Failed | S::Cancelled, E::RetryAsked) => S::Queued,
        _ => return Err(InvalidTransition { state, event }),
    })
}

/// How often a job is tried, and after how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Tries in all, at least 1.
    pub attempts_max: u32,
    pub interval: SignedDuration,
}

/// When to try again after attempt number `attempt` (from 1) failed at `now`; `None`: not again.
pub fn after_failure(retries: Retries, attempt: u32, retryable: bool, now: Timestamp) -> Option<Timestamp> {
    if !retryable || attempt >= retries.attempts_max {
        return None;
    }
    // A time past the end of the calendar is never reached.
    Some(now.saturating_add(retries.interval).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests;
