//! The commands: one file per verb. Each opens what it needs, calls the engine once, and prints what comes back.

pub mod admin;
pub mod agent;
pub mod backup;
pub mod compact;
pub mod completions;
pub mod copy;
pub mod delete;
pub mod describe;
pub mod doctor;
pub mod list;
pub mod man;
pub mod prune;
pub mod restore;
pub mod server;
pub mod slice;
pub mod status;
pub mod timeline;
pub mod verify;
