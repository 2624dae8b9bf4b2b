//! Many seeds on all cores: `cargo xtask simulate`. Words: how many, and from which on.

// A program for people at a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use oplogue_simulation::simulate;

/// Runs for each core: one waits for its own threads more than it works.
const RUNS_PER_CORE: usize = 6;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let (Some(Ok(seeds)), Some(Ok(from))) = (words.next(), words.next()) else {
        eprintln!("how many seeds, and from which on?");
        return ExitCode::from(2);
    };
    let (next, done, broken) = (AtomicU64::new(from), AtomicU64::new(0), AtomicU64::new(0));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..RUNS_PER_CORE * std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    let run = std::panic::catch_unwind(|| simulate(seed, None));
                    match run {
                        Ok(run) if run.broken.is_none() => {}
                        Ok(run) => {
                            broken.fetch_add(1, Ordering::Relaxed);
                            println!("{}\n", run.story());
                        }
                        Err(_) => {
                            broken.fetch_add(1, Ordering::Relaxed);
                            println!("seed {seed}: it panicked; see above");
                        }
                    }
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(1_000) {
                        println!("{done} seeds, {} s", begun.elapsed().as_secs());
                    }
                }
            });
        }
    });
    let broken = broken.load(Ordering::Relaxed);
    println!("{seeds} seeds from {from} on in {} s: {broken} broken", begun.elapsed().as_secs());
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
