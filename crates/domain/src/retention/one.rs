//! Deleting one backup because somebody says so: whether that is all right, and what goes.

use std::fmt::Write;

use crate::backup::{BackupName, BackupProblem};
use crate::catalog::{Catalog, Gap, GapReason};
use crate::coverage::{Coverage, subtract};
use crate::reach::Survey;
use crate::time::{OplogRange, OplogTime};

use super::shift::{gained, lost, since};
use super::verdicts::Deletions;

/// Why a backup must not be deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no backup `{name}`")]
    Unknown { name: BackupName },
    /// PBM builds on such backups (increments), and knows how to delete them.
    #[error("backup {name} is for Percona Backup for MongoDB to delete (`pbm delete-backup`), not for us: {problem}")]
    NotOurs { name: BackupName, problem: BackupProblem },
    /// Allowed when whoever asks accepts the loss.
    #[error("without backup {name} these moments could not be restored any more: {}", told(.lost))]
    Needed {
        name: BackupName,
        /// Oldest first, never empty.
        lost: Vec<OplogRange>,
    },
    /// Never allowed: delete the older backup first.
    #[error("without backup {name} older ones would seem to reach {}, where they know nothing of a replica set that was there; delete the older ones first", told(.seem))]
    Misleads { name: BackupName, seem: Vec<OplogRange> },
}

impl Refusal {
    /// True when it may be done all the same by somebody who accepts the loss.
    pub fn is_a_loss(&self) -> bool {
        matches!(self, Self::Needed { .. })
    }

    /// The moments in question.
    pub fn ranges(&self) -> &[OplogRange] {
        match self {
            Self::Needed { lost, .. } => lost,
            Self::Misleads { seem, .. } => seem,
            Self::Unknown { .. } | Self::NotOurs { .. } => &[],
        }
    }
}

fn told(ranges: &[OplogRange]) -> String {
    const SHOWN: usize = 5;
    let mut text = ranges.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if ranges.len() > SHOWN {
        let _ = write!(text, " and {} more", ranges.len() - SHOWN);
    }
    text
}

/// Whether a backup may be deleted. Its own moment may always go, that is what deleting means; but not a stretch of moments that only it makes
/// restorable, from `promised_since` on ([`OplogTime::MIN`]: any), nor what would make older backups look better than they are.
pub fn deletable(catalog: &Catalog, name: &BackupName, promised_since: OplogTime) -> Result<(), Refusal> {
    let Some(backup) = catalog.backup(name) else { return Err(Refusal::Unknown { name: name.clone() }) };
    if let Some(problem) = backup.problem.as_ref().filter(|problem| is_for_pbm_alone(problem)) {
        return Err(Refusal::NotOurs { name: name.clone(), problem: problem.clone() });
    }
    let after = without(catalog, name);
    let seem = gained(catalog, &after);
    if !seem.is_empty() {
        return Err(Refusal::Misleads { name: name.clone(), seem });
    }
    let own = backup.consistent_at();
    let lost = lost(catalog, &after);
    let own = OplogRange::new(own.predecessor(), own);
    let beyond_own: Vec<_> = lost.iter().flat_map(|range| subtract(*range, &[own])).collect();
    if since(&beyond_own, promised_since).is_empty() {
        return Ok(());
    }
    Err(Refusal::Needed { name: name.clone(), lost: since(&lost, promised_since) })
}

/// What goes with a backup: itself, and a record of the holes that its oplog leaves.
pub fn deletion_of(catalog: &Catalog, name: &BackupName) -> Deletions {
    let backups: Vec<_> = catalog.backups.iter().filter(|backup| backup.name == *name).cloned().collect();
    let (survey, after) = (Survey::of(catalog), without(catalog, name));
    let mut new_gaps = Vec::new();
    for (replica_set, coverage) in &survey.coverages {
        for pair in Coverage::of(&after, replica_set).stretches().windows(2) {
            let hole = OplogRange::new(pair[0].through, pair[1].after);
            let gone = subtract(hole, &coverage.missing(hole));
            new_gaps.extend(gone.into_iter().map(|range| Gap { replica_set: replica_set.clone(), range, reason: GapReason::Deleted }));
        }
    }
    Deletions { new_gaps, backups, ..Deletions::default() }
}

fn without(catalog: &Catalog, name: &BackupName) -> Catalog {
    let mut after = catalog.clone();
    after.backups.retain(|backup| backup.name != *name);
    after
}

/// Sound for PBM, of no use to us.
pub(super) fn is_for_pbm_alone(problem: &BackupProblem) -> bool {
    matches!(problem, BackupProblem::Unsupported(_) | BackupProblem::LegacyArchive(_))
}
