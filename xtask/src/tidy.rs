//! `cargo xtask tidy`: what must hold and no compiler checks.
//!
//! Each rule is a function that returns a line per breach. The same rules run as a test, so that `cargo test` alone finds them.

mod arrows;
mod documents;
mod modules;
mod sources;

use std::io::Write;

use anyhow::Context;

use crate::shell::{output, root};

pub fn run(_: &[String]) -> anyhow::Result<()> {
    let problems = problems()?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    anyhow::ensure!(problems.is_empty(), "{} to tidy", problems.len());
    let files = files()?;
    let longest = sources::longest(&files, 10).into_iter().map(|(lines, path)| format!("  {lines:>5}  {path}\n"));
    let text: String = std::iter::once("tidy; the longest files, to start reviewing with:\n".to_owned()).chain(longest).collect();
    // Whoever reads only its beginning has seen enough.
    drop(std::io::stdout().write_all(text.as_bytes()));
    Ok(())
}

/// Every breach of every rule.
fn problems() -> anyhow::Result<Vec<String>> {
    let files = files()?;
    let mut problems = arrows::problems(&crate::shell::metadata()?);
    problems.extend(sources::problems(&files));
    problems.extend(modules::problems(&files));
    problems.extend(documents::problems(&files));
    Ok(problems)
}

/// A text file of the project.
struct File {
    /// From the top folder, with `/`.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Lines with their numbers, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The lines before the tests at the end of a Rust file, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = self.path.contains("/tests/") || self.path.ends_with("/tests.rs") || self.path.starts_with("crates/testkit/");
        let body = if is_test { "" } else { self.text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default() };
        let numbered = body.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// All that git knows or would add. Fixtures are data, whatever they are called.
fn files() -> anyhow::Result<Vec<File>> {
    let listing = output(std::process::Command::new("git").current_dir(root()).args(["ls-files", "-z", "-co", "--exclude-standard"]))
        .context("list the project's files")?;
    let mut files = Vec::new();
    for path in listing.split('\0').filter(|path| !path.is_empty() && !path.starts_with("fixtures/") && *path != "Cargo.lock") {
        // Not text, or deleted and not yet committed: nothing to read.
        if let Ok(text) = std::fs::read_to_string(root().join(path)) {
            files.push(File { path: path.to_owned(), text });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_project_is_tidy() {
        let problems = super::problems().expect("the project can be read");
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
}
