//! What the server can do. Pages and REST API call these functions; nothing else changes anything.
//!
//! A function that changes something takes the [`Actor`] who wants it, asks whether they may, and writes the change and its audit entry in
//! one transaction.

pub mod agents;
pub mod alerts;
pub mod audit;
pub mod backups;
pub mod catalogs;
pub mod clusters;
pub mod error;
pub mod jobs;
pub mod links;
pub mod locations;
pub mod reach;
pub mod restores;
pub mod retention;
pub mod scheduler;
pub mod schedules;
pub mod services;
pub mod sessions;
mod stored;
pub mod timelines;
pub mod tokens;
pub mod users;

use std::sync::Arc;

use jiff::Timestamp;
use oplogue_api::users::Role;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::db::Db;
use crate::vault::Vault;

pub use error::AppError;

/// Everything the server shares. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

pub struct Shared {
    pub db: Db,
    pub clock: Clock,
    pub vault: Vault,
    pub config: ServerConfig,
    pub started_at: Timestamp,
    /// What was read from the storages.
    pub catalogs: catalogs::Catalogs,
    /// What agents said last.
    pub agents: agents::Agents,
    /// What the server itself is working on.
    pub server_works: jobs::ServerWorks,
    /// The server is stopping: nobody is kept waiting any longer.
    pub stopping: tokio_util::sync::CancellationToken,
    /// The scheduler is to look before its next tick.
    pub tick_wanted: tokio::sync::Notify,
    /// Locations being tried just now.
    pub trials: locations::trials::Trials,
    /// Set when the server begins to listen.
    pub reach: std::sync::OnceLock<reach::Reach>,
    /// How often passwords were tried lately.
    pub sign_in_limits: std::sync::Mutex<sessions::limits::Limits>,
    pub alert_memory: alerts::Memory,
    /// Grows whenever something that agents may want to know has changed; those who wait for an answer look again.
    pub wishes: watch::Sender<u64>,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// Opens database and key file in the data directory. Starts nothing.
    pub fn open(config: ServerConfig) -> anyhow::Result<Self> {
        let clock = Clock::of(&config)?;
        Self::open_at(config, clock)
    }

    /// With another clock.
    pub fn open_at(config: ServerConfig, clock: Clock) -> anyhow::Result<Self> {
        let vault = Vault::open(&config.key_file.clone().unwrap_or_else(|| config.data_dir.join("key")))?;
        let db = Db::open(&config.data_dir.join("oplogue.db"))?;
        let started_at = clock.now();
        Ok(Self(Arc::new(Shared {
            db,
            clock,
            vault,
            config,
            started_at,
            catalogs: catalogs::Catalogs::default(),
            agents: agents::Agents::default(),
            server_works: jobs::ServerWorks::default(),
            stopping: tokio_util::sync::CancellationToken::new(),
            tick_wanted: tokio::sync::Notify::new(),
            trials: locations::trials::Trials::default(),
            sign_in_limits: std::sync::Mutex::default(),
            alert_memory: alerts::Memory::default(),
            reach: std::sync::OnceLock::new(),
            wishes: watch::Sender::new(1),
        })))
    }

    /// Agents that wait for an answer look again.
    pub fn wake_agents(&self) {
        self.wishes.send_modify(|revision| *revision += 1);
    }
}

/// Who wants something done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `anna`, `token ci`, `agent db1`, `schedule nightly`.
    pub name: String,
    pub role: Role,
    /// Address the request came from; empty for the server itself.
    pub from: String,
}

impl Actor {
    /// The server itself, in the name of `what`.
    pub fn server(what: &str) -> Self {
        Self { name: what.to_owned(), role: Role::Administrator, from: String::new() }
    }

    /// # Errors
    /// `forbidden` when the actor's role is less than `role`.
    pub fn must_be(&self, role: Role) -> Result<(), AppError> {
        if self.role >= role {
            Ok(())
        } else {
            Err(AppError::forbidden(format!("this needs the role {}, and {} is {}", role.as_str(), self.name, self.role.as_str())))
        }
    }
}
