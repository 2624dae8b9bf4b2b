//! Applying the oplog to documents without a server: what a document becomes, byte for byte as mongod would make it.
//!
//! Pure: no clock, no I/O, no async. Whatever is not certain is an error, and then a server must be asked.

pub mod apply;

pub use apply::ApplyError;
