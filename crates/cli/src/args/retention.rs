//! `oplogue delete` and `oplogue prune`: what goes, and what must not. They need no database.

use std::time::Duration;

use clap::{Args, value_parser};
use oplogue_domain::BackupName;
use oplogue_domain::retention::Policy;

use super::{StorageArgs, parse_duration};

/// Delete one backup
///
/// Its metadata goes first, so that whatever happens in the middle nothing is listed that is not whole. Refused where moments that can be
/// restored now need it: the oplog that follows it, or that of an older backup which its own oplog carries on. Backups that PBM made are
/// deleted, too; physical ones are PBM's to delete.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue delete 2026-11-22T10:00:05Z --storage file:///backups --dry-run\n  \
    oplogue delete before-upgrade --storage file:///backups --yes")]
pub struct DeleteArgs {
    /// Name of the backup, as `oplogue list` shows it
    #[arg(value_name = "NAME")]
    pub name: BackupName,

    #[command(flatten)]
    pub storage: StorageArgs,

    /// Yes: also lose the moments that only this backup makes restorable
    ///
    /// They are listed first. What is lost so is recorded as deleted, and shows in the timeline as such.
    #[arg(long)]
    pub lose_range: bool,

    /// Tell what would be deleted and lost, delete nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Yes: delete it
    #[arg(long)]
    pub yes: bool,
}

/// Delete what no rule keeps
///
/// A backup is kept when any of the rules given keeps it. Full backups are counted per replica set, those of a selection apart. The newest backup
/// that can be restored is always kept. With --keep-window, slices are kept for the moments of the window, and older backups restore to
/// their own moment; without it, slices are kept from the oldest kept full backup on, so that every moment since then stays restorable.
///
/// Broken backups, and what crashes left behind, go when they are a day old. Every item is listed with its reasons, whatever is done.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue prune --storage file:///backups --keep-count 7 --dry-run\n  \
    oplogue prune --storage file:///backups --keep-window 7d --keep-daily 30 --keep-monthly 12 --yes\n  \
    oplogue prune --storage s3://backups/shop?region=eu-central-1 --keep-days 30 --dry-run --json")]
pub struct PruneArgs {
    #[command(flatten)]
    pub storage: StorageArgs,
    #[command(flatten)]
    pub rules: RuleArgs,

    /// List every item with its reasons, delete nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Yes: delete what is listed as such
    #[arg(long)]
    pub yes: bool,
}

/// What is kept. At least one.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct RuleArgs {
    /// Keep the newest so many backups
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..=9999), help_heading = "Rules (at least one)")]
    pub keep_count: Option<u32>,

    /// Keep backups that are not older than this many days
    #[arg(long, value_name = "DAYS", value_parser = value_parser!(u32).range(1..=36500), help_heading = "Rules (at least one)")]
    pub keep_days: Option<u32>,

    /// Keep every moment of the last so long restorable, e.g. 36h or 7d
    #[arg(long, value_name = "DURATION", value_parser = parse_window, help_heading = "Rules (at least one)")]
    pub keep_window: Option<Duration>,

    /// Keep the newest backup of each of the last so many days that have one
    ///
    /// Days, weeks (from Monday), months and years are those of UTC.
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..=9999), help_heading = "Rules (at least one)")]
    pub keep_daily: Option<u32>,

    /// Keep the newest backup of each of the last so many weeks that have one
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..=9999), help_heading = "Rules (at least one)")]
    pub keep_weekly: Option<u32>,

    /// Keep the newest backup of each of the last so many months that have one
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..=9999), help_heading = "Rules (at least one)")]
    pub keep_monthly: Option<u32>,

    /// Keep the newest backup of each of the last so many years that have one
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..=9999), help_heading = "Rules (at least one)")]
    pub keep_yearly: Option<u32>,
}

impl RuleArgs {
    pub fn policy(&self) -> Policy {
        Policy {
            count: self.keep_count.unwrap_or(0),
            days: self.keep_days.unwrap_or(0),
            window_seconds: self.keep_window.map_or(0, |window| window.as_secs()),
            daily: self.keep_daily.unwrap_or(0),
            weekly: self.keep_weekly.unwrap_or(0),
            monthly: self.keep_monthly.unwrap_or(0),
            yearly: self.keep_yearly.unwrap_or(0),
        }
    }
}

/// At least a second: no time at all is no rule.
fn parse_window(text: &str) -> Result<Duration, String> {
    let window = parse_duration(text)?;
    if window.as_secs() == 0 { Err(format!("`{text}` is not a window: write at least 1s")) } else { Ok(window) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Verb};
    use super::*;

    fn policy(words: &[&str]) -> Result<Policy, String> {
        let cli =
            Cli::try_parse_from(["oplogue", "prune", "--storage", "file:///b"].iter().chain(words)).map_err(|error| error.to_string())?;
        let Verb::Prune(args) = cli.verb else { panic!("`prune` was parsed as something else") };
        Ok(args.rules.policy())
    }

    #[test]
    fn rules_add_up_to_a_policy() {
        let words = ["--keep-count", "7", "--keep-window", "7d", "--keep-monthly", "12"];
        assert_eq!(policy(&words), Ok(Policy { count: 7, window_seconds: 7 * 86_400, monthly: 12, ..Policy::default() }));
        let words = ["--keep-days", "30", "--keep-daily", "1", "--keep-weekly", "2", "--keep-yearly", "3"];
        assert_eq!(policy(&words), Ok(Policy { days: 30, daily: 1, weekly: 2, yearly: 3, ..Policy::default() }));
    }

    #[test]
    fn no_rule_and_rules_that_are_none_are_refused() {
        for words in [vec![], vec!["--dry-run"], vec!["--keep-count", "0"], vec!["--keep-window", "0s"], vec!["--keep-window", "7"]] {
            assert!(policy(&words).is_err(), "{words:?}");
        }
    }
}
