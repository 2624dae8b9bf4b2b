//! The server, asked as browsers, programs and agents ask it.

mod alerts;
mod contract;
mod doors;
mod killed;
mod metrics;
mod people;
mod running;
mod secrets;
mod stage;
mod work;
