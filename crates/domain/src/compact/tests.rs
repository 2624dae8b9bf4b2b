//! What becomes one and what does not; and over random catalogs: nothing that could be restored is lost, at no point.

use proptest::prelude::*;

use super::*;
use crate::diagram::{at, catalog, range, replica_set};
use crate::namespace::NamespaceSelection;
use crate::oracle::{all_entries, catalogs};
use crate::plan::proof::assert_sound;
use crate::plan::{Moment, choose};
use crate::retention::{self, Scope, retention};
use crate::slice::SliceName;
use crate::timeline::timeline;

/// Columns of drawings are seconds from 1,000 on: spans of ten begin at columns 0, 10, …
const TENS: Policy = Policy { older_than_seconds: 0, span_seconds: 10, bytes_max: u64::MAX };
const LATER: u32 = 2_000;

/// The catalog after the long slice of `merge` was written and the first `gone` of its parts deleted.
fn carried_out(before: &Catalog, merge: &Merge, gone: usize) -> Catalog {
    let mut after = before.clone();
    let slices = after.slices.get_mut(&merge.replica_set).expect("slices of it were merged");
    if merge.keeps.is_none() {
        let name = SliceName::Given(format!("long-{:?}", merge.range).into());
        slices.push(Slice { replica_set: merge.replica_set.clone(), range: merge.range, name, bytes: merge.bytes() });
    }
    let gone: Vec<_> = merge.replaces[..gone].iter().map(|slice| slice.object().into_owned()).collect();
    slices.retain(|slice| !gone.contains(&slice.object().into_owned()));
    slices.sort_by_key(|slice| slice.range);
    after
}

#[track_caller]
fn check(drawing: &str, policy: Policy, expected: &[(OplogRange, usize)]) {
    let merges = compact(&catalog(drawing), &policy, LATER);
    let found: Vec<_> = merges.iter().map(|merge| (merge.range, merge.replaces.len())).collect();
    assert_eq!(found, expected, "{merges:#?}");
}

#[test]
fn the_slices_of_a_span_become_one_and_the_newest_stays() {
    check("rs0   |--|--|--|-----|--|--|---|--|", TENS, &[(range(0, 15), 4), (range(15, 21), 2)]);
    check("rs0   |--|", TENS, &[]);
    check("rs0   |--|--|", TENS, &[]);
}

#[test]
fn a_gap_is_never_bridged_and_replica_sets_are_never_mixed() {
    check(
        "rs0   |-|-| |-|-|--|
         rs1   |-|-|  |-|--|",
        TENS,
        &[(range(0, 4), 2), (range(6, 10), 2), (range(0, 4), 2)],
    );
}

#[test]
fn a_span_waits_until_it_is_old_enough() {
    let drawing = catalog("rs0   |--|--|--|--|--|--|--|--|");
    let old = |now| compact(&drawing, &Policy { older_than_seconds: 100, ..TENS }, now).len();
    assert_eq!((old(1_109), old(1_110), old(1_119), old(1_120)), (0, 1, 1, 2));
}

#[test]
fn a_size_is_not_exceeded() {
    // Each has 100 bytes.
    check("rs0   |-|-|-|-|-|--|", Policy { bytes_max: 250, ..TENS }, &[(range(0, 4), 2), (range(4, 8), 2)]);
}

#[test]
fn the_slice_that_reaches_the_moment_of_a_backup_begins_a_new_one() {
    check(
        "rs0   |-|-|-|-|-|----|
         rs0    B==|",
        TENS,
        &[(range(2, 10), 4)],
    );
    check(
        "rs0   |-|-|-|-|-|----|
         rs0    B=====|",
        TENS,
        &[(range(0, 6), 3), (range(6, 10), 2)],
    );
}

#[test]
fn what_lies_within_a_longer_one_goes_and_the_longer_stays() {
    let drawing = catalog(
        "rs0   |-----------|--|---|
         rs0     |---|
         rs0         |---|",
    );
    let merges = compact(&drawing, &Policy { span_seconds: 5, ..TENS }, LATER);
    let merge = &merges[0];
    assert_eq!(merge.keeps.as_ref().map(|slice| slice.range), Some(range(0, 12)));
    assert_eq!(merge.replaces.iter().map(|slice| slice.range).collect::<Vec<_>>(), [range(2, 6), range(6, 10)]);
    assert_eq!(
        merge.pieces.iter().map(|piece| piece.range).collect::<Vec<_>>(),
        [OplogRange::new(at(2).predecessor(), at(6)), range(6, 10)]
    );
    assert_eq!(merge.to_string(), "rs0: 2 slices, 1970-01-01 00:16:40 +1 … 1970-01-01 00:16:52 +1, lie within one that is there");
}

#[test]
fn a_long_slice_with_its_parts_is_finished_before_it_is_joined_with_others() {
    let drawing = "rs0   |-|-|-----|-|-----|--|
                   rs0       |-|-|-|";
    check(drawing, Policy { span_seconds: 1_000, ..TENS }, &[(range(0, 4), 2), (range(4, 10), 3), (range(10, 18), 2)]);
}

#[test]
fn of_two_slices_of_one_range_none_gives_way_to_the_other() {
    let mut drawing = catalog("rs0   |----|--|");
    let twin = Slice { name: "twin".into(), ..drawing.slices[&replica_set("rs0")][0].clone() };
    drawing.slices.get_mut(&replica_set("rs0")).expect("drawn").insert(0, twin);
    assert_eq!(compact(&drawing, &TENS, LATER), []);
}

