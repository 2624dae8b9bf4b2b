//! How far each base backup reaches: the one rule that the timeline and the plan share.
//!
//! A base can be restored to any moment from its own (`Backup::consistent_at`) up to the first entry that is missing on one
//! of its replica sets. At exactly its own moment it needs nothing but itself, also when an idle shard's oplog ends earlier there.

use std::collections::BTreeMap;
use std::fmt;

use crate::backup::{Backup, BackupKind, BackupName, BackupProblem};
use crate::catalog::{Catalog, Gap, GapReason};
use crate::coverage::{Coverage, joined, subtract};
use crate::namespace::{NamespaceSelection, ReplicaSetName};
use crate::time::{OplogRange, OplogTime};

/// What ends the reach of a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Nothing later of this replica set is on the storage.
    OplogEnds { replica_set: ReplicaSetName, at: OplogTime },
    /// Entries are missing, and later ones are there.
    Hole(Gap),
    /// The cluster had a replica set of which this base knows nothing; its oplog begins at `since`.
    NotInBase { replica_set: ReplicaSetName, since: OplogTime },
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OplogEnds { replica_set, at } => write!(f, "the oplog of {replica_set} ends at {at}"),
            Self::Hole(gap) => write!(f, "the oplog of {} is missing {} ({})", gap.replica_set, gap.range, gap.reason),
            Self::NotInBase { replica_set, since } => {
                write!(f, "replica set {replica_set}, known since {since}, is not in it")
            }
        }
    }
}

/// The moments one base backup can be restored to: all from `from` up to and including `through`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    pub base: BackupName,
    /// Unix seconds at which the backup started; decides between two bases of one moment.
    pub started: u32,
    pub from: OplogTime,
    pub through: OplogTime,
    /// Why not further.
    pub limit: Limit,
}

impl Reach {
    pub fn contains(&self, moment: OplogTime) -> bool {
        self.from <= moment && moment <= self.through
    }
}

/// Coverage and holes of every replica set of a catalog, computed once.
#[derive(Clone, Debug)]
pub struct Survey<'a> {
    pub catalog: &'a Catalog,
    pub coverages: BTreeMap<ReplicaSetName, Coverage>,
}

impl<'a> Survey<'a> {
    pub fn of(catalog: &'a Catalog) -> Self {
        let coverages = catalog.replica_sets().into_iter().map(|name| (name.clone(), Coverage::of(catalog, &name))).collect();
        Self { catalog, coverages }
    }

    pub fn coverage(&self, replica_set: &ReplicaSetName) -> &Coverage {
        static NOTHING: Coverage = Coverage::nothing();
        self.coverages.get(replica_set).unwrap_or(&NOTHING)
    }

    /// The reaches of all backups from which a restore of `needs` to a point in time may start, oldest first.
    pub fn reaches(&self, needs: &NamespaceSelection) -> Vec<Reach> {
        let usable = self.catalog.backups.iter().filter(|backup| usable_as_base(backup, needs).is_ok());
        let mut reaches: Vec<_> = usable.filter_map(|backup| self.reach(backup)).collect();
        reaches.sort_by(|a, b| (a.from, a.started, &a.base).cmp(&(b.from, b.started, &b.base)));
        reaches
    }

    /// How far `backup` reaches, whatever its selection. `None` when it names no replica set.
    pub fn reach(&self, backup: &Backup) -> Option<Reach> {
        let limits = self.coverages.keys().filter_map(|name| self.limit(backup, name));
        let (through, limit) = limits.min_by_key(|(through, _)| *through)?;
        Some(Reach { base: backup.name.clone(), started: backup.started, from: backup.consistent_at(), through, limit })
    }

    /// What `replica_set` lets `backup` reach, and why not more. `None` when it sets no limit.
    fn limit(&self, backup: &Backup, replica_set: &ReplicaSetName) -> Option<(OplogTime, Limit)> {
        let from = backup.consistent_at();
        let coverage = self.coverage(replica_set);
        let Some(snapshot) = backup.snapshot(replica_set) else {
            // Not in the base: no limit as long as it had not joined the cluster, nor when it had left before.
            let joined = coverage.stretches().iter().find(|stretch| stretch.through > from)?;
            let since = joined.after;
            return Some((since.max(from), Limit::NotInBase { replica_set: replica_set.clone(), since }));
        };
        let end = coverage.reach(snapshot.oplog.through);
        let hole = self.gaps(replica_set).into_iter().find(|gap| gap.range.after == end);
        let limit = match hole {
            Some(gap) => Limit::Hole(gap),
            None => Limit::OplogEnds { replica_set: replica_set.clone(), at: end },
        };
        Some((end.max(from), limit))
    }

    /// What is missing of a replica set's oplog, oldest first: every hole between covered stretches and every recorded hole
    /// that nothing has filled since. A hole takes the reason of the record that overlaps it, the rest of it is `NotSliced`.
    pub fn gaps(&self, replica_set: &ReplicaSetName) -> Vec<Gap> {
        let coverage = self.coverage(replica_set);
        let recorded = self.catalog.recorded_gaps.get(replica_set).map_or(&[][..], Vec::as_slice);
        let gap = |range, reason: &GapReason| Gap { replica_set: replica_set.clone(), range, reason: reason.clone() };

        let mut gaps: Vec<Gap> = Vec::new();
        let mut told: Vec<OplogRange> = Vec::new();
        for record in recorded {
            for uncovered in coverage.missing(record.range) {
                for range in subtract(uncovered, &told) {
                    gaps.push(gap(range, &record.reason));
                }
            }
            told.push(record.range);
            told.sort();
            told = joined(told);
        }
        for pair in coverage.stretches().windows(2) {
            let hole = OplogRange::new(pair[0].through, pair[1].after);
            gaps.extend(subtract(hole, &told).into_iter().map(|range| gap(range, &GapReason::NotSliced)));
        }
        gaps.sort_by_key(|gap| gap.range);
        gaps
    }
}

/// Why a backup cannot be the base of a restore to a point in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotABase {
    #[error(transparent)]
    Problem(#[from] BackupProblem),
    #[error("it is not a logical backup")]
    Kind,
    #[error("it names no replica set")]
    Empty,
    #[error("it holds only {0}")]
    Selection(NamespaceSelection),
}

/// Whether a restore of `needs` to a point in time may start from `backup`. A selective one serves when it holds all of `needs`.
pub fn usable_as_base(backup: &Backup, needs: &NamespaceSelection) -> Result<(), NotABase> {
    usable(backup)?;
    if backup.selection.covers(needs) { Ok(()) } else { Err(NotABase::Selection(backup.selection.clone())) }
}

/// Whether `backup` can be restored at all, to its own moment.
pub fn usable(backup: &Backup) -> Result<(), NotABase> {
    if let Some(problem) = &backup.problem {
        return Err(problem.clone().into());
    }
    if backup.kind != BackupKind::Logical {
        return Err(NotABase::Kind);
    }
    if backup.snapshots.is_empty() { Err(NotABase::Empty) } else { Ok(()) }
}
