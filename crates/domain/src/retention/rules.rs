//! Which backups the rules of a policy keep, and which the window needs.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Catalog;
use crate::coverage::{joined, subtract};
use crate::reach::Survey;
use crate::time::{OplogRange, OplogTime};

use super::policy::{Policy, Rule, Scope};
use super::reason::Reason;
use super::verdicts::Verdict;

/// Lets every rule keep what it keeps of `governed`, which are sound backups.
pub(super) fn apply(catalog: &Catalog, policy: &Policy, governed: &[usize], now: u32, verdicts: &mut [Verdict]) {
    for group in groups(catalog, governed) {
        for index in group.iter().take(policy.count as usize) {
            verdicts[*index].keep(Reason::OneOfTheNewest(policy.count));
        }
        for rule in Rule::ALL {
            for (index, stretch) in newest_of_each(catalog, &group, rule).into_iter().take(policy.stretches(rule) as usize) {
                verdicts[index].keep(Reason::NewestOf { rule, stretch });
            }
        }
    }
    let oldest = u64::from(now).saturating_sub(u64::from(policy.days) * 86_400);
    let window = policy.window_start(now);
    for index in governed {
        let moment = catalog.backups[*index].consistent_at();
        if policy.days > 0 && u64::from(moment.seconds) >= oldest {
            verdicts[*index].keep(Reason::NotOlderThan { days: policy.days });
        }
        if let Some(start) = window.filter(|start| *start <= moment) {
            verdicts[*index].keep(Reason::InTheWindow { start });
        }
    }
    // Whatever the rules say: backups may have stopped long ago.
    for newest in groups(catalog, governed).iter().filter_map(|group| group.first()) {
        if !verdicts[*newest].is_keep() {
            verdicts[*newest].keep(Reason::NewestUsable);
        }
    }
}

/// What is counted together: per replica set and selection, newest first.
fn groups(catalog: &Catalog, governed: &[usize]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    for index in governed {
        let backup = &catalog.backups[*index];
        for snapshot in &backup.snapshots {
            groups.entry((snapshot.replica_set.to_string(), backup.selection.to_string())).or_default().push(*index);
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    for group in &mut groups {
        group.sort_by_key(|index| {
            let backup = &catalog.backups[*index];
            std::cmp::Reverse((backup.consistent_at(), backup.started, &backup.name))
        });
    }
    groups
}

/// The newest backup of each stretch of the calendar that has one, newest stretch first. `group` is newest first.
fn newest_of_each(catalog: &Catalog, group: &[usize], rule: Rule) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for index in group {
        let stretch = rule.stretch(catalog.backups[*index].consistent_at());
        if found.last().is_none_or(|(_, known)| *known != stretch) {
            found.push((*index, stretch));
        }
    }
    found
}

/// The full backups from which every moment must stay restorable that is so now. Some are kept for that reason alone.
///
/// Without a window: all that the policy keeps. With one: those inside, and of older ones as few and as new as carry the moments of the
/// window, seen from the cluster as a whole and from each replica set alone, because replica sets that are no cluster may share a folder.
/// The newest of each replica set in any case.
pub(super) fn holders(
    survey: &Survey<'_>,
    scope: &Scope,
    window: Option<OplogTime>,
    governed: &[usize],
    verdicts: &mut [Verdict],
) -> BTreeSet<usize> {
    let catalog = survey.catalog;
    let bases: Vec<usize> = governed.iter().copied().filter(|index| catalog.backups[*index].is_base()).collect();
    let Some(start) = window else {
        return bases.into_iter().filter(|index| verdicts[*index].is_keep()).collect();
    };
    let inside = |index: &usize| start <= catalog.backups[*index].consistent_at();
    let mut holders: BTreeSet<usize> = bases.iter().copied().filter(inside).collect();
    holders.extend(groups(catalog, &bases).iter().filter_map(|group| group.first()));

    #[cfg(feature = "planted-bugs")]
    if crate::planted::is_planted(crate::planted::Bug::BaseOfWindowGoes) {
        return holders;
    }

    let of_window = |range: OplogRange| OplogRange::new(range.after.max(start.predecessor()), range.through);
    for level in levels(survey) {
        let sure = |index: &usize| holders.contains(index) || scope.holds_its_reach(&catalog.backups[*index].name);
        let mut covered: Vec<_> = level.iter().filter(|(index, _)| sure(index)).map(|(_, range)| of_window(*range)).collect();
        // Newest first: a restore should have little to replay.
        for (index, range) in level.iter().rev() {
            covered.retain(|range| !range.is_empty());
            covered.sort();
            if !subtract(of_window(*range), &joined(covered.iter().copied())).is_empty() {
                covered.push(of_window(*range));
                holders.insert(*index);
            }
        }
    }
    for index in holders.iter().filter(|index| !inside(index)) {
        verdicts[*index].keep(Reason::CarriesTheWindow { start });
    }
    holders
}

/// What can be restored from each full backup: by the cluster, then by each replica set alone. `(before the first moment, last moment]`, in
/// the order of the moments.
pub(super) fn levels(survey: &Survey<'_>) -> Vec<Vec<(usize, OplogRange)>> {
    let bases: Vec<_> = survey.catalog.backups.iter().enumerate().filter(|(_, backup)| backup.is_base()).collect();
    let cluster = bases.iter().filter_map(|(index, backup)| {
        let reach = survey.reach(backup)?;
        Some((*index, OplogRange::new(reach.from.predecessor(), reach.through)))
    });
    let mut levels: Vec<Vec<(usize, OplogRange)>> = vec![cluster.collect()];
    for (name, coverage) in &survey.coverages {
        let alone = bases.iter().filter_map(|(index, backup)| {
            let from = backup.consistent_at();
            let through = coverage.reach(backup.snapshot(name)?.oplog.through).max(from);
            Some((*index, OplogRange::new(from.predecessor(), through)))
        });
        levels.push(alone.collect());
    }
    for level in &mut levels {
        level.sort_by_key(|(_, range)| range.after);
    }
    levels
}
