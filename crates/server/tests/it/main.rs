//! The server, asked as browsers, programs and agents ask it.

mod alerts;
mod contract;
mod doors;
mod killed;
mod metrics;
mod pages;
mod people;
mod reference;
mod running;
mod secrets;
mod stage;
mod work;
