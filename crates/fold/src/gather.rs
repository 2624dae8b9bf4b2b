//! The first half: takes the operations of all collections, in order, and remembers of each document what the end needs.
//!
//! Each collection's documents fall into [`PARTITIONS`] by the hash of their key. When all of them together need more memory than they
//! may, what is known of them is [written down](crate::paged) one by one, and read again where one is needed. When even where it lies
//! takes too much memory, the largest partitions are written down whole, and whatever comes for them later is written behind it, unread: a
//! "grace" hash join. A collection that cannot be folded is given up alone, with the reason, and costs nothing from then on.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use bson::RawDocument;
use bson::raw::RawBsonRef;
use oplogue_oplog::{CollectionId, Kind, Operation};

use crate::filter::Filter;
use crate::folded::{Folded, Shared};
use crate::limits::Limits;
use crate::paged::{Index, Log, in_order};
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

/// What is known of the documents of a partition, by their keys.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) states: HashMap<Box<[u8]>, State>,
    /// Of other documents, in the collection's log.
    pub(crate) paged: Index,
}

#[derive(Debug)]
pub(crate) enum Partition {
    Held(Held),
    Spilled(Run),
}

impl Partition {
    pub(crate) fn empty() -> Self {
        Self::Held(Held::default())
    }

    pub(crate) fn held(&self) -> Option<&Held> {
        match self {
            Self::Held(held) => Some(held),
            Self::Spilled(_) => None,
        }
    }

    pub(crate) fn held_mut(&mut self) -> Option<&mut Held> {
        match self {
            Self::Held(held) => Some(held),
            Self::Spilled(_) => None,
        }
    }
}

/// A document that needs more than this part of the memory is not written down by itself,
const HEAVY: usize = 16;
/// nor one of so many bytes: the log has no word for it.
const HEAVY_BYTES: usize = 128 << 20;
/// The log may have so many times the bytes of the operations in it. Beyond, the same documents are read and written again and again.
const LOG_GROWTH: u64 = 3;

const SAME_HASH: &str = "two documents have the same hash";

#[derive(Debug)]
struct Gathered {
    order: Order,
    partitions: Box<[Partition]>,
    /// Bytes in memory.
    bytes: [usize; PARTITIONS],
    log: Log,
    /// Bytes of all operations that were taken.
    came: u64,
    tally: Tally,
}

