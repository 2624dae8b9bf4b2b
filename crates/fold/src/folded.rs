//! The second half: the documents of the snapshot, one after another, become what the oplog makes of them.
//!
//! First every document of the snapshot is [met](Folded::meet), in its order; then [`Folded::rest`] gives what the oplog made, and what
//! had to wait because its partition is written down. Each document comes out once, in its final state.
//!
//! A snapshot that was read while clients wrote may hold a document twice (deleted and inserted again meanwhile), or one that was deleted,
//! or a state that is ahead of the first operations. The rules are the server's own for initial sync: an insert replaces what is there, an
//! update of what is not there is left out, a delete of what is not there is nothing.

use std::sync::Arc;

use bson::{RawDocument, RawDocumentBuf};
use oplogue_oplog::CollectionId;

use crate::filter::Filter;
use crate::gathered::{Held, OfKey, Order, PARTITIONS, Partition, partition_of};
use crate::join::{Join, Part};
use crate::limits::Limits;
use crate::paged::{Entry, Log, in_order};
use crate::spill::{Record, Run, Spill};
use crate::state::{Known, State, owned};
use crate::{FoldError, key};

/// What was done with one collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Operations taken.
    pub operations: u64,
    /// Documents that were not given out: those of the snapshot that are gone at the end, and those that the oplog made and unmade again.
    pub documents_spared: u64,
    /// Updates after the snapshot's own end that found no document: snapshot and oplog do not belong together.
    pub lost_updates: u64,
}

pub(crate) struct Shared {
    pub(crate) spill: Arc<dyn Spill>,
    pub(crate) filter: Filter,
    pub(crate) limits: Limits,
}

/// What becomes of a document of the snapshot.
#[derive(Clone, Debug, PartialEq)]
pub enum Met {
    /// It is as it was.
    Kept,
    Changed(RawDocumentBuf),
    /// It is gone at the moment, or it comes with the rest.
    Away,
}

/// What lies in the temporary file of partitions that were written down whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spilled {
    pub bytes: u64,
    /// Of 16.
    pub partitions: usize,
}

/// One collection, ready to meet its documents.
pub struct Folded {
    id: CollectionId,
    order: Order,
    partitions: Box<[Partition]>,
    log: Log,
    /// Documents of the snapshot whose partitions are written down, one run for each.
    waiting: Box<[Run]>,
    tally: Tally,
    shared: Arc<Shared>,
    rest: Rest,
    key: Vec<u8>,
}

enum Rest {
    /// What was written down one by one.
    Paged(std::vec::IntoIter<Entry>),
    Held(std::vec::IntoIter<State>),
    Spilled(Join),
    Between,
}

impl Folded {
    pub(crate) fn new(id: CollectionId, order: Order, partitions: Box<[Partition]>, log: Log, tally: Tally, shared: Arc<Shared>) -> Self {
        let waiting = (0..PARTITIONS).map(|_| Run::default()).collect();
        Self { id, order, partitions, log, waiting, tally, shared, rest: Rest::Between, key: Vec::new() }
    }

    /// Whether there is anything to do: without it, every document stays as it is.
    pub fn is_idle(&self) -> bool {
        self.tally.operations == 0
    }

