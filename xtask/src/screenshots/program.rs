//! Running the built `oplogue` as a user would.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::demo::shop::Moment;

/// How long the slicer may take to store what was asked for: a span, an upload, and patience for a busy machine.
const STORED_LIMIT: Duration = Duration::from_secs(60);

/// The built program.
pub struct Program {
    executable: PathBuf,
}

impl Program {
    pub fn new(executable: PathBuf) -> Self {
        Self { executable }
    }

    fn command(&self, verb: &str, words: &[String]) -> Command {
        let mut command = Command::new(&self.executable);
        // Settings of whoever runs this are not part of the story.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OPLOGUE_")) {
            command.env_remove(name);
        }
        // Colour and drawing characters, whatever the terminal.
        command.env("CLICOLOR_FORCE", "1").env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR");
        command.arg(verb).args(words).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command to its end and returns what it printed. What it says besides is shown when it fails.
    pub async fn run(&self, verb: &str, words: &[String]) -> anyhow::Result<String> {
        let output = self.command(verb, words).output().await.with_context(|| format!("start oplogue {verb}"))?;
        let remarks = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "oplogue {verb} failed ({}):\n{remarks}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts slicing in the background; returns once it has begun.
    pub async fn slice(&self, words: &[String], span: &str) -> anyhow::Result<Slicer> {
        let mut command = self.command("slice", words);
        let remarks = tempfile::NamedTempFile::new().context("make a file for what the slicer says")?;
        command.args(["--span", span, "--json"]).stdout(Stdio::piped()).stderr(remarks.reopen()?);
        let mut child = command.spawn().context("start oplogue slice")?;
        let events = BufReader::new(child.stdout.take().context("the slicer has no output")?).lines();
        let mut slicer = Slicer { child, events, remarks };
        slicer.wait_for(|event| event["event"] == "started").await?;
        Ok(slicer)
    }
}

/// A slicer that runs in the background. Dropping it ends it.
pub struct Slicer {
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
    /// What it says on standard error: shown when something goes wrong.
    remarks: tempfile::NamedTempFile,
}

impl Slicer {
    async fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
        let seen = async {
            while let Some(line) = self.events.next_line().await? {
                if wanted(&serde_json::from_str(&line).with_context(|| format!("the slicer printed `{line}`"))?) {
                    return Ok(());
                }
            }
            anyhow::bail!("the slicer ended by itself")
        };
        let outcome = tokio::time::timeout(STORED_LIMIT, seen).await.context("the slicer did not get there in time").flatten();
        outcome.with_context(|| std::fs::read_to_string(self.remarks.path()).unwrap_or_default())
    }

    /// Waits until `moment` is on the storage.
    pub async fn wait_through(&mut self, moment: Moment) -> anyhow::Result<()> {
        let reached = |event: &Value| {
            let through = &event["range"]["through"];
            event["event"] == "stored"
                && (through["t"].as_u64(), through["i"].as_u64()) >= (Some(u64::from(moment.seconds)), Some(u64::from(moment.ordinal)))
        };
        self.wait_for(reached).await
    }

    /// Waits until `moment` is on the storage, then stops cleanly, as Ctrl-C does.
    pub async fn stop_after(mut self, moment: Moment) -> anyhow::Result<()> {
        self.wait_through(moment).await?;
        let id = self.child.id().context("the slicer ended by itself")?;
        let asked = Command::new("kill").args(["-INT", &id.to_string()]).status().await.context("start kill")?;
        anyhow::ensure!(asked.success(), "the slicer could not be asked to stop");
        // Read on, so that it never waits for somebody to read its last lines.
        while self.events.next_line().await?.is_some() {}
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "the slicer ended with {status}");
        Ok(())
    }
}
