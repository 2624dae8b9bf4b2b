//! Which backup a restore starts from, and which oplog carries it on to the moment asked for.
//!
//! The newest base whose chain of oplog is whole on every replica set is taken, not simply the newest base: an older one
//! with a longer replay is better than none. A base whose own moment equals the target serves. What was passed over is told.
//!
//! A selective backup is a base when it holds all that is needed. What was *renamed into* the needed namespaces from
//! elsewhere is then in no snapshot; whoever replays the oplog must notice that, it cannot be seen from the catalog.

use std::fmt;

use crate::backup::{Backup, BackupName, Snapshot};
use crate::catalog::{Catalog, Gap, GapReason};
use crate::coverage::{OplogPiece, OplogSource};
use crate::namespace::{NamespaceSelection, ReplicaSetName};
use crate::reach::{Limit, NotABase, Reach, Survey, usable, usable_as_base};
use crate::slice::Slice;
use crate::time::{OplogRange, OplogTime};
use crate::timeline::merge;

/// The moment to restore to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Everything up to and including this time.
    At(OplogTime),
    /// The newest moment that can be restored on all replica sets.
    Latest,
    /// The moment of this backup. It may be a selective one.
    Backup(BackupName),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(time) => write!(f, "{time}"),
            Self::Latest => f.write_str("the latest moment"),
            Self::Backup(name) => write!(f, "the moment of backup {name}"),
        }
    }
}

/// What to restore one replica set from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub replica_set: ReplicaSetName,
    pub snapshot: Snapshot,
    /// In order, each entry once. The first piece is the base's own oplog; its range begins just before `snapshot.oplog.after`,
    /// because the entry at that time (the first of an open transaction, say) counts.
    pub oplog: Vec<OplogPiece>,
    /// The last moment that `oplog` covers. Earlier than the choice's only when a whole backup is restored whose replica
    /// sets ended apart and nothing later of this one is on the storage.
    pub through: OplogTime,
    /// Slices with entries later than the restored moment: the writes that will be lost. By range; the first may begin before it.
    pub writes_after: Vec<Slice>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub base: BackupName,
    /// The state after this entry is what will be restored.
    pub through: OplogTime,
    /// The newest moment that could be restored.
    pub newest: OplogTime,
    /// The replica sets of the base, sorted by name.
    pub parts: Vec<Part>,
    /// Bases newer than the one taken that were passed over, newest first, each with its reason.
    pub why: Vec<String>,
}

/// The restorable moments next to one that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Nearest {
    pub before: Option<OplogTime>,
    pub after: Option<OplogTime>,
}

impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.before, self.after) {
            (Some(before), Some(after)) => write!(f, "the nearest moments that can be restored are {before} and {after}"),
            (Some(before), None) => write!(f, "the nearest moment that can be restored is {before}"),
            (None, Some(after)) => write!(f, "the nearest moment that can be restored is {after}"),
            (None, None) => f.write_str("no moment can be restored"),
        }
    }
}

/// Why there is nothing to restore the moment from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("no backup can be the base of this restore{}", told(.unusable))]
    NoBackup {
        /// Backups that are there, newest first, each with the reason against it.
        unusable: Vec<(BackupName, NotABase)>,
    },
    #[error("there is no backup `{name}`; {}", known_backups(.known))]
    UnknownBackup { name: BackupName, known: Vec<BackupName> },
    #[error("backup {name} cannot be restored: {why}")]
    BackupUnusable { name: BackupName, why: NotABase },
    #[error("backup {name} holds only {holds}, not all of {needs}")]
    NotInBackup { name: BackupName, holds: NamespaceSelection, needs: NamespaceSelection },
    #[error("no backup is old enough for {target}: the oldest moment that can be restored is {oldest}")]
    TooEarly { target: OplogTime, oldest: OplogTime },
    #[error("nothing is stored as late as {target}: the newest moment that can be restored is {newest}")]
    TooLate { target: OplogTime, newest: OplogTime },
    #[error("the oplog of {} is missing {} on the way to {target} ({}); {nearest}", .gap.replica_set, .gap.range, .gap.reason)]
    Gap { target: OplogTime, gap: Gap, nearest: Nearest },
    #[error("replica set {replica_set} joined the cluster at {since} and is not in backup {base}, the base for {target}; {nearest}")]
    ReplicaSetNotInBase { target: OplogTime, base: BackupName, replica_set: ReplicaSetName, since: OplogTime, nearest: Nearest },
}

