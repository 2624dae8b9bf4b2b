//! Tails the oplog of a replica set into slices.
//!
//! Two loops. The outer one holds the lease that makes this process the only slicer of its replica set; the inner one finds out
//! from the storage where to go on, reads what a majority has, and stores slices. Whatever fails in between (an election, a
//! storage that is away) is told, and tried again from the newest slice, for as long as nobody cancels: a slicer that gave up
//! would be a hole in the making. Only what nobody can wait for ends it: wrong credentials, missing rights, or somebody else's
//! lease when the caller asked not to wait for it.
//!
//! After a crash nothing needs repair: the slices on the storage are whole, and the next slicer goes on behind the newest, with the very slice
//! that was under way ([`step`]). For times it knows two kinds: those of the oplog, by which slices are named and joined, and spans of the
//! process's monotonic clock. Nobody's wall clock decides anything, so nobody's may jump.
//!
//! A backup that runs at the same time does not matter to slicing, nor slicing to it.

mod cutting;
mod patience;
mod start;
mod step;
mod tenure;

use std::time::Duration;

use oplogue_domain::{Gap, Headroom, OplogTime, ReplicaSetName, Slice};
use oplogue_format::compression::Compression;
use oplogue_mongo::{Connection, MongoError};
use oplogue_repository::{Repository, RepositoryError};
use oplogue_storage::StorageError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backup::member;
use crate::failure::Refused;
use crate::slice::cutting::Cutting;
use crate::slice::patience::{Patience, Silent, passes};
use crate::slice::start::{Start, find_start};
use crate::slice::tenure::{Tenure, Turn};

pub use crate::slice::tenure::PURPOSE as LEASE_PURPOSE;

/// What to slice, and how.
#[derive(Clone)]
pub struct SliceRequest {
    pub connection: Connection,
    pub repository: Repository,
    pub compression: Compression,
    /// A slice ends after this long, or after `bytes_max` uncompressed bytes, whichever comes first.
    pub span: Duration,
    pub bytes_max: u64,
    /// Who holds the lease: host, process, random part.
    pub holder: String,
    /// How long the lease lasts unless renewed.
    pub lease_ttl: Duration,
    /// When somebody else holds the lease: wait until it is free (true), or refuse with its holder's name (false). Only asked at
    /// the start; who has had the lease once waits for it to come back.
    pub wait_for_lease: bool,
    /// Stop after one slice reaches this moment or later; `None`: until cancelled.
    pub until: Option<OplogTime>,
}

/// What happened, for printing.
#[derive(Clone, Debug)]
pub enum SliceEvent {
    /// Slicing goes on (or begins) after `from`.
    Started {
        replica_set: ReplicaSetName,
        node: String,
        from: OplogTime,
        fence: i64,
    },
    /// Waiting for whoever holds the lease, or for a first backup. Told once per reason.
    Waiting {
        why: String,
    },
    /// `lag_seconds`: from the end of the slice to the newest majority-committed entry. `window_headroom_seconds`: from the oldest
    /// entry the server still has to the end of the slice; slicing may stand still about that long before entries are lost.
    Stored {
        slice: Slice,
        entries: u64,
        lag_seconds: u32,
        window_headroom_seconds: u32,
    },
    /// A hole was found and recorded on the storage.
    Gap(Gap),
    /// What is not stored fills most of the oplog: somebody should look after it before the server discards entries. Told when that
    /// begins, and again each time the headroom has halved.
    HeadroomShort(Headroom),
    /// A try failed and will be repeated.
    Retrying {
        error: String,
        in_seconds: u64,
    },
    Stopped {
        newest: Option<OplogTime>,
    },
}

/// Receives what happened. Called from the slicer's own task; should not block.
pub type OnEvent<'a> = &'a (dyn Fn(SliceEvent) + Send + Sync);

/// First pause after a failure; doubled with each failure in a row.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// Longest pause after a failure: work goes on within seconds when a storage is back or an election is over.
const RETRY_LONGEST: Duration = Duration::from_secs(5);
/// How long the look at the oplog's window may take while something else fails.
const WINDOW_LIMIT: Duration = Duration::from_secs(5);
/// How long the last slice may take after a cancel before it is given up. Nothing is lost by it: the next slicer goes on there.
const LAST_SLICE_LIMIT: Duration = Duration::from_secs(20);

