//! The project's own tools: `cargo xtask …`.
//!
//! Everything a developer or the CI runs is a task here, in Rust, so that it works on any machine that can build the project. What a
//! task needs besides, it fetches into a cache outside the clone, or names in one sentence.

// These are programs for people at a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod bench_server;
mod ci;
mod demo;
mod fuzz;
mod package;
mod pages;
mod screenshots;
mod shell;
mod simulate;
mod test;
mod testbed;
mod tidy;

use std::process::ExitCode;

struct Task {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> anyhow::Result<()>,
}

const TASKS: &[Task] = &[
    Task {
        name: "demo",
        about: "a server, an agent, a PITR job, a lost collection: says what to click to get it back; --once gets it back by itself and ends",
        run: demo::run,
    },
    Task {
        name: "test",
        about: "fetch what tests need, start the S3 server, run tidy and all tests; words after it go to `cargo test`",
        run: test::run,
    },
    Task { name: "ci", about: "everything that must hold: formatting, lints, tidy, all tests", run: ci::run },
    Task {
        name: "bench",
        about: "how fast the program is against what the servers can give; `cargo xtask bench help` tells more",
        run: bench::run,
    },
    Task {
        name: "bench-server",
        about: "a server with 200 clusters and two million slices: its pages, memory and freshness; `help` tells more",
        run: bench_server::run,
    },
    Task {
        name: "tidy",
        about: "what the compiler does not check: who imports whom, names, leftovers, files nobody mentions",
        run: tidy::run,
    },
    Task { name: "testbed", about: "real servers to try things on; `cargo xtask testbed help` tells more", run: testbed::run },
    Task {
        name: "fuzz",
        about: "throw made-up bytes at everything that reads what comes from outside; targets, and --minutes for each",
        run: fuzz::run,
    },
    Task { name: "package", about: "a Debian package of the program, its units and users; --debug is quick", run: package::run },
    Task {
        name: "simulate",
        about: "10,000 lives of a repository, with faults and crashes; --seeds N, --from N; `help` tells more",
        run: simulate::run,
    },
    Task { name: "pages", about: "photograph and check every page of the web UI; a word after it picks some", run: pages::run },
    Task { name: "screenshots", about: "make the pictures of the documentation from the running program", run: screenshots::run },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = words.split_first() else {
        eprintln!("{}", usage());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "help" | "-h" | "--help") {
        println!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("there is no task `{name}`\n\n{}", usage());
        return ExitCode::from(2);
    };
    match (task.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let lines: Vec<String> = TASKS.iter().map(|task| format!("  cargo xtask {:<12} {}", task.name, task.about)).collect();
    format!("tasks:\n{}", lines.join("\n"))
}
