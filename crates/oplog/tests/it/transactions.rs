//! Entries become operations when they are committed, never before, never twice.

use bson::{Bson, Document, doc};
use oplogue_oplog::{Kind, Operation, OplogError, Transactions};

use crate::support::*;

fn ops(inner: Vec<Document>) -> Document {
    doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": inner } }
}

fn with(mut fields: Document, flags: Document) -> Document {
    let mut o = fields.get_document("o").expect("a command").clone();
    o.extend(flags);
    fields.insert("o", o);
    fields
}

fn txn(number: i64, before: Option<u32>, fields: Document) -> Document {
    merged([session(7, number), fields, previous(before)])
}

fn ids(operations: &[Operation]) -> Vec<i32> {
    operations.iter().map(|operation| operation.o.get_i32("_id").expect("a number")).collect()
}

fn push(transactions: &mut Transactions, ordinal: u32, fields: Document) -> Vec<Operation> {
    transactions.push(&entry(ordinal, fields)).expect("an entry that can be read")
}

fn ins(id: i32) -> Document {
    insert("a.b", 1, doc! { "_id": id })
}

#[test]
fn a_plain_entry_is_one_operation_with_its_bytes_unchanged() {
    let operation = operation(merged([update("a.b", 1, 5, doc! { "$v": 2, "diff": { "u": { "x": 1 } } }), doc! { "b": true }]));
    assert_eq!((operation.kind, operation.time, operation.ui), (Kind::Update, time(1), Some(uuid(1))));
    assert_eq!(operation.o, raw(doc! { "$v": 2, "diff": { "u": { "x": 1 } } }));
    assert_eq!(operation.o2, Some(raw(doc! { "_id": 5 })));
    assert_eq!(operation.upsert, Some(true));
}

#[test]
fn a_retryable_write_is_no_transaction() {
    assert_eq!(ids(&operations([txn(4, None, ins(1)), txn(4, Some(1), ins(2))])), [1, 2]);
}

#[test]
fn a_transaction_of_one_entry_happens_at_once() {
    let operations = operations([txn(1, None, ops(vec![ins(1), ins(2)]))]);
    assert_eq!(ids(&operations), [1, 2]);
    assert!(operations.iter().all(|operation| operation.time == time(1)));
}

#[test]
fn a_large_transaction_happens_at_its_last_entry() {
    let mut transactions = Transactions::new();
    let part = |inner| with(ops(inner), doc! { "partialTxn": true });
    assert!(push(&mut transactions, 1, txn(1, None, part(vec![ins(1)]))).is_empty());
    assert_eq!(ids(&push(&mut transactions, 2, ins(100))), [100], "writes between are not held up");
    assert!(push(&mut transactions, 3, txn(1, Some(1), part(vec![ins(2)]))).is_empty());
    let unfinished = transactions.unfinished();
    assert_eq!((unfinished[0].began, unfinished[0].operations, unfinished[0].prepared), (time(1), 2, false));
    let committed = push(&mut transactions, 4, txn(1, Some(3), with(ops(vec![ins(3)]), doc! { "count": 3_i64 })));
    assert_eq!(ids(&committed), [1, 2, 3]);
    assert!(committed.iter().all(|operation| operation.time == time(4)));
    assert!(transactions.unfinished().is_empty());
}

#[test]
fn a_prepared_transaction_waits_for_its_commit() {
    let mut transactions = Transactions::new();
    let prepare = with(ops(vec![ins(1)]), doc! { "prepare": true });
    assert!(push(&mut transactions, 1, txn(1, None, prepare)).is_empty());
    assert!(transactions.unfinished()[0].prepared);
    let commit = doc! { "op": "c", "ns": "admin.$cmd", "o": { "commitTransaction": 1, "commitTimestamp": Bson::Null } };
    let committed = push(&mut transactions, 5, txn(1, Some(1), commit));
    assert_eq!((ids(&committed), committed[0].time), (vec![1], time(5)));
}

#[test]
fn an_aborted_transaction_never_happens() {
    let mut transactions = Transactions::new();
    push(&mut transactions, 1, txn(1, None, with(ops(vec![ins(1)]), doc! { "prepare": true })));
    let abort = doc! { "op": "c", "ns": "admin.$cmd", "o": { "abortTransaction": 1 } };
    assert!(push(&mut transactions, 2, txn(1, Some(1), abort)).is_empty());
    assert!(transactions.unfinished().is_empty());
}

