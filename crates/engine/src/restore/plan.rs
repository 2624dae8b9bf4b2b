//! What a restore will do: computed and checked before anything is touched.

use std::collections::BTreeSet;
use std::fmt;

use oplogue_domain::{BackupName, Namespace, OplogRange, OplogTime, ReplicaSetName};

/// A collection that the restore creates.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedCollection {
    /// Its name at the moment restored.
    pub namespace: Namespace,
    /// Where it goes. Differs from `namespace` only under `--rename`.
    pub target: Namespace,
    pub time_series: bool,
    /// The collection's name in the base backup; `None` when it was created afterwards.
    pub loaded_from: Option<Namespace>,
    /// Uncompressed bytes and documents to load from the base.
    pub document_bytes: u64,
    pub documents: u64,
    /// Oplog operations to apply to it.
    pub writes: u64,
    /// Why the server has to apply them; `None` when they are folded into the documents.
    pub replayed_because: Option<String>,
    pub indexes: usize,
    /// The UUID it had is given to it again.
    pub keeps_uuid: bool,
}

/// A view that the restore creates.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedView {
    pub namespace: Namespace,
    pub target: Namespace,
}

/// Something on the target that the restore drops.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedDrop {
    pub namespace: Namespace,
    /// As the server estimates them.
    pub documents: u64,
    pub bytes: u64,
    /// True when the restore puts a collection of this name in its place, false when nothing of this name exists at the moment.
    pub replaced: bool,
}

/// A stretch of oplog and where it is read from.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedOplog {
    /// An object's name, or the backup whose own oplog it is.
    pub source: String,
    pub range: OplogRange,
}

/// An earlier try of the same restore that did not end, and what of it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedContinuation {
    /// When that one was begun, for people.
    pub begun: String,
    /// Targets that have all their documents already: neither dropped nor loaded again.
    pub kept: BTreeSet<Namespace>,
    /// Collections that had been done, and are not any more what they were then: they are made anew.
    pub changed: usize,
}

impl fmt::Display for PlannedContinuation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "continues the restore begun at {}: {} collections are done and are kept", self.begun, self.kept.len())?;
        if self.changed > 0 {
            write!(f, "; {} were done, have changed since, and are made anew", self.changed)?;
        }
        Ok(())
    }
}

/// Writes after the moment, which will not be in the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WritesAfter {
    pub counted: u64,
    /// False when there is more than was worth reading: "at least".
    pub complete: bool,
    /// The newest moment that is on the storage.
    pub newest: OplogTime,
}

/// Everything that will happen, for one replica set.
#[derive(Clone, Debug, PartialEq)]
pub struct RestorePlan {
    pub base: BackupName,
    pub base_mongodb_version: String,
    pub base_fcv: String,
    pub source_replica_set: ReplicaSetName,
    pub target_replica_set: ReplicaSetName,
    /// `host:port` of the primary that is written to.
    pub target_host: String,
    pub target_mongodb_version: String,
    pub target_fcv: String,
    /// The state restored: every entry up to and including this time.
    pub through: OplogTime,
    /// Newer bases that cannot lead there, each with the reason.
    pub passed_over: Vec<String>,
    pub oplog: Vec<PlannedOplog>,
    /// Sorted by target name.
    pub collections: Vec<PlannedCollection>,
    pub views: Vec<PlannedView>,
    pub drops: Vec<PlannedDrop>,
    /// `Some` when users and roles are restored: how many of each the base holds.
    pub users_and_roles: Option<(u64, u64)>,
    /// Stored bytes that will be read while carrying it out.
    pub read_bytes: u64,
    /// Oplog operations that will be applied.
    pub operations: u64,
    pub writes_after: WritesAfter,
    /// Transactions that had not committed at the moment: their writes are not restored.
    pub unfinished_transactions: usize,
    /// A rough figure from measured rates; the server's own speed decides.
    pub seconds_estimate: u64,
    /// `Some` when it goes on with one that was interrupted.
    pub continues: Option<PlannedContinuation>,
    /// What a person should know before saying yes.
    pub warnings: Vec<String>,
}

/// Rates from which the time is estimated, measured on two cores with everything on one machine: loading (bytes of documents per
/// second), folding and applying (operations per second), and a fixed cost per collection in seconds.
const LOAD_BYTES_PER_SECOND: f64 = 45e6;
const FOLDED_PER_SECOND: f64 = 200_000.0;
const REPLAYED_PER_SECOND: f64 = 8_000.0;
const COLLECTION_SECONDS: f64 = 0.02;

/// About how long carrying out will take, in whole seconds, at least 1.
pub fn estimate_seconds(document_bytes: u64, folded: u64, replayed: u64, collections: usize) -> u64 {
    let seconds = document_bytes as f64 / LOAD_BYTES_PER_SECOND
        + folded as f64 / FOLDED_PER_SECOND
        + replayed as f64 / REPLAYED_PER_SECOND
        + collections as f64 * COLLECTION_SECONDS;
    seconds.ceil().max(1.0) as u64
}

impl RestorePlan {
    /// True when something on the target is dropped, which needs a yes.
    pub fn overwrites(&self) -> bool {
        !self.drops.is_empty()
    }

    /// Of the operations, those that the server has to apply.
    pub fn replayed_operations(&self) -> u64 {
        self.collections.iter().filter(|one| one.replayed_because.is_some()).map(|one| one.writes).sum()
    }

    /// True for a collection that an earlier try has finished.
    pub fn keeps(&self, target: &Namespace) -> bool {
        self.continues.as_ref().is_some_and(|continues| continues.kept.contains(target))
    }

    /// Uncompressed bytes of documents to load.
    pub fn document_bytes(&self) -> u64 {
        self.collections.iter().map(|collection| collection.document_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_never_zero_and_grows_with_each_part() {
        assert_eq!(estimate_seconds(0, 0, 0, 0), 1);
        assert!(estimate_seconds(1_000_000_000, 0, 0, 1) > 20);
        assert!(estimate_seconds(0, 800_000, 0, 1) >= 4);
        assert!(estimate_seconds(0, 0, 800_000, 1) >= 100);
        assert!(estimate_seconds(0, 0, 0, 1_000) >= 20);
    }
}
