//! Commands shown in documents exist, with the options shown.

use super::File;

pub fn problems(files: &[File]) -> Vec<String> {
    let verbs = stems(files, "crates/cli/src/commands/");
    let options = options(files);
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (number, command) in commands(&file.text) {
            for problem in check(&command, &verbs, &options) {
                problems.push(format!("{}:{number}: {problem}", file.path));
            }
        }
    }
    problems
}

fn stems<'a>(files: &'a [File], folder: &str) -> Vec<&'a str> {
    files.iter().filter_map(|file| file.path.strip_prefix(folder)?.strip_suffix(".rs")).filter(|name| !name.contains('/')).collect()
}

/// Every field of the argument structs, as the option it becomes.
fn options(files: &[File]) -> Vec<String> {
    let arguments = files.iter().filter(|file| file.path == "crates/cli/src/args.rs" || file.path.starts_with("crates/cli/src/args/"));
    let fields = arguments.flat_map(|file| file.text.lines()).filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "));
    let mut options: Vec<String> = fields.map(|(field, _)| field.replace('_', "-")).collect();
    options.extend(["help".to_owned(), "version".to_owned()]);
    options
}

/// The shell commands of the fenced `sh` blocks that call our programs, with their line numbers; continued lines joined.
fn commands(text: &str) -> Vec<(usize, String)> {
    let mut commands = Vec::new();
    let mut inside = false;
    let mut begun: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = !inside && line.trim() == "```sh";
            continue;
        }
        if !inside {
            continue;
        }
        let (number, mut command) = begun.take().unwrap_or((index + 1, String::new()));
        command.push_str(line.trim_end_matches('\\'));
        if line.ends_with('\\') {
            begun = Some((number, command));
        } else if command.contains("oplogue ") || command.contains("cargo xtask ") {
            commands.push((number, command));
        }
    }
    commands
}

fn check(command: &str, verbs: &[&str], options: &[String]) -> Vec<String> {
    let command = command.split(" #").next().unwrap_or_default();
    let words: Vec<&str> = command.split_whitespace().map(|word| word.trim_matches(['$', '(', ')', '"', '\''])).collect();
    let mut problems = Vec::new();
    if let Some(start) = words.iter().position(|word| *word == "oplogue" || word.ends_with("/oplogue")) {
        let rest = words[start + 1..].iter().take_while(|word| !matches!(**word, "|" | "&" | "&&" | ">" | ">>"));
        let rest: Vec<&&str> = rest.collect();
        match rest.iter().find(|word| !word.starts_with('-')) {
            Some(verb) if !verbs.contains(*verb) && **verb != "help" => problems.push(format!("there is no command `oplogue {verb}`")),
            _ => {}
        }
        for option in rest.iter().filter_map(|word| word.strip_prefix("--")) {
            let name = option.split('=').next().unwrap_or_default();
            if !options.iter().any(|known| known == name) {
                problems.push(format!("there is no option `--{name}`"));
            }
        }
    }
    if let Some(start) = words.windows(2).position(|pair| pair == ["cargo", "xtask"]) {
        let task = words.get(start + 2).copied().unwrap_or_default();
        if !crate::TASKS.iter().any(|known| known.name == task) {
            problems.push(format!("there is no task `cargo xtask {task}`"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_shown_must_exist() {
        let verbs = ["backup", "restore"];
        let options = ["uri".to_owned(), "storage".to_owned()];
        for (command, expected) in [
            ("oplogue backup --uri mongodb://db1", 0),
            ("oplogue back-up --uri mongodb://db1", 1),
            ("oplogue backup --url mongodb://db1", 1),
            ("./target/debug/oplogue restore --storage=file:///b > log --not-ours", 0),
            ("oplogue backup # --anything may stand here", 0),
            ("cargo xtask demo --once", 0),
            ("cargo xtask party", 1),
        ] {
            assert_eq!(check(command, &verbs, &options).len(), expected, "{command}");
        }
    }

    #[test]
    fn only_shell_blocks_are_read_and_continued_lines_are_joined() {
        let text = "oplogue outside\n```sh\noplogue backup \\\n  --uri x\nls\n```\n```text\noplogue shown\n```\n";
        assert_eq!(commands(text), [(3, "oplogue backup   --uri x".to_owned())]);
    }
}
