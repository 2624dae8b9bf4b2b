//! What a fuzzer throws bytes at: each target is a function that must return, whatever it is given.
//!
//! A storage and an oplog come from outside: they may be cut, damaged or made up. A target reads its input the way the product does and,
//! where something was understood, checks that writing and reading it again gives the same. `fuzz/` runs these functions under a
//! coverage-guided fuzzer (`cargo xtask fuzz`); the inputs kept in `fuzz/corpus` run through them as an ordinary test.

mod metadata;
mod names;
mod oplog;
mod streams;

/// A function for a fuzzer, by the name of its folder in `fuzz/corpus`.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 7] = [
    ("names", names::names),
    ("backup_json", metadata::backup_json),
    ("metadata_json", metadata::metadata_json),
    ("bson_stream", streams::bson_stream),
    ("oplog_entries", oplog::oplog_entries),
    ("decompress", streams::decompress),
    ("update", oplog::update),
];

/// Runs the target called `name`.
///
/// # Panics
/// When there is none, and when the product does not keep its promises on `bytes`: that is a finding.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("there is no target called {name}"));
    target(bytes);
}