/// An operation on its way: the hash and the bytes of its key, its number among all, and whether it comes after the snapshot's own end.
#[derive(Clone, Copy)]
struct Taken<'a> {
    hash: u64,
    key: &'a [u8],
    place: u64,
    late: bool,
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
                self.bytes -= one.held_bytes();
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
        let parsed = parse(operation).filter(|(id, _)| key::of_document(id, &mut self.key));
        let Some((_, change)) = parsed else {
            self.give_up(collection, format!("the operation at {:?} does not say of which document it is", operation.time));
            return Ok(());
        };
        let hash = key::hash(collection.0, &self.key);
        let at = partition_of(hash, 0);
        gathered.tally.operations += 1;
        self.places += 1;
        let before = gathered.bytes[at];
        let taken = Taken { hash, key: &self.key, place: self.places, late };
        let taken = gathered.take(at, taken, change, &self.limits, self.spill.as_ref());
        if matches!(gathered.partitions[at], Partition::Spilled(_)) {
            self.filter.add(hash);
        }
        self.bytes = self.bytes - before + gathered.bytes[at];
        match taken {
            Ok(()) => {}
            Err(FoldError::Spill(error)) => return Err(error),
            Err(error) => self.give_up(collection, error.to_string()),
        }
        if self.bytes > self.limits.gathered_bytes { self.make_room() } else { Ok(()) }
    }

    /// Everything is written down that is known of documents, and where that is not enough, whole partitions are.
    fn make_room(&mut self) -> io::Result<()> {
        let ids: Vec<CollectionId> = self.collections.keys().copied().collect();
        let paged = |gathered: &Result<Gathered, String>| gathered.as_ref().map_or(0, Gathered::paged_bytes);
        let all: usize = self.collections.values().map(paged).sum();
        let mut room = self.limits.gathered_bytes.saturating_sub(all);
        for id in ids {
            let Some(Ok(gathered)) = self.collections.get_mut(&id) else { continue };
            if gathered.order == Order::Inserted {
                continue;
            }
            let (before, paged_before) = (gathered.held_bytes(), gathered.paged_bytes());
            let paged = gathered.page_out(id, room + paged_before, &mut self.filter, &self.limits, self.spill.as_ref());
            room = (room + paged_before).saturating_sub(gathered.paged_bytes());
            self.bytes = self.bytes - before + gathered.held_bytes();
            match paged {
                Ok(()) => {}
                Err(FoldError::Spill(error)) => return Err(error),
                Err(error) => self.give_up(id, error.to_string()),
            }
        }
        // Otherwise there is enough room for a good while.
        if self.bytes > self.limits.gathered_bytes / 4 * 3 { self.spill_largest() } else { Ok(()) }
    }

    /// Writes the largest partitions down until half of the memory is free. Doing so rarely and much is cheaper than often and little.
    fn spill_largest(&mut self) -> io::Result<()> {
        let mut all: Vec<(usize, CollectionId, usize)> = Vec::new();
        for (id, gathered) in &self.collections {
            let Ok(gathered) = gathered else { continue };
            match gathered.order {
                Order::Any => all.extend((0..PARTITIONS).map(|at| (gathered.bytes[at], *id, at)).filter(|(bytes, ..)| *bytes > 0)),
                // It goes as a whole.
                Order::Inserted => all.push((gathered.held_bytes(), *id, 0)),
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
                match partition {
                    Partition::Held(held) => held.states.shrink_to_fit(),
                    Partition::Spilled(run) => run.flush(self.spill.as_ref())?,
                }
            }
        }
        let shared = Arc::new(Shared { spill: self.spill, filter: self.filter, limits: self.limits.shared_by(parallel) });
        let folded = |id, one: Gathered| Folded::new(id, one.order, one.partitions, one.log, one.tally, Arc::clone(&shared));
        let folded = self.collections.into_iter().map(|(id, gathered)| (id, gathered.map(|gathered| folded(id, gathered))));
        Ok(folded.collect())
    }
}

impl Gathered {
    fn new(order: Order) -> Self {
        Self {
            order,
            partitions: (0..PARTITIONS).map(|_| Partition::empty()).collect(),
            bytes: [0; PARTITIONS],
            log: Log::default(),
            came: 0,
            tally: Tally::default(),
        }
    }

