//! Applying the oplog to documents without a server: what a document becomes, byte for byte as mongod would make it.
//!
//! [`apply`] is one update on one document. [`Fold`] takes all operations of all collections of a restore and remembers, in bounded
//! memory, what they say of each document; each collection then is a [`Folded`] that turns the documents of a snapshot into those of the
//! moment, so that each is inserted once and none that is gone by then.
//!
//! Pure: no clock, no I/O (a [`Spill`] is given), no async. Whatever is not certain is an error, and then a server must be asked.

mod error;
mod filter;
mod folded;
mod gather;
mod gathered;
mod join;
pub mod key;
mod limits;
mod paged;
mod spill;
mod state;

pub mod apply;

pub use apply::ApplyError;
pub use error::FoldError;
pub use folded::{Folded, Met, Spilled, Tally};
pub use gather::Fold;
pub use gathered::Order;
pub use spill::Spill;
