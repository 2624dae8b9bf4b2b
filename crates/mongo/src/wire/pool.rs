//! Connections that wait for their next work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bson::doc;
use mongodb::options::{ClientOptions, ServerAddress};
use tokio::sync::OnceCell;

use super::Wire;
use super::open::{NotOpened, Recipe};
use crate::buffers::Buffers;
use crate::command::Patience;
use crate::connect::Connection;

/// Idle connections that are kept. More are closed.
const IDLE_MAX: usize = 16;
/// One that was idle for longer may have been closed on the way, by a firewall for example.
const IDLE_TIME_MAX: Duration = Duration::from_secs(20);

/// What clones of a [`Connection`] share of our own connections.
#[derive(Default)]
pub(crate) struct Pool {
    recipe: OnceCell<Option<Recipe>>,
    idle: Mutex<Vec<Wire>>,
    /// For the documents that come over them.
    pub(crate) buffers: Arc<Buffers>,
    /// Something failed that would fail again: it is the driver's from now on.
    given_up: AtomicBool,
}

impl Pool {
    /// For a connection that only ever uses the driver.
    pub(crate) fn closed() -> Self {
        Self { given_up: AtomicBool::new(true), ..Self::default() }
    }

    fn take(&self, now: Instant) -> Option<Wire> {
        let mut idle = self.idle.lock().ok()?;
        idle.retain(|wire| now.duration_since(wire.idle_since) < IDLE_TIME_MAX);
        idle.pop()
    }

    fn put(&self, mut wire: Wire) {
        if !wire.is_clean() {
            return;
        }
        wire.reused = true;
        wire.idle_since = Instant::now();
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < IDLE_MAX
        {
            idle.push(wire);
        }
    }

    fn clear(&self) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.clear();
        }
    }
}

impl Connection {
    /// A connection of our own: to the member, or to the primary of a whole set. `None`: take the driver.
    pub(crate) async fn wire(&self) -> Option<Wire> {
        match self.inner.pool.take(Instant::now()) {
            Some(wire) => Some(wire),
            None => self.fresh_wire().await,
        }
    }

    /// As [`Connection::wire`], never one that served before.
    pub(crate) async fn fresh_wire(&self) -> Option<Wire> {
        let pool = &self.inner.pool;
        if pool.given_up.load(Ordering::Relaxed) {
            return None;
        }
        let opening = async {
            let address = self.wire_address().await?;
            pool.recipe.get_or_init(|| self.recipe()).await.as_ref()?.open(&address).await.map_err(|error| self.not_opened(&error)).ok()
        };
        let limit = self.inner.options.connect_timeout;
        match tokio::time::timeout(limit, opening).await {
            Ok(opened) => opened,
            Err(_) => {
                tracing::debug!(seconds = limit.as_secs_f32(), "no connection of our own in time: the driver's is used");
                None
            }
        }
    }

    /// Gives a connection back after an exchange that went well.
    pub(crate) fn keep_wire(&self, wire: Wire) {
        self.inner.pool.put(wire);
    }

    /// After an error: the others lead to the same server, which may not be the primary any more.
    pub(crate) fn forget_wires(&self) {
        self.inner.pool.clear();
    }

    async fn recipe(&self) -> Option<Recipe> {
        let options: ClientOptions = self.inner.base.clone();
        // It reads files.
        let recipe = tokio::task::spawn_blocking(move || Recipe::new(&options)).await;
        match recipe {
            Ok(Ok(recipe)) => Some(recipe),
            Ok(Err(reason)) => {
                tracing::debug!(%reason, "documents are moved by the driver");
                None
            }
            Err(_) => None,
        }
    }

    fn not_opened(&self, error: &NotOpened) {
        let reason = self.inner.context.scrub(&error.to_string());
        tracing::debug!(%reason, "no connection of our own: the driver's is used");
        if matches!(error, NotOpened::Never(_)) {
            self.inner.pool.given_up.store(true, Ordering::Relaxed);
        }
    }

    /// Where the driver would send a command.
    async fn wire_address(&self) -> Option<ServerAddress> {
        if self.is_direct() {
            return self.inner.base.hosts.first().cloned();
        }
        let greeting = match self.run_again("ask who the primary is", "admin", doc! { "hello": 1 }, Patience::Short).await {
            // The first 4.4s know only the old word.
            Err(error) if error.has_code(&[59]) => {
                self.run_again("ask who the primary is", "admin", doc! { "isMaster": 1 }, Patience::Short).await
            }
            greeting => greeting,
        };
        ServerAddress::parse(greeting.ok()?.get_str("me").ok()?).ok()
    }
}
