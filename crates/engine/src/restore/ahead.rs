//! Folding while the oplog is surveyed.
//!
//! What exists at the moment, and so what is to be folded, is known when the oplog was read to its end. A restore of everything takes what
//! there is, and mostly that is what there was all along: so everything is folded in the same reading. As soon as a collection goes, or
//! becomes another, or has its options changed, this stops being true; then what was folded is thrown away, and the oplog read once more for
//! what is left. That decides whatever is in doubt here: nothing that fails here fails the restore.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use oplogue_domain::OplogTime;
use oplogue_fold::Order;
use oplogue_oplog::{CollectionId, Ddl, Destination, Kind, Lineage, Meaning, Operation, Resolved};

use super::RestoreRequest;
use super::fold::{Replay, Way, Ways};
use super::folding::{Folding, Routed, order};
use super::spill::TemporaryFile;
use super::work::Work;

pub(super) struct Ahead {
    /// `None`: given up.
    folding: Option<Folding>,
    /// What was begun, and how.
    orders: BTreeMap<CollectionId, Order>,
    batch: Routed,
}

impl Ahead {
    /// `None` where not everything is restored, or nothing is folded. `consistent_at`: the end of the snapshot's own oplog.
    pub(super) fn begin(request: &RestoreRequest, consistent_at: OplogTime) -> Option<Self> {
        match &request.replay {
            Replay::Fold(limits) if request.selection.is_everything() => Some(Self::of(Folding::begin(limits, consistent_at))),
            _ => None,
        }
    }

    fn of(folding: Folding) -> Self {
        Self { folding: Some(folding), orders: BTreeMap::new(), batch: Vec::new() }
    }

    /// The next operation, with what the lineage said of it.
    pub(super) async fn take(&mut self, operation: Operation, resolved: &Resolved, lineage: &Lineage) {
        let Some(folding) = &self.folding else { return };
        match foresee(&operation, resolved) {
            Foreseen::Nothing => {}
            Foreseen::Belongs(destination) => {
                if let Destination::Write(id) = destination
                    && let Entry::Vacant(vacant) = self.orders.entry(id)
                {
                    let order = *vacant.insert(order(lineage.is_capped(id)));
                    folding.collection(id, order).await;
                }
                self.batch.push((destination, operation));
            }
            Foreseen::Changes => self.give_up(),
        }
    }

