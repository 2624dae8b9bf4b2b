//! `cargo xtask bench-server`: a server that knows very much. How long each page takes, how much memory, how soon something new is seen.
//!
//! Two hundred clusters, twenty thousand backups, two million slices with their records lie in a local storage: real files (links to a few
//! of them, since only names and sizes are read), read by the real program through its ordinary location. The pages and calls are those that
//! a browser makes, one after another, on loopback. What is not in these figures: the way to a cloud (a listing there gives a thousand names in
//! some 100 ms), and agents that report meanwhile.

mod measure;
mod storage;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::shell;

const USAGE: &str = "\
cargo xtask bench-server [--clusters N] [--backups N] [--slices N] [--folder DIR]
  --clusters N   clusters, each with a PITR job and three services (default 200)
  --backups N    backups of all clusters together (default 20000)
  --slices N     slices of all clusters together (default 2000000)
  --folder DIR   where the storage is made and removed again (default: the system's temporary folder)
  --program FILE an `oplogue` that is built already (default: this one, built for speed)";

/// How much there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    pub clusters: u32,
    pub backups: u32,
    pub slices: u32,
    pub folder: PathBuf,
    /// `None`: built first.
    pub program: Option<PathBuf>,
}

impl Size {
    pub fn backups_of_one(&self) -> u32 {
        self.backups / self.clusters
    }

    pub fn slices_of_one(&self) -> u32 {
        self.slices / self.clusters
    }

    fn parse(args: &[String]) -> anyhow::Result<Size> {
        let mut size = Size { clusters: 200, backups: 20_000, slices: 2_000_000, folder: std::env::temp_dir(), program: None };
        let mut args = args.iter();
        while let Some(word) = args.next() {
            let value = args.next().with_context(|| format!("{word} needs a value\n{USAGE}"))?;
            let number = || {
                value.parse().ok().filter(|number| *number > 0).with_context(|| format!("{word} {value}: not a number above 0\n{USAGE}"))
            };
            match word.as_str() {
                "--clusters" => size.clusters = number()?,
                "--backups" => size.backups = number()?,
                "--slices" => size.slices = number()?,
                "--folder" => size.folder = value.into(),
                "--program" => size.program = Some(value.into()),
                _ => anyhow::bail!("{word} is not known\n{USAGE}"),
            }
        }
        anyhow::ensure!(size.backups_of_one() > 0 && size.slices_of_one() > 0, "every cluster needs a backup and a slice\n{USAGE}");
        Ok(size)
    }
}

/// Runs the command; `args` begin after `bench-server`.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    if matches!(args, [word] if matches!(word.as_str(), "-h" | "--help" | "help")) {
        println!("{USAGE}");
        return Ok(());
    }
    let size = Size::parse(args)?;
    let program = match &size.program {
        Some(program) => program.clone(),
        None => build()?,
    };
    let version = shell::output(Command::new(&program).arg("--version"))?;
    eprintln!("bench-server: {}", version.trim());
    let figures = shell::block_on(measure::measure(&size, &program))?;
    println!("{figures}");
    Ok(())
}

fn build() -> anyhow::Result<PathBuf> {
    eprintln!("bench-server: building the program for speed");
    shell::run(&mut shell::cargo(&["build", "--quiet", "--release", "--package", "oplogue"]))?;
    let metadata = shell::metadata()?;
    let target = metadata["target_directory"].as_str().context("`cargo metadata` names no target folder")?;
    Ok(PathBuf::from(target).join("release").join(format!("oplogue{}", std::env::consts::EXE_SUFFIX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_that_of_the_promise_by_default() {
        let size = Size::parse(&[]).expect("nothing is needed");
        assert_eq!((size.clusters, size.backups_of_one(), size.slices_of_one()), (200, 100, 10_000));
        assert!(Size::parse(&["--slices".to_owned(), "0".to_owned()]).is_err());
    }
}
