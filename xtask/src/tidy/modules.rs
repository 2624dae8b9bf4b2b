//! Files that no module mentions: cargo does not compile them, so nobody notices when they rot.

use std::collections::BTreeSet;

use super::File;

pub fn problems(files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    let rust: Vec<&File> = files.iter().filter(|file| file.is_rust()).collect();
    for file in &rust {
        let Some((folder, name)) = file.path.rsplit_once('/') else {
            continue;
        };
        if is_entry(folder, name) {
            continue;
        }
        let module = name.trim_end_matches(".rs");
        if name == "mod.rs" {
            problems.push(format!("{}: modules are `foo.rs` beside `foo/`, never `mod.rs`", file.path));
            continue;
        }
        let parents = parents(folder);
        if !rust.iter().any(|parent| parents.contains(&parent.path) && declares(&parent.text, module)) {
            problems.push(format!("{}: no module mentions it", file.path));
        }
    }
    problems
}

/// Files that cargo finds by itself.
fn is_entry(folder: &str, name: &str) -> bool {
    let last = folder.rsplit('/').next().unwrap_or_default();
    let target = matches!(last, "tests" | "benches" | "examples" | "bin" | "fuzz_targets");
    (last == "src" && matches!(name, "main.rs" | "lib.rs"))
        || target
        || (folder.ends_with("tests/it") && name == "main.rs")
        || name == "build.rs"
}

/// The files that may declare the modules of `folder`.
fn parents(folder: &str) -> BTreeSet<String> {
    BTreeSet::from([format!("{folder}/main.rs"), format!("{folder}/lib.rs"), format!("{folder}.rs")])
}

fn declares(text: &str, module: &str) -> bool {
    let declaration = format!("mod {module};");
    text.lines().any(|line| {
        line.trim_end()
            .strip_suffix(&declaration)
            .is_some_and(|visibility| visibility.trim().is_empty() || visibility.trim().starts_with("pub"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_must_be_mentioned_by_its_parent() {
        let files = |list: &[(&str, &str)]| -> Vec<File> {
            list.iter().map(|(path, text)| File { path: (*path).into(), text: (*text).into() }).collect()
        };
        let tree = files(&[
            ("crates/a/src/lib.rs", "mod seen;\npub(crate) mod also;\n"),
            ("crates/a/src/seen.rs", "mod below;"),
            ("crates/a/src/seen/below.rs", ""),
            ("crates/a/src/also.rs", ""),
            ("crates/a/src/unseen.rs", ""),
            ("crates/a/tests/it/main.rs", "mod story;"),
            ("crates/a/tests/it/story.rs", ""),
        ]);
        assert_eq!(problems(&tree), ["crates/a/src/unseen.rs: no module mentions it"]);
    }
}
