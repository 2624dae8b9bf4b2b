//! Running other programs, and where things are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::Context;
use serde_json::Value;

/// The top folder of the clone: of the one that cargo runs us for. Several clones may share a target folder, and with it this program.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let ours = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        Path::new(&ours).parent().unwrap_or(Path::new(".")).to_owned()
    })
}

/// `cargo`, the one that runs us, in the top folder. It is not told about our own package, as `cargo run` tells us: build scripts of
/// dependencies (ring's) look at these words, and would run again, with everything after them, whenever cargo is started another way.
pub fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let ours =
        |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command.current_dir(root()).args(words);
    command
}

/// Runs `command` with its output going where ours goes, and demands success.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("start `{shown}`"))?;
    anyhow::ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

/// Runs `command` and returns what it printed on standard output; demands success.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = shown(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("start `{shown}`"))?;
    anyhow::ensure!(output.status.success(), "`{shown}` failed ({})", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// What `cargo metadata` says about the workspace.
pub fn metadata() -> anyhow::Result<Value> {
    let text = output(&mut cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("`cargo metadata` did not print JSON")
}

/// Builds the program and returns where it is.
pub fn build_oplogue() -> anyhow::Result<PathBuf> {
    run(&mut cargo(&["build", "--quiet", "--package", "oplogue"]))?;
    let metadata = metadata()?;
    let target = metadata["target_directory"].as_str().context("`cargo metadata` names no target folder")?;
    let program = Path::new(target).join("debug").join(format!("oplogue{}", std::env::consts::EXE_SUFFIX));
    anyhow::ensure!(program.is_file(), "{} is not there after building it", program.display());
    Ok(program)
}

/// Runs async work to its end.
pub fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Runtime::new().context("start the runtime")?.block_on(work)
}
