//! `oplogue completions` and `oplogue man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue completions bash > /etc/bash_completion.d/oplogue\n  \
    oplogue completions zsh > ~/.zfunc/_oplogue")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

/// Print a man page, or write all of them into a folder
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue man restore | man -l -\n  \
    oplogue man --output /usr/local/share/man/man1")]
pub struct ManArgs {
    /// Print the page of this command; without it, the page of oplogue itself
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,

    /// Write every page into this folder instead
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    pub output: Option<PathBuf>,
}
