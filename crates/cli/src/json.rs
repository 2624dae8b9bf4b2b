//! What results look like to programs: the shapes of `--json`.
//!
//! These types are the contract with whoever reads our output, and nothing else: they are made from the engine's values by hand, so
//! that a change inside never changes what is printed by accident. Fields are added, never renamed or removed. An oplog time is
//! always [`time::TimeJson`]; sizes are bytes, durations seconds; what is unknown is `null`.

pub mod backup;
pub mod catalog;
pub mod compact;
pub mod copy;
pub mod describe;
pub mod doctor;
pub mod restore;
pub mod retention;
pub mod server;
pub mod services;
pub mod slicing;
pub mod status;
pub mod time;
pub mod verify;
