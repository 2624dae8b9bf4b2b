//! The agent: one beside each mongod.
//!
//! It calls the server, the server never calls it. [`run`] enrols once, then says again and again how things are and hears in the
//! answer what is wanted ([`oplogue_api::agent`]). Wishes are states: attempts to work on, whether to slice and where to, locations to try.
//!
//! Promises:
//!
//! - An attempt is carried out at most once. It stands in the [`journal`] before the work begins, and its outcome stays there until the
//!   server has heard it. What was in the middle when the agent ended is reported as failed, never begun again.
//! - The server may be away: slicing goes on, also over a restart of the agent, running attempts finish, and their reports are sent when it
//!   is back. What waits to be told is bounded.
//! - Told to stop, it stores a last slice, gives the lease back and cancels what it works on. After a crash, what lies on the storage is
//!   whole (see the engine's flows), and the next start tells what was broken off.

mod attempts;
mod beside;
mod config;
mod data_dir;
mod enrol;
mod facts;
mod journal;
mod location_tests;
mod progress;
mod recovery;
mod reporter;
mod run;
mod shared;
mod slicing;
mod systemd;
pub mod wire;
mod work;

pub use beside::check_uri;
pub use config::{AgentConfig, Rhythm};
pub use enrol::{Identity, enrol_once, enrolled_as, forget, must_be_new, told};
pub use run::run;
