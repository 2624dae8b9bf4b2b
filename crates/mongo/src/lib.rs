//! The database: everything that talks to a mongod, and nothing else. No other crate knows the driver.
//!
//! A [`Connection`] is to a whole replica set (its commands go to the primary) or to one member of it. The rest of the crate
//! is what can be asked of one, a file per noun or verb: who the members are, what time it is in the oplog, the oplog itself,
//! the collections and their documents, exclusive leases; and on the way back: dropping, creating, inserting, applying,
//! building indexes, users and roles.
//!
//! Promises. Nothing here decides: what to read, drop or apply is the caller's. Nothing waits for ever: choosing a server,
//! commands and batches have their own limits in [`ConnectOptions`]. No error holds a password. Every writing function says
//! what is left behind when it is dropped half-way.

mod apply;
mod batch;
mod buffers;
mod command;
mod connect;
mod error;
mod flow;
mod indexes;
mod lease;
mod load;
mod oplog_read;
mod principals;
mod privileges;
mod read_batch;
mod restore_journal;
mod snapshot_list;
mod snapshot_read;
mod split;
mod target;
mod times;
mod topology;
mod uri;
mod versions;
mod wire;

pub use apply::ApplyReport;
pub use batch::DocumentBatch;
pub use connect::{ConnectOptions, Connection};
pub use error::MongoError;
pub use lease::{Acquired, Lease, LeaseState};
pub use principals::{MergeReport, Principals};
pub use privileges::{Missing, PrivilegeReport, Purpose};
pub use read_batch::{BatchEnd, ReadBatch};
pub use restore_journal::{Presence, RestoreJournal, RestoredCollection};
pub use snapshot_list::ListedCollection;
pub use snapshot_read::ReadEvent;
pub use split::IdRange;
pub use times::{OplogWindow, ServerClock};
pub use topology::ReplicaSet;
pub use versions::{Abilities, ServerVersion, Versions};
