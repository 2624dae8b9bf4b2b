//! Joins what was typed with what stands in files.
//!
//! A configuration file is YAML whose keys are option names. It is read between two passes over the command line: the first finds
//! out which command is meant and which options were typed or stand in the environment; then the options that only the file names
//! are added to what was typed; the second pass checks everything together. So a value from a file goes through exactly the checks
//! and gives exactly the errors of a typed one, and what was typed wins, also against options that exclude it.
//!
//! A PBM configuration (`--pbm-config`) is translated into the same form and comes last of all.

mod file;
mod pbm;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};

use crate::args::{self, Cli, ReachArgs};

/// The file that is read when no other is named.
const DEFAULT_FILE: &str = "oplogue.yaml";

/// Options as a file names them: option name without dashes → its values.
pub type Values = BTreeMap<String, Vec<String>>;

/// Why there is nothing to run.
#[derive(Debug)]
pub enum UsageError {
    /// From the parser of the command line: help and version are among them, and print themselves.
    Parser { error: Box<clap::Error>, files: Vec<PathBuf> },
    /// About a file.
    File { what: String, hint: Option<String> },
}

impl UsageError {
    fn file(what: impl Into<String>) -> Self {
        Self::File { what: what.into(), hint: None }
    }
}

/// Parses the command line `words` (the program's name first) together with the environment and the files they name.
pub fn parse(words: Vec<OsString>) -> Result<Cli, UsageError> {
    let parser_error = |error, files: &[PathBuf]| UsageError::Parser { error: Box::new(error), files: files.to_vec() };
    let mut whole = args::command();
    whole.build();
    let first = args::command().ignore_errors(true).try_get_matches_from(&words).map_err(|error| parser_error(error, &[]))?;
    let mut files = Vec::new();
    let mut words = words;
    if let Some((command, typed)) = innermost(&whole, &first) {
        let mut values = Values::new();
        if let Some(path) = chosen_file(&first) {
            values = file::read(&path)?;
            check_keys(&whole, &values, &path)?;
            files.push(path);
        }
        if let Some(path) = pbm_file(command, typed, &values) {
            for (key, value) in pbm::read(&path)? {
                values.entry(key).or_insert(value);
            }
            files.push(path);
        }
        let added = additions(command, &first, typed, &values)?;
        let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
        words.splice(end..end, added);
    }
    let matches = args::command().try_get_matches_from(words).map_err(|error| parser_error(error, &files))?;
    Cli::from_arg_matches(&matches).map_err(|error| parser_error(error, &files))
}

/// The options of one side of a copy: those of `typed`, or those of a file alone.
pub fn reach(typed: &ReachArgs, path: Option<&Path>) -> Result<ReachArgs, UsageError> {
    let Some(path) = path else { return Ok(typed.clone()) };
    #[derive(clap::Parser)]
    struct Side {
        #[command(flatten)]
        reach: ReachArgs,
    }
    let mut command = <Side as clap::CommandFactory>::command().name("options of a storage");
    command.build();
    let values = file::read(path)?;
    check_keys(&command, &values, path)?;
    let nothing = command.clone().ignore_errors(true).get_matches_from([""]);
    let mut words = vec![OsString::new()];
    words.extend(additions(&command, &nothing, &nothing, &values)?);
    let parser_error = |error| UsageError::Parser { error: Box::new(error), files: vec![path.to_owned()] };
    let matches = command.try_get_matches_from(words).map_err(parser_error)?;
    Side::from_arg_matches(&matches).map(|side| side.reach).map_err(parser_error)
}

/// The command that was meant, at the end of what may be several words (`admin add mongodb`), and what was typed for it.
fn innermost<'a>(whole: &'a Command, first: &'a ArgMatches) -> Option<(&'a Command, &'a ArgMatches)> {
    let (name, typed) = first.subcommand()?;
    let command = whole.find_subcommand(name)?;
    innermost(command, typed).or(Some((command, typed)))
}

/// Every option of a command and of those below it.
fn every_option(command: &Command) -> Vec<&str> {
    let below = command.get_subcommands().flat_map(every_option);
    command.get_arguments().filter_map(Arg::get_long).chain(below).collect()
}

fn chosen_file(first: &ArgMatches) -> Option<PathBuf> {
    let named = first.get_one::<PathBuf>("config").cloned();
    named.or_else(|| Path::new(DEFAULT_FILE).is_file().then(|| PathBuf::from(DEFAULT_FILE)))
}