    fn take(&mut self, at: usize, taken: Taken<'_>, change: Change<'_>, limits: &Limits, spill: &dyn Spill) -> Result<(), FoldError> {
        let Taken { hash, key, place, late } = taken;
        self.came += (key.len() + change.bytes()) as u64;
        match &mut self.partitions[at] {
            Partition::Held(Held { states, paged }) => {
                let (before, state) = match states.get_mut(key) {
                    Some(state) => (state.weight(key.len()), state),
                    None => {
                        let (weight, state) = match paged.get(hash) {
                            None => (0, State::unknown()),
                            Some(entry) => {
                                let (found, state) = self.log.read(entry, spill)?;
                                if found != key {
                                    return Err(FoldError::CannotFold(SAME_HASH.to_owned()));
                                }
                                paged.remove(hash);
                                (state.weight(key.len()), state)
                            }
                        };
                        self.bytes[at] += weight;
                        (weight, states.entry(key.into()).or_insert(state))
                    }
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

    /// Bytes in memory.
    fn held_bytes(&self) -> usize {
        self.bytes.iter().sum()
    }

    /// Those of them that say where documents were written down.
    fn paged_bytes(&self) -> usize {
        self.partitions.iter().filter_map(Partition::held).map(|held| held.paged.bytes()).sum()
    }

    /// Writes everything down that is known of documents. Where they lie may take `room` in memory. A partition is written down whole when it
    /// would take more, and when its documents would be read and written again for every change: because one needs much memory by itself,
    /// or because they have been, again and again.
    fn page_out(
        &mut self,
        id: CollectionId,
        mut room: usize,
        filter: &mut Filter,
        limits: &Limits,
        spill: &dyn Spill,
    ) -> Result<(), FoldError> {
        let heavy = (limits.gathered_bytes / HEAVY).min(HEAVY_BYTES);
        let again = self.log.bytes() > self.came * LOG_GROWTH + limits.gathered_bytes as u64;
        let count = self.partitions.iter().filter_map(Partition::held).map(|held| held.states.len()).sum();
        let mut all: Vec<(Box<[u8]>, State, usize)> = Vec::with_capacity(count);
        for at in 0..PARTITIONS {
            let Partition::Held(held) = &mut self.partitions[at] else { continue };
            let needed = held.paged.bytes_with(held.states.len());
            if again || needed > room || held.states.iter().any(|(key, state)| state.weight(key.len()) > heavy) {
                self.spill(id, at, filter, limits.block_bytes, spill)?;
            } else {
                room -= needed;
                // The table stays as large as it is: it will be filled again.
                all.extend(held.states.drain().map(|(key, state)| (key, state, at)));
            }
        }
        // As they will be asked for: what is there by itself in its order, of the rest those together whose `_id`s are.
        all.sort_unstable_by(|(key, state, _), (other, than, _)| (state.order(), key).cmp(&(than.order(), other)));
        for (key, state, at) in all {
            let Partition::Held(held) = &mut self.partitions[at] else { continue };
            if !held.paged.insert(key::hash(id.0, &key), self.log.push(&key, &state)?) {
                return Err(FoldError::CannotFold(SAME_HASH.to_owned()));
            }
            self.log.relieve(limits.block_bytes, spill)?;
        }
        self.log.flush(spill)?;
        self.log.forget_block();
        for (partition, bytes) in self.partitions.iter().zip(&mut self.bytes) {
            if let Partition::Held(held) = partition {
                *bytes = held.paged.bytes();
            }
        }
        Ok(())
    }

    /// Writes a partition down whole, or what is new of it.
    fn spill(&mut self, id: CollectionId, at: usize, filter: &mut Filter, block_bytes: usize, spill: &dyn Spill) -> io::Result<()> {
        let partition = &mut self.partitions[at];
        if let Partition::Held(held) = partition {
            let Held { states, paged } = std::mem::take(held);
            let mut run = Run::default();
            let mut write = |key: &[u8], state: &State| {
                filter.add(key::hash(id.0, key));
                state.write(key, &mut run);
                run.relieve(block_bytes, spill)
            };
            for (key, state) in states {
                write(&key, &state)?;
            }
            for entry in in_order(paged.into_entries()) {
                let (key, state) = self.log.read_on(entry, spill)?;
                write(key, &state)?;
            }
            self.log.forget_block();
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

/// The document whose `_id` should say what it is about, and what happens to it.
fn parse(operation: &Operation) -> Option<(&RawDocument, Change<'_>)> {
    let o = operation.o.as_ref();
    match operation.kind {
        Kind::Insert => Some((o, Change::Insert(o))),
        Kind::Delete => Some((o, Change::Delete)),
        Kind::Update => {
            let of = operation.o2.as_deref()?;
            Some((of, Change::Update { of, change: o, upsert: operation.upsert == Some(true) }))
        }
        Kind::Command => None,
    }
}

fn id_of(change: Change<'_>) -> Option<RawBsonRef<'_>> {
    match change {
        Change::Insert(document) | Change::Update { of: document, .. } => document.get("_id").ok().flatten(),
        Change::Delete => None,
    }
}
