//! The first half: takes the operations of all collections, in order, and remembers of each document what the end needs.
//!
//! Each collection's documents fall into [`PARTITIONS`] by the hash of their key. When all of them together need more memory than they
//! may, the largest partitions are written down, and whatever comes for them later is written behind it, unread: a "grace" hash join.
//! A collection that cannot be folded is given up alone, with the reason, and costs nothing from then on.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use bson::RawDocument;
use bson::raw::RawBsonRef;
use oplogue_oplog::{CollectionId, Kind, Operation};

use crate::filter::Filter;
use crate::folded::{Folded, Shared};
use crate::limits::Limits;
use crate::spill::{Record, Run, Spill};
use crate::state::{Change, Effect, State, UPSERT, check};
use crate::{FoldError, Tally, key};

/// Parts of a collection that are kept in memory or written down each by itself. The highest bits of a key's hash say which.
pub(crate) const PARTITIONS: usize = 16;

/// How the documents of a collection lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nobody may rely on it.
    Any,
    /// As they were inserted: a capped collection. It is folded in memory or not at all.
    Inserted,
}

#[derive(Debug)]
pub(crate) enum Partition {
    Held(HashMap<Box<[u8]>, State>),
    Spilled(Run),
}

#[derive(Debug)]
struct Gathered {
    order: Order,
    partitions: Box<[Partition]>,
    bytes: [usize; PARTITIONS],
    tally: Tally,
}

/// Everything that the oplog says of the documents of some collections.
pub struct Fold {
    limits: Limits,
    spill: Arc<dyn Spill>,
    collections: BTreeMap<CollectionId, Result<Gathered, String>>,
    filter: Filter,
    /// Bytes in memory, of all collections.
    bytes: usize,
    places: u64,
    key: Vec<u8>,
}

impl Fold {
    /// `memory_bytes_max` is for everything that is remembered at any time, here and in the second half; a single document is
    /// always held whole.
    pub fn new(memory_bytes_max: usize, spill: Arc<dyn Spill>) -> Self {
        let limits = Limits::of(memory_bytes_max);
        let filter = Filter::new(limits.filter_bytes);
        Self { limits, spill, collections: BTreeMap::new(), filter, bytes: 0, places: 0, key: Vec::new() }
    }

    /// Says that a collection is folded. Operations of others are not taken.
    pub fn begin(&mut self, collection: CollectionId, order: Order) {
        self.collections.insert(collection, Ok(Gathered::new(order)));
    }

    /// Says that a collection is not folded after all, and why.
    pub fn give_up(&mut self, collection: CollectionId, why: impl Into<String>) {
        if let Some(gathered @ Ok(_)) = self.collections.get_mut(&collection) {
            if let Ok(one) = gathered {
                self.bytes -= one.bytes.iter().sum::<usize>();
            }
            *gathered = Err(why.into());
        }
    }

    /// Takes the next operation. `late`: the snapshot has caught up with itself, so that an update must find its document.
    ///
    /// # Errors
    /// Only those of the spill. What cannot be folded is told by [`Fold::finish`].
    pub fn take(&mut self, collection: CollectionId, operation: &Operation, late: bool) -> io::Result<()> {
        let Some(Ok(gathered)) = self.collections.get_mut(&collection) else { return Ok(()) };
        let Some((id, change)) = parse(operation) else {
            self.give_up(collection, format!("the operation at {:?} does not say of which document it is", operation.time));
            return Ok(());
        };
        key::of_document(id, &mut self.key);
        let hash = key::hash(collection.0, &self.key);
        let at = partition_of(hash, 0);
        gathered.tally.operations += 1;
        self.places += 1;
        let before = gathered.bytes[at];
        let taken = gathered.take(at, &self.key, change, (late, self.places), &self.limits, self.spill.as_ref());
        if matches!(gathered.partitions[at], Partition::Spilled(_)) {
            self.filter.add(hash);
        }
        self.bytes = self.bytes - before + gathered.bytes[at];
        match taken {
            Ok(()) => {}
            Err(FoldError::Spill(error)) => return Err(error),
            Err(error) => self.give_up(collection, error.to_string()),
        }
        if self.bytes > self.limits.gathered_bytes { self.spill_largest() } else { Ok(()) }
    }

    /// Writes the largest partitions down until half of the memory is free. Doing so rarely and much is cheaper than often and little.
    fn spill_largest(&mut self) -> io::Result<()> {
        let mut all: Vec<(usize, CollectionId, usize)> = Vec::new();
        for (id, gathered) in &self.collections {
            let Ok(gathered) = gathered else { continue };
            match gathered.order {
                Order::Any => all.extend((0..PARTITIONS).map(|at| (gathered.bytes[at], *id, at)).filter(|(bytes, ..)| *bytes > 0)),
                // It goes as a whole.
                Order::Inserted => all.push((gathered.bytes.iter().sum(), *id, 0)),
            }
        }
        all.sort_unstable_by_key(|(bytes, ..)| std::cmp::Reverse(*bytes));
        for (_, id, at) in all {
            if self.bytes <= self.limits.gathered_bytes / 2 {
                break;
            }
            match self.collections.get_mut(&id) {
                Some(Ok(gathered)) if gathered.order == Order::Any => {
                    let before = gathered.bytes[at];
                    gathered.spill(id, at, &mut self.filter, self.limits.block_bytes, self.spill.as_ref())?;
                    self.bytes = self.bytes - before + gathered.bytes[at];
                }
                _ => self.give_up(id, "it is a capped collection with more changes than are kept in memory"),
            }
        }
        Ok(())
    }

