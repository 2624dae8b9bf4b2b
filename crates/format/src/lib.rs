//! How bytes are laid out: names of objects, compressed streams, streams of documents, metadata.
//!
//! Two layouts live side by side in one folder of a storage. [`pbm`] is the layout of Percona Backup for MongoDB, which we read and
//! write as our own. [`sidecar`] is what we know beyond it, in objects below `oplogue/` that PBM never looks at.
//!
//! Everything here works on bytes and readers that the caller brings; nothing here reaches a storage or a server. Whatever comes
//! from outside is data to be checked: it may be cut, damaged or made up, and leads to an error, never to a panic.

pub mod bson_stream;
pub mod checksum;
pub mod compression;
pub mod pbm;
pub mod sidecar;

pub use bson_stream::{DOCUMENT_BYTES_MAX, DocumentReader, StreamError};
pub use checksum::{ContentHash, Crc64};
pub use compression::{Compression, DecodeError, decoder, encode_frame};
