//! Over 10,000 random repositories and policies: what is promised stays restorable, nothing is made to look better than it is, wherever the
//! deletion stops. The promises are read here entry by entry, without the help of what is tested.

use proptest::prelude::*;

use super::*;
use crate::backup::Backup;
use crate::diagram::replica_set;
use crate::namespace::NamespaceSelection;
use crate::plan::proof::assert_sound;
use crate::plan::{Moment, choose};
use crate::slice::Slice;
use crate::timeline::restorable;

const ENTRIES: u32 = 36;
/// 2026-11-27: the last days of a November.
const BEGIN: u32 = 1_795_737_600;

#[derive(Clone, Debug)]
struct World {
    catalog: Catalog,
    /// Seconds between two entries.
    unit: u32,
    policy: Policy,
    scope: Scope,
    now: u32,
}

fn entry(unit: u32, number: u32) -> OplogTime {
    OplogTime::new(BEGIN + number * unit, 1)
}

type Part = (u32, u32);

#[derive(Clone, Debug)]
struct DrawnBackup {
    which: u8,
    parts: [Part; 2],
    kind: u8,
    governed: bool,
    moment_only: bool,
}

fn drawn_backup() -> impl Strategy<Value = DrawnBackup> {
    let part = || (0..ENTRIES - 1, 0..6u32).prop_map(|(after, length)| (after, (after + length).min(ENTRIES - 1)));
    let near = (part(), 0..4u32, 0..4u32, any::<bool>(), part());
    // Mostly one run over both replica sets, as backups of a cluster are.
    let parts = near.prop_map(|((after, through), later, longer, apart, other)| {
        let second = ((after + later).min(ENTRIES - 1), (through + later.max(longer)).min(ENTRIES - 1));
        [(after, through), if apart { other } else { second }]
    });
    (0..5u8, parts, 0..10u8, prop::bool::weighted(0.7), any::<bool>()).prop_map(|(which, parts, kind, governed, moment_only)| DrawnBackup {
        which,
        parts,
        kind,
        governed,
        moment_only,
    })
}

fn backup(index: usize, drawn: &DrawnBackup, unit: u32) -> Backup {
    let selective = drawn.kind == 0;
    let letter = char::from(if selective { b'a' } else { b'A' } + u8::try_from(index).expect("few backups"));
    let mut backup = catalog(&format!("rs0   {letter}\nrs1   {letter}")).backups.remove(0);
    for (snapshot, (after, through)) in backup.snapshots.iter_mut().zip(drawn.parts) {
        snapshot.oplog = OplogRange::new(entry(unit, after), entry(unit, through));
    }
    match drawn.which {
        0 => drop(backup.snapshots.remove(1)),
        1 => drop(backup.snapshots.remove(0)),
        _ => {}
    }
    backup.started = backup.snapshots.iter().map(|snapshot| snapshot.oplog.after.seconds).min().unwrap_or(0);
    backup.finished = backup.consistent_at().seconds;
    if drawn.kind == 1 {
        backup.problem = Some(BackupProblem::MissingObject("x".to_owned()));
    }
    backup
}

/// Chains of slices with some missing, and some that overlap.
fn drawn_slices() -> impl Strategy<Value = Vec<(u8, Part)>> {
    let chain = (0..10u32, prop::collection::vec((1..5u32, prop::bool::weighted(0.88)), 0..12)).prop_map(|(begin, pieces)| {
        let mut position = begin;
        let mut slices = Vec::new();
        for (length, there) in pieces {
            let end = (position + length).min(ENTRIES);
            if there && position < end {
                slices.push((position, end));
            }
            position = end;
        }
        slices
    });
    let stray = (0..2u8, (0..ENTRIES, 0..5u32).prop_map(|(after, length)| (after, (after + length).min(ENTRIES))));
    (chain.clone(), chain, prop::collection::vec(stray, 0..3)).prop_map(|(first, second, strays)| {
        let chains = first.into_iter().map(|part| (0, part)).chain(second.into_iter().map(|part| (1, part)));
        chains.chain(strays).collect()
    })
}

fn policies(unit: u32) -> impl Strategy<Value = Policy> {
    let small = || prop_oneof![2 => Just(0), 1 => 1..4u32];
    let rules = (small(), small(), small(), small(), small());
    (rules, prop_oneof![1 => Just(0), 1 => 1..ENTRIES], prop_oneof![2 => Just(0), 1 => 1..ENTRIES]).prop_map(
        move |((count, daily, weekly, monthly, yearly), window, age)| Policy {
            count,
            days: (age * unit).div_ceil(86_400),
            window_seconds: u64::from(window) * u64::from(unit),
            daily,
            weekly,
            monthly,
            yearly,
        },
    )
}

