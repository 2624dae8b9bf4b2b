//! Why an item is kept or deleted, as a sentence about "it".

use std::fmt;

use crate::backup::{BackupName, BackupProblem};
use crate::namespace::ReplicaSetName;
use crate::time::OplogTime;

use super::policy::{Policy, Rule};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    // Kept.
    /// The policy sets no rule.
    NoRule,
    NotGoverned,
    /// Physical backups and archives of PBM 1.x: sound for PBM.
    NotOurs,
    OneOfTheNewest(u32),
    NotOlderThan {
        days: u32,
    },
    InTheWindow {
        start: OplogTime,
    },
    /// The stretch of the calendar it is the newest of.
    NewestOf {
        rule: Rule,
        stretch: String,
    },
    NewestUsable,
    CarriesTheWindow {
        start: OplogTime,
    },
    /// Its oplog fills a hole between the slices on the way from `base`.
    Bridges {
        base: BackupName,
    },
    /// Without it `base` would seem to reach further than it does.
    ShowsJoin {
        replica_set: ReplicaSetName,
        base: BackupName,
    },
    MayBeInTheMaking(BackupProblem),
    SharesItsName,
    /// A slice later than the oldest backup from which every moment is wanted.
    ReadFrom {
        base: BackupName,
    },
    ReadFromOther {
        base: BackupName,
    },
    MakesConsistent {
        backup: BackupName,
    },
    SlicingGoesOn,
    NoBase {
        replica_set: ReplicaSetName,
    },
    ExplainsAGap,
    // Deleted.
    NoRuleKeepsIt(Policy),
    Broken(BackupProblem),
    /// A slice: every moment it gives lies before `base`.
    Before {
        base: BackupName,
    },
    NothingBefore,
    LongerRecord,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRule => f.write_str("no rule is set, so everything is kept"),
            Self::NotGoverned => f.write_str("the policy is not about it"),
            Self::NotOurs => f.write_str("it is for Percona Backup for MongoDB to restore or delete, not for us"),
            Self::OneOfTheNewest(1) => f.write_str("it is the newest"),
            Self::OneOfTheNewest(count) => write!(f, "it is one of the newest {count}"),
            Self::NotOlderThan { days } => write!(f, "it is not older than {days} days"),
            Self::InTheWindow { start } => write!(f, "it lies in the window, which begins at {start}"),
            Self::NewestOf { rule, stretch } => write!(f, "it is the newest of the {} {stretch}", rule.unit()),
            Self::NewestUsable => f.write_str("it is the newest that can be restored"),
            Self::CarriesTheWindow { start } => write!(f, "moments of the window, which begins at {start}, are restored from it"),
            Self::Bridges { base } => write!(f, "its oplog fills a hole between the slices that restores from backup {base} read"),
            Self::ShowsJoin { replica_set, base } => {
                write!(f, "it shows since when replica set {replica_set} was there, of which backup {base} knows nothing")
            }
            Self::MayBeInTheMaking(problem) => {
                write!(f, "it cannot be restored ({problem}), and goes only when it is surely older than a day")
            }
            Self::SharesItsName => f.write_str("a backup of the same name is kept"),
            Self::ReadFrom { base } => write!(f, "it is later than backup {base}, from which on every moment is wanted"),
            Self::ReadFromOther { base } => write!(f, "moments are restored with it from backup {base}, which the policy is not about"),
            Self::MakesConsistent { backup } => write!(f, "backup {backup} is whole only with it"),
            Self::SlicingGoesOn => f.write_str("it is the newest, where slicing goes on"),
            Self::NoBase { replica_set } => write!(f, "the policy keeps no full backup of {replica_set} that would take its place"),
            Self::ExplainsAGap => f.write_str("it tells why oplog is missing beside what is kept"),
            Self::NoRuleKeepsIt(policy) => write!(f, "no rule keeps it (kept are {policy})"),
            Self::Broken(problem) => write!(f, "it cannot be restored: {problem}"),
            Self::Before { base } => {
                write!(f, "every moment it gives lies before backup {base}, the oldest from which every moment is wanted")
            }
            Self::NothingBefore => f.write_str("nothing older than the gap is kept"),
            Self::LongerRecord => f.write_str("the record of a longer gap takes its place"),
        }
    }
}
