//! What the oplog says of the documents of one collection.
//!
//! They fall into [`PARTITIONS`] by the hash of their key. What is known of them is held in memory, [written down](crate::paged) one by
//! one, or as a whole partition; which, [`Fold`](crate::Fold) decides for all collections together.

use std::collections::hash_map::Entry;
use std::io;
use std::sync::Arc;

use bson::raw::RawBsonRef;
use oplogue_oplog::CollectionId;

use crate::filter::Filter;
use crate::folded::{Folded, Shared};
use crate::limits::Limits;
use crate::paged::{ByHash, Index, Log, in_order};
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

/// What is known of the documents of a partition, by the hashes of their keys.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) states: ByHash<OfKey>,
    /// Of other documents, in the collection's log.
    pub(crate) paged: Index,
}

impl Held {
    pub(crate) fn holds(&self, hash: u64) -> bool {
        self.states.contains_key(&hash) || self.paged.holds(hash)
    }
}

/// A state with its whole key: two keys may share a hash.
#[derive(Debug)]
pub(crate) struct OfKey {
    pub(crate) key: Box<[u8]>,
    pub(crate) state: State,
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
pub(crate) struct Gathered {
    pub(crate) order: Order,
    partitions: Box<[Partition]>,
    /// Bytes in memory, of each partition.
    pub(crate) bytes: [usize; PARTITIONS],
    log: Log,
    /// Bytes of all operations that were taken.
    came: u64,
    pub(crate) tally: Tally,
}

/// An operation on its way: the hash and the bytes of its key, its number among all, and whether it comes after the snapshot's own end.
#[derive(Clone, Copy)]
pub(crate) struct Taken<'a> {
    pub(crate) hash: u64,
    pub(crate) key: &'a [u8],
    pub(crate) place: u64,
    pub(crate) late: bool,
}

impl Gathered {
    pub(crate) fn new(order: Order) -> Self {
        Self {
            order,
            partitions: (0..PARTITIONS).map(|_| Partition::empty()).collect(),
            bytes: [0; PARTITIONS],
            log: Log::default(),
            came: 0,
            tally: Tally::default(),
        }
    }

    pub(crate) fn take(
        &mut self,
        at: usize,
        taken: Taken<'_>,
        change: Change<'_>,
        limits: &Limits,
        spill: &dyn Spill,
    ) -> Result<(), FoldError> {
        let Taken { hash, key, place, late } = taken;
        self.came += (key.len() + change.bytes()) as u64;
        match &mut self.partitions[at] {
            Partition::Held(Held { states, paged }) => {
                let (before, state) = match states.entry(hash) {
                    Entry::Occupied(held) => {
                        let held = held.into_mut();
                        if *held.key != *key {
                            return Err(FoldError::CannotFold(SAME_HASH.to_owned()));
                        }
                        (held.state.weight(key.len()), &mut held.state)
                    }
                    Entry::Vacant(room) => {
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
                        (weight, &mut room.insert(OfKey { key: key.into(), state }).state)
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

    /// Whether this partition was written down whole.
    pub(crate) fn is_spilled(&self, at: usize) -> bool {
        matches!(self.partitions[at], Partition::Spilled(_))
    }

    /// For the second half.
    pub(crate) fn end(mut self, id: CollectionId, shared: &Arc<Shared>) -> io::Result<Folded> {
        for partition in &mut self.partitions {
            if let Partition::Spilled(run) = partition {
                run.flush(shared.spill.as_ref())?;
            }
        }
        Ok(Folded::new(id, self.order, self.partitions, self.log, self.tally, Arc::clone(shared)))
    }

    /// Bytes in memory.
    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes.iter().sum()
    }

    /// Those of them that say where documents were written down.
    pub(crate) fn paged_bytes(&self) -> usize {
        self.partitions.iter().filter_map(Partition::held).map(|held| held.paged.bytes()).sum()
    }

    /// Writes everything down that is known of documents. Where they lie may take `room` in memory. A partition is written down whole when it
    /// would take more, and when its documents would be read and written again for every change: because one needs much memory by itself,
    /// or because they have been, again and again.
    pub(crate) fn page_out(
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
        let mut all: Vec<(u64, OfKey, usize)> = Vec::with_capacity(count);
        for at in 0..PARTITIONS {
            let Partition::Held(held) = &mut self.partitions[at] else { continue };
            let needed = held.paged.bytes_with(held.states.len());
            if again || needed > room || held.states.values().any(|OfKey { key, state }| state.weight(key.len()) > heavy) {
                self.spill(id, at, filter, limits.block_bytes, spill)?;
            } else {
                room -= needed;
                all.extend(std::mem::take(&mut held.states).into_iter().map(|(hash, held)| (hash, held, at)));
            }
        }
        // As they will be asked for: what is there by itself in its order, of the rest those together whose `_id`s are.
        all.sort_unstable_by(|(_, one, _), (_, other, _)| (one.state.order(), &one.key).cmp(&(other.state.order(), &other.key)));
        for (hash, OfKey { key, state }, at) in all {
            let Partition::Held(held) = &mut self.partitions[at] else { continue };
            if !held.paged.insert(hash, self.log.push(&key, &state)?) {
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
    pub(crate) fn spill(
        &mut self,
        id: CollectionId,
        at: usize,
        filter: &mut Filter,
        block_bytes: usize,
        spill: &dyn Spill,
    ) -> io::Result<()> {
        let partition = &mut self.partitions[at];
        if let Partition::Held(held) = partition {
            let Held { states, paged } = std::mem::take(held);
            let mut run = Run::default();
            let mut write = |key: &[u8], state: &State| {
                filter.add(key::hash(id.0, key));
                state.write(key, &mut run);
                run.relieve(block_bytes, spill)
            };
            for OfKey { key, state } in states.into_values() {
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

fn id_of(change: Change<'_>) -> Option<RawBsonRef<'_>> {
    match change {
        Change::Insert(document) | Change::Update { of: document, .. } => document.get("_id").ok().flatten(),
        Change::Delete => None,
    }
}
