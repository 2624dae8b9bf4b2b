//! `oplogue list`, `oplogue timeline`, `oplogue describe`: what lies on a storage. They need no database.

use clap::Args;
use oplogue_domain::BackupName;

use super::StorageArgs;

/// List backups, restorable ranges, and gaps with their reasons
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue list --storage file:///backups\n  \
    oplogue list --storage s3://backups/shop?region=eu-central-1 --json")]
pub struct ListArgs {
    #[command(flatten)]
    pub storage: StorageArgs,
}

/// Draw what can be restored, and what cannot
///
/// One strip per replica set: backups as marks, restorable stretches as bands, gaps numbered, with their reasons underneath.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue timeline --storage file:///backups\n  \
    oplogue timeline --storage file:///backups --width 160")]
pub struct TimelineArgs {
    #[command(flatten)]
    pub storage: StorageArgs,

    /// Width of the drawing in columns; the terminal's width unless given
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000))]
    pub width: Option<u16>,
}

/// Tell everything about one backup
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue describe 2026-11-22T10:00:05Z --storage file:///backups\n  \
    oplogue describe before-upgrade --storage file:///backups --json")]
pub struct DescribeArgs {
    /// Name of the backup, as `oplogue list` shows it
    #[arg(value_name = "NAME")]
    pub name: BackupName,

    #[command(flatten)]
    pub storage: StorageArgs,
}