    /// So far; final once [`Folded::rest`] has given everything.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    pub fn spilled(&self) -> Spilled {
        let runs = self.partitions.iter().filter_map(|partition| match partition {
            Partition::Spilled(run) => Some(run.total_bytes()),
            Partition::Held(_) => None,
        });
        runs.fold(Spilled::default(), |sum, bytes| Spilled { bytes: sum.bytes + bytes, partitions: sum.partitions + 1 })
    }

    /// Of each of some documents, whether the oplog may say something of it: the others stay as they are, and need not be met. Looked up for
    /// many at once, because what is remembered of a million documents is far from a processor's caches: it then asks for the next ones
    /// while it waits for the first.
    pub fn touched<'a>(&mut self, documents: impl Iterator<Item = &'a RawDocument>) -> Vec<bool> {
        let key = &mut self.key;
        let hashes: Vec<Option<u64>> =
            documents.map(|document| key::of_document(document, key).then(|| key::hash(self.id.0, key))).collect();
        let touched = |hash| match &self.partitions[partition_of(hash, 0)] {
            Partition::Held(held) => held.holds(hash),
            Partition::Spilled(_) => self.shared.filter.may_hold(hash),
        };
        hashes.into_iter().map(|hash| hash.is_some_and(touched)).collect()
    }

    /// What becomes of the next document of the snapshot.
    pub fn meet(&mut self, document: &RawDocument) -> Result<Met, FoldError> {
        if !key::of_document(document, &mut self.key) {
            return Ok(Met::Kept);
        }
        let hash = key::hash(self.id.0, &self.key);
        let at = partition_of(hash, 0);
        match &mut self.partitions[at] {
            Partition::Held(Held { states, paged }) => {
                if let Some(OfKey { key, state }) = states.get_mut(&hash) {
                    if **key != *self.key {
                        return Ok(Met::Kept);
                    }
                    if self.order == Order::Inserted && matches!(state.known, Known::Whole(_)) {
                        // It was dropped to make room, and inserted again later: it stands where it was inserted.
                        state.late = 0;
                        return Ok(Met::Away);
                    }
                    self.tally.documents_spared += u64::from(state.known == Known::Gone);
                    return Ok(state.meet(document)?.map_or(Met::Away, Met::Changed));
                }
                let Some(entry) = paged.get_mut(hash) else { return Ok(Met::Kept) };
                let (key, mut state) = self.log.read(*entry, self.shared.spill.as_ref())?;
                if key != self.key {
                    return Ok(Met::Kept);
                }
                self.tally.documents_spared += u64::from(state.known == Known::Gone);
                if entry.is_met() {
                    return Ok(Met::Away);
                }
                entry.meet();
                Ok(state.meet(document)?.map_or(Met::Away, Met::Changed))
            }
            Partition::Spilled(_) if !self.shared.filter.may_hold(hash) => Ok(Met::Kept),
            Partition::Spilled(_) => {
                let waiting = &mut self.waiting[at];
                waiting.push(&self.key, Record::Whole(document.as_bytes()), 0);
                waiting.relieve(self.shared.limits.block_bytes, self.shared.spill.as_ref())?;
                Ok(Met::Away)
            }
        }
    }

    /// After the last document of the snapshot: more documents, about `bytes` of them, never none; `None` at the end.
    pub fn rest(&mut self, bytes: usize) -> Result<Option<Vec<RawDocumentBuf>>, FoldError> {
        let (mut documents, mut taken) = (Vec::new(), 0);
        while taken < bytes {
            let Some(document) = self.next_of_rest()? else { break };
            taken += document.as_bytes().len();
            documents.push(document);
        }
        Ok((!documents.is_empty()).then_some(documents))
    }

    fn next_of_rest(&mut self) -> Result<Option<RawDocumentBuf>, FoldError> {
        loop {
            match &mut self.rest {
                Rest::Between => match self.next_partition()? {
                    Some(next) => self.rest = next,
                    None => return Ok(None),
                },
                Rest::Paged(entries) => match entries.next() {
                    Some(entry) => {
                        let (_, state) = self.log.read_on(entry, self.shared.spill.as_ref())?;
                        self.tally.lost_updates += u64::from(state.late);
                        if let Some(document) = whole(state)? {
                            return Ok(Some(document));
                        }
                    }
                    None => self.rest = Rest::Between,
                },
                Rest::Held(states) => match states.next() {
                    Some(state) => {
                        self.tally.lost_updates += u64::from(state.late);
                        if let Some(document) = whole(state)? {
                            return Ok(Some(document));
                        }
                    }
                    None => self.rest = Rest::Between,
                },
                Rest::Spilled(join) => match join.next(&mut self.tally)? {
                    Some(document) => return Ok(Some(document)),
                    None => self.rest = Rest::Between,
                },
            }
        }
    }

    fn next_partition(&mut self) -> Result<Option<Rest>, FoldError> {
        let mut parts: Vec<&mut Held> = self.partitions.iter_mut().filter_map(Partition::held_mut).collect();
        let paged =
            in_order(parts.iter_mut().flat_map(|held| std::mem::take(&mut held.paged).into_entries()).filter(|entry| !entry.is_met()));
        if !paged.is_empty() {
            return Ok(Some(Rest::Paged(paged.into_iter())));
        }
        // What is in memory before partitions that are not: it makes room.
        let mut held: Vec<State> =
            parts.iter_mut().flat_map(|held| std::mem::take(&mut held.states).into_values().map(|held| held.state)).collect();
        if !held.is_empty() {
            // As they were inserted: the order of a capped collection is part of it, and where `_id`s grow, the server's index then grows at its end.
            held.sort_unstable_by_key(|state| state.place);
            return Ok(Some(Rest::Held(held.into_iter())));
        }
        let Some(at) = self.partitions.iter().position(|partition| matches!(partition, Partition::Spilled(_))) else { return Ok(None) };
        let Partition::Spilled(changes) = std::mem::replace(&mut self.partitions[at], Partition::empty()) else {
            return Ok(None);
        };
        let documents = std::mem::take(&mut self.waiting[at]);
        Ok(Some(Rest::Spilled(Join::new(self.id, Part { documents, changes, depth: 1 }, Arc::clone(&self.shared)))))
    }
}

fn whole(state: State) -> Result<Option<RawDocumentBuf>, FoldError> {
    match state.known {
        Known::Whole(whole) => owned(whole.into_vec()).map(Some),
        _ => Ok(None),
    }
}
