//! The server: web pages, REST API, scheduler, retention, alerts.
//!
//! It never connects to MongoDB: agents do, and they call the server. It reads storages itself, so that its pages say what can be
//! restored when every agent is dead. Its database holds what people want (services, locations, schedules, rules, users) and what was
//! done (jobs, audit), never the only copy of anything about data.
//!
//! Two front doors, [`rest`] and [`front`], call the same functions of [`app::App`]. Each change is one transaction of the database; after a
//! crash at any instruction the next start finds every job again.

pub mod app;
pub mod clock;
pub mod config;
pub mod data_dir;
pub mod db;
pub mod front;
pub mod http;
pub mod ids;
pub mod metrics;
pub mod recovery;
pub mod rest;
pub mod serve;
pub mod tls;
pub mod vault;

pub use serve::{Ready, run};
