//! Property tests: the timeline, the plan and the resumption against a brute-force reading of the rules, over random catalogs.
//!
//! Time is a handful of entries; an entry is covered or it is not, and every rule becomes a loop over entries.

use proptest::prelude::*;

use crate::backup::Backup;
use crate::catalog::{Catalog, Gap, GapReason};
use crate::diagram::{catalog as drawn, replica_set};
use crate::namespace::{NamespaceSelection, ReplicaSetName};
use crate::plan::proof::assert_sound;
use crate::plan::{Moment, PlanError, choose};
use crate::resume::{Resume, resume};
use crate::slice::Slice;
use crate::time::{OplogRange, OplogTime};
use crate::timeline::timeline;

const ENTRIES: u32 = 30;

/// Entries cross a second every seven, so that ordinals matter.
fn entry(number: u32) -> OplogTime {
    OplogTime::new(100 + number / 7, number % 7 + 1)
}

fn range() -> impl Strategy<Value = OplogRange> {
    (0..ENTRIES, 0..12u32).prop_map(|(after, length)| OplogRange::new(entry(after), entry((after + length).min(ENTRIES))))
}

fn names() -> [ReplicaSetName; 2] {
    [replica_set("rs0"), replica_set("rs1")]
}

/// Which of the two replica sets, with a range for each.
type Parts = (u8, OplogRange, OplogRange);

fn backup(index: usize, (which, first, second): Parts, selective: bool) -> Backup {
    let letter = char::from(if selective { b'a' } else { b'A' } + u8::try_from(index).expect("few backups"));
    let mut backup = drawn(&format!("rs0   {letter}\nrs1   {letter}")).backups.remove(0);
    backup.snapshots[0].oplog = first;
    backup.snapshots[1].oplog = second;
    match which % 4 {
        0 => drop(backup.snapshots.remove(1)),
        1 => drop(backup.snapshots.remove(0)),
        _ => {}
    }
    backup.started = backup.snapshots.iter().map(|snapshot| snapshot.oplog.after.seconds).min().unwrap_or(0);
    backup
}

prop_compose! {
    pub(crate) fn catalogs()(
        backups in prop::collection::vec(((0..4u8, range(), range()), prop::bool::weighted(0.2)), 0..4),
        slices in prop::collection::vec((0..2usize, range()), 0..9),
        records in prop::collection::vec((0..2usize, range()), 0..3),
    ) -> Catalog {
        let backups = backups.into_iter().enumerate().map(|(index, (parts, selective))| backup(index, parts, selective)).collect();
        let mut catalog = Catalog { backups, ..Catalog::default() };
        catalog.backups.sort_by_key(|backup| (backup.consistent_at(), backup.started));
        for (index, (which, range)) in slices.into_iter().enumerate() {
            let name = names()[which].clone();
            let slice = Slice { replica_set: name.clone(), range, name: format!("slice-{index}").into(), bytes: 1 };
            catalog.slices.entry(name).or_default().push(slice);
        }
        for (which, range) in records {
            let name = names()[which].clone();
            let gap = Gap { replica_set: name.clone(), range, reason: GapReason::OplogRolledOver };
            catalog.recorded_gaps.entry(name).or_default().push(gap);
        }
        catalog.slices.values_mut().for_each(|slices| slices.sort_by_key(|slice| slice.range));
        catalog
    }
}

fn covered(catalog: &Catalog, name: &ReplicaSetName, entry: OplogTime) -> bool {
    let oplogs = catalog.backups.iter().filter_map(|backup| backup.snapshot(name)).map(|snapshot| snapshot.oplog);
    let slices = catalog.slices_of(name).iter().map(|slice| slice.range);
    oplogs.chain(slices).any(|range| range.contains(entry))
}

pub(crate) fn all_entries() -> impl Iterator<Item = OplogTime> + Clone {
    (0..=ENTRIES + 2).map(entry)
}

