//! Run by `cargo xtask fuzz update`; what it does is in crates/fuzzing.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oplogue_fuzzing::run("update", bytes));