/// Runs until cancelled (then cuts a last slice, gives the lease back), until `until` is reached, or a refusal.
pub async fn run(request: SliceRequest, on_event: &(dyn Fn(SliceEvent) + Send + Sync), cancel: CancellationToken) -> anyhow::Result<()> {
    let mut slicer = Slicer {
        request,
        on_event,
        cancel,
        newest: None,
        held: false,
        proven: false,
        failures: 0,
        reading: None,
        failed_host: None,
        short: None,
    };
    let ended = slicer.run().await;
    if ended.is_ok() {
        on_event(SliceEvent::Stopped { newest: slicer.newest });
    }
    ended
}

struct Slicer<'a> {
    request: SliceRequest,
    on_event: OnEvent<'a>,
    cancel: CancellationToken,
    /// End of the newest slice this run has stored or found.
    newest: Option<OplogTime>,
    /// The lease was ours once: from now on it is waited for.
    held: bool,
    /// Slicing has worked once, so that credentials and rights were right: from now on every failure is waited out.
    proven: bool,
    /// Failures in a row.
    failures: u32,
    /// The member that is read, and the one that failed last.
    reading: Option<String>,
    failed_host: Option<String>,
    /// The headroom when it was last told to be short.
    short: Option<u32>,
}

/// Why the inner loop came back without an error.
enum Ended {
    /// Cancelled, or `until` was reached.
    Done,
    LeaseLost,
}

