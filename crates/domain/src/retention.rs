//! What may be deleted, and what must stay, each item with its reasons.
//!
//! Promises: nothing is deletable that a kept backup needs, nor anything that a promised moment needs; and no deletion makes a moment
//! look restorable that is not, neither at the end nor when it stops half-way (as long as it goes in the order of [`Deletions`]).
//!
//! Backups first. A backup is kept when any rule that is set keeps it ([`Policy`]); with no rule set, all are. Rules count the full backups of a
//! replica set together, and those of one selection together, so that a backup of one collection never pushes out a full one. The
//! newest that can be restored is always kept, however old. What cannot be restored counts for nothing and goes when it is
//! [`SAFE_AGE_SECONDS`] old; physical backups and other things that are PBM's alone are never touched. [`Scope`] says which backups the
//! policy is about; all others stay.
//!
//! Slices follow from that:
//!
//! - With a window, every moment of it that can be restored now stays so: the slices from the base at or before its start on are kept, that base
//!   too. Older backups that other rules keep restore to their own moment.
//! - Without a window, the slices from the oldest kept full backup on are kept: every moment since then stays restorable.
//! - Backups that the policy is not about keep whatever is restorable from them, except where the caller says that their own moment is all
//!   that was wanted.
//!
//! A hole that deletion leaves between things that are kept is recorded as [`GapReason::Deleted`], so that nobody takes it for a failure.
//!
//! Deleting a single backup is another question: see [`deletable`].

mod needs;
mod one;
mod policy;
mod reason;
mod rules;
mod shift;
mod verdicts;

use std::collections::BTreeSet;

use crate::backup::{Backup, BackupName, BackupProblem};
use crate::catalog::{Catalog, Gap, GapReason};
use crate::coverage::{Coverage, joined, subtract};
use crate::namespace::ReplicaSetName;
use crate::reach::{Survey, usable};
use crate::time::OplogRange;

use needs::Needs;

pub use one::{Refusal, deletable, deletion_of};
pub use policy::{Policy, Rule, Scope};
pub use reason::Reason;
pub use shift::{gained, lost};
pub use verdicts::{Deletions, Judged, Verdict, Verdicts};

/// How long what looks broken or forgotten is left alone: it may be in the making.
pub const SAFE_AGE_SECONDS: u32 = 24 * 3_600;

/// Every backup, slice and recorded gap of the catalog, with what becomes of it and why. `now`: Unix seconds.
pub fn retention<'a>(catalog: &'a Catalog, policy: &Policy, scope: &Scope, now: u32) -> Verdicts<'a> {
    if policy.keeps_everything() {
        return keep_everything(catalog);
    }
    let mut backups: Vec<Verdict> = catalog.backups.iter().map(|backup| first_look(backup, policy, scope, now)).collect();
    let governed: Vec<usize> =
        (0..backups.len()).filter(|index| is_sound(&catalog.backups[*index]) && scope.governs(&catalog.backups[*index].name)).collect();
    rules::apply(catalog, policy, &governed, now, &mut backups);

    let survey = Survey::of(catalog);
    let holders = rules::holders(&survey, scope, policy.window_start(now), &governed, &mut backups);
    let needs = Needs::of(&survey, scope, &holders, &mut backups);
    keep_namesakes(catalog, &mut backups);

    let slices: Vec<_> = catalog.slices.values().flatten().map(|slice| Judged { item: slice, verdict: needs.judge(slice) }).collect();
    let backups: Vec<_> = catalog.backups.iter().zip(backups).map(|(item, verdict)| Judged { item, verdict }).collect();
    let mut verdicts = Verdicts { backups, slices, gaps: Vec::new(), new_gaps: Vec::new() };
    judge_gaps(&survey, &mut verdicts);
    verdicts
}

fn is_sound(backup: &Backup) -> bool {
    usable(backup).is_ok()
}

fn keep_everything(catalog: &Catalog) -> Verdicts<'_> {
    fn kept<T>(item: &T) -> Judged<'_, T> {
        Judged { item, verdict: Verdict::Keep(vec![Reason::NoRule]) }
    }
    Verdicts {
        backups: catalog.backups.iter().map(kept).collect(),
        slices: catalog.slices.values().flatten().map(kept).collect(),
        gaps: catalog.recorded_gaps.values().flatten().map(kept).collect(),
        new_gaps: Vec::new(),
    }
}

