//! Stories: the built program, end to end, as a user runs it.

mod agent;
mod browser;
mod contract;
mod documents;
mod encryption;
mod examples;
mod forms;
mod newcomer;
mod program;
mod protect;
mod readme;
mod refusals;
mod retention;
mod server;
mod slicer_storm;
mod stage;
mod story;
mod usage;
mod verify;