fn worlds() -> impl Strategy<Value = World> {
    let unit = prop_oneof![Just(3_600), Just(6 * 3_600), Just(86_400), Just(20 * 86_400)];
    let drawn = (prop::collection::vec(drawn_backup(), 0..7), drawn_slices(), any::<bool>(), 0..4u32);
    (drawn, unit).prop_flat_map(|((backups, slices, everything, late), unit)| {
        policies(unit).prop_map(move |policy| {
            let mut catalog = Catalog::default();
            let mut named = Vec::new();
            for (index, drawn) in backups.iter().enumerate() {
                let backup = backup(index, drawn, unit);
                named.push((backup.name.clone(), drawn.governed, drawn.moment_only));
                catalog.backups.push(backup);
            }
            catalog.backups.sort_by_key(|backup| (backup.consistent_at(), backup.started));
            for (index, (which, (after, through))) in slices.iter().enumerate() {
                let replica_set = replica_set(if *which == 0 { "rs0" } else { "rs1" });
                let range = OplogRange::new(entry(unit, *after), entry(unit, *through));
                let slice = Slice { replica_set: replica_set.clone(), range, name: format!("{index}").into(), bytes: 1 };
                catalog.slices.entry(replica_set).or_default().push(slice);
            }
            catalog.slices.values_mut().for_each(|slices| slices.sort_by_key(|slice| slice.range));
            let governed = named.iter().filter(|(_, governed, _)| *governed).map(|(name, ..)| name.clone());
            let moments = named.iter().filter(|(_, governed, only)| !*governed && *only).map(|(name, ..)| name.clone());
            let scope = if everything { Scope::everything() } else { Scope::of(governed).moments_only(moments) };
            World { catalog, unit, policy, scope, now: entry(unit, ENTRIES + late).seconds }
        })
    })
}

fn names() -> [ReplicaSetName; 2] {
    [replica_set("rs0"), replica_set("rs1")]
}

fn is_covered(catalog: &Catalog, name: &ReplicaSetName, moment: OplogTime) -> bool {
    let sound = catalog.backups.iter().filter(|backup| backup.problem.is_none());
    let oplogs = sound.filter_map(|backup| backup.snapshot(name)).map(|snapshot| snapshot.oplog);
    oplogs.chain(catalog.slices_of(name).iter().map(|slice| slice.range)).any(|range| range.contains(moment))
}

impl World {
    fn entries(&self) -> impl Iterator<Item = OplogTime> + Clone {
        let unit = self.unit;
        (0..=ENTRIES).map(move |number| entry(unit, number))
    }

    /// Whether `base` can be restored to `moment`, by the words of the rule: every entry on the way is there, for every replica set, and no
    /// replica set is there that the base does not hold.
    fn reaches(&self, catalog: &Catalog, base: &Backup, moment: OplogTime) -> bool {
        let own = base.consistent_at();
        let whole = |name: &ReplicaSetName| match base.snapshot(name) {
            Some(snapshot) => self
                .entries()
                .filter(|entry| snapshot.oplog.through < *entry && *entry <= moment)
                .all(|entry| is_covered(catalog, name, entry)),
            None => !self.entries().any(|entry| own < entry && entry <= moment && is_covered(catalog, name, entry)),
        };
        moment == own || (moment > own && names().iter().all(whole))
    }

    /// What nobody may take away: the moments, each with who promised it.
    fn promises(&self) -> Vec<(OplogTime, &'static str)> {
        let before = &self.catalog;
        let bases: Vec<_> = before.backups.iter().filter(|backup| backup.is_base()).collect();
        let mut promises = Vec::new();
        for base in &bases {
            let untouched = self.policy.keeps_everything() || (!self.scope.governs(&base.name) && self.scope.holds_its_reach(&base.name));
            let counted = self.scope.governs(&base.name) && self.must_keep(base);
            for moment in self.entries().filter(|moment| self.reaches(before, base, *moment)) {
                if untouched {
                    promises.push((moment, "a backup that the policy is not about"));
                } else if self.policy.window_seconds > 0 {
                    if u64::from(moment.seconds) + self.policy.window_seconds >= u64::from(self.now) {
                        promises.push((moment, "the window"));
                    }
                } else if counted {
                    promises.push((moment, "a backup that a rule keeps"));
                }
            }
        }
        promises
    }

    /// Whether a rule keeps the governed, sound `backup`: read from the documentation of the policy, one rule after the other.
    fn must_keep(&self, backup: &Backup) -> bool {
        let (policy, moment) = (&self.policy, backup.consistent_at());
        let same = |other: &&Backup| {
            let shares = other.snapshots.iter().any(|snapshot| backup.snapshot(&snapshot.replica_set).is_some());
            other.problem.is_none() && self.scope.governs(&other.name) && other.selection == backup.selection && shares
        };
        let order = |backup: &Backup| (backup.consistent_at(), backup.started, backup.name.clone());
        let newer: Vec<_> = self.catalog.backups.iter().filter(same).filter(|other| order(other) > order(backup)).collect();
        let in_calendar = |rule: Rule| {
            let own = rule.stretch(moment);
            let mut stretches: Vec<_> = newer.iter().map(|other| rule.stretch(other.consistent_at())).collect();
            let newest = !stretches.contains(&own);
            stretches.sort();
            stretches.dedup();
            newest && stretches.len() < policy.stretches(rule) as usize
        };
        (newer.len() < policy.count as usize)
            || (policy.days > 0 && u64::from(moment.seconds) + u64::from(policy.days) * 86_400 >= u64::from(self.now))
            || (policy.window_seconds > 0 && u64::from(moment.seconds) + policy.window_seconds >= u64::from(self.now))
            || Rule::ALL.into_iter().any(in_calendar)
            || newer.is_empty()
    }
}

