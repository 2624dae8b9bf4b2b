//! A simulated server under random writes and DDL, a fuzzy dump of it (listed at one moment, each collection read at another), and a restore
//! through survey and router. Whatever happened in between, the restored state is the server's. So it is without UUIDs, as long as nothing is
//! renamed while the dump is taken; with renames two collections of one name could not be told apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bson::{Document, doc};
use oplogue_oplog::{CollectionSpec, Lineage, Router, Step};
use proptest::prelude::*;

use crate::support::*;

type Documents = BTreeMap<i32, i32>;

#[derive(Clone, Debug, Default)]
struct Collection {
    name: String,
    documents: Documents,
    indexes: BTreeSet<String>,
}

/// Living collections by UUID.
type State = BTreeMap<u8, Collection>;

#[derive(Default)]
struct Server {
    state: State,
    uuids: u8,
    /// Time series, whose UUIDs old backups lack, cannot be renamed.
    no_renames: bool,
    values: i32,
    /// One per entry of the oplog.
    entries: Vec<Document>,
    /// The state before each entry, and after the last.
    history: Vec<State>,
}

impl Server {
    fn log(&mut self, entry: Document) {
        self.entries.push(entry);
        self.history.push(self.state.clone());
    }

    fn pick(&self, choice: u8) -> Option<u8> {
        let uuids: Vec<u8> = self.state.keys().copied().collect();
        (!uuids.is_empty()).then(|| uuids[choice as usize % uuids.len()])
    }

    /// Writes a document and returns the operation.
    fn put(&mut self, uuid: u8, id: i32) -> Document {
        self.values += 1;
        let value = self.values;
        let collection = self.state.get_mut(&uuid).expect("a living collection");
        match collection.documents.insert(id, value) {
            None => insert(&collection.name, uuid, doc! { "_id": id, "v": value }),
            Some(_) => update(&collection.name, uuid, id, doc! { "_id": id, "v": value }),
        }
    }

    fn step(&mut self, (what, which, arg): (u8, u8, u8)) {
        let name = format!("a.n{}", arg % 4);
        let id = i32::from(arg % 6);
        if what % 16 == 0 || self.state.is_empty() {
            if self.state.values().all(|collection| collection.name != name) && self.uuids < 250 {
                self.uuids += 1;
                let collection = Collection { name: name.clone(), indexes: ["_id_".to_owned()].into(), ..Collection::default() };
                self.state.insert(self.uuids, collection);
                self.log(create("a", self.uuids, &name[2..]));
            }
            return;
        }
        let Some(uuid) = self.pick(which) else { return };
        let own_name = self.state[&uuid].name.clone();
        let short = own_name[2..].to_owned();
        match what % 16 {
            1 => {
                self.state.remove(&uuid);
                self.log(command("a", uuid, doc! { "drop": short }));
            }
            2..=4 => {
                if !self.no_renames && name != own_name {
                    let target = self.state.iter().find(|(_, collection)| collection.name == name).map(|(uuid, _)| *uuid);
                    if let Some(target) = target {
                        self.state.remove(&target);
                    }
                    self.state.get_mut(&uuid).expect("it lives").name = name.clone();
                    self.log(rename(uuid, &own_name, &name, target));
                }
            }
            5 => {
                let index_name = format!("i{}", arg % 3);
                if self.state.get_mut(&uuid).expect("it lives").indexes.insert(index_name.clone()) {
                    self.log(command("a", uuid, doc! { "createIndexes": short, "v": 2, "key": { &index_name: 1 }, "name": index_name }));
                }
            }
            6 => {
                let index_name = format!("i{}", arg % 3);
                if self.state.get_mut(&uuid).expect("it lives").indexes.remove(&index_name) {
                    self.log(command("a", uuid, doc! { "dropIndexes": short, "index": index_name }));
                }
            }
            7 | 8 => {
                if self.state.get_mut(&uuid).expect("it lives").documents.remove(&id).is_some() {
                    self.log(delete(&own_name, uuid, id));
                }
            }
            9 => {
                let other = self.pick(arg).expect("some collection lives");
                let inner = vec![self.put(uuid, id), self.put(other, id + 1), self.put(uuid, id)];
                self.log(doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": inner } });
            }
            _ => {
                let entry = self.put(uuid, id);
                self.log(entry);
            }
        }
    }
}

/// What a restore made: documents and indexes by name.
type Restored = BTreeMap<String, (Documents, BTreeSet<String>)>;

fn restore(specs: Vec<CollectionSpec>, mut read: HashMap<String, Documents>, entries: &[Document]) -> Restored {
    let outcome = Run::all(specs.clone(), entries.to_vec());
    assert!(outcome.strangers.is_empty(), "{:?}", outcome.strangers);
    let selected = outcome.select(&only(&[]), &[]).expect("no two of one name");
    let mut target: Restored = selected
        .iter()
        .map(|selected| {
            let documents = selected.survivor.source.as_ref().and_then(|source| read.remove(&source.to_string()));
            let indexes = index_names(&selected.survivor).into_iter().collect();
            (selected.target.to_string(), (documents.unwrap_or_default(), indexes))
        })
        .collect();
    let mut router = Router::new(Lineage::from_snapshot(specs), &selected, None);
    for operation in operations(entries.to_vec()) {
        let Some(Step::Write(step)) = router.route(&operation).expect("it was surveyed") else {
            continue;
        };
        let o = step.get_document("o").expect("documents");
        let id = o.get_i32("_id").expect("a number");
        let (documents, _) = target.get_mut(step.get_str("ns").expect("a name")).expect("a collection that was created");
        // As the server applies the oplog: inserts and replacements put the document, deletes of what is not there do nothing.
        match step.get_str("op").expect("a letter") {
            "d" => documents.remove(&id),
            _ => documents.insert(id, o.get_i32("v").expect("a number")),
        };
    }
    target
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_fuzzy_dump_and_its_oplog_make_the_servers_state(
        steps in proptest::collection::vec(any::<(u8, u8, u8)>(), 10..120),
        begin in any::<prop::sample::Index>(),
        listed in any::<prop::sample::Index>(),
        reads in proptest::collection::vec(any::<prop::sample::Index>(), 4),
        with_uuids in prop::bool::weighted(0.7),
    ) {
        let mut server = Server { no_renames: !with_uuids, ..Server::default() };
        server.history.push(State::new());
        for step in steps {
            server.step(step);
        }
        let last = server.entries.len();
        let begin = begin.index(last + 1);
        let listed = begin + listed.index(last + 1 - begin);
        let mut read = HashMap::new();
        let specs = server.history[listed].iter().zip(reads.iter().cycle()).map(|((uuid, collection), when)| {
            let when = listed + when.index(last + 1 - listed);
            // Dropped before it was read: what was read of it is worth nothing, and the oplog will say so.
            let documents = server.history[when].get(uuid).map(|then| then.documents.clone()).unwrap_or_default();
            read.insert(collection.name.clone(), documents);
            let indexes = collection.indexes.iter().map(|name| index(name, doc! { name: 1 })).collect();
            CollectionSpec { indexes, ..spec(&collection.name, with_uuids.then_some(*uuid)) }
        }).collect();
        let expected: Restored = server.history[last]
            .values()
            .map(|collection| (collection.name.clone(), (collection.documents.clone(), collection.indexes.clone())))
            .collect();
        prop_assert_eq!(restore(specs, read, &server.entries[begin..]), expected);
    }
}