#[test]
fn overlapping_slices_are_read_once_where_they_overlap() {
    let drawing = catalog(
        "rs0   |----|
         rs0      |-----|
         rs0                |--|",
    );
    let merges = compact(&drawing, &TENS, LATER);
    let ranges: Vec<_> = merges[0].pieces.iter().map(|piece| piece.range).collect();
    assert_eq!(ranges, [OplogRange::new(at(0).predecessor(), at(5)), range(5, 9)]);
}

#[test]
fn hours_become_a_day_when_they_are_a_month_old() {
    let mut catalog = catalog("rs0   |--|");
    let day = 86_400 * 20_000;
    let hour = |number: u32| Slice {
        replica_set: replica_set("rs0"),
        range: OplogRange::new(OplogTime::new(day + number * 3_600 + 4, 1), OplogTime::new(day + (number + 1) * 3_600 + 4, 1)),
        name: format!("{number}").into(),
        bytes: 1 << 20,
    };
    catalog.slices.insert(replica_set("rs0"), (0..30).map(hour).collect());
    let [hours, days] = Policy::USUAL;
    let now = day + 40 * 86_400;
    assert_eq!(compact(&catalog, &hours, now), []);
    let merges = compact(&catalog, &days, now);
    assert_eq!(merges.iter().map(|merge| merge.replaces.len()).collect::<Vec<_>>(), [24, 5]);
}

fn policies() -> impl Strategy<Value = Policy> {
    (0..4u32, 1..6u32, 1..12u64).prop_map(|(older_than_seconds, span_seconds, bytes_max)| Policy {
        older_than_seconds,
        span_seconds,
        bytes_max,
    })
}

/// What people are told, without how many objects there are.
fn told(catalog: &Catalog) -> impl PartialEq + std::fmt::Debug + use<> {
    timeline(catalog)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_timeline_is_the_same_before_after_and_wherever_it_stops(
        before in catalogs(), policy in policies(), now in 100..115u32, stops in any::<u16>()
    ) {
        let expected = told(&before);
        let mut now_there = before.clone();
        for merge in compact(&before, &policy, now) {
            prop_assert!(!merge.range.is_empty() && !merge.replaces.is_empty());
            for gone in [0, usize::from(stops) % (merge.replaces.len() + 1), merge.replaces.len()] {
                let stopped = carried_out(&now_there, &merge, gone);
                prop_assert_eq!(&told(&stopped), &expected, "{} of {:?} gone", gone, merge);
                for moment in all_entries() {
                    let plan = |catalog| choose(catalog, &Moment::At(moment), &NamespaceSelection::Everything);
                    match (plan(&before), plan(&stopped)) {
                        (Ok(then), Ok(now)) => {
                            assert_sound(&stopped, &now);
                            prop_assert_eq!((then.base, then.through, then.newest), (now.base, now.through, now.newest));
                        }
                        (then, now) => prop_assert_eq!(then.err(), now.err()),
                    }
                }
                // The next compaction finds it and finishes it.
                let again = compact(&stopped, &policy, now);
                let left: Vec<_> = merge.replaces[gone..].iter().map(|slice| slice.object().into_owned()).collect();
                let seen: Vec<_> = again.iter().flat_map(|merge| &merge.replaces).map(|slice| slice.object().into_owned()).collect();
                prop_assert!(left.iter().all(|object| seen.contains(object)), "{:?} of {:?}", left, again);
            }
            now_there = carried_out(&now_there, &merge, merge.replaces.len());
        }
    }

    #[test]
    fn every_entry_of_a_long_slice_is_read_once_from_a_part_that_holds_it(before in catalogs(), policy in policies(), now in 100..115u32) {
        for merge in compact(&before, &policy, now) {
            for entry in all_entries() {
                let held = merge.replaces.iter().any(|slice| slice.range.contains(entry) || slice.range.after == entry);
                let read: Vec<_> = merge.pieces.iter().filter(|piece| piece.range.contains(entry)).collect();
                prop_assert_eq!(read.len(), usize::from(held), "{:?} in {:?}", entry, merge);
                if let Some(OplogSource::Slice(slice)) = read.first().map(|piece| &piece.source) {
                    prop_assert!(slice.range.contains(entry) || slice.range.after == entry);
                }
            }
            prop_assert!(merge.pieces.windows(2).all(|pair| pair[0].range.through <= pair[1].range.after));
        }
    }

    #[test]
    fn retention_keeps_at_least_what_it_kept(before in catalogs(), policy in policies(), now in 100..115u32, window in 0..8u64, count in 0..3u32) {
        let rules = retention::Policy { count, window_seconds: window, ..retention::Policy::default() };
        let kept = |catalog: &Catalog| timeline(&retention(catalog, &rules, &Scope::everything(), now).after(catalog));
        let mut after = before.clone();
        for merge in compact(&before, &policy, now) {
            after = carried_out(&after, &merge, merge.replaces.len());
        }
        let (then, now) = (kept(&before), kept(&after));
        for moment in all_entries() {
            prop_assert!(!then.can_restore(moment) || now.can_restore(moment), "{:?} is gone", moment);
        }
    }
}
