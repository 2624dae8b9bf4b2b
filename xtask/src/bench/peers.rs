//! The vendor's tools on the same data, as anybody would call them.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Peers;
use super::figures::Samples;
use super::process::{self, Ran};
use super::stage::Server;

/// What the tools did.
#[derive(Debug, Default)]
pub struct Measured {
    pub dump: Samples,
    pub dump_cpu: Samples,
    pub dump_gzip: Samples,
    pub restore: Samples,
    pub restore_gzip: Samples,
}

/// Folders with the dumps of the last round, or nothing without `mongodump`.
#[derive(Default)]
pub struct Dumps {
    pub plain: Option<PathBuf>,
    pub gzip: Option<PathBuf>,
}

/// `mongodump`, plain or compressed, into a folder of that name.
pub async fn dump(peers: &Peers, source: &Server, folder: &Path, name: &str, gzip: bool) -> anyhow::Result<Option<(Ran, PathBuf)>> {
    let Some(mongodump) = &peers.mongodump else { return Ok(None) };
    let into = folder.join(name);
    let uri = source.set.uri();
    let out = into.display().to_string();
    let mut words = vec!["--uri", &uri, "--numParallelCollections", "4", "--out", &out, "--quiet"];
    words.extend(gzip.then_some("--gzip"));
    let ran = process::run(mongodump, folder, source.process()?, &words).await?;
    Ok(Some((ran, into)))
}

/// `mongorestore` of a dump.
pub async fn restore(mongorestore: &Path, target: &Server, folder: &Path, dump: &Path, gzip: bool) -> anyhow::Result<Ran> {
    let uri = target.set.uri();
    let from = dump.display().to_string();
    let mut words = vec!["--uri", &uri, "--numParallelCollections", "4", "--numInsertionWorkersPerCollection", "4", "--quiet"];
    words.extend(gzip.then_some("--gzip"));
    words.push(&from);
    process::run(mongorestore, folder, target.process()?, &words).await
}

/// The dump of this round in place of that of the round before.
pub fn keep(kept: &mut Option<PathBuf>, dump: PathBuf) -> anyhow::Result<()> {
    kept.replace(dump).map_or(Ok(()), |before| remove(&before))
}

/// Room for the next one.
pub fn remove(folder: &Path) -> anyhow::Result<()> {
    std::fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))
}