    /// Hands on what was taken.
    pub(super) async fn flush(&mut self) {
        let Some(folding) = &self.folding else { return };
        // The next batch is about as large.
        let next = Vec::with_capacity(self.batch.len());
        if !folding.take(std::mem::replace(&mut self.batch, next)).await {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.folding = None;
        self.batch = Vec::new();
    }

    /// What it amounts to, if it is what a reading for `work` alone would have come to.
    pub(super) async fn end(self, work: &[Work], parallel: usize) -> Option<(Ways, Arc<TemporaryFile>)> {
        let folding = self.folding?;
        let mut in_doubt = false;
        for one in work {
            let (survivor, wanted) = (&one.selected.survivor, order(one.is_capped()));
            // Some of its first inserts are in the snapshot already: they had to be left out.
            in_doubt |= survivor.skip_inserts_through.is_some();
            match self.orders.get(&survivor.id) {
                Some(order) => in_doubt |= *order != wanted,
                None => folding.collection(survivor.id, wanted).await,
            }
        }
        // In any case: another one is not to find the memory of this one in use.
        let ended = folding.end().await.inspect_err(|error| tracing::debug!(%error, "folding while surveying failed"));
        let (pass, file) = ended.ok().filter(|_| !in_doubt)?;
        let ways = pass.finish(work, parallel).ok()?;
        // What cannot be folded cannot be folded again, unless it was others that took the memory for it.
        let alone = self.orders.keys().all(|id| ways.collections.contains_key(id));
        let all_folded = ways.collections.values().all(|way| matches!(way, Way::Folded { .. }));
        (alone || all_folded).then_some((ways, file))
    }
}

enum Foreseen {
    Nothing,
    Belongs(Destination),
    /// A collection goes or changes, or it is an operation that another reading must judge.
    Changes,
}

fn foresee(operation: &Operation, resolved: &Resolved) -> Foreseen {
    match (&resolved.meaning, resolved.collection) {
        (Meaning::Write, Some(_)) if operation.kind == Kind::Update && operation.o2.is_none() => Foreseen::Changes,
        (Meaning::Write, Some(id)) => Foreseen::Belongs(Destination::Write(id)),
        (Meaning::Principal | Meaning::PrincipalsDropped, _) => Foreseen::Belongs(Destination::Principal),
        (Meaning::Ddl(Ddl::Create { .. } | Ddl::CreateIndexes(_) | Ddl::CommitIndexBuild(_) | Ddl::DropIndexes(_)), _) => Foreseen::Nothing,
        (Meaning::Ddl(_), _) => Foreseen::Changes,
        (Meaning::Write | Meaning::Skip(_) | Meaning::View | Meaning::ViewsDropped, _) => Foreseen::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use bson::{Document, RawDocumentBuf, Timestamp, doc};
    use oplogue_domain::{Namespace, NamespaceSelection};
    use oplogue_oplog::{CollectionKind, CollectionSpec, Transactions};

    use super::*;
    use crate::restore::FoldLimits;

    const CONSISTENT_AT: OplogTime = OplogTime::new(1, 0);

    fn spec(name: &str, number: u8, options: Document) -> CollectionSpec {
        CollectionSpec {
            namespace: Namespace { database: "shop".to_owned(), collection: name.to_owned() },
            kind: CollectionKind::Collection,
            uuid: Some([number; 16]),
            buckets_uuid: None,
            capped_last_id: options.contains_key("capped").then_some(bson::RawBson::Int32(2)),
            options,
            indexes: Vec::new(),
        }
    }

    /// `number`: of the collection; for commands `name` is `$cmd`.
    fn entry(op: &str, name: &str, number: u8, rest: Document) -> Document {
        let ui = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![number; 16] };
        let mut entry = doc! { "op": op, "ns": format!("shop.{name}"), "ui": ui };
        entry.extend(rest);
        entry
    }

    fn insert(name: &str, number: u8, id: i32) -> Document {
        entry("i", name, number, doc! { "o": { "_id": id }, "o2": { "_id": id } })
    }

    /// Goes through `entries`, from which second on, and says how many operations were folded of each collection, if that was right.
    async fn folded(first: u32, entries: Vec<Document>) -> Option<Vec<(String, u64)>> {
        let specs = vec![spec("a", 1, doc! {}), spec("b", 2, doc! {}), spec("log", 3, doc! { "capped": true, "size": 4096 })];
        let mut ahead = Ahead::of(Folding::begin(&FoldLimits { memory_bytes_max: 1 << 20, folder: None }, CONSISTENT_AT));
        let (mut lineage, mut transactions) = (Lineage::from_snapshot(specs), Transactions::new());
        for (second, mut entry) in (first..).zip(entries) {
            entry.insert("ts", Timestamp { time: second, increment: 1 });
            if second > CONSISTENT_AT.seconds {
                lineage.end_base_window();
            }
            let entry = RawDocumentBuf::try_from(&entry).expect("BSON");
            for operation in transactions.push(&entry).expect("an entry of the test") {
                let resolved = lineage.push(&operation).expect("an operation of the test");
                ahead.take(operation, &resolved, &lineage).await;
            }
            ahead.flush().await;
        }
        let selected = lineage.outcome().select(&NamespaceSelection::Everything, &[]).expect("everything");
        let work: Vec<Work> = selected.into_iter().map(|selected| Work { selected, load: None, keep_uuid: false }).collect();
        let (ways, _) = ahead.end(&work, 2).await?;
        let operations = |one: &Work| match ways.collections.get(&one.selected.survivor.id) {
            Some(Way::Folded { documents, .. }) => documents.tally().operations,
            _ => panic!("{one:?} is not folded"),
        };
        Some(work.iter().map(|one| (one.selected.target.collection.clone(), operations(one))).collect())
    }

    fn told(expected: &[(&str, u64)]) -> Option<Vec<(String, u64)>> {
        Some(expected.iter().map(|(name, operations)| ((*name).to_owned(), *operations)).collect())
    }

    #[tokio::test]
    async fn what_stays_and_what_is_new_is_folded_in_one_reading() {
        let create = entry("c", "$cmd", 4, doc! { "o": { "create": "c", "idIndex": { "v": 2, "key": { "_id": 1 }, "name": "_id_" } } });
        let index = entry("c", "$cmd", 1, doc! { "o": { "createIndexes": "a", "v": 2, "key": { "n": 1 }, "name": "n_1" } });
        let entries = vec![insert("a", 1, 1), create, insert("c", 4, 1), index, insert("a", 1, 2), insert("log", 3, 1)];
        assert_eq!(folded(2, entries).await, told(&[("a", 2), ("b", 0), ("c", 1), ("log", 1)]));
        assert_eq!(folded(2, vec![]).await, told(&[("a", 0), ("b", 0), ("log", 0)]));
    }

    #[tokio::test]
    async fn what_goes_or_changes_or_is_in_doubt_is_left_to_another_reading() {
        let drop = entry("c", "$cmd", 2, doc! { "o": { "drop": "b" } });
        let rename = entry("c", "$cmd", 2, doc! { "o": { "renameCollection": "shop.b", "to": "shop.d", "stayTemp": false } });
        let change = entry("c", "$cmd", 1, doc! { "o": { "collMod": "a", "validationLevel": "off" } });
        let update = entry("u", "a", 1, doc! { "o": { "$v": 2, "diff": { "u": { "n": 1 } } } });
        for changed in [drop, rename, change, update] {
            assert_eq!(folded(2, vec![insert("a", 1, 1), changed.clone(), insert("a", 1, 2)]).await, None, "{changed}");
        }
        // The snapshot was read behind the insert of its last document.
        assert_eq!(folded(1, vec![insert("log", 3, 2)]).await, None);
    }
}
