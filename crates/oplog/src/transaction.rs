//! From entries to committed operations.
//!
//! A transaction is one or more `applyOps` entries of one session and transaction number. It happens when its last entry is
//! written: an `applyOps` that is neither `partialTxn` nor `prepare`, or the `commitTransaction` of a prepared one. Until then its
//! operations are kept here, in memory, as raw entries; at `abortTransaction` they are forgotten. Everything gets the commit's time.
//!
//! The same command is also used for other things, which are unfolded at once: a user's own `applyOps` (possibly nested), and since
//! 8.0 grouped inserts (`multiOpType: 1`), which carry a session without being a transaction. Retryable writes carry a session
//! too. Batched writes without a session may form a chain like a transaction's; they are followed by `prevOpTime`.
//!
//! Neighbouring slices share an entry: a time equal to the last one is dropped. Anything earlier is an error, because
//! an oplog out of order restores wrong data without a sign (PBM's bug W1).

use std::collections::HashMap;

use bson::raw::RawBsonRef;
use bson::{RawDocument, RawDocumentBuf};
use oplogue_domain::{Namespace, OplogTime};

use crate::OplogError;
use crate::entry::{Entry, integer};
use crate::operation::Operation;
use crate::rules::{Verdict, entry_rule};

/// How deep `applyOps` may be nested: the server's own limit, `ApplyOps::kMaxApplyOpsDepth`.
const DEPTH_MAX: usize = 10;

/// Gathers the entries of transactions. Push every entry in the order of times; entries past the moment are not pushed.
#[derive(Clone, Debug, Default)]
pub struct Transactions {
    /// Whatever ended by then is in the snapshot already, and may have begun before the oplog that we have.
    shown_through: OplogTime,
    last: Option<OplogTime>,
    /// By the bytes of the `lsid`. A session has one transaction at a time.
    sessions: HashMap<Vec<u8>, Pending>,
    /// Chains of batched writes without a session, by the time of their last entry so far.
    chains: HashMap<OplogTime, Pending>,
    entries: u64,
    no_ops: u64,
    duplicates: u64,
}

/// A transaction that had not ended when the oplog did. It never happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Of its first entry that was seen.
    pub began: OplogTime,
    pub operations: u64,
    /// Prepared transactions are decided elsewhere: on another shard it may be committed.
    pub prepared: bool,
}

#[derive(Clone, Debug)]
struct Pending {
    txn_number: i64,
    began: OplogTime,
    last: OplogTime,
    /// The `o` of each `applyOps` entry.
    pieces: Vec<RawDocumentBuf>,
    operations: u64,
    prepared: bool,
    /// What is missing, when something is.
    defect: Option<String>,
}

impl Transactions {
    pub fn new() -> Self {
        Self::default()
    }

    /// For the oplog that belongs to a snapshot, whose first entry is the one at `time`. That entry must be pushed too: it may begin a
    /// transaction. If it ends one whose beginning is older, the documents of the snapshot show that transaction already.
    pub fn beginning_at(time: OplogTime) -> Self {
        Self { shown_through: time, ..Self::default() }
    }

    /// Takes the next entry and returns what became certain with it, in order: nothing for a no-op, a part of a transaction or an
    /// entry already seen; all operations of a transaction for its commit. After an error the value must not be used on.
    pub fn push(&mut self, document: &RawDocument) -> Result<Vec<Operation>, OplogError> {
        let entry = Entry::parse(document)?;
        match self.last {
            Some(last) if entry.time == last => {
                self.duplicates += 1;
                return Ok(Vec::new());
            }
            Some(last) if entry.time < last => {
                return Err(OplogError::OutOfOrder { previous: last, time: entry.time });
            }
            _ => {}
        }
        self.last = Some(entry.time);
        self.entries += 1;
        self.resolve(&entry)
    }

    /// What has begun and not ended. At the end of the oplog these are transactions that never happened.
    pub fn unfinished(&self) -> Vec<Unfinished> {
        let pending = self.sessions.values().chain(self.chains.values());
        let mut unfinished: Vec<_> = pending
            .map(|pending| Unfinished { began: pending.began, operations: pending.operations, prepared: pending.prepared })
            .collect();
        unfinished.sort_by_key(|unfinished| unfinished.began);
        unfinished
    }

    /// The time of the last entry pushed.
    pub fn last(&self) -> Option<OplogTime> {
        self.last
    }

