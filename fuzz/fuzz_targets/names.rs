//! Run by `cargo xtask fuzz names`; what it does is in crates/fuzzing.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oplogue_fuzzing::run("names", bytes));
