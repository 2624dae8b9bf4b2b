//! `cargo xtask bench`: how fast the real program is, as a part of what the servers can give on this machine at this moment.
//!
//! Numbers of one machine say little on another, and less when it is busy. So every rate stands beside a ceiling measured minutes
//! before on a server of the same kind with the same data: the same bytes moved by a client that does nothing else; and beside the
//! vendor's own tools, when their paths are given. The data is generated; servers and files are in the system's temporary folder and gone afterwards, also after a failure.

mod ceilings;
mod conditions;
mod data;
mod figures;
mod large;
mod measured;
mod peers;
mod prebuilt;
mod process;
mod rounds;
mod slicing;
mod stage;
mod traffic;
mod wire;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::shell;

const USAGE: &str = "\
cargo xtask bench [--size-mb N] [--large] [--entries N] [--runs N] [--mongodump FILE] [--mongorestore FILE] [--only-snapshot] [--json]
  --size-mb N          megabytes of BSON (default 2000; at least 10)
  --large              the same as --size-mb 10000
  --entries N          oplog entries to slice and to replay (default 1000000)
  --runs N             measure everything so often and show the medians (default 5)
  --mongodump FILE     the vendor's mongodump, to be measured beside (left out without)
  --mongorestore FILE  the vendor's mongorestore, to be measured beside (left out without)
  --only-snapshot      snapshots and their restore only, no oplog
  --json               the figures as JSON on standard output, the table on standard error";

/// What to measure, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Megabytes (10⁶) of BSON.
    pub size_mb: u64,
    /// Oplog entries, at least.
    pub entries: u64,
    pub runs: u64,
    pub only_snapshot: bool,
    pub json: bool,
}

/// The vendor's tools, where given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peers {
    pub mongodump: Option<PathBuf>,
    pub mongorestore: Option<PathBuf>,
}

/// Runs the command; `args` begin after `bench`.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    if matches!(args, [word] if matches!(word.as_str(), "-h" | "--help" | "help")) {
        println!("{USAGE}");
        return Ok(());
    }
    let (options, peers) = Options::parse(args)?;
    say("building everything for speed");
    let folder = build_release()?;
    if cfg!(debug_assertions) {
        // The ceilings are clients of ours: they must be as fast as they can be, too.
        return shell::run(Command::new(executable(&folder, "xtask")?).arg("bench").args(args));
    }
    let program = executable(&folder, "oplogue")?;
    let figures = shell::block_on(rounds::measure(options, peers, &program))?;
    if options.json {
        eprintln!("\n{}", figures.text());
        println!("{:#}", figures.json());
    } else {
        println!("\n{}", figures.text());
    }
    Ok(())
}

/// Tells a person who waits what is going on.
fn say(text: &str) {
    eprintln!("bench: {text}");
}

impl Options {
    fn parse(args: &[String]) -> anyhow::Result<(Options, Peers)> {
        let mut options = Options { size_mb: 2_000, entries: 1_000_000, runs: 5, only_snapshot: false, json: false };
        let mut peers = Peers::default();
        let mut args = args.iter();
        while let Some(word) = args.next() {
            let mut number = |least: u64| {
                let text = args.next().with_context(|| format!("{word} needs a number\n{USAGE}"))?;
                let number = text.parse().ok().filter(|number| *number >= least);
                number.with_context(|| format!("{word} {text}: not a whole number of at least {least}\n{USAGE}"))
            };
            match word.as_str() {
                "--size-mb" => options.size_mb = number(10)?,
                "--entries" => options.entries = number(1)?,
                "--runs" => options.runs = number(1)?,
                "--large" => options.size_mb = 10_000,
                "--only-snapshot" => options.only_snapshot = true,
                "--mongodump" => peers.mongodump = Some(file(word, args.next())?),
                "--mongorestore" => peers.mongorestore = Some(file(word, args.next())?),
                "--json" => options.json = true,
                _ => anyhow::bail!("`bench` does not know {word:?}\n{USAGE}"),
            }
        }
        Ok((options, peers))
    }
}

/// A program that is there. Its path is made absolute: it is run in another folder.
fn file(word: &str, path: Option<&String>) -> anyhow::Result<PathBuf> {
    let path = path.with_context(|| format!("{word} needs the path of a program\n{USAGE}"))?;
    Path::new(path).canonicalize().with_context(|| format!("{word} {path}: there is no such program\n{USAGE}"))
}

/// Builds the program and ourselves, and returns the folder of both.
fn build_release() -> anyhow::Result<PathBuf> {
    shell::run(&mut shell::cargo(&["build", "--quiet", "--release", "--package", "oplogue", "--package", "xtask"]))?;
    let metadata = shell::metadata()?;
    let target = metadata["target_directory"].as_str().context("`cargo metadata` names no target folder")?;
    Ok(Path::new(target).join("release"))
}

fn executable(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    anyhow::ensure!(path.is_file(), "{} is not there after building it", path.display());
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> anyhow::Result<(Options, Peers)> {
        Options::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_and_the_data_is_two_gigabytes_by_default() {
        let (default, peers) = parse(&[]).expect("nothing is needed");
        assert!(default.size_mb >= 2_000 && default.entries >= 1_000_000 && default.runs == 5 && !default.json);
        assert_eq!(peers, Peers::default());
        let words = ["--size-mb", "50", "--entries", "9000", "--runs", "3", "--json", "--only-snapshot", "--mongodump", "."];
        let (all, peers) = parse(&words).expect("all known");
        assert_eq!(all, Options { size_mb: 50, entries: 9_000, runs: 3, only_snapshot: true, json: true });
        assert!(peers.mongodump.is_some_and(|path| path.is_absolute()) && peers.mongorestore.is_none());
        assert_eq!(parse(&["--large"]).expect("known").0.size_mb, 10_000);
    }

    #[test]
    fn bad_options_are_refused_before_anything_is_built() {
        for words in [
            &["--size-mb"][..],
            &["--size-mb", "few"],
            &["--size-mb", "1"],
            &["--runs", "0"],
            &["--fast"],
            &["--mongodump", "/nowhere/at/all"],
        ] {
            assert!(parse(words).expect_err("bad").to_string().contains("cargo xtask bench"), "{words:?}");
        }
    }
}
