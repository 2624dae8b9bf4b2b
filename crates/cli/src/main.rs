//! The program `oplogue`: wiring and words. It parses what was typed, calls the engine, prints what comes back, and chooses the
//! exit code. Decisions are made below, in `oplogue-domain` and `oplogue-engine`.

mod args;
mod cancel;
mod commands;
mod failure;
mod json;
mod open;
mod output;
mod progress;
mod settings;
mod text;

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::args::Verb;
use crate::failure::Exit;
use crate::output::{Output, Style, remark};
use crate::settings::UsageError;

// Millions of small allocations while documents are read and written: measurably faster than the system's allocator, and it gives
// memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SERVER_FILE_THREADS: usize = 24;
const SERVER_FILE_THREAD_IDLE_MAX: std::time::Duration = std::time::Duration::from_secs(2);

fn main() -> ExitCode {
    let cli = match settings::parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(error) => return tell_usage(error).into(),
    };
    log_to_stderr(&cli.common.log_level);
    let variable = |name: &str| std::env::var(name).ok();
    let output = Output { json: cli.common.json, style: Style::of_stdout(variable), remark_style: Style::of_stderr(variable) };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if matches!(cli.verb, Verb::Server(_)) {
        // A server lists millions of files; each thread that did keeps the memory it once needed for as long as it lives. (Other commands have
        // threads that wait for each other, and must not run out of them.)
        runtime.max_blocking_threads(SERVER_FILE_THREADS).thread_keep_alive(SERVER_FILE_THREAD_IDLE_MAX);
    }
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::tell(&anyhow::Error::new(error).context("start the runtime")).into(),
    };
    let exit = match runtime.block_on(run(cli.verb, output)) {
        Ok(exit) => exit,
        Err(error) => failure::tell(&error),
    };
    // Blocking work that a failed flow left behind is not waited for: it holds nothing that a crash would not leave too.
    runtime.shutdown_background();
    exit.into()
}

async fn run(verb: Verb, output: Output) -> anyhow::Result<Exit> {
    match verb {
        Verb::Backup(args) => commands::backup::run(args, output).await,
        Verb::Slice(args) => commands::slice::run(args, output).await,
        Verb::List(args) => commands::list::run(args, output).await,
        Verb::Timeline(args) => commands::timeline::run(args, output).await,
        Verb::Describe(args) => commands::describe::run(args, output).await,
        Verb::Restore(args) => commands::restore::run(args, output).await,
        Verb::Delete(args) => commands::delete::run(args, output).await,
        Verb::Prune(args) => commands::prune::run(args, output).await,
        Verb::Verify(args) => commands::verify::run(args, output).await,
        Verb::Copy(args) => commands::copy::run(args, output).await,
        Verb::Compact(args) => commands::compact::run(args, output).await,
        Verb::Status(args) => commands::status::run(args, output).await,
        Verb::Doctor(args) => commands::doctor::run(args, output).await,
        Verb::Agent(args) => commands::agent::run(args).await,
        Verb::Server(args) => commands::server::run(args, output).await,
        Verb::Admin(args) => commands::admin::run(args, output).await,
        Verb::Completions(args) => commands::completions::run(args),
        Verb::Man(args) => commands::man::run(args),
    }
}

/// Help and version are "errors" of the parser that end well; it prints them itself, to the right place.
fn tell_usage(error: UsageError) -> Exit {
    match error {
        UsageError::Parser { error, files } => {
            // A closed output has nobody left to tell.
            let _ = error.print();
            if error.exit_code() == 0 {
                return Exit::Done;
            }
            for file in files {
                remark(&format!("hint: options were also read from {}", file.display()));
            }
        }
        UsageError::File { what, hint } => {
            remark(&format!("oplogue: {what}"));
            if let Some(hint) = hint {
                remark(&format!("hint: {hint}"));
            }
        }
    }
    Exit::WrongUsage
}

/// Only our own crates speak; what libraries log is for their authors.
fn log_to_stderr(level: &str) {
    const OURS: &[&str] = &["", "_agent", "_api", "_engine", "_mongo", "_notify", "_oplog", "_repository", "_server", "_storage"];
    let ours: String = OURS.iter().map(|name| format!(",oplogue{name}={level}")).collect();
    let filter = EnvFilter::new(format!("off{ours}"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