fn reaches(catalog: &Catalog, base: &Backup, moment: OplogTime) -> bool {
    let own = base.consistent_at();
    let whole = |name: &ReplicaSetName| match base.snapshot(name) {
        Some(snapshot) => {
            all_entries().filter(|entry| snapshot.oplog.through < *entry && *entry <= moment).all(|entry| covered(catalog, name, entry))
        }
        None => !all_entries().any(|entry| own < entry && entry <= moment && covered(catalog, name, entry)),
    };
    moment == own || (moment > own && names().iter().all(whole))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_timeline_and_the_plan_agree_with_the_rules_entry_by_entry(catalog in catalogs()) {
        let timeline = timeline(&catalog);
        for moment in all_entries() {
            let bases: Vec<_> = catalog.backups.iter().filter(|backup| backup.is_base() && reaches(&catalog, backup, moment)).collect();
            prop_assert_eq!(timeline.can_restore(moment), !bases.is_empty(), "{:?}", moment);
            match choose(&catalog, &Moment::At(moment), &NamespaceSelection::Everything) {
                Ok(choice) => {
                    assert_sound(&catalog, &choice);
                    let newest = bases.iter().map(|base| base.consistent_at()).max();
                    prop_assert_eq!(catalog.backup(&choice.base).map(Backup::consistent_at), newest);
                    prop_assert!(bases.iter().any(|base| base.name == choice.base));
                }
                Err(error) => {
                    prop_assert!(bases.is_empty());
                    let nearest = error.nearest();
                    for good in [nearest.before, nearest.after].into_iter().flatten() {
                        prop_assert!(timeline.can_restore(good), "{error}");
                        let between = |entry: &OplogTime| (*entry > moment.min(good)) && (*entry < moment.max(good));
                        prop_assert!(!all_entries().filter(between).any(|entry| timeline.can_restore(entry)), "{error}");
                    }
                    prop_assert_eq!(matches!(error, PlanError::NoBackup { .. }), timeline.cluster.is_empty());
                }
            }
        }
    }

    #[test]
    fn the_latest_moment_is_the_newest_of_the_timeline(catalog in catalogs()) {
        let latest = choose(&catalog, &Moment::Latest, &NamespaceSelection::Everything).ok();
        prop_assert_eq!(latest.as_ref().map(|choice| choice.through), timeline(&catalog).newest());
        latest.inspect(|choice| assert_sound(&catalog, choice));
    }

    #[test]
    fn every_sound_backup_restores_to_its_own_moment(catalog in catalogs()) {
        for backup in &catalog.backups {
            let choice = choose(&catalog, &Moment::Backup(backup.name.clone()), &NamespaceSelection::Everything);
            let choice = choice.expect("a sound backup can always be restored");
            assert_sound(&catalog, &choice);
            prop_assert_eq!(choice.through, backup.consistent_at());
        }
    }

    #[test]
    fn a_hole_is_told_once_and_only_where_nothing_covers(catalog in catalogs()) {
        for found in &timeline(&catalog).replica_sets {
            let is_covered = |entry| covered(&catalog, &found.name, entry);
            let first = all_entries().find(|entry| is_covered(*entry));
            let last = all_entries().filter(|entry| is_covered(*entry)).last();
            for entry in all_entries() {
                let told: Vec<_> = found.gaps.iter().filter(|gap| gap.range.contains(entry)).collect();
                let records = catalog.recorded_gaps.get(&found.name).into_iter().flatten();
                let recorded = records.into_iter().any(|gap| gap.range.contains(entry));
                let between = first < Some(entry) && Some(entry) < last;
                let expected = !is_covered(entry) && (recorded || between);
                prop_assert_eq!(told.len(), usize::from(expected), "{:?}", entry);
                if let Some(gap) = told.first() {
                    prop_assert_eq!(gap.reason == GapReason::OplogRolledOver, recorded);
                }
                prop_assert_eq!(found.covered.iter().any(|range| range.contains(entry)), is_covered(entry));
            }
            prop_assert!(found.gaps.windows(2).all(|pair| pair[0].range.through <= pair[1].range.after));
        }
    }

    #[test]
    fn oplog_is_restorable_or_of_a_dump_or_told_to_be_unusable(catalog in catalogs()) {
        for found in &timeline(&catalog).replica_sets {
            let bases: Vec<_> = catalog.backups.iter().filter(|backup| backup.is_base()).collect();
            for entry in all_entries() {
                let sliced = catalog.slices_of(&found.name).iter().any(|slice| slice.range.contains(entry));
                let dumped = bases.iter().any(|base| {
                    base.snapshot(&found.name).is_some_and(|part| part.oplog.after < entry && entry <= base.consistent_at())
                });
                let restorable = found.restorable.iter().any(|range| range.from < entry && entry <= range.through);
                let unusable = found.unusable.iter().any(|range| range.contains(entry));
                prop_assert_eq!(unusable, sliced && !dumped && !restorable, "{:?}", entry);
            }
        }
    }

    #[test]
    fn slicing_resumes_without_losing_what_could_be_kept(catalog in catalogs(), oldest in (0..ENTRIES).prop_map(entry)) {
        let [name, _] = names();
        let slice_end = catalog.slices_of(&name).iter().map(|slice| slice.range.through).max();
        match resume(&catalog, &name, oldest) {
            Resume::Start(start) => {
                prop_assert!(oldest <= start.from);
                if let Some(end) = slice_end.filter(|end| oldest <= *end) {
                    prop_assert_eq!((start.from, &start.gap), (end, &None));
                }
                // What lies between the newest slice and the start is on the storage or told to be lost.
                let lost = |entry| start.gap.as_ref().is_some_and(|gap| gap.range.contains(entry));
                if let Some(end) = slice_end {
                    for entry in all_entries().filter(|entry| end < *entry && *entry <= start.from) {
                        prop_assert!(covered(&catalog, &name, entry) || lost(entry), "{:?}", entry);
                    }
                    // And the last thing told to be lost is really not there.
                    if let Some(gap) = &start.gap {
                        prop_assert!(gap.range.is_empty() || !covered(&catalog, &name, gap.range.through));
                    }
                }
            }
            Resume::NeedsBackup { lost } => {
                prop_assert!(slice_end.is_none_or(|end| end < oldest));
                let bases = catalog.backups.iter().filter(|backup| backup.is_base()).filter_map(|backup| backup.snapshot(&name));
                prop_assert!(bases.into_iter().all(|snapshot| snapshot.oplog.through < oldest));
                prop_assert!(lost.is_none_or(|gap| gap.range.through == oldest && gap.range.after < oldest));
            }
        }
    }

    #[test]
    fn after_a_resumption_from_the_newest_base_every_later_moment_is_restorable(catalog in catalogs(), oldest in (0..ENTRIES).prop_map(entry)) {
        let [name, _] = names();
        let catalog = catalog.only(std::slice::from_ref(&name));
        let Some(base) = catalog.newest_base(&name) else { return Ok(()) };
        let slice_end = catalog.newest_slice(&name).map(|slice| slice.range.through);
        let Resume::Start(start) = resume(&catalog, &name, oldest) else { return Ok(()) };
        if slice_end.is_some_and(|end| base.consistent_at() < end) {
            // Slices already went on from some base, and go on.
            return Ok(());
        }
        let later = entry(ENTRIES + 2);
        let moment = base.consistent_at();
        let mut catalog = catalog.clone();
        let slice = Slice { replica_set: name.clone(), range: OplogRange::new(start.from, later), name: "next".into(), bytes: 1 };
        catalog.slices.entry(name).or_default().push(slice);
        for entry in all_entries().filter(|entry| moment <= *entry) {
            prop_assert!(timeline(&catalog).can_restore(entry), "{:?} from {:?}", entry, start);
        }
    }
}
