//! Some hundred seeds, each mistake found, and the same seed twice.
//!
//! `OPLOGUE_SIM_SEED=N` lives through one seed and prints its trace. `cargo xtask simulate` lives through ten thousand.

use std::sync::atomic::{AtomicU64, Ordering};

use oplogue_simulation::{Bug, Run, simulate};

/// What runs with every change. All mistakes must be found among them.
const SEEDS: u64 = 300;

/// A run waits for its own threads more than it works.
const AT_ONCE: usize = 8;

fn runs(seeds: u64, bug: Option<Bug>) -> Vec<Run> {
    let next = AtomicU64::new(0);
    let some = || {
        let seeds = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds));
        seeds.map(|seed| simulate(seed, bug)).collect::<Vec<_>>()
    };
    let mut runs: Vec<Run> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a run does not panic; its message is above")).collect()
    });
    runs.sort_by_key(|run| run.seed);
    runs
}

#[test]
fn nothing_that_was_promised_is_broken_whatever_comes_up() {
    let runs = runs(SEEDS, None);
    for run in &runs {
        assert!(run.broken.is_none(), "{}", run.story());
    }
    every_trouble_came_up(&runs);
}

#[test]
fn the_seed_that_is_asked_for() {
    let Some(seed) = std::env::var("OPLOGUE_SIM_SEED").ok().and_then(|seed| seed.parse().ok()) else { return };
    let bug = std::env::var("OPLOGUE_SIM_BUG").ok().and_then(|name| Bug::ALL.into_iter().find(|bug| format!("{bug:?}") == name));
    let run = simulate(seed, bug);
    println!("{}\n{:#?}", run.trace.join("\n"), run.tallies);
    assert!(run.broken.is_none(), "{}", run.story());
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [1, 7, 42, 255] {
        assert_eq!(simulate(seed, None), simulate(seed, None));
    }
}

/// What never happens proves nothing.
fn every_trouble_came_up(runs: &[Run]) {
    let often = |what: fn(&Run) -> u32| runs.iter().map(what).sum::<u32>();
    for (what, times) in [
        ("slices", often(|run| run.tallies.slices)),
        ("backups", often(|run| run.tallies.backups)),
        ("crashes", often(|run| run.tallies.crashes)),
        ("elections", often(|run| run.tallies.elections)),
        ("entries taken back", often(|run| run.tallies.taken_back)),
        ("take-overs", often(|run| run.tallies.take_overs)),
        ("clocks that jump", often(|run| run.tallies.clock_jumps)),
        ("uploads that were slept through", often(|run| run.tallies.slept)),
        ("late uploads", often(|run| run.tallies.landed_late)),
        ("failures", often(|run| run.tallies.failures)),
        ("gaps", often(|run| run.tallies.gaps)),
        ("deletions", often(|run| run.tallies.deleted)),
        ("long slices", often(|run| run.tallies.joined)),
        ("corrupted uploads", often(|run| run.tallies.corrupted)),
        ("restores", often(|run| run.tallies.replayed)),
    ] {
        assert!(times >= 10, "{what} came up {times} times");
    }
}

/// Finds the mistake, within the seeds that run with every change.
fn is_found(bug: Bug) {
    let found = (0..SEEDS).find_map(|seed| simulate(seed, Some(bug)).broken.map(|why| (seed, why)));
    let (seed, why) = found.unwrap_or_else(|| panic!("{bug:?} is not found in {SEEDS} seeds"));
    println!("{bug:?}: found by seed {seed}: {why}");
}

#[test]
fn a_record_before_its_slice_is_found() {
    is_found(Bug::RecordBeforeSlice);
}

#[test]
fn slicing_that_goes_on_one_entry_late_is_found() {
    is_found(Bug::ResumesOneLate);
}

#[test]
fn short_slices_that_go_before_the_long_one_is_read_back_are_found() {
    is_found(Bug::ShortSlicesGoUnverified);
}

#[test]
fn a_bridged_gap_is_found() {
    is_found(Bug::GapIsBridged);
}

#[test]
fn a_fenced_slicer_that_goes_on_is_found() {
    is_found(Bug::FencedSlicerGoesOn);
}

#[test]
fn a_base_that_the_window_needs_and_that_goes_is_found() {
    is_found(Bug::BaseOfWindowGoes);
}

#[test]
fn a_gap_that_is_not_recorded_is_found() {
    is_found(Bug::GapIsNotRecorded);
}