/// The verdict before any rule has spoken: sound backups of the policy are deleted unless something keeps them.
fn first_look(backup: &Backup, policy: &Policy, scope: &Scope, now: u32) -> Verdict {
    if !scope.governs(&backup.name) {
        return Verdict::Keep(vec![Reason::NotGoverned]);
    }
    if let Some(problem) = &backup.problem {
        return broken(backup, problem, now);
    }
    if is_sound(backup) { Verdict::Delete(vec![Reason::NoRuleKeepsIt(*policy)]) } else { Verdict::Keep(vec![Reason::NotOurs]) }
}

fn broken(backup: &Backup, problem: &BackupProblem, now: u32) -> Verdict {
    if one::is_for_pbm_alone(problem) {
        return Verdict::Keep(vec![Reason::NotOurs]);
    }
    let last_sign = backup.finished.max(backup.started);
    let problem = problem.clone();
    if last_sign > 0 && last_sign.saturating_add(SAFE_AGE_SECONDS) <= now {
        Verdict::Delete(vec![Reason::Broken(problem)])
    } else {
        Verdict::Keep(vec![Reason::MayBeInTheMaking(problem)])
    }
}

/// Two metadata objects may speak of one folder; deleting one of the two would take the other's data.
fn keep_namesakes(catalog: &Catalog, verdicts: &mut [Verdict]) {
    let kept: BTreeSet<&BackupName> =
        catalog.backups.iter().zip(&*verdicts).filter(|(_, verdict)| verdict.is_keep()).map(|(backup, _)| &backup.name).collect();
    for (backup, verdict) in catalog.backups.iter().zip(verdicts) {
        if !verdict.is_keep() && kept.contains(&backup.name) {
            verdict.keep(Reason::SharesItsName);
        }
    }
}

/// Which records of gaps still say something, and which gaps the deletion itself makes.
fn judge_gaps<'a>(survey: &Survey<'a>, verdicts: &mut Verdicts<'a>) {
    let catalog = survey.catalog;
    let after = verdicts.after(catalog);
    for name in survey.coverages.keys() {
        let left = Coverage::of(&after, name);
        let new_gaps = holes_of_deletion(survey, &left, name);
        for gap in catalog.recorded_gaps.get(name).into_iter().flatten() {
            let inside = |new: &Gap| new.range.after <= gap.range.after && gap.range.through <= new.range.through;
            let replaced = gap.reason == GapReason::Deleted && new_gaps.iter().any(inside);
            let has_older_neighbour = left.stretches().first().is_none_or(|first| first.after < gap.range.through);
            let verdict = match (replaced, has_older_neighbour) {
                (true, _) => Verdict::Delete(vec![Reason::LongerRecord]),
                (false, true) => Verdict::Keep(vec![Reason::ExplainsAGap]),
                (false, false) => Verdict::Delete(vec![Reason::NothingBefore]),
            };
            verdicts.gaps.push(Judged { item: gap, verdict });
        }
        verdicts.new_gaps.extend(new_gaps);
    }
    // Of replica sets of which nothing else is known.
    let unknown = catalog.recorded_gaps.iter().filter(|(name, _)| !survey.coverages.contains_key(*name)).flat_map(|(_, gaps)| gaps);
    verdicts.gaps.extend(unknown.map(|item| Judged { item, verdict: Verdict::Keep(vec![Reason::ExplainsAGap]) }));
}

/// The stretches between kept oplog that are covered now and will not be, joined with those that earlier deletions left beside them. Without
/// those that are recorded already.
fn holes_of_deletion(survey: &Survey<'_>, left: &Coverage, name: &ReplicaSetName) -> Vec<Gap> {
    let missing_now = |range| survey.coverage(name).missing(range);
    let recorded = survey.catalog.recorded_gaps.get(name).map_or(&[][..], Vec::as_slice);
    let deleted_before: Vec<_> = recorded.iter().filter(|gap| gap.reason == GapReason::Deleted).map(|gap| gap.range).collect();
    let mut ranges = Vec::new();
    for pair in left.stretches().windows(2) {
        let hole = OplogRange::new(pair[0].through, pair[1].after);
        let mut gone = subtract(hole, &missing_now(hole));
        if gone.is_empty() {
            continue;
        }
        gone.extend(deleted_before.iter().filter(|range| hole.after <= range.after && range.through <= hole.through));
        gone.sort();
        ranges.extend(joined(gone));
    }
    ranges.retain(|range| !recorded.iter().any(|gap| gap.range == *range));
    ranges.into_iter().map(|range| Gap { replica_set: name.clone(), range, reason: GapReason::Deleted }).collect()
}

#[cfg(test)]
mod tests;
