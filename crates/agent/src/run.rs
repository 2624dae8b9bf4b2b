//! The main loop: says how things are, hears what is wanted, and has it done.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use oplogue_api::agent::{AgentFacts, AttemptId, Wishes};
use oplogue_api::client::{Client, ClientError};
use oplogue_engine::failure::Refused;
use oplogue_mongo::MongoError;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::beside::Beside;
use crate::config::AgentConfig;
use crate::data_dir::DataDir;
use crate::enrol::{self, Identity};
use crate::journal::Journal;
use crate::shared::Shared;
use crate::slicing::{self, SlicingBoard};
use crate::{attempts, facts, location_tests, recovery, systemd};

/// Runs until `cancel`, then stops cleanly. Dropped half-way it leaves what a crash leaves.
///
/// # Errors
/// [`Refused`] for what cannot work as it is configured: the URI, the server's address, a token that is not taken, a data directory in use.
/// Servers that are away are waited for.
pub async fn run(config: AgentConfig, cancel: CancellationToken) -> anyhow::Result<()> {
    let dir = DataDir::open(&config.data_dir)?;
    let beside = Beside::new(&config.uri)?;
    let client = Client::new(&config.server, &config.trust).map_err(enrol::told)?;
    if client.is_exposed() {
        tracing::warn!(
            server = client.address(),
            "the connection to the server is not encrypted: whoever listens can take the credential; use https"
        );
    }
    // An agent that waits for its server is at work, too.
    systemd::ready("starting");
    let unknown = facts::unknown(&beside);
    let identity = match enrol::stored(&dir)? {
        Some(identity) => identity,
        None => match enrol_patiently(&config, &dir, &beside, &unknown, &cancel).await? {
            Some(identity) => identity,
            None => return Ok(()),
        },
    };
    let client = client.with_credential(identity.credential.clone());
    let (journal, broken_off) = Journal::open(&dir)?;
    let board = SlicingBoard::open(&dir);
    let shared = Arc::new(Shared::new(config, client, dir, beside, journal, board, unknown, cancel.child_token()));
    for (id, _) in &broken_off {
        shared.running().insert(id.clone(), CancellationToken::new());
    }
    let mut agent = Agent::new(shared);
    agent.start(broken_off);
    agent.keep_in_touch(&identity).await;
    agent.stop().await;
    Ok(())
}

/// Tries until it has a credential. `None` when told to stop before.
async fn enrol_patiently(
    config: &AgentConfig,
    dir: &DataDir,
    beside: &Beside,
    unknown: &AgentFacts,
    cancel: &CancellationToken,
) -> anyhow::Result<Option<Identity>> {
    let mut failures = 0;
    loop {
        let Some(tried) = cancel.run_until_cancelled(try_to_enrol(config, dir, beside, unknown)).await else { return Ok(None) };
        let error = match tried {
            Ok(identity) => return Ok(Some(identity)),
            Err(error) if worth_waiting(&error) => error,
            Err(error) => return Err(error),
        };
        failures += 1;
        let pause = config.rhythm.retry(failures);
        tracing::warn!(error = %format!("{error:#}"), pause_seconds = pause.as_secs(), "not enrolled yet; trying again");
        if cancel.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return Ok(None);
        }
    }
}

async fn try_to_enrol(config: &AgentConfig, dir: &DataDir, beside: &Beside, unknown: &AgentFacts) -> anyhow::Result<Identity> {
    anyhow::ensure!(
        config.token.as_ref().is_some_and(|token| !token.is_empty()),
        Refused::new("this agent has no credential yet, and no token to get one with")
            .advise("take a token from the server (Services, Add; or `oplogue admin add mongodb`) and give it with --token")
    );
    let facts = facts::gather(beside, unknown).await.map_err(|(_, error)| told(error)).context("look at the member")?;
    enrol::enrol(config, dir, facts).await
}

/// What the member is, or may not be asked, does not change by waiting.
fn told(error: MongoError) -> anyhow::Error {
    if error.is_transient() {
        error.into()
    } else {
        Refused::new(error.to_string()).advise("`oplogue doctor --uri …` tells what is missing").into()
    }
}

fn worth_waiting(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<MongoError>().is_some_and(MongoError::is_transient)
            || cause.downcast_ref::<ClientError>().is_some_and(ClientError::is_temporary)
    })
}

