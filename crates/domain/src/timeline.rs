//! What can be restored, and what cannot, per replica set and for the cluster as a whole.
//!
//! Promises: a moment inside a range can be restored by `plan::choose` from the same catalog, and a moment outside cannot.
//! Nothing is hidden: a hole carries its reason, and oplog that no base can reach is listed too.

use crate::backup::BackupName;
use crate::catalog::{Catalog, Gap};
use crate::coverage::{joined, subtract};
use crate::namespace::{NamespaceSelection, ReplicaSetName};
use crate::reach::{Reach, Survey};
use crate::time::{OplogRange, OplogTime};

/// Every moment from `from` up to and including `through` can be restored. A backup without oplog after it gives a single
/// moment: `from == through`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestorableRange {
    pub from: OplogTime,
    pub through: OplogTime,
    /// The oldest base: the one whose own moment is `from`.
    pub base: BackupName,
    /// Further bases inside, oldest first; a restore starts from the newest one that reaches its moment.
    pub newer_bases: Vec<BackupName>,
}

impl RestorableRange {
    pub fn contains(&self, moment: OplogTime) -> bool {
        self.from <= moment && moment <= self.through
    }

    pub fn is_single_moment(&self) -> bool {
        self.from == self.through
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSetTimeline {
    pub name: ReplicaSetName,
    /// Oldest first, apart from each other. What this replica set would allow were it alone.
    pub restorable: Vec<RestorableRange>,
    /// Oldest first.
    pub gaps: Vec<Gap>,
    /// Oplog on the storage, oldest first: slices and backups' own.
    pub covered: Vec<OplogRange>,
    /// Sliced oplog that no usable base reaches, oldest first.
    pub unusable: Vec<OplogRange>,
    /// The newest restorable moment.
    pub newest: Option<OplogTime>,
    /// The end of the newest slice or backup oplog, restorable or not.
    pub newest_covered: Option<OplogTime>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Sorted by name.
    pub replica_sets: Vec<ReplicaSetTimeline>,
    /// Moments to which all replica sets can be restored from one base, oldest first.
    pub cluster: Vec<RestorableRange>,
}

impl Timeline {
    /// The newest moment to which the whole cluster can be restored.
    pub fn newest(&self) -> Option<OplogTime> {
        self.cluster.last().map(|range| range.through)
    }

    pub fn replica_set(&self, name: &ReplicaSetName) -> Option<&ReplicaSetTimeline> {
        self.replica_sets.iter().find(|timeline| timeline.name == *name)
    }

    pub fn can_restore(&self, moment: OplogTime) -> bool {
        self.cluster.iter().any(|range| range.contains(moment))
    }
}

/// The timeline of full backups. Selective ones are not bases here; their oplog counts.
pub fn timeline(catalog: &Catalog) -> Timeline {
    let survey = Survey::of(catalog);
    let everything = NamespaceSelection::Everything;
    let reaches = survey.reaches(&everything);
    let replica_sets = survey.coverages.keys().map(|name| replica_set_timeline(&survey, name, &reaches)).collect();
    Timeline { replica_sets, cluster: merge(&reaches) }
}

/// The moments to which `needs` can be restored on all replica sets, selective backups included where they hold `needs`.
pub fn restorable(catalog: &Catalog, needs: &NamespaceSelection) -> Vec<RestorableRange> {
    merge(&Survey::of(catalog).reaches(needs))
}

fn replica_set_timeline(survey: &Survey<'_>, name: &ReplicaSetName, reaches: &[Reach]) -> ReplicaSetTimeline {
    let coverage = survey.coverage(name);
    let bases = reaches.iter().filter_map(|reach| {
        let snapshot = survey.catalog.backup(&reach.base)?.snapshot(name)?;
        Some((reach, snapshot))
    });
    let mut own = Vec::new();
    let mut dumps = Vec::new();
    for (reach, snapshot) in bases {
        own.push(Reach { through: coverage.reach(snapshot.oplog.through).max(reach.from), ..reach.clone() });
        dumps.push(OplogRange::new(snapshot.oplog.after, reach.from));
    }
    let restorable = merge(&own);

    // A slice taken during a dump is not lost oplog: its end carries the restore on.
    let mut used: Vec<_> = restorable.iter().map(|range| OplogRange::new(range.from, range.through)).chain(dumps).collect();
    used.sort();
    let used = joined(used);
    let mut sliced: Vec<_> = survey.catalog.slices_of(name).iter().map(|slice| slice.range).collect();
    sliced.sort();
    let unusable = joined(sliced).into_iter().flat_map(|range| subtract(range, &used)).collect();

    ReplicaSetTimeline {
        name: name.clone(),
        newest: restorable.last().map(|range| range.through),
        restorable,
        gaps: survey.gaps(name),
        covered: coverage.stretches().to_vec(),
        unusable,
        newest_covered: coverage.newest(),
    }
}

/// Joins reaches that share moments. `reaches` must be sorted by `from`.
pub(crate) fn merge(reaches: &[Reach]) -> Vec<RestorableRange> {
    let mut ranges: Vec<RestorableRange> = Vec::new();
    for reach in reaches {
        match ranges.last_mut() {
            Some(last) if reach.from <= last.through => {
                last.through = last.through.max(reach.through);
                last.newer_bases.push(reach.base.clone());
            }
            _ => {
                ranges.push(RestorableRange { from: reach.from, through: reach.through, base: reach.base.clone(), newer_bases: Vec::new() })
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests;
