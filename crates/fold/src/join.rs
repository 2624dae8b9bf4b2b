//! A partition that was written down: its documents and its operations come together again.
//!
//! The documents of the snapshot are read into a table, then the operations are run through it, in order. Memory is needed for the
//! documents, not for the operations: a document that was changed a million times is one document. When the table gets too large, the
//! part is divided by the next bits of the hash, and each of its parts is taken by itself.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, IntoIter};
use std::sync::Arc;

use bson::RawDocumentBuf;
use oplogue_oplog::CollectionId;

use crate::folded::{Shared, Tally};
use crate::gathered::{PARTITIONS, partition_of};
use crate::spill::{Record, Run, document};
use crate::state::{apply_to, boxed, owned};
use crate::{FoldError, key};

/// As often as a hash of 64 bits can be divided by 4 of them.
const DEPTH_MAX: u32 = 16;
/// Bytes that a document costs in the table beside itself and its key.
const ENTRY_BYTES: usize = 96;

/// Documents and operations of the same keys.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) documents: Run,
    pub(crate) changes: Run,
    /// How many times the bits of the hash were used already.
    pub(crate) depth: u32,
}

/// Whole documents by key.
type Table = HashMap<Box<[u8]>, Box<[u8]>>;
type TableIntoIter = IntoIter<Box<[u8]>, Box<[u8]>>;

pub(crate) struct Join {
    id: CollectionId,
    shared: Arc<Shared>,
    /// What is still to be done, the next at the end.
    parts: Vec<Part>,
    done: Option<TableIntoIter>,
}

impl Join {
    pub(crate) fn new(id: CollectionId, part: Part, shared: Arc<Shared>) -> Self {
        Self { id, shared, parts: vec![part], done: None }
    }

    pub(crate) fn next(&mut self, tally: &mut Tally) -> Result<Option<RawDocumentBuf>, FoldError> {
        loop {
            if let Some((_, whole)) = self.done.as_mut().and_then(Iterator::next) {
                return owned(whole.into_vec()).map(Some);
            }
            self.done = None;
            let Some(part) = self.parts.pop() else { return Ok(None) };
            let mut counted = Tally::default();
            match self.join(&part, &mut counted)? {
                Some(table) => {
                    tally.documents_spared += counted.documents_spared;
                    tally.lost_updates += counted.lost_updates;
                    self.done = Some(table.into_iter());
                }
                None => self.divide(part)?,
            }
        }
    }

    /// `None` when it does not fit into memory.
    fn join(&self, part: &Part, tally: &mut Tally) -> Result<Option<Table>, FoldError> {
        let limit = self.shared.limits.joined_bytes;
        // One document must be held, however large; and a hash that is used up divides nothing.
        let fits = |bytes: usize, documents: usize| bytes <= limit || documents <= 1 || part.depth >= DEPTH_MAX;
        let mut table = Table::new();
        let mut bytes = 0;
        let whole = part.documents.read(&self.shared.spill, |key, record, _| {
            let Record::Whole(document) = record else { return Ok(true) };
            bytes += weight(key, document);
            if let Some(older) = table.insert(key.into(), document.into()) {
                bytes -= weight(key, &older);
            }
            Ok(fits(bytes, table.len()))
        })?;
        if !whole {
            return Ok(None);
        }
        let whole = part.changes.read(&self.shared.spill, |key, record, late| {
            change(&mut table, &mut bytes, key, record, late, tally)?;
            Ok(fits(bytes, table.len()))
        })?;
        Ok(whole.then_some(table))
    }

    fn divide(&mut self, part: Part) -> Result<(), FoldError> {
        let depth = part.depth;
        let mut parts: Vec<Part> =
            (0..PARTITIONS).map(|_| Part { documents: Run::default(), changes: Run::default(), depth: depth + 1 }).collect();
        let (spill, block_bytes) = (&self.shared.spill, self.shared.limits.block_bytes);
        part.documents.read(spill, |key, record, late| {
            let run = &mut parts[partition_of(key::hash(self.id.0, key), depth)].documents;
            run.push(key, record, late);
            run.relieve(block_bytes, spill.as_ref())?;
            Ok(true)
        })?;
        part.changes.read(spill, |key, record, late| {
            let run = &mut parts[partition_of(key::hash(self.id.0, key), depth)].changes;
            run.push(key, record, late);
            run.relieve(block_bytes, spill.as_ref())?;
            Ok(true)
        })?;
        for part in &mut parts {
            part.documents.flush(spill.as_ref())?;
            part.changes.flush(spill.as_ref())?;
        }
        parts.retain(|part| part.documents.total_bytes() + part.changes.total_bytes() > 0);
        self.parts.extend(parts);
        Ok(())
    }
}

fn change(table: &mut Table, bytes: &mut usize, key: &[u8], record: Record<'_>, late: u32, tally: &mut Tally) -> Result<(), FoldError> {
    let weigh = |whole: &[u8]| weight(key, whole);
    match (record, table.entry(key.into())) {
        (Record::Whole(whole), Entry::Vacant(entry)) => {
            tally.lost_updates += u64::from(late);
            *bytes += weigh(whole);
            entry.insert(whole.into());
        }
        (Record::Whole(whole), Entry::Occupied(mut entry)) => {
            *bytes = *bytes + weigh(whole) - weigh(entry.get());
            entry.insert(whole.into());
        }
        (Record::Change(change), Entry::Occupied(mut entry)) => {
            let changed = boxed(apply_to(document(entry.get())?, document(change)?)?);
            *bytes = *bytes + weigh(&changed) - weigh(entry.get());
            entry.insert(changed);
        }
        (Record::Gone, Entry::Occupied(entry)) => {
            tally.documents_spared += 1;
            *bytes -= weigh(&entry.remove());
        }
        (Record::Change(_) | Record::Gone, Entry::Vacant(_)) => tally.lost_updates += u64::from(late),
    }
    Ok(())
}

fn weight(key: &[u8], whole: &[u8]) -> usize {
    ENTRY_BYTES + key.len() + whole.len()
}
