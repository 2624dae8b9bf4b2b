//! The engine: what Oplogue does with a replica set and a storage.
//!
//! One library for every caller: the stand-alone commands today, agents and the server tomorrow. Each flow takes its inputs as a
//! request value, reports through a [`progress::Progress`] port, can be cancelled, and returns a value one can print. Decisions
//! are made in `oplogue-domain` and `oplogue-oplog`; this crate fetches what they need and carries them out.

pub mod backup;
pub mod compact;
pub mod copy;
pub mod doctor;
pub mod failure;
pub mod progress;
pub mod restore;
pub mod slice;
pub mod status;
pub mod throttle;
pub mod verify;
