//! The first half: takes the operations of all collections, in order, and remembers of each document what the end needs.
//!
//! Each collection's documents fall into [`PARTITIONS`] by the hash of their key. When all of them together need more memory than they
//! may, what is known of them is [written down](crate::paged) one by one, and read again where one is needed. When even where it lies
//! takes too much memory, the largest partitions are written down whole, and whatever comes for them later is written behind it, unread: a
//! "grace" hash join. A collection that cannot be folded is given up alone, with the reason, and costs nothing from then on.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bson::RawDocument;
use oplogue_oplog::{CollectionId, Kind, Operation};

use crate::filter::Filter;
use crate::folded::{Folded, Shared};
use crate::gathered::{Gathered, Order, PARTITIONS, Taken, partition_of};
use crate::limits::Limits;
use crate::spill::Spill;
use crate::state::Change;
use crate::{FoldError, key};

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
        if gathered.is_spilled(at) {
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
    pub fn finish(self, parallel: usize) -> io::Result<BTreeMap<CollectionId, Result<Folded, String>>> {
        let shared = Arc::new(Shared { spill: self.spill, filter: self.filter, limits: self.limits.shared_by(parallel) });
        let ended = |(id, gathered): (CollectionId, Result<Gathered, String>)| {
            let folded = match gathered {
                Ok(gathered) => Ok(gathered.end(id, &shared)?),
                Err(why) => Err(why),
            };
            Ok((id, folded))
        };
        self.collections.into_iter().map(ended).collect()
    }
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
