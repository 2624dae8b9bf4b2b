//! Where slicing goes on, by what lies on the storage and what the server still has.

use std::time::Duration;

use anyhow::Context;
use bson::RawDocumentBuf;
use oplogue_domain::{Catalog, Gap, OplogSource, OplogTime, ReplicaSetName, Resume, Slice, resume};
use oplogue_mongo::Connection;
use oplogue_repository::Repository;
use tokio_util::sync::CancellationToken;

use crate::failure::Refused;
use crate::slice::patience::{self, Patience};
use crate::slice::tenure::Tenure;
use crate::slice::{OnEvent, SliceEvent, SliceRequest};

/// How often a slicer that waits for a first backup looks for it. A listing of the storage each time.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

pub enum Start {
    /// The entry at this time is the first of the next slice.
    From(OplogTime),
    Cancelled,
    LeaseLost,
}

/// Decides where to go on, waits for a full backup if one is needed first, and records what is lost.
pub async fn find_start(
    request: &SliceRequest,
    replica_set: &ReplicaSetName,
    node: &Connection,
    patience: Patience,
    on_event: OnEvent<'_>,
    cancel: &CancellationToken,
    tenure: &Tenure,
) -> anyhow::Result<Start> {
    let mut told = false;
    loop {
        let catalog = patience::STORAGE.wait(request.repository.catalog()).await.context("read what lies on the storage")?;
        let window = patience.wait(node.oplog_window()).await.context("ask for the oldest entry of the oplog")?;
        let known = catalog.recorded_gaps.get(replica_set).map_or(&[][..], Vec::as_slice);
        match resume(&catalog, replica_set, window.oldest) {
            Resume::Start(point) => {
                patience.wait(refuse_other_history(request, &catalog, replica_set, node, point.from)).await?;
                if let Some(gap) = point.gap {
                    record(request, known, gap, on_event).await?;
                }
                return Ok(Start::From(point.from));
            }
            Resume::NeedsBackup { lost } => {
                // The hole grows until there is a backup: it is recorded when found, and its final extent when slicing starts.
                if let Some(gap) = lost.filter(|gap| !known.iter().any(|recorded| recorded.range.after == gap.range.after)) {
                    record(request, known, gap, on_event).await?;
                }
                if !told {
                    let why = format!("slices of {replica_set} could not be restored yet: waiting for a full backup (`oplogue backup`)");
                    on_event(SliceEvent::Waiting { why });
                    told = true;
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN.min(request.span)) => {}
            () = cancel.cancelled() => return Ok(Start::Cancelled),
            () = tenure.lost() => return Ok(Start::LeaseLost),
        }
    }
}

/// The newest slice of ours ends with an entry that a majority had. When the oplog reaches back to it and does not hold it, this is
/// not the replica set that was sliced, and joining the two would make a timeline that never was. Its time alone does not tell: idle replica
/// sets write their first entries of a second at the same times.
async fn refuse_other_history(
    request: &SliceRequest,
    catalog: &Catalog,
    replica_set: &ReplicaSetName,
    node: &Connection,
    from: OplogTime,
) -> anyhow::Result<()> {
    let Some(newest) = catalog.newest_slice(replica_set).filter(|slice| slice.range.through == from) else { return Ok(()) };
    let held = node.oplog_entry(from).await.context("look for the end of the newest slice in the oplog")?;
    let is_same = match (held, last_entry(&request.repository, newest).await) {
        (None, _) => false,
        // What is wrong with a stored slice must not stop new ones; `verify` tells.
        (Some(_), None) => true,
        (Some(held), Some(last)) => held == last,
    };
    if is_same {
        return Ok(());
    }
    let reason = format!(
        "the oplog of {replica_set} does not hold the entry at {from} with which its newest slice ends: this is another replica set of the same name, or one that was made anew"
    );
    Err(Refused::new(reason).advise("slice it into another folder, or move the old slices away").into())
}

/// `None` when the slice cannot be read to its end.
async fn last_entry(repository: &Repository, slice: &Slice) -> Option<RawDocumentBuf> {
    let mut entries = repository.read_oplog(&slice.replica_set, &OplogSource::Slice(slice.clone())).await.ok()?;
    let mut last = None;
    while let Some(mut batch) = entries.next_batch().await.ok()? {
        last = batch.pop().map(|(_, entry)| entry).or(last);
    }
    last
}

async fn record(request: &SliceRequest, known: &[Gap], gap: Gap, on_event: OnEvent<'_>) -> anyhow::Result<()> {
    if gap.range.is_empty() || known.contains(&gap) {
        return Ok(());
    }
    request.repository.record_gap(&gap, crate::backup::clock::unix_seconds()).await.context("record a hole in the oplog")?;
    on_event(SliceEvent::Gap(gap));
    Ok(())
}
