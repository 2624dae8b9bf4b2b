//! What the tasks of a running agent share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oplogue_api::agent::{AgentFacts, AttemptId, Sync};
use oplogue_api::client::Client;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::beside::Beside;
use crate::config::AgentConfig;
use crate::data_dir::DataDir;
use crate::journal::Journal;
use crate::location_tests::LocationTests;
use crate::slicing::SlicingBoard;

pub struct Shared {
    pub config: AgentConfig,
    pub client: Client,
    pub dir: DataDir,
    pub beside: Arc<Beside>,
    pub journal: Journal,
    pub slicing: SlicingBoard,
    pub tests: LocationTests,
    pub facts: watch::Sender<AgentFacts>,
    /// What is worked on at the moment, and how to stop it.
    running: Mutex<HashMap<AttemptId, CancellationToken>>,
    /// Cancelled when the agent is told to stop.
    pub stop: CancellationToken,
    /// Grows when there is something the server should hear at once.
    news: watch::Sender<u64>,
}

impl Shared {
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        config: AgentConfig,
        client: Client,
        dir: DataDir,
        beside: Beside,
        journal: Journal,
        slicing: SlicingBoard,
        facts: AgentFacts,
        stop: CancellationToken,
    ) -> Self {
        Self {
            config,
            client,
            dir,
            beside: Arc::new(beside),
            journal,
            slicing,
            tests: LocationTests::default(),
            facts: watch::Sender::new(facts),
            running: Mutex::default(),
            stop,
            news: watch::Sender::new(0),
        }
    }

    /// A sync that is held back by the server is given up for a new one.
    pub fn poke(&self) {
        self.news.send_modify(|news| *news += 1);
    }

    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub fn running(&self) -> MutexGuard<'_, HashMap<AttemptId, CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How things are.
    pub fn sync(&self, revision: u64, wait_seconds: u32) -> Sync {
        let facts = self.facts.borrow().clone();
        Sync {
            slicing: Some(self.slicing.facts(facts.oplog.as_ref())),
            facts,
            attempts: self.journal.unacknowledged(),
            tests: self.tests.answers(),
            revision,
            wait_seconds,
        }
    }
}
