//! `oplogue restore`.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use oplogue_domain::plan::Moment;
use oplogue_domain::{BackupName, NamespacePattern, OplogTime, Rename, ReplicaSetName};
use oplogue_engine::restore::{FoldLimits, Replay};

use super::{ConnectionArgs, StorageArgs};

/// Restore a replica set, or some of it, to the state of a moment
///
/// First everything is checked and a plan is made: what is read, created, replaced and dropped, and how many later writes will not
/// be there. Nothing is touched until then; with --plan nothing is touched at all. A restore that drops something wants --yes.
///
/// A moment is written `SECONDS,ORDINAL` (as `oplogue list --json` and the server's own Timestamp show it), or as a calendar time
/// such as 2026-11-22T10:00:05Z, or both: 2026-11-22T10:00:05Z,3.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    oplogue restore --uri mongodb://db1 --storage file:///backups --time 2026-11-22T10:00:05Z --plan\n  \
    oplogue restore --uri mongodb://db1 --storage file:///backups --before 1795397942,21 --yes\n  \
    oplogue restore --uri mongodb://db1 --storage file:///backups --latest --ns shop.orders --rename shop.orders=shop.orders_before\n  \
    oplogue restore --uri mongodb://db1 --storage file:///backups --backup before-upgrade --yes")]
pub struct RestoreArgs {
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(flatten)]
    pub storage: StorageArgs,
    #[command(flatten)]
    pub moment: MomentArgs,

    /// Restore only this collection or database; may be repeated
    ///
    /// `database.collection` or `database.*`, by the names they had at the moment restored. Everything else on the target stays as it is.
    #[arg(long, value_name = "NAMESPACE")]
    pub ns: Vec<NamespacePattern>,

    /// Restore FROM under the name TO; may be repeated
    ///
    /// Collections (shop.orders=shop.orders_before) or whole databases (shop.*=shop_before.*). Without --ns, only what is renamed is
    /// restored, beside everything that is there.
    #[arg(long, value_name = "FROM=TO")]
    pub rename: Vec<Rename>,

    /// With --ns: users and roles as well
    ///
    /// A restore of everything always brings them. Users that the backup does not know are never removed.
    #[arg(long, requires = "ns")]
    pub users_and_roles: bool,

    /// The replica set TO of the target takes what the backup calls FROM
    #[arg(long, value_name = "TO=FROM", value_parser = parse_remapping, value_hint = ValueHint::Other)]
    pub replset_remapping: Vec<(ReplicaSetName, ReplicaSetName)>,

    /// How many collections are loaded at once
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = super::value::parse_count)]
    pub parallel: usize,

    #[command(flatten)]
    pub fold: FoldArgs,

    /// Begin anew where an earlier try of the same restore was interrupted
    ///
    /// Without it, collections that the earlier try has finished are kept, and the plan says how many. Another restore than the one that was
    /// interrupted begins anew anyway.
    #[arg(long)]
    pub from_scratch: bool,
    /// At most so many bytes of documents are loaded per second, e.g. 50MB
    #[arg(long, value_name = "SIZE", value_parser = super::value::parse_rate, help_heading = "Sparing the server")]
    pub max_bandwidth: Option<NonZeroU64>,

    /// Rest while a secondary is more seconds behind, or the primary holds writes back
    #[arg(long, value_name = "SECONDS", help_heading = "Sparing the server")]
    pub max_lag: Option<u32>,

    /// Check everything, print the plan, touch nothing
    #[arg(long)]
    pub plan: bool,

    /// Yes: drop what the plan says is dropped
    #[arg(long)]
    pub yes: bool,
}

/// How the oplog comes into the result.
#[derive(Debug, Args)]
pub struct FoldArgs {
    /// Memory for what the oplog says of the documents; what is more goes to a temporary file
    ///
    /// The oplog is folded into the documents before they are inserted: each goes to the server once, as it is at the moment.
    #[arg(long, value_name = "SIZE", default_value = "96MiB", value_parser = super::parse_bytes)]
    pub fold_memory: u64,