fn pbm_file(command: &Command, typed: &ArgMatches, values: &Values) -> Option<PathBuf> {
    command.get_arguments().find(|arg| arg.get_id() == "pbm_config")?;
    let typed = typed.get_one::<PathBuf>("pbm_config").cloned();
    typed.or_else(|| values.get("pbm-config").and_then(|paths| paths.first()).map(PathBuf::from))
}

/// A key that no command knows is a mistake worth stopping for; one that another command knows is not.
fn check_keys(whole: &Command, values: &Values, path: &Path) -> Result<(), UsageError> {
    let known = every_option(whole);
    let Some(unknown) = values.keys().find(|key| !known.contains(&key.as_str()) || *key == "config" || *key == "help") else {
        return Ok(());
    };
    let what = format!("read options from {}: `{unknown}` is not an option", path.display());
    let close = known.iter().map(|name| (distance(name, unknown), *name)).min().filter(|(distance, _)| *distance <= 3);
    let hint = match close {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => "keys are the names of options without the dashes in front, as `oplogue help COMMAND` shows them".to_owned(),
    };
    Err(UsageError::File { what, hint: Some(hint) })
}

/// The words to add for the options that only `values` names.
fn additions(command: &Command, first: &ArgMatches, typed: &ArgMatches, values: &Values) -> Result<Vec<OsString>, UsageError> {
    let mut words = Vec::new();
    for arg in command.get_arguments() {
        let Some((long, texts)) = arg.get_long().and_then(|long| Some((long, values.get(long)?))) else {
            continue;
        };
        if is_typed(arg, first, typed) || excluded_by_typed(command, arg, first, typed) {
            continue;
        }
        match arg.get_action() {
            ArgAction::SetTrue => match texts.as_slice() {
                [text] if text == "true" => words.push(format!("--{long}").into()),
                [text] if text == "false" => {}
                _ => {
                    return Err(UsageError::file(format!("`{long}` in the configuration file is either true or false")));
                }
            },
            ArgAction::Append => words.extend(texts.iter().map(|text| format!("--{long}={text}").into())),
            _ => match texts.as_slice() {
                [text] => words.push(format!("--{long}={text}").into()),
                _ => {
                    return Err(UsageError::file(format!("`{long}` in the configuration file takes one value, not a list")));
                }
            },
        }
    }
    Ok(words)
}