    /// Entries pushed, without those seen before.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    pub fn no_ops(&self) -> u64 {
        self.no_ops
    }

    /// Entries that had been pushed already: the shared ends of slices.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    fn resolve(&mut self, entry: &Entry<'_>) -> Result<Vec<Operation>, OplogError> {
        match entry_rule(entry.op) {
            Verdict::Skip(_) => {
                self.no_ops += 1;
                return Ok(Vec::new());
            }
            Verdict::Refuse(reason) => return Err(refused(entry, reason)),
            Verdict::Apply => {}
        }
        match entry.command() {
            Some(("applyOps", _)) => self.apply_ops(entry),
            Some(("commitTransaction", _)) => self.commit_prepared(entry),
            Some(("abortTransaction", _)) => {
                if let Some(session) = entry.session {
                    self.sessions.remove(session.lsid.as_bytes());
                }
                Ok(Vec::new())
            }
            _ => Ok(vec![Operation::from_entry(entry)?]),
        }
    }

    fn apply_ops(&mut self, entry: &Entry<'_>) -> Result<Vec<Operation>, OplogError> {
        let partial = entry.flag("partialTxn");
        match (entry.multi_op_type, entry.session) {
            (0, Some(session)) => {
                let key = session.lsid.as_bytes().to_vec();
                let found = self.sessions.remove(&key).filter(|pending| pending.txn_number == session.txn_number);
                let mut pending = extend(found, entry, session.txn_number)?;
                pending.prepared = entry.flag("prepare");
                if partial || pending.prepared {
                    self.sessions.insert(key, pending);
                    return Ok(Vec::new());
                }
                self.commit(pending, entry)
            }
            (0, None) => {
                let found = entry.previous.and_then(|previous| self.chains.remove(&previous));
                if found.is_none() && !partial {
                    let mut operations = Vec::new();
                    unfold(entry.o, entry.time, 0, &mut operations)?;
                    return Ok(operations);
                }
                let pending = extend(found, entry, 0)?;
                if partial {
                    self.chains.insert(entry.time, pending);
                    return Ok(Vec::new());
                }
                self.commit(pending, entry)
            }
            (1, _) => {
                let mut operations = Vec::new();
                unfold(entry.o, entry.time, 0, &mut operations)?;
                Ok(operations)
            }
            _ => Err(refused(entry, "its `multiOpType` is not known")),
        }
    }

    fn commit_prepared(&mut self, entry: &Entry<'_>) -> Result<Vec<Operation>, OplogError> {
        let Some(session) = entry.session else {
            return Err(OplogError::malformed(entry.time, "`commitTransaction` without `lsid` and `txnNumber`"));
        };
        match self.sessions.remove(session.lsid.as_bytes()).filter(|pending| pending.txn_number == session.txn_number) {
            Some(pending) => self.commit(pending, entry),
            None if entry.time <= self.shown_through => Ok(Vec::new()),
            None => Err(OplogError::IncompleteTransaction { time: entry.time, what: "it is committed, and was never begun".to_owned() }),
        }
    }

    fn commit(&self, pending: Pending, entry: &Entry<'_>) -> Result<Vec<Operation>, OplogError> {
        if let Some(what) = pending.defect {
            if entry.time <= self.shown_through {
                return Ok(Vec::new());
            }
            return Err(OplogError::IncompleteTransaction { time: entry.time, what });
        }
        let mut operations = Vec::with_capacity(usize::try_from(pending.operations).unwrap_or(0));
        for piece in &pending.pieces {
            unfold(piece, entry.time, 0, &mut operations)?;
        }
        Ok(operations)
    }
}

/// Adds an `applyOps` entry to what is known of its transaction.
fn extend(found: Option<Pending>, entry: &Entry<'_>, txn_number: i64) -> Result<Pending, OplogError> {
    let mut pending = match (found, entry.previous) {
        (Some(pending), Some(_)) => pending,
        // A null `prevOpTime` begins a transaction; whatever was there never came to an end.
        (_, previous) => Pending {
            txn_number,
            began: entry.time,
            last: entry.time,
            pieces: Vec::new(),
            operations: 0,
            prepared: false,
            defect: previous.map(|previous| format!("its part at {previous:?} was not seen")),
        },
    };
    if let Some(previous) = entry.previous
        && previous != pending.last
        && pending.defect.is_none()
    {
        pending.defect = Some(format!("its part at {previous:?} was not seen"));
    }
    let operations = entry.o.get_array("applyOps").map_err(|error| OplogError::malformed(entry.time, error.to_string()))?;
    pending.operations += operations.into_iter().count() as u64;
    pending.last = entry.time;
    if let Ok(Some(value)) = entry.o.get("count")
        && integer(value).is_some_and(|count| u64::try_from(count) != Ok(pending.operations))
        && pending.defect.is_none()
    {
        pending.defect = Some(format!("it says it has {:?} operations, and {} were seen", integer(value), pending.operations));
    }
    pending.pieces.push(entry.o.to_owned());
    Ok(pending)
}

/// Appends the operations inside an `applyOps` command to `operations`.
fn unfold(command: &RawDocument, time: OplogTime, depth: usize, operations: &mut Vec<Operation>) -> Result<(), OplogError> {
    if depth >= DEPTH_MAX {
        return Err(OplogError::malformed(time, format!("`applyOps` is nested more than {DEPTH_MAX} times")));
    }
    let array = command.get_array("applyOps").map_err(|error| OplogError::malformed(time, error.to_string()))?;
    for element in array {
        let RawBsonRef::Document(document) = element.map_err(|error| OplogError::malformed(time, error.to_string()))? else {
            return Err(OplogError::malformed(time, "`applyOps` holds something that is no operation"));
        };
        let entry = Entry::parse_inner(document, time)?;
        match entry_rule(entry.op) {
            Verdict::Skip(_) => continue,
            Verdict::Refuse(reason) => return Err(refused(&entry, reason)),
            Verdict::Apply => {}
        }
        match entry.command() {
            Some(("applyOps", _)) => unfold(entry.o, time, depth + 1, operations)?,
            Some((name @ ("commitTransaction" | "abortTransaction"), _)) => {
                return Err(OplogError::malformed(time, format!("`{name}` inside `applyOps`")));
            }
            _ => operations.push(Operation::from_entry(&entry)?),
        }
    }
    Ok(())
}

fn refused(entry: &Entry<'_>, reason: &str) -> OplogError {
    let (database, collection) = entry.ns.split_once('.').unwrap_or((entry.ns, ""));
    let operation = entry.command().map_or(entry.op, |(name, _)| name);
    OplogError::Refused {
        time: entry.time,
        namespace: Namespace::new(database, collection),
        operation: operation.to_owned(),
        reason: reason.to_owned(),
    }
}
