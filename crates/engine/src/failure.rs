//! How a flow ends when it does not end well.
//!
//! Errors are `anyhow` chains, told from the outside in. Three kinds of endings mean something to a program: a check said no
//! before anything was touched ([`Refused`]), the user stopped the work ([`Cancelled`]), and everything else. Callers find them with
//! [`ending`]; the command line turns them into exit codes.

use std::fmt;

/// A check said no, and nothing was touched. `advice` is what to do about it, one line.
#[derive(Debug, thiserror::Error)]
pub struct Refused {
    pub reason: String,
    pub advice: Option<String>,
}

impl Refused {
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), advice: None }
    }

    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// The user stopped the work. `state` says what that leaves behind.
#[derive(Debug, thiserror::Error)]
#[error("cancelled: {state}")]
pub struct Cancelled {
    pub state: String,
}

/// The ending that an error chain stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Refused,
    Cancelled,
    Failed,
}

/// A refusal or cancellation counts wherever it stands in the chain: as its cause, or as the context of another error.
pub fn ending(error: &anyhow::Error) -> Ending {
    if refusal(error).is_some() {
        Ending::Refused
    } else if error.downcast_ref::<Cancelled>().is_some() || error.chain().any(|cause| cause.is::<Cancelled>()) {
        Ending::Cancelled
    } else {
        Ending::Failed
    }
}

/// The advice of the first refusal in the chain.
pub fn advice(error: &anyhow::Error) -> Option<&str> {
    refusal(error).and_then(|refused| refused.advice.as_deref())
}

fn refusal(error: &anyhow::Error) -> Option<&Refused> {
    error.downcast_ref::<Refused>().or_else(|| error.chain().find_map(|cause| cause.downcast_ref::<Refused>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_found_as_cause_and_as_context() {
        let refused = || Refused::new("no").advise("do it differently");
        let cause = anyhow::Error::from(refused()).context("restore shop");
        let context = anyhow::anyhow!("object is torn").context(refused()).context("restore shop");
        for error in [cause, context] {
            assert_eq!(ending(&error), Ending::Refused, "{error:#}");
            assert_eq!(advice(&error), Some("do it differently"));
        }
        assert_eq!(ending(&anyhow::anyhow!("anything")), Ending::Failed);
        assert_eq!(ending(&anyhow::Error::from(Cancelled { state: "half".into() }).context("restore")), Ending::Cancelled);
    }
}
