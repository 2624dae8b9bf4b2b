//! Every input that was kept runs through its target: those a fuzzer found, and those that a bug was found with.

use std::fs;
use std::path::Path;

#[test]
fn every_input_kept_is_read_without_harm() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in oplogue_fuzzing::TARGETS {
        let inputs: Vec<_> =
            fs::read_dir(corpus.join(name)).expect("each target has inputs").map(|entry| entry.expect("an input")).collect();
        assert!(inputs.len() >= 8, "{name} has {} inputs", inputs.len());
        for input in inputs {
            println!("{}", input.path().display());
            target(&fs::read(input.path()).expect("an input is readable"));
        }
    }
}