/// On the command line or in the environment.
fn is_typed(arg: &Arg, first: &ArgMatches, typed: &ArgMatches) -> bool {
    let matches = if arg.is_global_set() { first } else { typed };
    matches!(matches.value_source(arg.get_id().as_str()), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

/// True when something typed cannot stand together with `arg`: then the file's value steps back.
fn excluded_by_typed(command: &Command, arg: &Arg, first: &ArgMatches, typed: &ArgMatches) -> bool {
    let typed_one = |other: &Arg| other.get_id() != arg.get_id() && is_typed(other, first, typed);
    let rivals: Vec<_> = command
        .get_groups()
        .filter(|group| !(*group).clone().is_multiple() && group.get_args().any(|id| id == arg.get_id()))
        .flat_map(|group| group.get_args().cloned())
        .collect();
    let in_group = command.get_arguments().any(|other| rivals.contains(other.get_id()) && typed_one(other));
    in_group
        || command.get_arg_conflicts_with(arg).into_iter().any(typed_one)
        || command
            .get_arguments()
            .any(|other| typed_one(other) && command.get_arg_conflicts_with(other).iter().any(|rival| rival.get_id() == arg.get_id()))
}

/// Single letters to insert, remove or replace to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::args::Verb;

    fn with_file(text: &str, words: &[&str]) -> Result<Cli, UsageError> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("written");
        let config = file.path().to_string_lossy().into_owned();
        let all = ["oplogue", "--config", &config].iter().chain(words).map(OsString::from).collect();
        parse(all)
    }

    fn storage_of(cli: &Cli) -> Option<&str> {
        match &cli.verb {
            Verb::List(args) => args.storage.storage.as_deref(),
            _ => None,
        }
    }

    #[test]
    fn a_file_gives_what_was_not_typed() {
        let cli = with_file("storage: file:///b\njson: true\ns3-part-size: 32MiB\nuri: mongodb://unused\n", &["list"]).expect("valid");
        assert_eq!(storage_of(&cli), Some("file:///b"));
        assert!(cli.common.json);
    }

    #[test]
    fn what_was_typed_wins() {
        let cli = with_file("storage: file:///b\n", &["list", "--storage", "file:///c"]).expect("valid");
        assert_eq!(storage_of(&cli), Some("file:///c"));
    }

    #[test]
    fn a_typed_moment_wins_over_another_kind_of_moment_in_the_file() {
        let text = "storage: file:///b\nuri: mongodb://db1\nlatest: true\n";
        let cli = with_file(text, &["restore", "--time", "100,3"]).expect("valid");
        let Verb::Restore(args) = cli.verb else { panic!("not a restore") };
        assert!(!args.moment.latest);
        assert!(with_file(text, &["restore"]).is_ok());
    }

    #[test]
    fn a_typed_encryption_wins_over_another_one_in_the_file() {
        let text = "storage: s3://b\ns3-sse: kms\ns3-sse-kms-key: k\n";
        let cli = with_file(text, &["list", "--s3-sse-customer-key", "AAAA"]).expect("valid");
        let Verb::List(args) = cli.verb else { panic!("not a list") };
        assert_eq!(args.storage.reach.s3_sse, None);
    }

    #[test]
    fn a_list_repeats_the_option() {
        let text = "storage: file:///b\nuri: mongodb://db1\nns: [shop.orders, 'crm.*']\n";
        let cli = with_file(text, &["backup"]).expect("valid");
        let Verb::Backup(args) = cli.verb else { panic!("not a backup") };
        assert_eq!(args.ns.len(), 2);
    }

    #[test]
    fn mistakes_in_a_file_are_named() {
        for (text, expected) in [
            ("storaeg: file:///b\n", "`storaeg` is not an option"),
            ("config: other.yaml\n", "`config` is not an option"),
            ("storage: file:///b\njson: perhaps\n", "either true or false"),
            ("storage: [a, b]\n", "takes one value"),
            ("storage: {a: b}\n", "`storage`"),
            ("storage: [a\n", "not YAML"),
            ("- a\n", "not YAML"),
        ] {
            match with_file(text, &["list"]) {
                Err(UsageError::File { what, .. }) => assert!(what.contains(expected), "{text:?}: {what}"),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_wrong_value_in_a_file_is_refused_as_if_typed() {
        let result = with_file("storage: file:///b\ns3-part-size: big\n", &["list"]);
        let Err(UsageError::Parser { error, files }) = result else { panic!("accepted") };
        assert_eq!(error.kind(), clap::error::ErrorKind::ValueValidation);
        assert_eq!(files.len(), 1);
    }

    #[test]
    fn a_secret_in_a_broken_file_is_not_told() {
        for text in ["s3-secret-key: {x: hunter2}\n", "s3-secret-key: 'hunter2\n", "s3-secret-key: [[hunter2]]\n", "uri: hunter2: x\n"] {
            let Err(error) = with_file(text, &["list"]) else { panic!("{text:?} was accepted") };
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn words_after_two_dashes_stay_arguments() {
        let cli = with_file("storage: file:///b\n", &["describe", "--", "-odd-name"]).expect("valid");
        let Verb::Describe(args) = cli.verb else { panic!("not describe") };
        assert_eq!(args.name.as_str(), "-odd-name");
    }

    #[test]
    fn one_side_of_a_copy_may_have_options_of_its_own() {
        let words = ["copy", "--from", "file:///a", "--to", "file:///b", "--all", "--storage-retries", "3"];
        let cli = with_file("s3-part-size: 32MiB\n", &words).expect("valid");
        let Verb::Copy(args) = cli.verb else { panic!("not a copy") };
        assert_eq!((args.reach.storage_retries, args.reach.s3_part_size), (3, 32 << 20));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("side.yaml");
        std::fs::write(&path, "s3-access-key: a\ns3-secret-key: hunter2\nencrypt: true\nkey-file: /k\n").expect("written");
        let side = reach(&args.reach, Some(&path)).expect("valid");
        assert_eq!((side.storage_retries, side.encrypt), (8, true));
        assert!(side.key_file.is_some() && side.s3_access_key.is_some() && !format!("{side:?}").contains("hunter2"));
        assert_eq!(reach(&args.reach, None).expect("valid").storage_retries, 3);
        for (text, expected) in [("folder: x\n", "`folder` is not an option"), ("encrypt: perhaps\n", "either true or false")] {
            std::fs::write(&path, text).expect("written");
            match reach(&args.reach, Some(&path)) {
                Err(UsageError::File { what, .. }) => assert!(what.contains(expected), "{what}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        std::fs::write(&path, "storage-retries: many\n").expect("written");
        assert!(matches!(reach(&args.reach, Some(&path)), Err(UsageError::Parser { .. })));
    }

    #[test]
    fn a_distance_counts_single_letters() {
        for (a, b, expected) in [("storage", "storage", 0), ("storage", "storaeg", 2), ("", "abc", 3), ("uri", "url", 1)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
