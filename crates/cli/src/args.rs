//! What can be typed: the commands, their options, and where an option's value may come from.
//!
//! Every option has three sources, the first that speaks wins: the command line, an environment variable named after the option
//! (`--s3-region-name` would be `OPLOGUE_S3_REGION_NAME`), and a configuration file (see [`crate::settings`]). The environment
//! variables are attached here by rule, not option by option, so that none can be forgotten.

mod admin;
mod agent;
mod backup;
mod checks;
mod compact;
mod connection;
mod copy;
mod generate;
mod reading;
mod restore;
mod retention;
mod secret;
mod server;
mod slice;
mod storage;
mod value;
mod verify;

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Args, Command, CommandFactory, Parser, Subcommand};

pub use admin::{AccessArgs, AddMongodbArgs, AddWhat, AdminArgs, AdminVerb, ListServicesArgs, RemoveArgs};
pub use agent::{AgentArgs, MemberArgs, ServerArgs};
pub use backup::BackupArgs;
pub use checks::{DoctorArgs, StatusArgs};
pub use compact::CompactArgs;
pub use connection::ConnectionArgs;
pub use copy::CopyArgs;
pub use generate::{CompletionsArgs, ManArgs};
pub use reading::{DescribeArgs, ListArgs, TimelineArgs};
pub use restore::RestoreArgs;
pub use retention::{DeleteArgs, PruneArgs};
pub use secret::Secret;
pub use server::{ResetPasswordArgs, ServeArgs};
pub use slice::SliceArgs;
pub use storage::{EncryptionChoice, ReachArgs, StorageArgs};
pub use value::{parse_bytes, parse_duration};
pub use verify::VerifyArgs;

#[derive(Debug, Parser)]
#[command(
    name = "oplogue",
    version,
    about = "Point-in-time recovery for MongoDB",
    long_about = "Point-in-time recovery for MongoDB: takes backups of a replica set, keeps its oplog in slices on a storage, and restores \
                  everything, or some of it, to the state of any moment in between.\n\n\
                  No server and no agent is needed: every command works on a MongoDB URI and a storage URL.",
    after_long_help = "Every option can also be given as an environment variable (OPLOGUE_URI for --uri) or in a YAML file (--config). \
                       The command line wins over the environment, the environment over the file.\n\n\
                       Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused (a check said no and nothing was touched).\n\n\
                       Examples:\n  \
                       oplogue backup --uri mongodb://db1,db2,db3/?replicaSet=rs0 --storage file:///backups\n  \
                       oplogue slice --uri mongodb://db1,db2,db3/?replicaSet=rs0 --storage file:///backups\n  \
                       oplogue timeline --storage file:///backups\n  \
                       oplogue restore --uri mongodb://db1 --storage file:///backups --time 2026-11-22T10:00:05Z --plan",
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct CommonArgs {
    /// Print JSON instead of text
    ///
    /// What is printed on standard output becomes JSON. An oplog time is {"t": seconds, "i": ordinal, "at": RFC 3339}. Errors and
    /// progress stay text on standard error.
    #[arg(long, global = true, help_heading = "General")]
    pub json: bool,

    /// Read options from this YAML file
    ///
    /// Keys are the names of options without the dashes in front; options that may be repeated take a list. Without this
    /// option, `oplogue.yaml` in the current folder is read if it exists.
    #[arg(long, global = true, value_name = "FILE", help_heading = "General")]
    pub config: Option<PathBuf>,

    /// How much to tell about the work itself, on standard error
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn", value_parser = ["off", "error", "warn", "info", "debug", "trace"], help_heading = "General")]
    pub log_level: String,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    Backup(BackupArgs),
    Slice(SliceArgs),
    List(ListArgs),
    Timeline(TimelineArgs),
    Describe(DescribeArgs),
    Restore(RestoreArgs),
    Delete(DeleteArgs),
    Prune(PruneArgs),
    Verify(VerifyArgs),
    Copy(CopyArgs),
    Compact(CompactArgs),
    Status(StatusArgs),
    Doctor(DoctorArgs),
    Agent(AgentArgs),
    Server(ServeArgs),
    Admin(AdminArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// The whole command line, environment variables attached.
pub fn command() -> Command {
    with_environment(Cli::command()).mut_subcommands(demand_storage)
}

/// Only doctor looks at a replica set alone; every other command that speaks of a storage needs one.
fn demand_storage(command: Command) -> Command {
    let speaks_of_it = command.get_arguments().any(|arg| arg.get_id() == "storage");
    if speaks_of_it && command.get_name() != "doctor" { command.mut_arg("storage", |arg| arg.required(true)) } else { command }
}

/// The environment variable of an option.
pub fn variable_of(long: &str) -> String {
    format!("OPLOGUE_{}", long.replace('-', "_").to_ascii_uppercase())
}

fn with_environment(command: Command) -> Command {
    command.mut_args(attach_variable).mut_subcommands(with_environment)
}

/// Values never appear in help: they may be secrets, and help texts get pasted. A variable set to nothing counts as not set, as
/// container templates leave them.
fn attach_variable(arg: Arg) -> Arg {
    let Some(long) = arg.get_long().map(ToOwned::to_owned) else {
        return arg;
    };
    let arg = match arg.get_action() {
        ArgAction::SetTrue => arg.value_parser(BoolishValueParser::new()),
        // One variable, many values: one per line, because a collection's name may hold commas and spaces.
        ArgAction::Append => arg.value_delimiter('\n'),
        _ => arg,
    };
    let variable = variable_of(&long);
    if std::env::var_os(&variable).is_some_and(|value| value.is_empty()) {
        return arg;
    }
    arg.env(variable).hide_env_values(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_command() -> Vec<Command> {
        let mut whole = command();
        whole.build();
        whole.get_subcommands().filter(|command| command.get_name() != "help").cloned().collect()
    }

    #[test]
    fn the_tree_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_command_and_option_is_documented() {
        for command in every_command() {
            assert!(command.get_about().is_some(), "`{}` says nothing about itself", command.get_name());
            for arg in command.get_arguments() {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty(), "`{}` of `{}` has no help", arg.get_id(), command.get_name());
                assert!(!help.ends_with('.'), "`{}` of `{}`: the short help ends with a full stop", arg.get_id(), command.get_name());
            }
        }
    }

    #[test]
    fn every_option_has_its_environment_variable_and_hides_its_value() {
        for command in every_command() {
            for arg in command.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version")) {
                let Some(long) = arg.get_long() else { continue };
                assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(variable_of(long).as_str()), "--{long}");
                assert!(arg.is_hide_env_values_set(), "--{long}");
            }
        }
    }

    /// The lines of a help text that show how to call the program.
    fn examples(command: &Command) -> Vec<String> {
        let text = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
        text.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| line.starts_with("oplogue ")).map(ToOwned::to_owned).collect()
    }

    #[test]
    fn every_command_has_examples_and_they_can_be_typed() {
        for documented in every_command() {
            let examples = examples(&documented);
            assert!(!examples.is_empty(), "`{}` has no example", documented.get_name());
            for example in examples {
                let words = example.split_whitespace().map(|word| word.trim_matches('\'')).take_while(|word| !matches!(*word, ">" | "|"));
                let parsed = command().try_get_matches_from(words);
                assert!(parsed.is_ok(), "the example `{example}` is refused: {}", parsed.expect_err("just seen"));
            }
        }
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let cli = Cli::try_parse_from(["oplogue", "list", "--storage", "s3://b", "--s3-access-key", "k", "--s3-secret-key", "hunter2"])
            .expect("valid");
        assert!(!format!("{cli:?}").contains("hunter2"));
    }
}