    /// Ends the first half. What comes back are the collections for the second one, which may go on at the same time, `parallel` of them
    /// at most, or why one cannot be folded.
    pub fn finish(mut self, parallel: usize) -> io::Result<BTreeMap<CollectionId, Result<Folded, String>>> {
        for gathered in self.collections.values_mut().flatten() {
            for partition in &mut gathered.partitions {
                if let Partition::Spilled(run) = partition {
                    run.flush(self.spill.as_ref())?;
                }
            }
        }
        let shared = Arc::new(Shared { spill: self.spill, filter: self.filter, limits: self.limits.shared_by(parallel) });
        let folded = self.collections.into_iter().map(|(id, gathered)| {
            (id, gathered.map(|gathered| Folded::new(id, gathered.order, gathered.partitions, gathered.tally, Arc::clone(&shared))))
        });
        Ok(folded.collect())
    }
}

impl Gathered {
    fn new(order: Order) -> Self {
        Self {
            order,
            partitions: (0..PARTITIONS).map(|_| Partition::Held(HashMap::new())).collect(),
            bytes: [0; PARTITIONS],
            tally: Tally::default(),
        }
    }

    fn take(
        &mut self,
        at: usize,
        key: &[u8],
        change: Change<'_>,
        (late, place): (bool, u64),
        limits: &Limits,
        spill: &dyn Spill,
    ) -> Result<(), FoldError> {
        match &mut self.partitions[at] {
            Partition::Held(states) => {
                let (before, state) = match states.get_mut(key) {
                    Some(state) => (state.weight(key.len()), state),
                    None => (0, states.entry(key.into()).or_insert_with(State::unknown)),
                };
                if matches!(change, Change::Insert(_)) {
                    state.place = place;
                }
                let effect = state.take(change, late).map_err(|error| FoldError::of(&error, id_of(change)))?;
                self.bytes[at] = self.bytes[at] - before + state.weight(key.len());
                self.tally.add(effect);
            }
            Partition::Spilled(run) => {
                match (change, change.whole()) {
                    (_, Some(document)) => run.push(key, Record::Whole(document.as_bytes()), 0),
                    (Change::Delete, _) => run.push(key, Record::Gone, 0),
                    // What it would become depends on whether the document is there.
                    (Change::Update { upsert: true, .. } | Change::Insert(_), _) => return Err(FoldError::CannotFold(UPSERT.to_owned())),
                    (Change::Update { of, change, .. }, _) => {
                        check(of, change).map_err(|error| FoldError::of(&error, id_of(Change::Insert(of))))?;
                        run.push(key, Record::Change(change.as_bytes()), u32::from(late));
                    }
                }
                run.relieve(limits.block_bytes, spill)?;
                self.bytes[at] = run.held_bytes();
            }
        }
        Ok(())
    }

    fn spill(&mut self, id: CollectionId, at: usize, filter: &mut Filter, block_bytes: usize, spill: &dyn Spill) -> io::Result<()> {
        let partition = &mut self.partitions[at];
        if let Partition::Held(states) = partition {
            let mut run = Run::default();
            for (key, state) in states.drain() {
                filter.add(key::hash(id.0, &key));
                state.write(&key, &mut run);
                run.relieve(block_bytes, spill)?;
            }
            *partition = Partition::Spilled(run);
        }
        if let Partition::Spilled(run) = partition {
            run.flush(spill)?;
            self.bytes[at] = run.held_bytes();
        }
        Ok(())
    }
}

impl Tally {
    pub(crate) fn add(&mut self, effect: Effect) {
        self.lost_updates += u64::from(effect.lost);
        self.documents_spared += u64::from(effect.unmade);
    }
}

/// Which partition a hash falls into; of a partition that was divided `depth` times, which part of it.
pub(crate) fn partition_of(hash: u64, depth: u32) -> usize {
    const BITS: u32 = PARTITIONS.trailing_zeros();
    ((hash << (depth * BITS)) >> (u64::BITS - BITS)) as usize
}

/// The document whose `_id` says what it is about, and what happens to it.
fn parse(operation: &Operation) -> Option<(&RawDocument, Change<'_>)> {
    let o = operation.o.as_ref();
    let (id, change) = match operation.kind {
        Kind::Insert => (o, Change::Insert(o)),
        Kind::Delete => (o, Change::Delete),
        Kind::Update => {
            let of = operation.o2.as_deref()?;
            (of, Change::Update { of, change: o, upsert: operation.upsert == Some(true) })
        }
        Kind::Command => return None,
    };
    matches!(id.get("_id"), Ok(Some(_))).then_some((id, change))
}

fn id_of(change: Change<'_>) -> Option<RawBsonRef<'_>> {
    match change {
        Change::Insert(document) | Change::Update { of: document, .. } => document.get("_id").ok().flatten(),
        Change::Delete => None,
    }
}