impl Slicer<'_> {
    async fn run(&mut self) -> anyhow::Result<()> {
        let replica_set = loop {
            match self.request.connection.replica_set().await {
                Ok(replica_set) => break replica_set.name,
                Err(error) => {
                    if !self.pause_after(error.into()).await? {
                        return Ok(());
                    }
                }
            }
        };
        while !self.cancel.is_cancelled() {
            let wait = self.request.wait_for_lease || self.held;
            let turn = Tenure::await_turn(&self.request, &replica_set, wait, self.on_event, &self.cancel).await;
            let tenure = match turn {
                Ok(Turn::Ours(tenure)) => tenure,
                Ok(Turn::Cancelled) => return Ok(()),
                Err(error) => {
                    if !self.pause_after(error).await? {
                        return Ok(());
                    }
                    continue;
                }
            };
            self.held = true;
            let ended = self.slice_while_ours(&replica_set, &tenure).await;
            tenure.release().await;
            match ended? {
                Ended::Done => return Ok(()),
                Ended::LeaseLost => (self.on_event)(SliceEvent::Waiting { why: "the lease was lost; waiting for it".to_owned() }),
            }
        }
        Ok(())
    }

    /// Slices, over all failures that can be waited out, until the lease is lost or the work is done.
    async fn slice_while_ours(&mut self, replica_set: &ReplicaSetName, tenure: &Tenure) -> anyhow::Result<Ended> {
        loop {
            if !tenure.holds() {
                return Ok(Ended::LeaseLost);
            }
            match self.slice_on(replica_set, tenure).await {
                Ok(ended) => {
                    self.failed_host = None;
                    return Ok(ended);
                }
                Err(error) if rolled_over(&error) => {
                    // The storage says where to go on, and what is lost.
                    tracing::warn!(error = %format!("{error:#}"), "the oplog rolled over");
                }
                Err(error) => {
                    let reading = self.reading.take();
                    if error.chain().any(|cause| cause.is::<MongoError>() || cause.is::<Silent>()) {
                        self.failed_host = reading;
                    }
                    if !self.pause_after(error).await? {
                        return Ok(Ended::Done);
                    }
                }
            }
        }
    }

    /// One try: chooses a member, finds out where to go on, and slices until something ends it.
    async fn slice_on(&mut self, replica_set: &ReplicaSetName, tenure: &Tenure) -> anyhow::Result<Ended> {
        let patience = Patience::after(self.failures);
        let chosen = patience.wait(member::choose(&self.request.connection, self.failed_host.as_deref())).await?;
        self.reading = Some(chosen.host.clone());
        let start = find_start(&self.request, replica_set, &chosen.connection, patience, self.on_event, &self.cancel, tenure);
        let from = match start.await? {
            Start::From(from) => from,
            Start::Cancelled => return Ok(Ended::Done),
            Start::LeaseLost => return Ok(Ended::LeaseLost),
        };
        self.newest = Some(from);
        (self.on_event)(SliceEvent::Started { replica_set: replica_set.clone(), node: chosen.host, from, fence: tenure.fence() });

        let mut cutting = Cutting::new(&self.request, chosen.connection, patience, from, tenure.announced());
        loop {
            let stopping = self.cancel.is_cancelled();
            let pause = if stopping {
                match tokio::time::timeout(LAST_SLICE_LIMIT, cutting.turn(tenure, self.on_event, true)).await {
                    Ok(turn) => turn?,
                    Err(_) => {
                        tracing::warn!("the last slice was given up: it took longer than {} s", LAST_SLICE_LIMIT.as_secs());
                        return Ok(Ended::Done);
                    }
                }
            } else {
                cutting.turn(tenure, self.on_event, false).await?
            };
            if cutting.stored() > 0 {
                self.proven = true;
                self.failures = 0;
                self.newest = Some(cutting.end());
                self.tell_if_short(cutting.headroom());
            }
            let reached = self.request.until.is_some_and(|until| cutting.end() >= until);
            if stopping || reached {
                return Ok(Ended::Done);
            }
            if !tenure.holds() {
                return Ok(Ended::LeaseLost);
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.cancel.cancelled() => {}
                () = tenure.lost() => {}
            }
        }
    }

    /// Tells about a failure and waits. False when cancelled meanwhile; an error when waiting would not help.
    async fn pause_after(&mut self, error: anyhow::Error) -> anyhow::Result<bool> {
        if self.cancel.is_cancelled() {
            tracing::warn!(error = %format!("{error:#}"), "the last slice could not be stored; the next slicer goes on there");
            return Ok(false);
        }
        if error.chain().any(|cause| cause.is::<Refused>()) || !(self.proven || is_temporary(&error)) {
            return Err(error);
        }
        let pause = RETRY_FIRST.saturating_mul(1 << self.failures.min(8)).min(RETRY_LONGEST);
        self.failures += 1;
        (self.on_event)(SliceEvent::Retrying { error: format!("{error:#}"), in_seconds: pause.as_secs() });
        self.look_at_headroom().await;
        let deadline = Instant::now() + pause;
        Ok(tokio::time::timeout_at(deadline, self.cancel.cancelled()).await.is_err())
    }

    /// While nothing is stored the oplog turns on. A server that does not answer now is looked at after the next failure.
    async fn look_at_headroom(&mut self) {
        let Some(newest) = self.newest else { return };
        if let Ok(Ok(window)) = tokio::time::timeout(WINDOW_LIMIT, self.request.connection.oplog_window()).await {
            self.tell_if_short(Some(Headroom::of(newest, window.oldest, window.newest)));
        }
    }

    fn tell_if_short(&mut self, headroom: Option<Headroom>) {
        let Some(headroom) = headroom else { return };
        let short = headroom.is_short().then_some(headroom.headroom_seconds);
        let worse = short.is_some_and(|left| self.short.is_none_or(|told| left < told && left <= told / 2));
        if worse {
            (self.on_event)(SliceEvent::HeadroomShort(headroom));
        }
        self.short = if worse { short } else { short.and(self.short) };
    }
}

/// True when the same may work later without anybody changing anything here: a full disk is emptied elsewhere.
fn is_temporary(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<MongoError>().is_some_and(passes)
            || cause
                .downcast_ref::<RepositoryError>()
                .is_some_and(|error| error.is_temporary() || matches!(error, RepositoryError::Storage(StorageError::NoSpace { .. })))
            || cause.is::<member::NobodySuitable>()
            || cause.is::<Silent>()
    })
}

fn rolled_over(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref(), Some(MongoError::OplogRolledOver { .. })))
}
