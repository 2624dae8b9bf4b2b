//! What can still be restored after damage was found.
//!
//! Whoever reads everything back hands over what each finding takes away; from that and the catalog follows which backups are whole, which can
//! be restored in part, and which moments are gone. It errs to the safe side: what is said to be restorable is.

mod holes;

use std::fmt;

use crate::backup::{BackupName, BackupProblem};
use crate::catalog::Catalog;
use crate::coverage::Coverage;
use crate::namespace::{Namespace, ReplicaSetName};
use crate::retention::lost;
use crate::slice::Slice;
use crate::time::OplogRange;
use crate::timeline::{RestorableRange, timeline};

pub use holes::unexplained;

/// What a finding takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing but a proof: what the object vouched for can still be restored.
    Nothing,
    /// A backup that cannot be restored at all.
    Backup { backup: BackupName },
    /// A collection of a backup: everything else of it can be restored by naming it.
    Namespace { backup: BackupName, replica_set: ReplicaSetName, namespace: Namespace },
    /// A slice that is there and no good.
    Slice { replica_set: ReplicaSetName, object: String },
    /// A slice that was there once.
    Gone(Slice),
}

/// How a backup stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was found against it.
    Whole,
    /// All but these collections can be restored, by naming what is wanted.
    Without(Vec<Namespace>),
    /// It cannot be restored, now or already before.
    Unusable,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("whole"),
            Self::Unusable => f.write_str("cannot be restored"),
            Self::Without(names) => {
                f.write_str("can be restored but for ")?;
                for (index, name) in names.iter().enumerate() {
                    write!(f, "{}{name}", if index == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}

/// What is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Every backup of the catalog, oldest first.
    pub backups: Vec<(BackupName, Standing)>,
    /// Moments to which everything can be restored, oldest first.
    pub restorable: Vec<RestorableRange>,
    /// Moments that are not among them and would be without the damage, oldest first.
    pub lost: Vec<OplogRange>,
    /// The catalog without what is damaged: to plan on.
    pub catalog: Catalog,
}

/// What `losses` leave of `catalog`.
pub fn remaining(catalog: &Catalog, losses: &[Loss]) -> Remaining {
    let mut before = catalog.clone();
    let mut after = catalog.clone();
    for loss in losses {
        match loss {
            Loss::Nothing => {}
            Loss::Gone(slice) => before = before.with_slice(slice.clone()),
            Loss::Slice { replica_set, object } => after = after.without_slice(replica_set, object, "found by verify"),
            Loss::Backup { backup } => after = after.without_backup(backup, BackupProblem::Damaged("found by verify".to_owned())),
            Loss::Namespace { backup, namespace, .. } => {
                after = without_base(&after, backup, namespace);
            }
        }
    }
    let backups = after.backups.iter().map(|backup| (backup.name.clone(), standing(&backup.name, &after, losses))).collect();
    Remaining { backups, restorable: timeline(&after).cluster, lost: lost(&before, &after), catalog: after }
}

/// A backup without one of its collections is no base of everything any more. Its oplog stays: as a slice would, where nothing else covers it.
fn without_base(catalog: &Catalog, name: &BackupName, namespace: &Namespace) -> Catalog {
    let Some(backup) = catalog.backup(name).filter(|backup| backup.problem.is_none()).cloned() else { return catalog.clone() };
    let mut left = catalog.without_backup(name, BackupProblem::Damaged(format!("the documents of {namespace}")));
    for snapshot in &backup.snapshots {
        let covered = Coverage::of(&left, &snapshot.replica_set).missing(snapshot.oplog).is_empty();
        if !covered {
            let object = format!("the oplog of backup {name}");
            let slice = Slice { replica_set: snapshot.replica_set.clone(), range: snapshot.oplog, name: object.into(), bytes: 0 };
            left = left.with_slice(slice);
        }
    }
    left
}

fn standing(name: &BackupName, after: &Catalog, losses: &[Loss]) -> Standing {
    let whole = losses.iter().any(|loss| matches!(loss, Loss::Backup { backup } if backup == name));
    let mut without: Vec<Namespace> = losses
        .iter()
        .filter_map(|loss| match loss {
            Loss::Namespace { backup, namespace, .. } if backup == name => Some(namespace.clone()),
            _ => None,
        })
        .collect();
    without.sort();
    without.dedup();
    let problem = after.backup(name).is_some_and(|backup| backup.problem.is_some());
    match (whole, without.is_empty(), problem) {
        (true, ..) | (false, true, true) => Standing::Unusable,
        (false, false, _) => Standing::Without(without),
        (false, true, false) => Standing::Whole,
    }
}

#[cfg(test)]
mod tests;
