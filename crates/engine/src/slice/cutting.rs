//! Reading the oplog as far as a majority has it, and cutting it into slices.

use std::time::Duration;

use anyhow::Context;
use futures::{StreamExt, pin_mut};
use oplogue_domain::{Decision, OplogTime, ReplicaSetName, SliceCutter, SliceProgress};
use oplogue_mongo::Connection;
use oplogue_repository::{Repository, SliceBuilder};
use tokio::time::Instant;

use crate::slice::tenure::Tenure;
use crate::slice::{OnEvent, SliceEvent, SliceRequest};

/// How often the server is asked how far the majority is. Reading in small steps keeps what is held in memory small and lets a
/// big slice be cut early.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A slice in the making, and the place it will have.
pub struct Cutting {
    repository: Repository,
    replica_set: ReplicaSetName,
    node: Connection,
    cutter: SliceCutter,
    builder: SliceBuilder,
    /// When the first entry behind the slice's beginning was read.
    since: Option<Instant>,
    majority: OplogTime,
    stored: u64,
}

impl Cutting {
    pub fn new(request: &SliceRequest, replica_set: ReplicaSetName, node: Connection, cutter: SliceCutter, from: OplogTime) -> Self {
        let builder = SliceBuilder::new(replica_set.clone(), from, request.compression);
        Self { repository: request.repository.clone(), replica_set, node, cutter, builder, since: None, majority: from, stored: 0 }
    }

    /// Slices stored so far.
    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// Up to where slices are stored.
    pub fn end(&self) -> OplogTime {
        self.builder.first()
    }

    /// Reads what is new, stores the slices that are due, and says how long nothing more will be. After an error what was read but
    /// not stored is lost; a new `Cutting` reads it again.
    pub async fn turn(&mut self, tenure: &Tenure, on_event: OnEvent<'_>, stopping: bool) -> anyhow::Result<Duration> {
        self.majority = self.node.majority_time().await.context("ask how far a majority of the replica set is")?;
        if self.majority > self.builder.last() {
            self.read(tenure, on_event).await?;
        }
        match self.cut_if_due(tenure, on_event, stopping).await? {
            Decision::Continue { within } => Ok(within.clamp(Duration::from_millis(20), LOOK_AGAIN)),
            Decision::Cut { .. } => Ok(LOOK_AGAIN.min(self.cutter.span)),
        }
    }

    /// Reads from the newest entry known, which comes first once more and proves that none is missing in between.
    async fn read(&mut self, tenure: &Tenure, on_event: OnEvent<'_>) -> anyhow::Result<()> {
        let entries = self.node.clone().read_oplog(self.builder.last(), self.majority);
        pin_mut!(entries);
        while let Some(batch) = entries.next().await {
            for entry in batch.context("read the oplog")? {
                self.builder.push(&entry).await?;
                if self.since.is_none() && self.builder.last() > self.builder.first() {
                    self.since = Some(Instant::now());
                }
                if self.builder.bytes() >= self.cutter.bytes_max {
                    self.cut_if_due(tenure, on_event, false).await?;
                    if !tenure.holds() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    async fn cut_if_due(&mut self, tenure: &Tenure, on_event: OnEvent<'_>, stopping: bool) -> anyhow::Result<Decision> {
        let decision = self.cutter.decide(&SliceProgress {
            after: self.builder.first(),
            last: Some(self.builder.last()),
            bytes: self.builder.bytes(),
            majority: self.majority,
            waiting: self.since.map_or(Duration::ZERO, |since| since.elapsed()),
            stopping,
        });
        if let Decision::Cut { .. } = decision {
            self.store(tenure, on_event).await?;
        }
        Ok(decision)
    }

    async fn store(&mut self, tenure: &Tenure, on_event: OnEvent<'_>) -> anyhow::Result<()> {
        if !tenure.holds() {
            // What is held stays where it is: whoever slices now reads it from the server.
            return Ok(());
        }
        let next = self.builder.following().await?;
        let whole = std::mem::replace(&mut self.builder, next);
        self.since = None;
        let stored = self.repository.write_slice(whole).await.context("store a slice")?;
        self.stored += 1;
        let end = stored.slice.range.through;
        let window = self.node.oplog_window().await.context("ask for the oldest entry of the oplog")?;
        tracing::info!(replica_set = %self.replica_set, range = %stored.slice.range, bytes = stored.slice.bytes, "slice stored");
        on_event(SliceEvent::Stored {
            slice: stored.slice,
            entries: stored.entries,
            lag_seconds: self.majority.seconds_since(end),
            window_headroom_seconds: end.seconds_since(window.oldest),
        });
        Ok(())
    }
}
