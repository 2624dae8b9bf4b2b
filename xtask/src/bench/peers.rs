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
}

/// A folder with a dump, or nothing without `mongodump`.
pub struct Dump(pub Option<PathBuf>);

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

/// `mongorestore` of a plain dump.
pub async fn restore(peers: &Peers, target: &Server, folder: &Path, dump: &Dump) -> anyhow::Result<Option<Ran>> {
    let (Some(mongorestore), Some(dump)) = (&peers.mongorestore, &dump.0) else { return Ok(None) };
    let uri = target.set.uri();
    let from = dump.display().to_string();
    let words = ["--uri", &uri, "--numParallelCollections", "4", "--numInsertionWorkersPerCollection", "4", "--quiet", &from];
    process::run(mongorestore, folder, target.process()?, &words).await.map(Some)
}

/// Room for the next one.
pub fn remove(folder: &Path) -> anyhow::Result<()> {
    std::fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))
}
