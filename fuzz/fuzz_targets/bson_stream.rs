//! Run by `cargo xtask fuzz bson_stream`; what it does is in crates/fuzzing.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oplogue_fuzzing::run("bson_stream", bytes));
