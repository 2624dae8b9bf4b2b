//! `cargo xtask fuzz [TARGET…] [--minutes N]`: throws made-up bytes at everything that reads what comes from outside.
//!
//! `cargo fuzz` does it, guided by coverage, on the stable compiler (no sanitizer: our code has nothing unsafe in it). What it finds
//! interesting goes into a cache beside the build; what makes a target fail is printed, and kept in `fuzz/artifacts`. After mending it, copy the input
//! to `fuzz/corpus/<target>`, where `crates/fuzzing` runs it in every test from then on.

use anyhow::{Context, bail};

use crate::shell::{cargo, metadata, output, root, run as run_command};

/// Allocations and processes over these are findings, too. A zstd stream may ask for a window of 512 MiB, and no more.
const MALLOC_MIB_MAX: u32 = 600;
const PROCESS_MIB_MAX: u32 = 1024;
const INPUT_BYTES_MAX: u32 = 16 * 1024;

pub fn run(words: &[String]) -> anyhow::Result<()> {
    let (targets, minutes) = read(words)?;
    if output(cargo(&["fuzz", "--version"]).stderr(std::process::Stdio::null())).is_err() {
        bail!("cargo-fuzz is missing: install it with `cargo install cargo-fuzz`");
    }
    let metadata = metadata()?;
    let cache =
        std::path::Path::new(metadata["target_directory"].as_str().context("`cargo metadata` names no target folder")?).join("fuzz");
    for target in targets {
        println!("== {target}, {minutes} min");
        let found = cache.join("found").join(&target);
        std::fs::create_dir_all(&found).with_context(|| format!("make {}", found.display()))?;
        // The first folder takes what is found; the inputs in the repository are only read.
        let mut command = cargo(&["fuzz", "run", "--fuzz-dir", "fuzz", "--sanitizer", "none", "--target-dir"]);
        command.arg(cache.join("target")).arg(&target).arg(&found).arg(root().join("fuzz/corpus").join(&target)).arg("--");
        command.args([
            format!("-max_total_time={}", minutes * 60),
            format!("-malloc_limit_mb={MALLOC_MIB_MAX}"),
            format!("-rss_limit_mb={PROCESS_MIB_MAX}"),
            format!("-max_len={INPUT_BYTES_MAX}"),
            "-timeout=20".to_owned(),
            "-print_final_stats=1".to_owned(),
        ]);
        run_command(&mut command)?;
    }
    Ok(())
}

/// The targets (all of them without a word) and for how many minutes each.
fn read(words: &[String]) -> anyhow::Result<(Vec<String>, u64)> {
    let corpus = root().join("fuzz/corpus");
    let folders = std::fs::read_dir(&corpus).with_context(|| format!("list {}", corpus.display()))?;
    let mut known: Vec<String> = folders.filter_map(|folder| folder.ok()?.file_name().into_string().ok()).collect();
    known.sort();
    let (mut targets, mut minutes) = (Vec::new(), 10);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--minutes" => {
                let number = words.next().and_then(|number| number.parse().ok());
                minutes = number.context("`--minutes` wants a whole number after it")?;
            }
            word if known.iter().any(|target| target == word) => targets.push(word.to_owned()),
            word => bail!("`{word}` is neither `--minutes N` nor a target: {}", known.join(", ")),
        }
    }
    Ok((if targets.is_empty() { known } else { targets }, minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn targets_and_minutes_are_read_and_anything_else_is_refused() {
        let (all, minutes) = read(&[]).expect("nothing is needed");
        assert!(all.len() >= 6 && minutes == 10, "{all:?} {minutes}");
        assert_eq!(read(&words("names --minutes 2")).expect("both are known"), (vec!["names".to_owned()], 2));
        for wrong in ["nothing", "--minutes", "--minutes soon"] {
            read(&words(wrong)).expect_err(wrong);
        }
    }
}
