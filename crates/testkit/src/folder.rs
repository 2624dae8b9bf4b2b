//! A temporary folder with the processes that live in it: they end together.
//!
//! Three ways to the end, all leave neither process nor folder:
//! - the value is dropped, also by a panic that unwinds: every process gets SIGKILL, the folder is removed;
//! - the test process dies without unwinding (SIGKILL, abort, a test runner's timeout): the watchdog, a small shell with a pipe
//!   from us as its input, sees the pipe close, kills every process of the `*.pid` files and removes the folder;
//! - Ctrl-C: processes and watchdog have process groups of their own, so the terminal's signal reaches only us, and then as above.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Context;

/// Waits for the word `done` or for the end of its input; the latter means that we are gone.
const WATCHDOG: &str = r#"trap '' INT TERM HUP
read -r word
[ "$word" = done ] && exit 0
for file in "$1"/*.pid; do [ -f "$file" ] && kill -9 "$(cat "$file")" 2>/dev/null; done
for attempt in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" 2>/dev/null && break; sleep 0.2; done"#;

/// Writes its own process id to a file, then becomes the server: the id is known to the watchdog before the server runs.
const BECOME: &str = r#"echo $$ > "$0" && exec "$@""#;

/// A folder, its processes by name, and the watchdog.
#[derive(Debug)]
pub struct ServerFolder {
    path: PathBuf,
    watchdog: Child,
    processes: Mutex<BTreeMap<String, Child>>,
}

impl ServerFolder {
    /// Makes a new folder `oplogue-<purpose>-…` in the system's temporary folder.
    pub fn new(purpose: &str) -> anyhow::Result<ServerFolder> {
        let folder = tempfile::Builder::new().prefix(&format!("oplogue-{purpose}-")).tempdir();
        let path = folder.context("making a temporary folder for a test server")?.keep();
        let mut command = Command::new("sh");
        command.arg("-c").arg(WATCHDOG).arg("watchdog").arg(&path);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).current_dir("/");
        let watchdog = command.spawn().context("starting the watchdog shell")?;
        Ok(ServerFolder { path, watchdog, processes: Mutex::default() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts `program` under `name`; its output goes to `<name>.out`. A name can be used again when its process is gone.
    pub fn spawn(&self, name: &str, program: &Path, environment: &[(String, String)], arguments: &[String]) -> anyhow::Result<()> {
        let output = std::fs::File::create(self.path.join(format!("{name}.out"))).context("creating an output file")?;
        let mut command = Command::new("sh");
        command.arg("-c").arg(BECOME).arg(self.pid_file(name)).arg(program).args(arguments);
        command.envs(environment.iter().map(|(k, v)| (OsStr::new(k), OsStr::new(v))));
        command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output).process_group(0).current_dir(&self.path);
        let child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        self.processes().insert(name.into(), child);
        Ok(())
    }

    /// `None` while the process runs, otherwise how it ended.
    pub fn ended(&self, name: &str) -> Option<String> {
        match self.processes().get_mut(name) {
            None => Some("never started, or already ended".into()),
            Some(child) => match child.try_wait() {
                Ok(None) => None,
                Ok(Some(status)) => Some(match status.signal() {
                    Some(signal) => format!("ended by signal {signal}"),
                    None => format!("ended with {}", status.code().unwrap_or(-1)),
                }),
                Err(error) => Some(error.to_string()),
            },
        }
    }

    /// Process id, if it was started and not killed.
    pub fn pid(&self, name: &str) -> Option<u32> {
        self.processes().get(name).map(Child::id)
    }

    /// Ends a process with SIGKILL and waits for its end. Nothing happens if it does not run.
    pub fn kill(&self, name: &str) {
        let child = self.processes().remove(name);
        if let Some(mut child) = child {
            // Both fail only if the process has already been waited for.
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_file(self.pid_file(name));
    }

    /// Sends a signal by its name without `SIG`, e.g. `STOP`.
    pub fn signal(&self, name: &str, signal: &str) -> anyhow::Result<()> {
        let pid = self.pid(name).with_context(|| format!("{name} does not run: no signal {signal} sent"))?;
        let status = Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "signal", signal, &pid.to_string()]).status()?;
        anyhow::ensure!(status.success(), "kill -s {signal} {pid} ({name}) failed");
        Ok(())
    }

    /// Asks a process to end (SIGTERM) and waits for it; SIGKILL after `patience`.
    pub async fn terminate(&self, name: &str, patience: Duration) -> anyhow::Result<()> {
        self.signal(name, "TERM")?;
        let deadline = tokio::time::Instant::now() + patience;
        while self.ended(name).is_none() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.kill(name);
        Ok(())
    }

    fn pid_file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.pid"))
    }

    fn processes(&self) -> MutexGuard<'_, BTreeMap<String, Child>> {
        // A panic elsewhere must not keep us from killing the processes.
        self.processes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for ServerFolder {
    fn drop(&mut self) {
        let processes = std::mem::take(&mut *self.processes());
        let mut processes: Vec<Child> = processes.into_values().collect();
        for child in &mut processes {
            let _ = child.kill();
        }
        for child in &mut processes {
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.path);
        if let Some(mut input) = self.watchdog.stdin.take() {
            let _ = input.write_all(b"done\n");
        }
        let _ = self.watchdog.wait();
    }
}

/// The last `lines` lines of a file, for error messages; empty if it cannot be read.
pub fn tail(path: &Path, lines: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
