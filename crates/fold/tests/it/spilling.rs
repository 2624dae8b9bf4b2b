//! What is written down when memory is short, and what is counted.

use std::sync::Arc;

use bson::{RawDocumentBuf, doc};
use oplogue_fold::{Fold, Order, Spill};
use oplogue_oplog::{CollectionId, Operation};

use crate::support::*;

fn late(operations: impl IntoIterator<Item = Operation>) -> Vec<(Operation, bool)> {
    operations.into_iter().map(|operation| (operation, true)).collect()
}

fn documents(count: i32) -> Vec<RawDocumentBuf> {
    (0..count).map(|n| raw(&doc! { "_id": n, "v": 0 })).collect()
}

#[test]
fn what_the_log_makes_and_unmakes_never_comes_out() {
    for memory in [0, 1 << 20] {
        let operations = late((0..100).flat_map(|n| [insert(doc! { "_id": n }), update(n, doc! { "_id": n, "b": 1 }), delete(n)]));
        let (out, tally, _) = fold(memory, Order::Any, &operations, &[]).expect("everything can be folded");
        assert!(out.is_empty());
        assert_eq!((tally.operations, tally.documents_spared, tally.lost_updates), (300, 100, 0), "with {memory} bytes");
    }
}

#[test]
fn documents_nobody_touched_are_not_written_to_the_disk() {
    let operations = late((0..2_000).map(|n| update(n, doc! { "_id": n, "v": "x".repeat(100) })));
    let memory = 64 << 10;
    let (few, _, without) = fold(memory, Order::Any, &operations, &documents(2_000)).expect("everything can be folded");
    let (many, _, with) = fold(memory, Order::Any, &operations, &documents(22_000)).expect("everything can be folded");
    assert_eq!((few.len(), many.len()), (2_000, 22_000));
    // A filter of 8 KiB for 2,000 keys is wrong now and then; 20,000 documents of 23 bytes and a key would be 900 KB.
    assert!(without > 0 && with < without + 150_000, "{without} bytes, and {with} with 20,000 more documents");
}

#[test]
fn as_long_as_there_is_room_to_say_where_they_are_documents_stay_in_their_order() {
    let operations = late((0..4_000).flat_map(|n| {
        let made = n + 100_000;
        [
            insert(doc! { "_id": made, "text": "x".repeat(300) }),
            update(n, doc! { "$v": 1, "$set": { "v": n } }),
            // Of one that was made a while ago, of one that was changed, and another one gone.
            update(made - made % 100, doc! { "$v": 1, "$set": { "again": n } }),
            update(n / 2, doc! { "$v": 1, "$set": { "w": n } }),
            delete(n + 10_000),
        ]
    }));
    let made: Vec<i32> = (0..4_000).map(|n| n + 100_000).collect();
    let snapshot = documents(14_500);
    let (expected, tally, nothing) = fold(1 << 30, Order::Any, &operations, &snapshot).expect("everything can be folded");
    assert_eq!((nothing, tally.lost_updates, tally.documents_spared), (0, 0, 4_000));
    let (out, small, spilled) = fold(2 << 20, Order::Any, &operations, &snapshot).expect("everything can be folded");
    assert!(spilled > 1_000_000, "{spilled} bytes");
    assert_eq!(small, tally);
    let ids = |documents: &[RawDocumentBuf]| documents.iter().map(|one| one.get_i32("_id").expect("a number")).collect::<Vec<_>>();
    assert!(ids(&out)[..10_500].is_sorted() && ids(&expected)[10_500..] == made);
    // What was changed again later comes later.
    let first_time = |id: &i32| id % 100 != 0;
    let in_order: Vec<i32> = ids(&out)[10_500..].iter().copied().filter(first_time).collect();
    assert_eq!(in_order, made.iter().copied().filter(first_time).collect::<Vec<_>>());
    let sorted = |mut documents: Vec<RawDocumentBuf>| {
        documents.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
        documents
    };
    assert!(sorted(out) == sorted(expected));
}

#[test]
fn documents_that_are_changed_again_and_again_do_not_fill_the_disk() {
    // More documents than fit into memory, each changed in turn: each time it is another one's.
    let text = "z".repeat(2_000);
    let mut operations: Vec<Operation> = (0..1_000).map(|n| insert(doc! { "_id": n, "text": &text })).collect();
    operations.extend((0..30_000).map(|n| update(n % 1_000, doc! { "$v": 1, "$set": { "n": n } })));
    let operations = late(operations);
    let came: usize = operations.iter().map(|(operation, _)| operation.o.as_bytes().len()).sum();
    let (out, _, spilled) = fold(256 << 10, Order::Any, &operations, &[]).expect("everything can be folded");
    assert_eq!(out.len(), 1_000);
    assert!(out.iter().all(|one| one.get_i32("n").ok() == one.get_i32("_id").ok().map(|id| 29_000 + id)));
    assert!(spilled < 10 * came, "{spilled} bytes for {came}");
}

