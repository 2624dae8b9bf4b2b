//! A slice: one object that holds one replica set's oplog over one range.

use crate::namespace::ReplicaSetName;
use crate::time::OplogRange;

/// A slice as found on a storage. PBM's layout names it by its first and last time, both inclusive, and the last entry of one
/// slice is the first of the next; `range` is that in our words, so neighbours join exactly. The entry at `range.after` is
/// also in the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    pub replica_set: ReplicaSetName,
    pub range: OplogRange,
    /// The object's name, relative to the storage's folder. Without `.pbmpart.N`.
    pub object: String,
    /// Stored bytes, parts included.
    pub bytes: u64,
}
