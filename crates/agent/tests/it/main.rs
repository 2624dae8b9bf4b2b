//! The agent beside real mongods, with a small server of the tests that speaks the protocol.

mod attempts;
mod away;
mod enrolment;
mod fake_server;
mod restores;
mod slicing;
mod stage;
mod trust;
