//! Stories: the built program, end to end, as a user runs it.

mod documents;
mod examples;
mod program;
mod readme;
mod refusals;
mod stage;
mod story;
mod usage;