    /// Where temporary files are made, instead of where the system keeps them
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub temp_dir: Option<PathBuf>,

    /// Load the backup as it is and let the server apply the oplog to it
    ///
    /// Much slower, with the same result. It needs no temporary file, and what a server makes of an operation is beyond doubt.
    #[arg(long)]
    pub replay_on_server: bool,
}

impl FoldArgs {
    pub fn replay(self) -> Replay {
        if self.replay_on_server {
            return Replay::OnServer;
        }
        let memory_bytes_max = usize::try_from(self.fold_memory).unwrap_or(usize::MAX);
        Replay::Fold(FoldLimits { memory_bytes_max, folder: self.temp_dir })
    }
}

/// Which moment. Exactly one.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct MomentArgs {
    /// The moment this backup stands for
    #[arg(long, value_name = "NAME", help_heading = "Moment (one of)")]
    pub backup: Option<BackupName>,

    /// The state when this second began; with an ordinal, the state right after that operation
    #[arg(long, value_name = "TIME", help_heading = "Moment (one of)")]
    pub time: Option<OplogTime>,

    /// The state right before this operation
    #[arg(long, value_name = "TIME", help_heading = "Moment (one of)")]
    pub before: Option<OplogTime>,

    /// The newest state that can be restored
    #[arg(long, help_heading = "Moment (one of)")]
    pub latest: bool,
}

impl MomentArgs {
    /// `None` when nothing was chosen, which the parser refuses before anybody asks.
    pub fn moment(&self) -> Option<Moment> {
        if let Some(name) = &self.backup {
            return Some(Moment::Backup(name.clone()));
        }
        if self.latest {
            return Some(Moment::Latest);
        }
        // A second without an ordinal is its beginning, (second, 0): every entry of the seconds before, none of this one.
        self.time.or(self.before.map(OplogTime::predecessor)).map(Moment::At)
    }
}

fn parse_remapping(text: &str) -> Result<(ReplicaSetName, ReplicaSetName), String> {
    let error = || format!("`{text}` is not a mapping: write TARGET=BACKUP, two names of replica sets");
    let (target, source) = text.split_once('=').ok_or_else(error)?;
    Ok((target.parse().map_err(|_| error())?, source.parse().map_err(|_| error())?))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Verb};
    use super::*;

    fn moment(words: &[&str]) -> Result<Moment, clap::Error> {
        let fixed = ["oplogue", "restore", "--uri", "mongodb://db1", "--storage", "file:///b"];
        let cli = Cli::try_parse_from(fixed.iter().chain(words))?;
        let Verb::Restore(args) = cli.verb else { panic!("`restore` was parsed as something else") };
        Ok(args.moment.moment().expect("the parser demands one"))
    }

    #[test]
    fn each_way_to_name_a_moment_means_what_the_help_says() {
        for (words, expected) in [
            (vec!["--time", "1970-01-01T00:01:40Z"], Moment::At(OplogTime::new(100, 0))),
            (vec!["--time", "100,3"], Moment::At(OplogTime::new(100, 3))),
            (vec!["--before", "100,3"], Moment::At(OplogTime::new(100, 2))),
            (vec!["--before", "1970-01-01T00:01:40Z"], Moment::At(OplogTime::new(99, u32::MAX))),
            (vec!["--latest"], Moment::Latest),
            (vec!["--backup", "b"], Moment::Backup("b".parse().expect("a name"))),
        ] {
            assert_eq!(moment(&words).expect("valid"), expected, "{words:?}");
        }
    }

    #[test]
    fn exactly_one_moment_is_wanted() {
        for words in
            [vec![], vec!["--latest", "--time", "100,3"], vec!["--time", "100,3", "--before", "100,4"], vec!["--time", "yesterday"]]
        {
            assert!(moment(&words).is_err(), "{words:?}");
        }
    }
}
