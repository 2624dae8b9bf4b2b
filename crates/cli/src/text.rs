//! What results look like to people. Each function turns a value into text; none of them decides or fetches anything.

pub mod backup;
pub mod catalog;
pub mod compact;
pub mod copy;
pub mod doctor;
pub mod plan;
pub mod restore;
pub mod retention;
pub mod server;
pub mod services;
pub mod slicing;
pub mod status;
pub mod strip;
pub mod verify;
pub mod words;
