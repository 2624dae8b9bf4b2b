//! Steps become batches: in order, bounded, transactions whole where they fit.

use bson::doc;
use oplogue_domain::OplogTime;
use oplogue_oplog::{Batch, Batcher, Step};
use proptest::prelude::*;

use crate::support::*;

fn write(id: i32) -> Step {
    Step::Write(raw(doc! { "_id": id }))
}

fn ids(batch: &Batch) -> Vec<i32> {
    match batch {
        Batch::Writes { operations, .. } => operations.iter().map(|operation| operation.get_i32("_id").expect("a number")).collect(),
        Batch::Command { .. } => vec![-1],
    }
}

/// Batches of writes given as (time, id); `None` is a command.
fn batches(ops_max: usize, bytes_max: usize, steps: &[(u32, Option<i32>)]) -> Vec<(Vec<i32>, OplogTime)> {
    let mut batcher = Batcher::new(ops_max, bytes_max);
    let mut batches = Vec::new();
    for (at, id) in steps {
        let step = id.map_or(Step::Command { database: "a".into(), command: doc! {} }, write);
        batches.extend(batcher.push(time(*at), step));
    }
    batches.extend(batcher.flush());
    assert_eq!(batcher.flush(), None);
    let through = |batch: &Batch| match batch {
        Batch::Writes { through, .. } => *through,
        Batch::Command { time, .. } => *time,
    };
    batches.iter().map(|batch| (ids(batch), through(batch))).collect()
}

const NO_LIMIT: usize = usize::MAX;

#[test]
fn writes_are_gathered_up_to_the_limit_of_operations() {
    let steps: Vec<_> = (1..=5).map(|n| (n, Some(n as i32))).collect();
    assert_eq!(batches(2, NO_LIMIT, &steps), [(vec![1, 2], time(2)), (vec![3, 4], time(4)), (vec![5], time(5))]);
}

#[test]
fn writes_are_gathered_up_to_the_limit_of_bytes() {
    let size = raw(doc! { "_id": 1 }).as_bytes().len();
    let steps: Vec<_> = (1..=5).map(|n| (n, Some(n as i32))).collect();
    assert_eq!(batches(100, size * 3, &steps), [(vec![1, 2, 3], time(3)), (vec![4, 5], time(5))]);
}

#[test]
fn an_operation_over_the_limit_is_a_batch_of_its_own() {
    assert_eq!(batches(100, 1, &[(1, Some(1)), (2, Some(2))]), [(vec![1], time(1)), (vec![2], time(2))]);
}

#[test]
fn a_command_is_a_barrier() {
    assert_eq!(
        batches(100, NO_LIMIT, &[(1, Some(1)), (2, None), (3, Some(3)), (4, None)]),
        [(vec![1], time(1)), (vec![-1], time(2)), (vec![3], time(3)), (vec![-1], time(4))]
    );
}

#[test]
fn a_transaction_is_not_divided_when_it_fits() {
    let steps = [(1, Some(1)), (2, Some(21)), (2, Some(22)), (2, Some(23)), (3, Some(3))];
    assert_eq!(batches(3, NO_LIMIT, &steps), [(vec![1], time(1)), (vec![21, 22, 23], time(2)), (vec![3], time(3))]);
}

#[test]
fn a_transaction_that_exceeds_a_batch_is_divided() {
    let steps = [(1, Some(1)), (2, Some(21)), (2, Some(22)), (2, Some(23)), (3, Some(3))];
    assert_eq!(batches(2, NO_LIMIT, &steps), [(vec![1], time(1)), (vec![21, 22], time(2)), (vec![23, 3], time(3))]);
}

#[test]
fn nothing_pushed_is_nothing_to_send() {
    assert_eq!(Batcher::new(1, 1).flush(), None);
    assert_eq!(Batcher::new(0, 0).push(time(1), write(1)), []);
}

proptest! {
    #[test]
    fn order_and_limits_hold(sizes in proptest::collection::vec(1_usize..6, 0..30), ops_max in 1_usize..8) {
        let mut steps = Vec::new();
        for (index, size) in sizes.iter().enumerate() {
            steps.extend((0..*size).map(|_| index as u32 + 1).collect::<Vec<_>>());
        }
        let steps: Vec<_> = steps.into_iter().enumerate().map(|(id, at)| (at, Some(id as i32))).collect();
        let batches = batches(ops_max, NO_LIMIT, &steps);
        let all: Vec<i32> = batches.iter().flat_map(|(ids, _)| ids.clone()).collect();
        prop_assert_eq!(all, (0..steps.len() as i32).collect::<Vec<_>>());
        for (ids, through) in &batches {
            prop_assert!(!ids.is_empty() && ids.len() <= ops_max);
            let last = *ids.last().expect("not empty") as usize;
            prop_assert_eq!(*through, time(steps[last].0));
            // A batch ends inside a transaction only if that transaction alone exceeds a batch.
            let at = steps[last].0;
            let divided = steps.get(last + 1).is_some_and(|next| next.0 == at);
            prop_assert!(!divided || sizes[at as usize - 1] > ops_max);
        }
    }
}
