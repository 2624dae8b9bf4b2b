//! The walk-through of README.md, run as it stands in an empty folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, packages};
use tokio::process::Command;

/// The version the walk-through was written with.
const MONGOSH: &str = "mongosh@2.12.0";
const LIMIT: Duration = Duration::from_secs(240);

/// The shell blocks between the markers, joined.
fn walk_through(readme: &str) -> Option<String> {
    let (_, rest) = readme.split_once("<!-- walk-through: begin")?;
    let (inside, _) = rest.split_once("<!-- walk-through: end")?;
    let blocks: Vec<&str> = inside.split("```sh\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    Some(blocks.concat())
}

#[tokio::test]
async fn the_walk_through_works_as_it_stands() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).expect("README.md");
    let script = walk_through(&readme).expect("the walk-through is marked in README.md");
    let mongosh = tokio::task::spawn_blocking(folder_of_mongosh).await.expect("not cancelled").expect("mongosh");
    let set = ReplicaSet::start(ReplicaSetOptions::default()).await.expect("a replica set starts");
    let program = Path::new(env!("CARGO_BIN_EXE_oplogue"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{}:{path}", program.parent().expect("it lies in a folder").display(), mongosh.display());
    let folder = tempfile::tempdir().expect("an empty folder");

    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &script]).current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    bash.env("PATH", path).env("OPLOGUE_URI", set.uri()).env("HOME", folder.path());
    let output = tokio::time::timeout(LIMIT, bash.output()).await.expect("it ends").expect("bash starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let log = std::fs::read_to_string(folder.path().join("slices.log")).unwrap_or_default();
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}\n{log}", output.status);
    // What the text below it promises: three orders, the first one paid, and the index.
    for expected in ["lamp", "desk", "chair", "paid: true", "item: 1"] {
        assert!(stdout.contains(expected), "`{expected}` is missing:\n{stdout}\n{stderr}");
    }
}

/// A folder with `mongosh` in it: the user's own, or one fetched once into the testbed's cache.
fn folder_of_mongosh() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&path).find(|folder| folder.join("mongosh").is_file()) {
        Some(folder) => Ok(folder),
        None => {
            Ok(packages::npm("mongosh", &[MONGOSH], "the walk-through needs mongosh on the PATH, or Node with npm to fetch it")?
                .join(".bin"))
        }
    }
}
