//! Rules about the text of the sources.

use super::File;

/// The names of objects in PBM's layout: they are made and understood in one place.
const LAYOUT_NAMES: &[&str] = &["pbmPitr", ".pbm.json", ".pbm.init", "pbmpart", "meta.pbm"];
const LAYOUT_HOME: &str = "crates/format/src/pbm";
/// Where such a name may stand nevertheless, and why.
const LAYOUT_EXCEPTIONS: &[(&str, &str)] = &[
    ("crates/domain/src/backup.rs", "a backup must not be named like a folder of the layout"),
    ("crates/storage/src/conformance/names.rs", "every storage must keep names like these"),
    ("crates/storage/src/conformance/listing.rs", "every storage must list names like these in the same order"),
    ("crates/simulation/src/check.rs", "who checks from outside reads the storage without the product's help"),
    ("crates/simulation/src/check/bytes.rs", "the same"),
    ("xtask/src/bench_server/storage.rs", "the bench makes a storage that others might have written"),
    ("xtask/src/tidy/sources.rs", "this table"),
];

/// Crates whose outcome depends on their arguments alone.
const PURE: &[&str] = &["crates/domain/src/", "crates/oplog/src/", "crates/format/src/"];
const AMBIENT: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "std::env::",
    "std::fs::",
    "std::net::",
    "std::thread::",
    "RandomState",
];

pub fn problems(files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        leftovers(file, &mut problems);
        places(file, &mut problems);
        if file.is_rust() {
            header(file, &mut problems);
            layout_names(file, &mut problems);
            ambient(file, &mut problems);
            printing(file, &mut problems);
        }
    }
    problems
}

/// The files with the most lines, longest first.
pub fn longest(files: &[File], count: usize) -> Vec<(usize, &str)> {
    let mut sizes: Vec<(usize, &str)> =
        files.iter().filter(|file| file.is_rust()).map(|file| (file.text.lines().count(), file.path.as_str())).collect();
    sizes.sort_by(|a, b| b.cmp(a));
    sizes.truncate(count);
    sizes
}

/// Notes to oneself. Spelled in two halves here, so that this file holds none.
fn leftovers(file: &File, problems: &mut Vec<String>) {
    let words = [["FIX", "ME"].concat(), ["TO", "DO"].concat(), ["XX", "X"].concat(), ["dbg", "!("].concat(), ["todo", "!("].concat()];
    for (number, line) in file.lines() {
        if let Some(word) = words.iter().find(|word| holds_word(line, word)) {
            problems.push(format!("{}:{number}: `{word}` is left over", file.path));
        }
    }
}

fn holds_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let letter = |character: Option<char>| character.is_some_and(|character| character.is_alphanumeric() || character == '_');
        !letter(before) && (word.ends_with('(') || !letter(after))
    })
}

/// Paths and hosts of one machine mean nothing on another. In two halves, as above.
fn places(file: &File, problems: &mut Vec<String>) {
    let places =
        [["/wo", "rk/"].concat(), ["/tmp", "/mg"].concat(), ["/ro", "ot/"].concat(), ["/ho", "me/"].concat(), ["crates", ".io-"].concat()];
    for (number, line) in file.lines() {
        if let Some(place) = places.iter().find(|place| line.contains(place.as_str())) {
            problems.push(format!("{}:{number}: `{place}` is a place on one machine only", file.path));
        }
    }
}

/// A module opens with what it is and promises.
fn header(file: &File, problems: &mut Vec<String>) {
    // The tests of a module, moved into a file of their own, are about what stands above them.
    if file.path.ends_with("/tests.rs") {
        return;
    }
    let first = file.text.lines().find(|line| !line.is_empty() && !line.starts_with("#!["));
    if first.is_none_or(|line| !line.starts_with("//!")) {
        problems.push(format!("{}: begins without a word (`//!`) about what it is", file.path));
    }
}

