//! Holding the lease that makes this process the only slicer of its replica set.
//!
//! A task renews it every third of its life. Between renewals the holder trusts its own clock only, counted from before the last
//! successful renewal was sent: when that time is over it counts itself out, whatever the server may say later.
//!
//! Counting oneself out is not enough for what is under way already, which no clock can call back: each slice is announced first
//! ([`Tenure::announce`]), so that a successor makes the same one.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context;
use oplogue_domain::{OplogTime, ReplicaSetName};
use oplogue_mongo::{Acquired, Connection, Lease, LeaseState, MongoError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::failure::Refused;
use crate::slice::step::Step;
use crate::slice::{OnEvent, SliceEvent, SliceRequest};

/// How often a waiting slicer asks again: a take-over should take seconds.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The purpose under which the slicer's lease is kept.
pub const PURPOSE: &str = "slicer";

/// The outcome of asking for the lease.
pub enum Turn {
    Ours(Box<Tenure>),
    Cancelled,
}

/// The time during which this process is the slicer.
pub struct Tenure {
    connection: Connection,
    lease: Lease,
    ttl: Duration,
    /// By whichever holder.
    announced: Mutex<Option<Step>>,
    state: Arc<State>,
    renewing: tokio::task::JoinHandle<()>,
}

struct State {
    /// Until when the lease surely holds, by this process's clock.
    sure_until: Mutex<Instant>,
    lost: CancellationToken,
}

impl State {
    fn holds(&self) -> bool {
        let sure_until = self.sure_until.lock().map(|until| *until);
        !self.lost.is_cancelled() && sure_until.is_ok_and(|until| Instant::now() < until)
    }

    fn renewed(&self, asked: Instant, ttl: Duration) {
        if let Ok(mut until) = self.sure_until.lock() {
            *until = asked + ttl;
        }
    }
}

impl Tenure {
    /// Asks for the lease until it is ours. With `wait` false a lease held by somebody else is a refusal.
    pub async fn await_turn(
        request: &SliceRequest,
        replica_set: &ReplicaSetName,
        wait: bool,
        on_event: OnEvent<'_>,
        cancel: &CancellationToken,
    ) -> anyhow::Result<Turn> {
        let mut told: Option<String> = None;
        loop {
            let asked = Instant::now();
            let acquired = request.connection.acquire_lease(PURPOSE, &request.holder, request.lease_ttl).await;
            match acquired.context("ask for the slicer's lease")? {
                Acquired::Lease(lease) => {
                    return Ok(Turn::Ours(Box::new(Self::begin(request.connection.clone(), lease, asked, request.lease_ttl))));
                }
                Acquired::HeldBy(LeaseState { holder, expires_millis, .. }) => {
                    if !wait {
                        let until = OplogTime::start_of_second(u32::try_from(expires_millis / 1000).unwrap_or(0)).rfc3339();
                        let reason =
                            format!("{replica_set} is already being sliced by {holder}, whose lease ends at {until} unless renewed");
                        return Err(Refused::new(reason).advise("stop the other slicer, or ask to wait for it").into());
                    }
                    if told.as_ref() != Some(&holder) {
                        on_event(SliceEvent::Waiting { why: format!("{replica_set} is being sliced by {holder}; waiting for its lease") });
                        told = Some(holder);
                    }
                }
            }
            if tokio::time::timeout(ASK_AGAIN.min(request.lease_ttl / 2), cancel.cancelled()).await.is_ok() {
                return Ok(Turn::Cancelled);
            }
        }
    }

    fn begin(connection: Connection, lease: Lease, asked: Instant, ttl: Duration) -> Self {
        let state = Arc::new(State { sure_until: Mutex::new(asked + ttl), lost: CancellationToken::new() });
        let renewing = tokio::spawn(renew(connection.clone(), lease.clone(), ttl, state.clone()));
        let announced = Mutex::new(lease.announced.as_ref().and_then(Step::read));
        Self { connection, lease, ttl, announced, state, renewing }
    }

    /// What was announced last, by this slicer or the one before: it may be stored, or still be on its way.
    pub fn announced(&self) -> Option<Step> {
        self.announced.lock().map_or(None, |step| *step)
    }

    /// Says what is stored next. False when the lease is lost: then it must not be.
    ///
    /// # Errors
    /// When nobody knows whether a majority has heard it: then it must not be stored either, and may be announced again.
    pub async fn announce(&self, step: Step) -> anyhow::Result<bool> {
        let (asked, step_document) = (Instant::now(), step.to_document());
        let heard = tokio::time::timeout(self.ttl, self.connection.announce(&self.lease, self.ttl, &step_document)).await;
        let heard = heard.unwrap_or_else(|_| Err(MongoError::TimedOut { what: "announce the next slice".to_owned(), limit: self.ttl }));
        match heard {
            Ok(_) => {
                self.state.renewed(asked, self.ttl);
                if let Ok(mut announced) = self.announced.lock() {
                    *announced = Some(step);
                }
                Ok(self.holds())
            }
            Err(MongoError::LeaseLost { reason, .. }) => {
                tracing::warn!(reason, "the slicer's lease was lost");
                self.state.lost.cancel();
                Ok(false)
            }
            Err(error) => Err(anyhow::Error::new(error).context("announce the next slice")),
        }
    }

    /// Counts up with every take-over.
    pub fn fence(&self) -> i64 {
        self.lease.fence
    }

    /// True while nobody else can be the slicer.
    pub fn holds(&self) -> bool {
        self.state.holds()
    }

    /// Returns when the lease is found to be lost.
    pub async fn lost(&self) {
        self.state.lost.cancelled().await;
    }

    /// Gives up the tenure without a word to the server.
    fn stop(&self) {
        self.renewing.abort();
    }

    /// Gives the lease back, so that the next slicer need not wait for its end. Failing to is no harm.
    pub async fn release(self) {
        self.stop();
        if self.state.holds()
            && let Err(error) = self.connection.release_lease(&self.lease).await
        {
            tracing::warn!(%error, "the slicer's lease could not be given back and will run out");
        }
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn renew(connection: Connection, lease: Lease, ttl: Duration, state: Arc<State>) {
    loop {
        tokio::time::sleep(ttl / 3).await;
        let asked = Instant::now();
        let renewed = tokio::time::timeout(ttl / 3, connection.renew_lease(&lease, ttl)).await;
        match renewed {
            Ok(Ok(_)) => state.renewed(asked, ttl),
            Ok(Err(MongoError::LeaseLost { reason, .. })) => {
                tracing::warn!(reason, "the slicer's lease was lost");
                state.lost.cancel();
                return;
            }
            // An election, a network: the lease may still be ours, as long as its time lasts.
            Ok(Err(error)) => tracing::warn!(%error, "the slicer's lease could not be renewed"),
            Err(_) => tracing::warn!("the slicer's lease could not be renewed in time"),
        }
        if !state.holds() {
            state.lost.cancel();
            return;
        }
    }
}
