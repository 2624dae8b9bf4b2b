//! Reading the oplog as far as a majority has it, and cutting it into slices.

use std::time::Duration;

use anyhow::{Context, bail};
use bson::RawDocumentBuf;
use futures::{StreamExt, pin_mut};
use oplogue_domain::{Decision, Headroom, OplogRange, OplogTime, ReplicaSetName, SliceCutter, SliceProgress};
use oplogue_format::compression::Compression;
use oplogue_mongo::{Connection, MongoError};
use oplogue_repository::{Repository, SliceBuilder};
use tokio::time::Instant;

use crate::slice::patience::{self, Patience};
use crate::slice::step::Step;
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
    patience: Patience,
    cutter: SliceCutter,
    builder: SliceBuilder,
    /// By the request; a slice that was announced keeps what it was announced with.
    compression: Compression,
    /// The first slice was announced, here or elsewhere, and may be on its way: it must end at this moment and nowhere else.
    due: Option<OplogTime>,
    /// When the first entry behind the slice's beginning was read.
    since: Option<Instant>,
    majority: OplogTime,
    stored: u64,
    headroom: Option<Headroom>,
}

impl Cutting {
    /// Goes on at `from`. `announced` is the last step announced by anybody: it counts when it begins there.
    pub fn new(request: &SliceRequest, node: Connection, patience: Patience, from: OplogTime, announced: Option<Step>) -> Self {
        let replica_set = request.connection.replica_set_name().clone();
        let due = announced.filter(|step| step.range.after == from);
        let compression = due.map_or(request.compression, |step| step.compression);
        Self {
            repository: request.repository.clone(),
            builder: SliceBuilder::new(replica_set.clone(), from, compression),
            replica_set,
            node,
            patience,
            cutter: SliceCutter { span: request.span, bytes_max: request.bytes_max },
            compression: request.compression,
            due: due.map(|step| step.range.through),
            since: None,
            majority: from,
            stored: 0,
            headroom: None,
        }
    }

    /// Slices stored so far.
    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// Up to where slices are stored.
    pub fn end(&self) -> OplogTime {
        self.builder.first()
    }

    /// When the newest slice was stored.
    pub fn headroom(&self) -> Option<Headroom> {
        self.headroom
    }

    /// Reads what is new, stores the slices that are due, and says how long nothing more will be. After an error what was read but
    /// not stored is lost; a new `Cutting` reads it again.
    pub async fn turn(&mut self, tenure: &Tenure, on_event: OnEvent<'_>, stopping: bool) -> anyhow::Result<Duration> {
        let majority = self.patience.wait(self.node.majority_time()).await;
        self.majority = majority.context("ask how far a majority of the replica set is")?;
        if let Some(due) = self.due {
            if self.majority < due {
                // A majority has it: this member will hear of it.
                return Ok(LOOK_AGAIN.min(self.cutter.span));
            }
            self.store_announced(tenure, on_event, due).await?;
        }
        if self.majority > self.builder.last() {
            self.read(tenure, on_event, self.majority).await?;
        }
        match self.cut_if_due(tenure, on_event, stopping).await? {
            Decision::Continue { within } => Ok(within.clamp(Duration::from_millis(20), LOOK_AGAIN)),
            Decision::Cut { .. } => Ok(LOOK_AGAIN.min(self.cutter.span)),
        }
    }

    /// Makes the slice that was announced before, exactly as it was.
    async fn store_announced(&mut self, tenure: &Tenure, on_event: OnEvent<'_>, through: OplogTime) -> anyhow::Result<()> {
        self.read(tenure, on_event, through).await?;
        self.due = None;
        if self.builder.last() == through {
            self.store(tenure, on_event).await
        } else {
            // Announced in another history, e.g. before the replica set's files were put back. Nobody can be storing it.
            tracing::warn!(%through, "a slice was announced that ends at an entry the oplog does not have");
            Ok(())
        }
    }

    /// Reads from the newest entry known, which comes first once more and proves that none is missing in between.
    async fn read(&mut self, tenure: &Tenure, on_event: OnEvent<'_>, through: OplogTime) -> anyhow::Result<()> {
        let entries = self.node.clone().read_oplog(self.builder.last(), through);
        pin_mut!(entries);
        let mut proven = false;
        while let Some(batch) = self.patience.wait(async { Ok::<_, MongoError>(entries.next().await) }).await.context("read the oplog")? {
            for entry in batch.context("read the oplog")? {
                if !proven {
                    self.prove(&entry)?;
                    proven = true;
                }
                self.builder.push(&entry).await?;
                if self.since.is_none() && self.builder.last() > self.builder.first() {
                    self.since = Some(Instant::now());
                }
                if self.builder.bytes() >= self.cutter.bytes_max && self.due.is_none() {
                    self.cut_if_due(tenure, on_event, false).await?;
                    if !tenure.holds() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// The first entry of a read must be the newest of the slice. A majority had that one; a member that has another in its place, or none,
    /// has lost what a majority had acknowledged.
    fn prove(&self, entry: &RawDocumentBuf) -> anyhow::Result<()> {
        let Some(newest) = self.builder.newest() else { return Ok(()) };
        let same = |key| newest.get(key).ok().flatten() == entry.get(key).ok().flatten();
        if same("ts") && same("t") {
            return Ok(());
        }
        let host = self.node.member_host().unwrap_or("the member read");
        bail!("the oplog of {host} does not have the entry at {} any more, which a majority had", self.builder.last())
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

    /// Announces what was read as a slice and stores it. Dropped in between, it is stored by whoever goes on there.
    async fn store(&mut self, tenure: &Tenure, on_event: OnEvent<'_>) -> anyhow::Result<()> {
        let window = self.patience.wait(self.node.oplog_window()).await.context("ask for the oldest entry of the oplog")?;
        let step = Step { range: OplogRange::new(self.builder.first(), self.builder.last()), compression: self.builder.compression() };
        if !tenure.announce(step).await? {
            // What is held stays where it is: whoever slices now reads it from the server.
            return Ok(());
        }
        let next = self.builder.following(self.compression).await?;
        let whole = std::mem::replace(&mut self.builder, next);
        self.since = None;
        let stored = patience::STORAGE.wait(self.repository.write_slice(whole)).await.context("store a slice")?;
        self.stored += 1;
        let headroom = Headroom::of(stored.slice.range.through, window.oldest, self.majority);
        self.headroom = Some(headroom);
        tracing::info!(replica_set = %self.replica_set, range = %stored.slice.range, bytes = stored.slice.bytes, "slice stored");
        on_event(SliceEvent::Stored {
            slice: stored.slice,
            entries: stored.entries,
            lag_seconds: headroom.lag_seconds,
            window_headroom_seconds: headroom.headroom_seconds,
        });
        Ok(())
    }
}