#[test]
fn sessions_do_not_mix() {
    let mut transactions = Transactions::new();
    let part = |inner| with(ops(inner), doc! { "partialTxn": true });
    let of = |id, before, fields| merged([session(id, 1), fields, previous(before)]);
    push(&mut transactions, 1, of(1, None, part(vec![ins(1)])));
    push(&mut transactions, 2, of(2, None, part(vec![ins(2)])));
    assert_eq!(ids(&push(&mut transactions, 3, of(1, Some(1), ops(vec![ins(11)])))), [1, 11]);
    assert_eq!(ids(&push(&mut transactions, 4, of(2, Some(2), ops(vec![ins(22)])))), [2, 22]);
}

#[test]
fn a_new_transaction_of_a_session_ends_the_one_that_never_came_to_an_end() {
    let mut transactions = Transactions::new();
    push(&mut transactions, 1, txn(1, None, with(ops(vec![ins(1)]), doc! { "partialTxn": true })));
    assert_eq!(ids(&push(&mut transactions, 2, txn(2, None, ops(vec![ins(2)])))), [2]);
    assert!(transactions.unfinished().is_empty());
}

#[test]
fn a_commit_whose_beginning_is_missing_is_an_error_and_not_a_silent_loss() {
    let commit = doc! { "op": "c", "ns": "admin.$cmd", "o": { "commitTransaction": 1 } };
    let cases = [
        ("a prepared one", txn(1, Some(1), commit)),
        ("the end of a large one", txn(1, Some(1), ops(vec![ins(3)]))),
        ("too few operations", txn(1, None, with(ops(vec![ins(3)]), doc! { "count": 2 }))),
    ];
    for (name, fields) in cases {
        let mut transactions = Transactions::new();
        push(&mut transactions, 2, ins(1));
        let result = transactions.push(&entry(3, fields));
        assert!(matches!(result, Err(OplogError::IncompleteTransaction { .. })), "{name}: {result:?}");
    }
}

#[test]
fn a_missing_middle_is_noticed() {
    let mut transactions = Transactions::new();
    push(&mut transactions, 1, txn(1, None, with(ops(vec![ins(1)]), doc! { "partialTxn": true })));
    let result = transactions.push(&entry(3, txn(1, Some(2), ops(vec![ins(3)]))));
    assert!(matches!(result, Err(OplogError::IncompleteTransaction { .. })), "{result:?}");
}

#[test]
fn what_ended_where_the_snapshots_oplog_begins_is_in_the_snapshot_already() {
    let mut transactions = Transactions::beginning_at(time(3));
    assert!(push(&mut transactions, 3, txn(1, Some(2), ops(vec![ins(3)]))).is_empty());
    let result = transactions.push(&entry(5, txn(2, Some(4), ops(vec![ins(3)]))));
    assert!(matches!(result, Err(OplogError::IncompleteTransaction { .. })), "{result:?}");
}

#[test]
fn an_abort_of_something_unseen_is_nothing() {
    let abort = doc! { "op": "c", "ns": "admin.$cmd", "o": { "abortTransaction": 1 } };
    assert!(operations([txn(9, Some(1), abort)]).is_empty());
}

#[test]
fn a_users_apply_ops_is_unfolded_however_deep() {
    let nested = ops(vec![ins(1), ops(vec![ins(2), ops(vec![ins(3)])]), doc! { "op": "n", "ns": "", "o": {} }, ins(4)]);
    assert_eq!(ids(&operations([nested])), [1, 2, 3, 4]);
}

#[test]
fn too_deep_nesting_is_an_error_and_no_stack_overflow() {
    let mut nested = ins(1);
    for _ in 0..60 {
        nested = ops(vec![nested]);
    }
    let result = Transactions::new().push(&entry(1, nested));
    assert!(matches!(result, Err(OplogError::Malformed { .. })), "{result:?}");
}

#[test]
fn grouped_inserts_of_a_session_are_no_transaction() {
    let grouped = merged([txn(3, Some(1), ops(vec![ins(1), ins(2)])), doc! { "multiOpType": 1 }]);
    assert_eq!(ids(&operations([grouped])), [1, 2]);
    let unknown = merged([txn(3, None, ops(vec![ins(1)])), doc! { "multiOpType": 2 }]);
    assert!(matches!(Transactions::new().push(&entry(1, unknown)), Err(OplogError::Refused { .. })));
}

#[test]
fn batched_writes_without_a_session_form_a_chain() {
    let mut transactions = Transactions::new();
    let part = |inner, before| merged([with(ops(inner), doc! { "partialTxn": true }), previous(before)]);
    assert!(push(&mut transactions, 1, part(vec![ins(1)], None)).is_empty());
    assert!(push(&mut transactions, 2, part(vec![ins(2)], Some(1))).is_empty());
    assert_eq!(ids(&push(&mut transactions, 3, merged([ops(vec![ins(3)]), previous(Some(2))]))), [1, 2, 3]);
}

