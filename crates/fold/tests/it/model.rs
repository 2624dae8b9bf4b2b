//! A server under random writes, a snapshot that is read while they go on, and the fold of both. Whatever happened, and however little
//! memory there is, the result is the server's, each document once.

use std::collections::BTreeMap;

use bson::{Bson, Document, RawDocumentBuf, doc};
use oplogue_fold::Order;
use oplogue_oplog::Operation;
use proptest::prelude::*;

use crate::support::*;

/// Documents by the order in which a collection scan finds them.
#[derive(Default)]
struct Server {
    stored: BTreeMap<u64, Document>,
    places: u64,
    oplog: Vec<Operation>,
}

/// An `_id` of each kind that a choice stands for; the same choice is the same `_id`.
fn id(choice: u8) -> Bson {
    let number = i32::from(choice / 8);
    match choice % 8 {
        0 => Bson::Int32(number),
        1 => Bson::Double(f64::from(number) + 0.5),
        2 => Bson::Int64(i64::from(number + 1) << 40),
        3 => format!("{number}").into(),
        4 => doc! { "n": number, "m": { "k": [number] } }.into(),
        5 => Bson::ObjectId(bson::oid::ObjectId::from_bytes([choice; 12])),
        6 => Bson::DateTime(bson::DateTime::from_millis(i64::from(number))),
        _ => Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![choice; usize::from(choice % 5)] }),
    }
}

impl Server {
    fn place(&self, id: &Bson) -> Option<u64> {
        self.stored.iter().find(|(_, document)| document.get("_id") == Some(id)).map(|(place, _)| *place)
    }

    /// What happens next, on which document.
    fn step(&mut self, (what, choice, value): (u8, u8, i32)) {
        let id = id(choice);
        let Some(place) = self.place(&id) else {
            let document = doc! { "_id": id, "v": value, "text": "x".repeat(usize::from(choice % 40)) };
            self.places += 1;
            self.stored.insert(self.places, document.clone());
            self.oplog.push(insert(document));
            return;
        };
        match what % 4 {
            0 => {
                self.stored.remove(&place);
                self.oplog.push(delete(id));
            }
            1 => {
                let whole = doc! { "_id": id.clone(), "replaced": value };
                self.stored.insert(place, whole.clone());
                self.oplog.push(update(id, whole));
            }
            _ => {
                let field = format!("f{}", what % 7);
                self.stored.get_mut(&place).expect("it is there").insert(field.clone(), value);
                self.oplog.push(update(id, doc! { "$v": 1, "$set": { field: value } }));
            }
        }
    }
}

fn sorted(documents: impl IntoIterator<Item = RawDocumentBuf>) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = documents.into_iter().map(RawDocumentBuf::into_bytes).collect();
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_fold_of_a_fuzzy_snapshot_is_what_the_server_holds(
        before in prop::collection::vec(any::<(u8, u8, i32)>(), 0..60),
        during in prop::collection::vec((any::<(u8, u8, i32)>(), 0_usize..4), 0..80),
        after in prop::collection::vec(any::<(u8, u8, i32)>(), 0..120),
        memory in prop::sample::select(vec![0_usize, 1 << 10, 6 << 10, 20 << 10, 40 << 10, 1 << 20]),
    ) {
        let mut server = Server::default();
        before.into_iter().for_each(|step| server.step(step));
        server.oplog.clear();
        // The scan goes on a little between writes; what is written behind it, it does not see, and what comes before it, it sees twice.
        let (mut snapshot, mut read) = (Vec::new(), 0);
        let scan = |server: &Server, snapshot: &mut Vec<RawDocumentBuf>, read: &mut u64, count: usize| {
            for (place, document) in server.stored.range(*read + 1..).take(count) {
                snapshot.push(raw(document));
                *read = *place;
            }
        };
        for (step, count) in during {
            server.step(step);
            scan(&server, &mut snapshot, &mut read, count);
        }
        scan(&server, &mut snapshot, &mut read, usize::MAX);
        let caught_up = server.oplog.len();
        after.into_iter().for_each(|step| server.step(step));

        let operations: Vec<(Operation, bool)> =
            server.oplog.iter().enumerate().map(|(at, operation)| (operation.clone(), at >= caught_up)).collect();
        let (out, tally, spilled) = fold(memory, Order::Any, &operations, &snapshot).expect("everything can be folded");
        prop_assert_eq!(sorted(out), sorted(server.stored.values().map(raw)));
        prop_assert_eq!(tally.lost_updates, 0);
        prop_assert_eq!(tally.operations, operations.len() as u64);
        prop_assert!(memory > 0 || operations.is_empty() || spilled > 0);
    }

    /// Natural order: what stayed, then what was inserted since, each where it was inserted last.
    #[test]
    fn a_capped_collection_keeps_its_order(
        before in prop::collection::vec(any::<(u8, u8, i32)>(), 0..60),
        after in prop::collection::vec(any::<(u8, u8, i32)>(), 0..120),
    ) {
        let mut server = Server::default();
        before.into_iter().for_each(|step| server.step(step));
        server.oplog.clear();
        let snapshot: Vec<RawDocumentBuf> = server.stored.values().map(raw).collect();
        after.into_iter().for_each(|step| server.step(step));
        let operations: Vec<(Operation, bool)> = server.oplog.iter().map(|operation| (operation.clone(), true)).collect();
        let (out, ..) = fold(1 << 20, Order::Inserted, &operations, &snapshot).expect("everything can be folded");
        prop_assert_eq!(out, server.stored.values().map(raw).collect::<Vec<_>>());
    }
}
