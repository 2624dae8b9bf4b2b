//! Running the program.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

/// Nothing here takes that long; whatever does hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// How a run ended.
#[derive(Debug)]
pub struct Told {
    /// -1: a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The run did what was asked.
    pub fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The run ended with `code` and said each of `texts` on standard error.
    pub fn ended(self, code: i32, texts: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        for text in texts {
            assert!(self.stderr.contains(text), "`{text}` was not said: {self:?}");
        }
        self
    }
}

/// The program without any setting of whoever runs the tests.
pub fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oplogue"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("OPLOGUE_") || text.starts_with("AWS_") {
            command.env_remove(&name);
        }
    }
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

pub async fn finish(mut command: Command) -> Told {
    let output = tokio::time::timeout(LIMIT, command.output()).await.expect("the program ends").expect("the program starts");
    Told {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub async fn oplogue(words: &[&str]) -> Told {
    finish(command(words)).await
}

pub async fn oplogue_in(folder: &Path, words: &[&str]) -> Told {
    let mut command = command(words);
    command.current_dir(folder);
    finish(command).await
}
