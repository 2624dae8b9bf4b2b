//! How the program ends when a command did not end well: what is told, and the exit code.

use std::fmt;

use oplogue_engine::failure::{Ending, advice, ending};

use crate::output::remark;

/// What was typed cannot be carried out as it stands.
#[derive(Debug)]
pub struct WrongUsage(String);

impl WrongUsage {
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for WrongUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUsage {}

/// The codes the program ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    WrongUsage = 2,
    Refused = 3,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Tells the whole chain, from the outside in, and what to do about it where that is known.
pub fn tell(error: &anyhow::Error) -> Exit {
    remark(&story(error));
    if let Some(advice) = advice(error) {
        remark(&format!("hint: {advice}"));
    }
    exit_of(error)
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if error.chain().any(|cause| cause.is::<WrongUsage>()) {
        return Exit::WrongUsage;
    }
    match ending(error) {
        Ending::Refused => Exit::Refused,
        Ending::Cancelled | Ending::Failed => Exit::Failed,
    }
}

/// `oplogue: what: cause: cause`. A cause that the text before it already ends with is not repeated: many errors include their source.
fn story(error: &anyhow::Error) -> String {
    let mut text = "oplogue".to_owned();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !cause.is_empty() && !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use oplogue_engine::failure::{Cancelled, Refused};

    use super::*;

    #[test]
    fn a_story_is_told_from_the_outside_in_without_repeating_itself() {
        let error = anyhow!("no space left").context("write slice: no space left").context("slice rs0");
        assert_eq!(story(&error), "oplogue: slice rs0: write slice: no space left");
    }

    #[test]
    fn each_ending_has_its_code() {
        for (error, exit) in [
            (anyhow!("broken"), Exit::Failed),
            (anyhow::Error::new(Cancelled { state: "half".into() }).context("restore"), Exit::Failed),
            (anyhow::Error::new(Refused::new("no")).context("restore"), Exit::Refused),
            (anyhow::Error::new(WrongUsage::new("--uri")).context("restore"), Exit::WrongUsage),
        ] {
            assert_eq!(exit_of(&error), exit, "{error:#}");
        }
    }
}
