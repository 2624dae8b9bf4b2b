//! Restores a replica set to a moment: checks and surveys first, gives a plan, then carries it out.
//!
//! [`prepare`] touches nothing. It chooses a base backup and the oplog that leads from it to the moment, reads every object the
//! restore needs to its end (sizes, checksums, framing), follows every collection by its UUID through that oplog, and compares the
//! outcome with what lies on the target. What comes back can be printed, thrown away, or handed to [`carry_out`].
//!
//! Then it folds that oplog: what each document becomes by the moment is worked out here, not by the target.
//!
//! [`carry_out`] drops what the plan says, creates each collection that exists at the moment once, under its final name, inserts each of
//! its documents once, in its final state, and builds indexes and views last. A collection whose operations cannot be folded is loaded
//! as it was, and the server applies them in order. Because collections are
//! addressed by identity, renames, `$out` and temporary collections are never replayed. If it stops half-way, the target is
//! incomplete and says so; running the same restore again gives the same result as if it had not stopped, and keeps what was done
//! ([`journal`]).

mod ahead;
mod carry_out;
mod check;
mod clear;
mod compose;
mod feed;
mod fold;
mod folding;
mod journal;
mod load;
mod names;
mod plan;
mod prepare;
mod principals;
mod prove;
mod replay;
mod source;
mod spill;
mod survey;
mod work;

use oplogue_domain::plan::Moment;
use oplogue_domain::{NamespaceSelection, Rename, ReplicaSetName};
use oplogue_mongo::Connection;
use oplogue_repository::Repository;

use crate::throttle::Limits;

pub use carry_out::{RestoreReport, carry_out};
pub use fold::{FOLD_MEMORY_BYTES, FoldLimits, Replay};
pub use plan::{PlannedCollection, PlannedContinuation, PlannedDrop, PlannedOplog, PlannedView, RestorePlan, WritesAfter};
pub use prepare::{PreparedRestore, prepare};
pub use prove::Proof;

/// What to restore, from where, to where.
#[derive(Clone)]
pub struct RestoreRequest {
    pub connection: Connection,
    pub repository: Repository,
    pub moment: Moment,
    /// Names as they are at the moment restored, not as they were in the backup.
    /// Everything together with renames means just what is renamed, beside the live data.
    pub selection: NamespaceSelection,
    pub renames: Vec<Rename>,
    /// In a selective restore: users and roles as well. A restore of everything always brings them.
    pub users_and_roles: bool,
    /// Pairs of (replica set of the target, replica set in the backup). Without an entry the names must be equal.
    pub replica_set_mapping: Vec<(ReplicaSetName, ReplicaSetName)>,
    /// Collections loaded at once. At least 1.
    pub parallel: usize,
    pub replay: Replay,
    /// Begin anew, whatever an interrupted try of the same restore has left.
    pub from_scratch: bool,
    /// How the target is spared while documents are loaded.
    pub limits: Limits,
}
