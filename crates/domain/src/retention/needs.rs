//! What the kept backups need of the oplog: which slices, and which other backups whose oplog takes the place of slices.

use std::collections::{BTreeMap, BTreeSet};

use crate::backup::BackupName;
use crate::catalog::Catalog;
use crate::coverage::{Coverage, OplogSource};
use crate::namespace::ReplicaSetName;
use crate::reach::{Limit, Survey};
use crate::slice::Slice;
use crate::time::{OplogRange, OplogTime};

use super::is_sound;
use super::policy::Scope;
use super::reason::Reason;
use super::verdicts::Verdict;

/// The needs, per replica set.
#[derive(Debug, Default)]
pub(super) struct Needs {
    of: BTreeMap<ReplicaSetName, Need>,
}

#[derive(Debug, Default)]
struct Need {
    /// Everything later is kept: the end of the oldest backup from which every moment is wanted. `None`: everything is kept.
    floor: Option<(OplogTime, BackupName)>,
    /// Stretches that are needed below the floor, each with the reason.
    ranges: Vec<(OplogRange, Reason)>,
    /// Slices that are needed for what they show, not for what is in them.
    pinned: BTreeMap<OplogRange, Reason>,
    newest: Option<OplogRange>,
}

/// A stretch of oplog that must stay whole.
struct Chain {
    replica_set: ReplicaSetName,
    range: OplogRange,
    /// For whom.
    base: BackupName,
}

impl Needs {
    /// `holders`: backups whose whole reach is wanted. Keeps further backups where the oplog in them is needed.
    pub(super) fn of(survey: &Survey<'_>, scope: &Scope, holders: &BTreeSet<usize>, verdicts: &mut [Verdict]) -> Self {
        let mut needs = Self::default();
        for name in survey.coverages.keys() {
            let newest = survey.catalog.newest_slice(name).map(|slice| slice.range);
            needs.of.insert(name.clone(), Need { newest, ..Need::default() });
        }
        let mut chains = needs.of_reaches(survey, scope, holders);
        let mut known = BTreeSet::new();
        // Every round keeps at least one more backup, or is the last.
        loop {
            let kept: BTreeSet<usize> = (0..verdicts.len()).filter(|index| verdicts[*index].is_keep()).collect();
            if kept == known {
                return needs;
            }
            for index in kept.difference(&known).filter(|index| is_sound(&survey.catalog.backups[**index])) {
                chains.extend(needs.of_own_moment(survey, *index));
                needs.pin_what_limits(survey, *index, verdicts);
            }
            needs.bridge(survey, &chains, verdicts);
            known = kept;
        }
    }

    /// What carries restores on from the backups whose whole reach is wanted.
    fn of_reaches(&mut self, survey: &Survey<'_>, scope: &Scope, holders: &BTreeSet<usize>) -> Vec<Chain> {
        let mut chains = Vec::new();
        for (index, backup) in survey.catalog.backups.iter().enumerate().filter(|(_, backup)| is_sound(backup)) {
            let governed = holders.contains(&index);
            if !governed && !scope.holds_its_reach(&backup.name) {
                continue;
            }
            for snapshot in &backup.snapshots {
                let Some(need) = self.of.get_mut(&snapshot.replica_set) else { continue };
                let from = snapshot.oplog.through;
                let range = OplogRange::new(from, survey.coverage(&snapshot.replica_set).reach(from));
                if !governed {
                    need.ranges.push((range, Reason::ReadFromOther { base: backup.name.clone() }));
                } else if need.floor.as_ref().is_none_or(|(floor, _)| from < *floor) {
                    need.floor = Some((from, backup.name.clone()));
                }
                chains.push(Chain { replica_set: snapshot.replica_set.clone(), range, base: backup.name.clone() });
            }
        }
        chains
    }