impl PlanError {
    /// The good moments next to the one that was asked for, where there are any.
    pub fn nearest(&self) -> Nearest {
        match self {
            Self::TooEarly { oldest, .. } => Nearest { before: None, after: Some(*oldest) },
            Self::TooLate { newest, .. } => Nearest { before: Some(*newest), after: None },
            Self::Gap { nearest, .. } | Self::ReplicaSetNotInBase { nearest, .. } => *nearest,
            _ => Nearest::default(),
        }
    }
}

fn told(unusable: &[(BackupName, NotABase)]) -> String {
    if unusable.is_empty() {
        return ": there is none on the storage; take one with `oplogue backup`".to_owned();
    }
    unusable.iter().map(|(name, why)| format!("; {name}: {why}")).collect()
}

fn known_backups(known: &[BackupName]) -> String {
    if known.is_empty() {
        return "there is none at all on the storage".to_owned();
    }
    // A long list hides the error.
    let shown = known.iter().rev().take(10).map(BackupName::as_str).collect::<Vec<_>>().join(", ");
    let more = known.len().saturating_sub(10);
    if more == 0 { format!("known are {shown}") } else { format!("the newest are {shown}, and {more} older ones") }
}

/// Decides what to restore `needs` at `moment` from. See the module's header.
pub fn choose(catalog: &Catalog, moment: &Moment, needs: &NamespaceSelection) -> Result<Choice, PlanError> {
    let survey = Survey::of(catalog);
    if let Moment::Backup(name) = moment {
        return choose_backup(&survey, name, needs);
    }
    let reaches = survey.reaches(needs);
    let Some(newest) = reaches.iter().map(|reach| reach.through).max() else {
        return Err(PlanError::NoBackup { unusable: unusable(catalog, needs) });
    };
    let target = if let Moment::At(time) = moment { *time } else { newest };
    // Oldest first, so the last that serves is the newest.
    let Some(taken) = reaches.iter().rposition(|reach| reach.contains(target)) else {
        return Err(out_of_reach(&reaches, target));
    };
    let reach = &reaches[taken];
    let base = catalog.backup(&reach.base).expect("every reach names a backup of the catalog it was computed from");
    Ok(Choice {
        base: base.name.clone(),
        through: target,
        newest,
        parts: base.snapshots.iter().map(|snapshot| part(&survey, base, snapshot, target)).collect(),
        why: passed_over(catalog, needs, &reaches, reach, target),
    })
}

fn choose_backup(survey: &Survey<'_>, name: &BackupName, needs: &NamespaceSelection) -> Result<Choice, PlanError> {
    let catalog = survey.catalog;
    let Some(base) = catalog.backup(name) else {
        let known = catalog.backups.iter().map(|backup| backup.name.clone()).collect();
        return Err(PlanError::UnknownBackup { name: name.clone(), known });
    };
    usable(base).map_err(|why| PlanError::BackupUnusable { name: name.clone(), why })?;
    // Everything means: everything that is in it.
    if !needs.is_everything() && !base.selection.covers(needs) {
        return Err(PlanError::NotInBackup { name: name.clone(), holds: base.selection.clone(), needs: needs.clone() });
    }
    let through = base.consistent_at();
    let newest = survey.reaches(needs).iter().map(|reach| reach.through).max().unwrap_or(through).max(through);
    let parts = base.snapshots.iter().map(|snapshot| part(survey, base, snapshot, through)).collect();
    Ok(Choice { base: name.clone(), through, newest, parts, why: Vec::new() })
}