#[test]
fn a_document_changed_without_end_needs_memory_once() {
    let operations = late((0..20_000).map(|n| update(1, doc! { "$v": 1, "$set": { "n": n } })));
    let (out, tally, spilled) = fold(32 << 10, Order::Any, &operations, &documents(3)).expect("everything can be folded");
    assert_eq!(out.iter().filter(|document| document.get_i32("n").ok() == Some(19_999)).count(), 1);
    assert_eq!((out.len(), tally.operations), (3, 20_000));
    // Written once, not once more for every division.
    let written_once = 20_000 * 60;
    assert!(spilled > 100_000 && spilled < 2 * written_once, "{spilled} bytes");
}

#[test]
fn updates_that_find_nothing_are_counted_wherever_they_are_kept() {
    for memory in [0, 1 << 20] {
        let mut operations = late((10..30).map(|n| update(n, doc! { "_id": n })));
        operations.extend((10..15).map(|n| (update(n, doc! { "_id": n }), false)));
        operations.extend(late([delete(29), insert(doc! { "_id": 28 })]));
        let (out, tally, _) = fold(memory, Order::Any, &operations, &documents(12)).expect("everything can be folded");
        assert_eq!((out.len(), tally.lost_updates), (13, 18), "with {memory} bytes");
    }
}

#[test]
fn documents_larger_than_the_memory_are_folded_one_by_one() {
    let large = "y".repeat(100_000);
    let operations = late((0..20).map(|n| update(n, doc! { "$v": 1, "$set": { "large": &large } })));
    let (out, ..) = fold(8 << 10, Order::Any, &operations, &documents(20)).expect("everything can be folded");
    assert!(out.len() == 20 && out.iter().all(|document| document.as_bytes().len() > 100_000));
}

#[test]
fn a_collection_that_cannot_be_folded_is_given_up_alone() {
    let (good, bad, capped) = (CollectionId(1), CollectionId(2), CollectionId(4));
    let mut fold = Fold::new(4 << 10, Arc::new(Memory::default()) as Arc<dyn Spill>);
    fold.begin(good, Order::Any);
    fold.begin(bad, Order::Any);
    fold.begin(capped, Order::Inserted);
    for n in 0..200 {
        fold.take(good, &insert(doc! { "_id": n }), true).expect("it is in memory");
        fold.take(capped, &insert(doc! { "_id": n }), true).expect("it is in memory");
    }
    fold.take(bad, &insert(doc! { "_id": 1 }), true).expect("it is in memory");
    fold.take(bad, &update(1, doc! { "$v": 1, "$no_such": { "a": 1 } }), true).expect("it is in memory");
    fold.take(bad, &insert(doc! { "_id": 2 }), true).expect("it is in memory");
    fold.take(CollectionId(9), &insert(doc! { "_id": 2 }), true).expect("it is not taken");
    let mut all = fold.finish(2).expect("it is in memory");
    let mut folded = all.remove(&good).expect("it was begun").expect("it can be folded");
    assert_eq!(drain(&mut folded, &[]).expect("it can be folded").len(), 200);
    let why = all.remove(&bad).expect("it was begun").err().expect("it cannot be folded");
    assert!(why.contains("document"), "{why}");
    let why = all.remove(&capped).expect("it was begun").err().expect("it is too large");
    assert!(why.contains("capped"), "{why}");
    assert!(all.is_empty());
}

#[test]
fn an_operation_without_an_id_is_not_folded() {
    let why = fold(1 << 20, Order::Any, &late([insert(doc! { "a": 1 })]), &[]).expect_err("nobody knows of which document");
    assert!(why.contains("which document"), "{why}");
}

#[test]
fn what_the_log_made_comes_behind_the_snapshot_in_the_order_in_which_it_was_made() {
    let made = || (100..400).map(|n| n * 7 % 1_000);
    let operations = late(made().map(|n| insert(doc! { "_id": n + 1_000 })));
    let (out, ..) = fold(1 << 20, Order::Any, &operations, &documents(5)).expect("everything can be folded");
    let ids: Vec<i32> = out.iter().map(|document| document.get_i32("_id").expect("a number")).collect();
    let expected: Vec<i32> = (0..5).chain(made().map(|n| n + 1_000)).collect();
    assert_eq!(ids, expected);
}