fn layout_names(file: &File, problems: &mut Vec<String>) {
    if file.path.starts_with(LAYOUT_HOME) || LAYOUT_EXCEPTIONS.iter().any(|(path, _)| *path == file.path) {
        return;
    }
    for (number, line) in file.code() {
        // Help texts and messages may speak of them; only a literal that is such a name builds or parses one.
        let literals = line.split('"').skip(1).step_by(2);
        for literal in literals.filter(|literal| !literal.contains(' ')) {
            if let Some(name) = LAYOUT_NAMES.iter().find(|name| literal.contains(**name)) {
                problems.push(format!("{}:{number}: `{name}` belongs to {LAYOUT_HOME}", file.path));
            }
        }
    }
}

fn ambient(file: &File, problems: &mut Vec<String>) {
    if !PURE.iter().any(|folder| file.path.starts_with(folder)) {
        return;
    }
    for (number, line) in file.code() {
        if let Some(call) = AMBIENT.iter().find(|call| line.contains(**call)) {
            problems.push(format!("{}:{number}: `{call}` in a crate that has only its arguments", file.path));
        }
    }
}

/// `println!` panics when nobody reads, and a library does not know whether anybody should: the program prints in one place, libraries
/// return values or log.
fn printing(file: &File, problems: &mut Vec<String>) {
    if !file.path.starts_with("crates/") || file.path.contains("/examples/") {
        return;
    }
    for (number, line) in file.code() {
        if let Some(call) = ["println!", "print!", "eprint!"].iter().find(|call| line.contains(**call)) {
            problems.push(format!("{}:{number}: `{call}`; crates/cli/src/output.rs prints", file.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        problems(&[File { path: path.into(), text: text.into() }])
    }

    #[test]
    fn leftovers_are_found_as_words() {
        for (line, expected) in [
            (["// TO", "DO: later"].concat(), 1),
            (["let mas", "TO", "DON = 1;"].concat(), 0),
            (["x = dbg", "!(y);"].concat(), 1),
            ("the method".to_owned(), 0),
        ] {
            assert_eq!(found("crates/cli/src/x.rs", &format!("//! X.\n{line}\n")).len(), expected, "{line}");
        }
    }

    #[test]
    fn names_of_the_layout_have_one_home() {
        let text = format!("//! X.\nlet name = \"{}\";\n", LAYOUT_NAMES[0]);
        assert_eq!(found("crates/repository/src/x.rs", &text).len(), 1);
        assert_eq!(found("crates/format/src/pbm/layout.rs", &text).len(), 0);
        assert_eq!(found("crates/repository/tests/it/x.rs", &text).len(), 0);
        let in_tests = format!("//! X.\n\n#[cfg(test)]\nmod tests {{\n    let name = \"{}\";\n}}\n", LAYOUT_NAMES[0]);
        assert_eq!(found("crates/repository/src/x.rs", &in_tests).len(), 0);
    }

    #[test]
    fn pure_crates_have_no_clock() {
        let text = "//! X.\nlet now = Instant::now();\n";
        assert_eq!(found("crates/domain/src/x.rs", text).len(), 1);
        assert_eq!(found("crates/engine/src/x.rs", text).len(), 0);
    }

    #[test]
    fn only_the_output_of_the_program_prints() {
        assert_eq!(found("crates/engine/src/x.rs", "//! X.\nprintln!();\n").len(), 1);
        assert_eq!(found("crates/engine/tests/it/x.rs", "//! X.\nprintln!();\n").len(), 0);
        assert_eq!(found("xtask/src/x.rs", "//! X.\nprintln!();\n").len(), 0);
    }

    #[test]
    fn a_module_says_what_it_is() {
        assert_eq!(found("crates/cli/src/x.rs", "use std::fmt;\n").len(), 1);
        assert_eq!(found("crates/cli/src/x.rs", "#![allow(x)]\n//! X.\n").len(), 0);
    }
}