/// The catalog after the first `steps` deletions, in their order.
fn stopped(catalog: &Catalog, deletions: &Deletions, steps: usize) -> Catalog {
    let mut left = catalog.clone();
    let backups: Vec<_> = deletions.backups.iter().take(steps).map(|backup| &backup.name).collect();
    left.backups.retain(|backup| !backups.contains(&&backup.name));
    for slice in deletions.slices.iter().take(steps.saturating_sub(deletions.backups.len())) {
        if let Some(slices) = left.slices.get_mut(&slice.replica_set) {
            slices.retain(|kept| kept.name != slice.name);
        }
    }
    left
}

fn can(catalog: &Catalog) -> impl Fn(OplogTime) -> bool + use<> {
    let ranges = restorable(catalog, &NamespaceSelection::Everything);
    move |moment| ranges.iter().any(|range| range.contains(moment))
}

fn check(world: &World) -> Result<(), TestCaseError> {
    let before = &world.catalog;
    let verdicts = retention(before, &world.policy, &world.scope, world.now);
    prop_assert_eq!(verdicts.backups.len(), before.backups.len());
    prop_assert_eq!(verdicts.slices.len(), before.slices.values().map(Vec::len).sum::<usize>());
    let all = verdicts.backups.iter().map(|judged| &judged.verdict).chain(verdicts.slices.iter().map(|judged| &judged.verdict));
    for verdict in all {
        prop_assert!(!verdict.reasons().is_empty() && verdict.reasons().iter().all(|reason| !reason.to_string().is_empty()));
    }
    for judged in &verdicts.backups {
        let backup = judged.item;
        let protected = !world.scope.governs(&backup.name) || (backup.problem.is_none() && world.must_keep(backup));
        prop_assert!(judged.verdict.is_keep() || !protected, "{:?} must stay: {:?}", backup.name, judged.verdict);
    }

    let deletions = verdicts.deletions();
    let after = verdicts.after(before);
    let (could, can_now) = (can(before), can(&after));
    for (moment, whose) in world.promises() {
        prop_assert!(can_now(moment), "{moment:?}, promised by {whose}, is gone");
        if deletions.is_empty() {
            continue;
        }
        let choice = choose(&after, &Moment::At(moment), &NamespaceSelection::Everything);
        assert_sound(&after, &choice.expect("a moment of the timeline has a plan"));
    }
    for backup in after.backups.iter().filter(|backup| backup.problem.is_none()) {
        let plan = |catalog| choose(catalog, &Moment::Backup(backup.name.clone()), &NamespaceSelection::Everything);
        let (then, now) = (plan(before).expect("it was sound"), plan(&after).expect("what is kept is sound"));
        assert_sound(&after, &now);
        let ends = |choice: &crate::plan::Choice| choice.parts.iter().map(|part| part.through).collect::<Vec<_>>();
        prop_assert_eq!(ends(&then), ends(&now), "{:?} is less whole than it was", &backup.name);
    }
    let told = lost(before, &after);
    for moment in world.entries() {
        if could(moment) && !can_now(moment) {
            prop_assert!(told.iter().any(|range| range.contains(moment)), "{moment:?} is lost and not told");
        }
    }
    // Each replica set alone: several that are no cluster may share the folder.
    if world.policy.window_seconds > 0 {
        for name in names() {
            let (could, can_now) = (can(&before.only(std::slice::from_ref(&name))), can(&after.only(std::slice::from_ref(&name))));
            for moment in world.entries().filter(|moment| u64::from(moment.seconds) + world.policy.window_seconds >= u64::from(world.now)) {
                prop_assert!(!could(moment) || can_now(moment), "{moment:?} of {name} alone is gone");
            }
        }
    }
    // Wherever it stops, nothing looks restorable that was not.
    for steps in 0..=deletions.backups.len() + deletions.slices.len() {
        let can_then = can(&stopped(before, &deletions, steps));
        for moment in world.entries() {
            prop_assert!(could(moment) || !can_then(moment), "{moment:?} seems restorable after {steps} deletions");
            prop_assert!(!can_now(moment) || can_then(moment), "{moment:?} is away after {steps} deletions and comes back");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_promised_moment_keeps_a_whole_plan_wherever_the_deletion_stops(world in worlds()) {
        check(&world)?;
    }
}