fn part(survey: &Survey<'_>, base: &Backup, snapshot: &Snapshot, target: OplogTime) -> Part {
    let replica_set = &snapshot.replica_set;
    let coverage = survey.coverage(replica_set);
    let own = OplogPiece {
        source: OplogSource::BackupOplog { backup: base.name.clone() },
        range: OplogRange::new(snapshot.oplog.after.predecessor(), snapshot.oplog.through),
    };
    let through = coverage.reach(snapshot.oplog.through).min(target);
    let rest = coverage.chain(OplogRange::new(snapshot.oplog.through, through));
    let rest = rest.expect("everything up to the reach of a moment is covered");
    let mut writes_after: Vec<_> =
        survey.catalog.slices_of(replica_set).iter().filter(|slice| slice.range.through > target).cloned().collect();
    writes_after.sort_by_key(|slice| slice.range);
    Part {
        replica_set: replica_set.clone(),
        snapshot: snapshot.clone(),
        oplog: std::iter::once(own).chain(rest).collect(),
        through: through.max(snapshot.oplog.through),
        writes_after,
    }
}

/// The error for a target that no reach contains. `reaches` is not empty.
fn out_of_reach(reaches: &[Reach], target: OplogTime) -> PlanError {
    let ranges = merge(reaches);
    let nearest = Nearest {
        before: ranges.iter().map(|range| range.through).filter(|through| *through < target).max(),
        after: ranges.iter().map(|range| range.from).filter(|from| *from > target).min(),
    };
    let Some(base) = reaches.iter().rfind(|reach| reach.from < target) else {
        return PlanError::TooEarly { target, oldest: nearest.after.unwrap_or(target) };
    };
    match &base.limit {
        Limit::Hole(gap) => PlanError::Gap { target, gap: gap.clone(), nearest },
        Limit::NotInBase { replica_set, since } => {
            PlanError::ReplicaSetNotInBase { target, base: base.base.clone(), replica_set: replica_set.clone(), since: *since, nearest }
        }
        // A shard that left the cluster: its oplog ends here, and later bases do without it.
        Limit::OplogEnds { replica_set, at } if nearest.after.is_some() => {
            let range = OplogRange::new(*at, nearest.after.unwrap_or(target));
            PlanError::Gap { target, gap: Gap { replica_set: replica_set.clone(), range, reason: GapReason::NotSliced }, nearest }
        }
        Limit::OplogEnds { .. } => PlanError::TooLate { target, newest: nearest.before.unwrap_or(base.through) },
    }
}

/// All backups that cannot be the base, newest first.
fn unusable(catalog: &Catalog, needs: &NamespaceSelection) -> Vec<(BackupName, NotABase)> {
    let judged = catalog.backups.iter().rev();
    judged.filter_map(|backup| Some((backup.name.clone(), usable_as_base(backup, needs).err()?))).collect()
}

fn passed_over(catalog: &Catalog, needs: &NamespaceSelection, reaches: &[Reach], taken: &Reach, target: OplogTime) -> Vec<String> {
    let mut lines = Vec::new();
    for backup in catalog.backups.iter().rev() {
        let moment = backup.consistent_at();
        let newer = (moment, backup.started, &backup.name) > (taken.from, taken.started, &taken.base);
        if !newer || moment > target {
            continue;
        }
        let reach = reaches.iter().find(|reach| reach.base == backup.name);
        match (reach, usable_as_base(backup, needs)) {
            (Some(reach), _) => lines.push(format!("{}: {}", backup.name, reach.limit)),
            (None, Err(why)) => lines.push(format!("{}: {why}", backup.name)),
            (None, Ok(())) => {}
        }
    }
    lines
}

#[cfg(test)]
pub(crate) mod proof;
#[cfg(test)]
mod tests;