    /// Where the replica sets of a backup ended apart, the later oplog of the earlier ones belongs to it.
    fn of_own_moment(&mut self, survey: &Survey<'_>, index: usize) -> Vec<Chain> {
        let backup = &survey.catalog.backups[index];
        let mut chains = Vec::new();
        for snapshot in &backup.snapshots {
            let from = snapshot.oplog.through;
            let range = OplogRange::new(from, survey.coverage(&snapshot.replica_set).reach(from).min(backup.consistent_at()));
            if range.is_empty() {
                continue;
            }
            if let Some(need) = self.of.get_mut(&snapshot.replica_set) {
                need.ranges.push((range, Reason::MakesConsistent { backup: backup.name.clone() }));
            }
            chains.push(Chain { replica_set: snapshot.replica_set.clone(), range, base: backup.name.clone() });
        }
        chains
    }

    /// Where a replica set that a backup does not hold ends its reach, something of that replica set must stay, or the backup would
    /// seem to reach further.
    fn pin_what_limits(&mut self, survey: &Survey<'_>, index: usize, verdicts: &mut [Verdict]) {
        let backup = &survey.catalog.backups[index];
        let Some(Limit::NotInBase { replica_set, .. }) = survey.reach(backup).map(|reach| reach.limit) else { return };
        let reason = Reason::ShowsJoin { replica_set: replica_set.clone(), base: backup.name.clone() };
        match survey.coverage(&replica_set).first_beyond(backup.consistent_at()) {
            Some(OplogSource::Slice(slice)) => {
                if let Some(need) = self.of.get_mut(&replica_set) {
                    need.pinned.insert(slice.range, reason);
                }
            }
            Some(OplogSource::BackupOplog { backup }) => keep_named(survey.catalog, backup, &reason, verdicts),
            None => {}
        }
    }

    /// Keeps the backups without whose oplog one of the chains would have a hole.
    fn bridge(&self, survey: &Survey<'_>, chains: &[Chain], verdicts: &mut [Verdict]) {
        for name in survey.coverages.keys() {
            let mut left = Catalog::default();
            let kept = survey.catalog.backups.iter().zip(&*verdicts).filter(|(_, verdict)| verdict.is_keep());
            left.backups = kept.map(|(backup, _)| backup.clone()).collect();
            let slices = survey.catalog.slices_of(name).iter().filter(|slice| self.judge(slice).is_keep());
            left.slices.insert(name.clone(), slices.cloned().collect());
            let left = Coverage::of(&left, name);
            for chain in chains.iter().filter(|chain| chain.replica_set == *name) {
                for hole in left.missing(chain.range) {
                    let whole = survey.coverage(name).chain(hole).unwrap_or_default();
                    for piece in whole {
                        if let OplogSource::BackupOplog { backup } = piece.source {
                            keep_named(survey.catalog, &backup, &Reason::Bridges { base: chain.base.clone() }, verdicts);
                        }
                    }
                }
            }
        }
    }

    pub(super) fn judge(&self, slice: &Slice) -> Verdict {
        let no_base = || Verdict::Keep(vec![Reason::NoBase { replica_set: slice.replica_set.clone() }]);
        let Some(need) = self.of.get(&slice.replica_set) else { return no_base() };
        let Some((floor, base)) = &need.floor else { return no_base() };
        let mut verdict = Verdict::Delete(vec![Reason::Before { base: base.clone() }]);
        if slice.range.through > *floor {
            verdict.keep(Reason::ReadFrom { base: base.clone() });
        }
        let touches = |range: &OplogRange| slice.range.after.max(range.after) < slice.range.through.min(range.through);
        if let Some((_, reason)) = need.ranges.iter().find(|(range, _)| touches(range)) {
            verdict.keep(reason.clone());
        }
        // With all that reach as far: while slices are compacted, the shorter of two may be about to go.
        let holds = |range: &OplogRange| slice.range.after <= range.after && range.through <= slice.range.through;
        if let Some((_, reason)) = need.pinned.iter().find(|(range, _)| holds(range)) {
            verdict.keep(reason.clone());
        }
        if need.newest.as_ref().is_some_and(holds) {
            verdict.keep(Reason::SlicingGoesOn);
        }
        verdict
    }
}

fn keep_named(catalog: &Catalog, name: &BackupName, reason: &Reason, verdicts: &mut [Verdict]) {
    for (backup, verdict) in catalog.backups.iter().zip(verdicts) {
        if backup.name == *name {
            verdict.keep(reason.clone());
        }
    }
}
