//! Schedules, queues, attempts: a server whose clock the test sets, agents that are simulated, and crashes (the server is dropped without a word and opened again).

pub mod agent;
mod cancelling;
mod enrolling;
mod pitr;
mod queue;
mod retention;
mod scheduling;
mod telling;
pub mod world;
