//! Stories: the built program, end to end, as a user runs it.

mod browser;
mod documents;
mod examples;
mod program;
mod readme;
mod refusals;
mod retention;
mod stage;
mod story;
mod usage;
