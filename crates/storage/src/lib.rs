//! Where bytes lie: named objects on a filesystem, in an S3 bucket, or in memory.
//!
//! A [`Storage`] is a flat map from names to bytes. Names are paths with `/` and are stored under **exactly** that key, since
//! PBM reads and writes the same repositories; a name that a storage cannot hold is refused with [`StorageError::BadName`], never
//! changed silently.
//!
//! What every storage promises (held by [`conformance`], feature `testing`):
//!
//! - an object is visible whole or not at all: a crash, an abort or a dropped writer leaves nothing that is listed or read;
//! - a written object is durable when `put` or `finish` returns: synced on a filesystem, acknowledged by S3;
//! - writing over an object replaces it at once; the last writer wins (on Azure, the slower of two that write one large object at
//!   the same time is refused). Nothing here relies on conditional writes, which several S3 look-alikes ignore silently;
//! - what was written is listed and read by whoever looks next;
//! - a reader gives the bytes of one version of the object, in bounded memory, and resumes where a broken connection left it.
//!
//! A folder can be encrypted on our side ([`Storage::encrypted`]): it keeps the same promises, and everything above it works as before.
//!
//! After a crash in the middle of a write remain, invisible to listings: on filesystems a `.oplogue-*.tmp` file; on S3 an
//! incomplete multipart upload (let a lifecycle rule of the bucket remove those after a few days), on Google Cloud Storage likewise; on
//! Azure uncommitted blocks, which Azure forgets after a week.

mod backend;
mod byte_budget;
mod cloud;
#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(feature = "testing")]
pub mod counting;
mod encrypted;
mod error;
#[cfg(feature = "testing")]
pub mod fate;
#[cfg(feature = "testing")]
pub mod faulty;
mod filesystem;
mod memory;
mod name;
mod options;
mod probe;
mod reader;
mod storage;
mod url;
mod writer;

pub use byte_budget::{ByteBudget, Room};
pub use encrypted::{Beginning, EncryptionKey, KeyError, MARKER as ENCRYPTION_MARKER};
pub use error::{Attempt, StorageError};
pub use options::{ServerSideEncryption, StorageOptions};
pub use probe::{ProbeReport, ProbeStep};
pub use reader::ObjectReader;
pub use storage::{Level, ObjectInfo, Storage};
pub use writer::ObjectWriter;