struct Agent {
    shared: Arc<Shared>,
    /// Everything that runs beside the main loop; gone when this is dropped. Some give the attempt back whose outcome they told.
    tasks: JoinSet<Option<AttemptId>>,
    /// Outcomes that are being told.
    telling: BTreeSet<AttemptId>,
    revision: u64,
    failures: u32,
    beat: watch::Sender<Instant>,
}

impl Agent {
    fn new(shared: Arc<Shared>) -> Self {
        let beat = watch::Sender::new(Instant::now());
        Self { shared, tasks: JoinSet::new(), telling: BTreeSet::new(), revision: 0, failures: 0, beat }
    }

    fn start(&mut self, broken_off: Vec<(AttemptId, oplogue_api::agent::Work)>) {
        let (watching, slicing, beat) = (self.shared.clone(), self.shared.clone(), self.beat.subscribe());
        self.until_stop(facts::watch(watching));
        self.until_stop(systemd::watchdog(beat));
        for (id, work) in broken_off {
            let recovering = self.shared.clone();
            self.until_stop(recovery::end(recovering, id, work));
        }
        self.tasks.spawn(async move {
            slicing::keep(slicing).await;
            None
        });
        attempts::tell_untold(&self.shared, &mut self.telling, &mut self.tasks);
    }

    /// Has something done that may be left off at any time.
    fn until_stop(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.shared.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(work).await;
            None
        });
    }

    /// Syncs until told to stop. A sync that the server holds back is given up when there is news, but the one after that is not, so that
    /// its answer is heard however much happens here.
    async fn keep_in_touch(&mut self, identity: &Identity) {
        let stop = self.shared.stop.clone();
        let mut news = self.shared.news();
        let mut hurried = true;
        while !stop.is_cancelled() {
            self.beat.send_replace(Instant::now());
            news.borrow_and_update();
            let wait_seconds = if hurried { 0 } else { self.shared.config.rhythm.sync_wait_seconds };
            let sync = self.shared.sync(self.revision, wait_seconds);
            let client = self.shared.client.clone();
            let syncing = client.sync(&sync);
            tokio::pin!(syncing);
            let answer = loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    answer = &mut syncing => break Some(answer),
                    _ = news.changed(), if !hurried => break None,
                    Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => self.reap(ended),
                }
            };
            match answer {
                None => hurried = true,
                Some(Ok(wishes)) => {
                    hurried = false;
                    self.hear(&wishes, identity);
                }
                Some(Err(error)) => {
                    hurried = true;
                    let pause = self.away(&error);
                    stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                }
            }
        }
    }

    fn hear(&mut self, wishes: &Wishes, identity: &Identity) {
        if self.failures > 0 || self.revision == 0 {
            tracing::info!(server = self.shared.client.address(), service = identity.service_name, "in touch with the server");
            systemd::status(&format!("in touch with {} as {}", self.shared.client.address(), identity.service_name));
        }
        self.failures = 0;
        self.revision = wishes.revision;
        self.shared.slicing.heed(&self.shared.dir, wishes.slicing.as_ref());
        attempts::heed(&self.shared, wishes, &mut self.telling, &mut self.tasks);
        location_tests::heed(&self.shared, &wishes.tests, &mut self.tasks);
    }

    /// Tells once about each time the server is away, and how long to wait before the next try.
    fn away(&mut self, error: &ClientError) -> std::time::Duration {
        self.failures += 1;
        if self.failures == 1 {
            tracing::warn!(%error, hint = error.hint(), "the server cannot be told how things are; slicing and running work go on");
            systemd::status(&format!("out of touch with the server: {error}"));
        } else {
            tracing::debug!(%error, failures = self.failures, "still out of touch with the server");
        }
        self.shared.config.rhythm.retry(self.failures)
    }

    fn reap(&mut self, ended: Result<Option<AttemptId>, tokio::task::JoinError>) {
        match ended {
            Ok(told) => {
                if let Some(id) = told {
                    self.telling.remove(&id);
                }
            }
            Err(error) => tracing::error!(%error, "a part of the agent broke off by a mistake of this program"),
        }
    }

    /// Waits for the last slice, for what was cancelled, and for one more try to tell the outcomes.
    async fn stop(mut self) {
        systemd::stopping();
        tracing::info!("stopping");
        self.shared.stop.cancel();
        let deadline = Instant::now() + self.shared.config.rhythm.stop_limit;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.tasks.join_next()).await {
            self.reap(ended);
        }
        if !self.tasks.is_empty() {
            tracing::warn!("not everything ended in time; the next start tells what was broken off");
        }
    }
}
