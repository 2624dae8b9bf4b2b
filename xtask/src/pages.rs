//! `cargo xtask pages`: every page in every state, photographed in light and dark, wide and narrow, and checked.
//!
//! The pages are the samples of `crates/pages`; nothing else runs. A page fails when the accessibility checker finds anything, when
//! the browser complains (also about the content security policy), when it is wider than a narrow screen, or when its first load
//! weighs too much. The pictures are for people to look at: `target/pages/pictures`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use oplogue_testkit::browser;

use crate::shell;

const USAGE: &str = "\
cargo xtask pages [FILTER]
  FILTER   only pages whose `page.sample` contains it, e.g. `restore` or `overview.empty`";

const SCRIPT: &str = include_str!("pages/photograph.mjs");

pub fn run(args: &[String]) -> anyhow::Result<()> {
    let filter = match args {
        [] => "",
        [word] if !word.starts_with('-') => word,
        _ => {
            println!("{USAGE}");
            return Ok(());
        }
    };
    let (chromium, modules) = browser::prepare()?;
    let target = target_folder()?;
    // Two at a time would take away each other's pictures.
    let lock = std::fs::File::options().create(true).truncate(false).write(true).open(target.join("pages.lock"))?;
    lock.lock().context("waiting for another `cargo xtask pages`")?;
    let folder = target.join("pages");
    render(&folder)?;
    let script = folder.join("photograph.mjs");
    std::fs::write(&script, SCRIPT).with_context(|| format!("writing {}", script.display()))?;
    let mut command = Command::new("node");
    command.arg(&script).arg(&folder).arg(&modules).arg(&chromium).arg(filter).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().context("running node; photographs need Node")?;
    anyhow::ensure!(output.status.success(), "photographing the pages failed");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).context("what photograph.mjs prints")?;
    println!(
        "{} pages, {} pictures in {}; the heaviest first load is {} bytes ({})",
        found["pages"],
        found["pictures"],
        folder.join("pictures").display(),
        found["heaviest_bytes"],
        found["heaviest"].as_str().unwrap_or_default()
    );
    let problems: Vec<&str> = found["problems"].as_array().into_iter().flatten().filter_map(|problem| problem.as_str()).collect();
    anyhow::ensure!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
    Ok(())
}

fn target_folder() -> anyhow::Result<PathBuf> {
    let metadata = shell::metadata()?;
    let target = metadata["target_directory"].as_str().context("`cargo metadata` names no target folder")?;
    std::fs::create_dir_all(target)?;
    Ok(PathBuf::from(target))
}

/// Writes pages and assets to a fresh folder.
fn render(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder)?;
    let mut command = shell::cargo(&["run", "--quiet", "--package", "oplogue-pages", "--example", "render", "--"]);
    shell::run(command.arg(folder))
}
