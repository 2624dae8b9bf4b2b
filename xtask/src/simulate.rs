//! `cargo xtask simulate`: as many lives of a repository as one has time for. Nightly, and before a release.

use anyhow::Context;

use crate::shell;

const HELP: &str = "cargo xtask simulate [--seeds N] [--from N] [--release]
Lives through N seeds (10000) from one on (0), on all cores. A seed that breaks a promise prints its story, and how to see it again.";

pub fn run(words: &[String]) -> anyhow::Result<()> {
    let (mut seeds, mut from, mut release) = (10_000_u64, 0_u64, false);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number =
            || words.next().with_context(|| format!("{word} needs a number"))?.parse().with_context(|| format!("{word} needs a number"));
        match word.as_str() {
            "--seeds" => seeds = number()?,
            "--from" => from = number()?,
            "--release" => release = true,
            "help" | "--help" => {
                println!("{HELP}");
                return Ok(());
            }
            other => anyhow::bail!("`{other}` means nothing here\n\n{HELP}"),
        }
    }
    let mut cargo = vec!["run", "--quiet", "--package", "oplogue-simulation", "--example", "simulate"];
    if release {
        cargo.push("--release");
    }
    let (seeds, from) = (seeds.to_string(), from.to_string());
    cargo.extend(["--", &seeds, &from]);
    shell::run(&mut shell::cargo(&cargo))
}