#[test]
fn the_shared_entry_of_two_slices_counts_once() {
    let mut transactions = Transactions::new();
    assert_eq!(push(&mut transactions, 1, ins(1)).len(), 1);
    assert_eq!(push(&mut transactions, 1, ins(1)).len(), 0);
    assert_eq!(push(&mut transactions, 2, ins(2)).len(), 1);
    assert_eq!((transactions.duplicates(), transactions.entries(), transactions.last()), (1, 2, Some(time(2))));
}

#[test]
fn a_shared_entry_that_is_part_of_a_transaction_counts_once() {
    let mut transactions = Transactions::new();
    let part = txn(1, None, with(ops(vec![ins(1)]), doc! { "partialTxn": true }));
    push(&mut transactions, 1, part.clone());
    push(&mut transactions, 1, part);
    let last = txn(1, Some(1), ops(vec![ins(2)]));
    assert_eq!(ids(&push(&mut transactions, 2, last.clone())), [1, 2]);
    assert!(push(&mut transactions, 2, last).is_empty());
}

#[test]
fn no_ops_are_nothing() {
    let mut transactions = Transactions::new();
    for (ordinal, msg) in (1..).zip(["periodic noop", "new primary", "initiating set"]) {
        assert!(push(&mut transactions, ordinal, doc! { "op": "n", "ns": "", "o": { "msg": msg } }).is_empty());
    }
    assert_eq!(transactions.no_ops(), 3);
}

#[test]
fn damaged_entries_are_errors_that_say_what_is_wrong() {
    let cases: &[(&str, Document)] = &[
        ("`op`", doc! { "op": 1 }),
        ("`o`", doc! { "op": "i", "ns": "a.b", "o": 3 }),
        ("`ui`", doc! { "op": "i", "ns": "a.b", "ui": "x", "o": {} }),
        ("`txnNumber`", doc! { "op": "i", "ns": "a.b", "txnNumber": "x", "o": {} }),
        ("`prevOpTime`", doc! { "op": "i", "ns": "a.b", "prevOpTime": 1, "o": {} }),
        ("namespace", doc! { "op": "i", "ns": "ab", "o": {} }),
        ("namespace", doc! { "op": "c", "ns": "", "o": { "drop": "x" } }),
        ("empty", doc! { "op": "c", "ns": "a.$cmd", "o": {} }),
        ("applyOps", doc! { "op": "c", "ns": "a.$cmd", "o": { "applyOps": 1 } }),
        ("applyOps", doc! { "op": "c", "ns": "a.$cmd", "o": { "applyOps": [1] } }),
        ("commitTransaction", doc! { "op": "c", "ns": "admin.$cmd", "o": { "commitTransaction": 1 } }),
        ("inside", ops(vec![doc! { "op": "c", "ns": "admin.$cmd", "o": { "commitTransaction": 1 } }])),
    ];
    for (expected, fields) in cases {
        let error = Transactions::new().push(&entry(1, fields.clone())).expect_err("damaged");
        assert!(error.to_string().contains(expected), "{fields}: {error}");
        assert_eq!(error.time(), Some(time(1)));
    }
    for document in [doc! {}, doc! { "ts": 5 }, doc! { "op": "i", "ns": "a.b", "o": {} }] {
        assert!(matches!(Transactions::new().push(&raw(document)), Err(OplogError::Malformed { time: None, .. })));
    }
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_are_an_error_and_never_a_panic(bytes: Vec<u8>) {
        let mut document = u32::try_from(bytes.len() + 5).expect("short").to_le_bytes().to_vec();
        document.extend(&bytes);
        document.push(0);
        if let Ok(document) = bson::RawDocumentBuf::from_bytes(document) {
            proptest::prop_assert!(Transactions::new().push(&document).is_err());
        }
    }

    /// However a transaction is cut into entries and mixed with others, the same operations come out in the same order.
    #[test]
    fn cutting_a_transaction_does_not_change_it(sizes in proptest::collection::vec(1_usize..5, 1..6)) {
        let mut transactions = Transactions::new();
        let (mut ordinal, mut next, mut before) = (0, 0, None);
        let mut committed = Vec::new();
        for (index, size) in sizes.iter().enumerate() {
            let inner = (0..*size).map(|_| { next += 1; ins(next) }).collect();
            let flags = if index + 1 < sizes.len() { doc! { "partialTxn": true } } else { doc! { "count": next } };
            ordinal += 1;
            committed = push(&mut transactions, ordinal, txn(1, before, with(ops(inner), flags)));
            before = Some(ordinal);
            ordinal += 1;
            push(&mut transactions, ordinal, ins(-1));
        }
        proptest::prop_assert_eq!(ids(&committed), (1..=next).collect::<Vec<_>>());
    }
}
