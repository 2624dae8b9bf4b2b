//! Runs the program as anybody would, and watches how much memory it takes, and how much CPU of the machine: its own and its server's.

use std::future::Future;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;
use tokio::process::Command;

use super::conditions::settle_disk;

/// How often the high-water mark is read. The kernel keeps it, so only what grows in the last moments can be missed.
const POLL: Duration = Duration::from_millis(10);

/// What some work cost. CPU is that in user and system mode together.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    pub seconds: f64,
    pub cpu_seconds: f64,
    /// Of the server it was done against, meanwhile.
    pub server_cpu_seconds: f64,
}

/// A run of the program that ended well.
#[derive(Debug)]
pub struct Ran {
    /// From its start to its end.
    pub spent: Spent,
    /// Most resident memory it ever had (VmHWM).
    pub peak_bytes: u64,
    stdout: String,
}

impl Ran {
    /// The document it printed.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.stdout).context("what `oplogue --json` printed is not JSON")
    }

    /// The documents it printed, one a line.
    pub fn json_lines(&self) -> anyhow::Result<Vec<Value>> {
        self.stdout.lines().map(|line| serde_json::from_str(line).context("what `oplogue --json` printed is not a line of JSON")).collect()
    }
}

/// Runs `program` with `words` against a server, whose process id is `server`; its files lie in `folder`.
///
/// # Errors
/// When it cannot be started, or fails: with what it said.
pub async fn run(program: &Path, folder: &Path, server: u32, words: &[&str]) -> anyhow::Result<Ran> {
    // Files, not pipes: nobody has to read along while the clock runs.
    let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
    let mut command = Command::new(program);
    command.args(words).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    command.stdout(std::fs::File::create(&stdout)?).stderr(std::fs::File::create(&stderr)?);
    settle_disk().await?;
    let server_before = cpu_of(server);
    let begun = Instant::now();
    let mut child = command.spawn().with_context(|| format!("start {}", program.display()))?;
    let process = child.id().context("the process ended before it was watched")?;
    let (mut peak_bytes, mut cpu_seconds) = (0, 0.0);
    let mut poll = tokio::time::interval(POLL);
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.context("wait for the program")?,
            _ = poll.tick() => {
                let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
                // A process that has just ended has no memory any more.
                peak_bytes = peak_bytes.max(high_water_mark(&read("status")).unwrap_or_default());
                cpu_seconds = cpu(&read("stat")).unwrap_or(cpu_seconds);
            }
        }
    };
    let seconds = begun.elapsed().as_secs_f64();
    let said = std::fs::read_to_string(&stderr).unwrap_or_default();
    anyhow::ensure!(status.success(), "`{} {}` ended with {status}:\n{said}", program.display(), words.join(" "));
    let stdout = std::fs::read_to_string(&stdout).context("read what the program printed")?;
    let server_cpu_seconds = cpu_of(server) - server_before;
    Ok(Ran { spent: Spent { seconds, cpu_seconds, server_cpu_seconds }, peak_bytes, stdout })
}

/// Runs `program` with `words` for so long beside other work, then kills it. Returns the CPU seconds it used meanwhile.
pub async fn cpu_beside(
    program: &Path,
    folder: &Path,
    words: &[&str],
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<f64> {
    let stderr = folder.join("stderr");
    let mut command = Command::new(program);
    command.args(words).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command.stderr(std::fs::File::create(&stderr)?);
    let mut child = command.spawn().with_context(|| format!("start {}", program.display()))?;
    let process = child.id().context("the process ended before it was watched")?;
    let used = || cpu(&std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default());
    let before = used();
    work.await?;
    let after = used();
    if let Some(status) = child.try_wait()? {
        anyhow::bail!("`{}` ended with {status}:\n{}", words.join(" "), std::fs::read_to_string(&stderr).unwrap_or_default());
    }
    child.kill().await.context("end the program")?;
    Ok(after.context("the CPU time of a running process")? - before.unwrap_or_default())
}

/// What `work` of ours against a server costs both; `work` says how many seconds it took.
pub async fn spend(server: u32, work: impl Future<Output = anyhow::Result<f64>>) -> anyhow::Result<Spent> {
    let used = || [std::process::id(), server].map(cpu_of);
    let before = used();
    let seconds = work.await?;
    let after = used();
    Ok(Spent { seconds, cpu_seconds: after[0] - before[0], server_cpu_seconds: after[1] - before[1] })
}

/// CPU seconds a running process has used.
fn cpu_of(process: u32) -> f64 {
    cpu(&std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default()).unwrap_or_default()
}

/// `VmHWM:     1234 kB`
fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// Fields 14 and 15 of `/proc/PID/stat`, in hundredths of a second on every Linux in use. The second field is the program's name in
/// parentheses, which may hold anything.
fn cpu(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some((ticks(11)? + ticks(12)?) as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_cpu_are_read_from_proc() {
        assert_eq!(high_water_mark("Name:\tx\nVmPeak:\t 9000 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 1 kB\n"), Some(1234 * 1024));
        assert_eq!(high_water_mark("Name:\tx\nState:\tZ (zombie)\n"), None);
        assert_eq!(cpu("77 (odd ) name) S 1 77 77 0 -1 4194560 500 0 0 0 150 25 0 0 20"), Some(1.75));
        assert_eq!(cpu(""), None);
    }
}
