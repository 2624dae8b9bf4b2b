//! Run by `cargo xtask fuzz backup_json`; what it does is in crates/fuzzing.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oplogue_fuzzing::run("backup_json", bytes));
