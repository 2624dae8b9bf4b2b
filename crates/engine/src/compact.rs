//! Joins old short slices into long ones, so that months of slicing stay quick to list, to read and to delete.
//!
//! What becomes one is decided in [`oplogue_domain::compact`], the order of writing and deleting is that of the repository: wherever it is
//! stopped, the same moments can be restored, and the next compaction goes on. It needs no lease, for two at the same time do no harm. A restore
//! that still wants a short slice reads the long one instead.
//!
//! It is in no hurry: one long slice after the other, none of them ever in memory as a whole. What cannot be joined (a damaged slice, say) is told,
//! left as it is, and does not hold up the rest.

use std::time::Duration;

use anyhow::Context;
use oplogue_domain::compact::{Merge, Policy, compact};
use oplogue_domain::{ReplicaSetName, Slice};
use oplogue_format::compression::Compression;
use oplogue_repository::{Compacted, Repository};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::backup::clock::unix_seconds;
use crate::failure::Cancelled;
use crate::slice::{self, OnEvent, SliceEvent, SliceRequest};

/// Between two compactions of a running slicer.
const EVERY: Duration = Duration::from_secs(3_600);

/// What to join, and how.
#[derive(Clone, Debug)]
pub struct CompactRequest {
    pub repository: Repository,
    /// One after the other: the later ones join what the earlier ones made.
    pub policies: Vec<Policy>,
    /// Of the long slices. `None`: that of the newest slice among their parts.
    pub compression: Option<Compression>,
    /// `None`: all.
    pub replica_set: Option<ReplicaSetName>,
    /// Unix seconds.
    pub now: u32,
}

/// What happened, for printing.
#[derive(Clone, Debug)]
pub enum CompactEvent {
    Joined {
        merge: Merge,
        compacted: Compacted,
    },
    /// The slices stay as they are.
    Failed {
        merge: Merge,
        error: String,
    },
}

/// What a compaction came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// The long slices, oldest first per replica set.
    pub long: Vec<Slice>,
    /// Short slices that went, and their stored bytes.
    pub slices: usize,
    pub bytes: u64,
    /// What could not be joined, and why.
    pub failed: Vec<(Merge, String)>,
}

/// What the first of the policies that has anything to do would do now. Changes nothing.
pub async fn plan(request: &CompactRequest) -> anyhow::Result<Vec<Merge>> {
    let catalog = request.repository.catalog().await.context("read what lies on the storage")?;
    let merges = request.policies.iter().map(|policy| wanted(compact(&catalog, policy, request.now), request));
    Ok(merges.into_iter().find(|merges| !merges.is_empty()).unwrap_or_default())
}

/// Carries everything out. A merge that fails is told and left, unless nothing works at all.
pub async fn run(
    request: &CompactRequest,
    on_event: &(dyn Fn(CompactEvent) + Send + Sync),
    cancel: &CancellationToken,
) -> anyhow::Result<CompactReport> {
    let mut report = CompactReport::default();
    for policy in &request.policies {
        let catalog = request.repository.catalog().await.context("read what lies on the storage")?;
        for merge in wanted(compact(&catalog, policy, request.now), request) {
            let compression = request.compression.unwrap_or_else(|| compression_of(&merge));
            let Some(ended) = cancel.run_until_cancelled(request.repository.compact(&merge, compression)).await else {
                let state = "no moment is lost, and the next compaction goes on here".to_owned();
                return Err(Cancelled { state }.into());
            };
            match ended {
                Ok(compacted) => {
                    report.long.push(compacted.slice.clone());
                    report.slices += compacted.slices;
                    report.bytes += compacted.bytes;
                    on_event(CompactEvent::Joined { merge, compacted });
                }
                Err(error) => {
                    let error = error.to_string();
                    report.failed.push((merge.clone(), error.clone()));
                    on_event(CompactEvent::Failed { merge, error });
                }
            }
        }
    }
    Ok(report)
}

/// Slices, and compacts beside it: at once and every hour, as long as it is this process that slices.
///
/// # Errors
/// Those of [`slice::run`].
pub async fn beside_slicing(request: SliceRequest, on_event: OnEvent<'_>, cancel: CancellationToken) -> anyhow::Result<()> {
    let (sliced, is_sliced) = watch::channel(None);
    let tell = |event: SliceEvent| {
        match &event {
            SliceEvent::Started { replica_set, .. } => drop(sliced.send_replace(Some(replica_set.clone()))),
            // Somebody else slices, and compacts.
            SliceEvent::Waiting { .. } => drop(sliced.send_replace(None)),
            _ => {}
        }
        on_event(event);
    };
    let (repository, beside) = (request.repository.clone(), cancel.child_token());
    let slicing = async {
        let ended = slice::run(request, &tell, cancel).await;
        beside.cancel();
        ended
    };
    let (ended, ()) = tokio::join!(slicing, keep(&repository, is_sliced, EVERY, &beside));
    ended
}

/// Compacts with the usual policies at once, and every so often, as long as there is a replica set that is sliced here. Tells the log.
pub async fn keep(
    repository: &Repository,
    mut sliced: watch::Receiver<Option<ReplicaSetName>>,
    every: Duration,
    cancel: &CancellationToken,
) {
    loop {
        let replica_set = tokio::select! {
            sliced = sliced.wait_for(Option::is_some) => match sliced {
                Ok(sliced) => sliced.clone(),
                Err(_) => return,
            },
            () = cancel.cancelled() => return,
        };
        let request = CompactRequest {
            repository: repository.clone(),
            policies: Policy::USUAL.to_vec(),
            compression: None,
            replica_set,
            now: unix_seconds(),
        };
        match run(&request, &log, cancel).await {
            Ok(report) if report.long.is_empty() => {}
            Ok(report) => tracing::info!(long = report.long.len(), short = report.slices, "old slices were joined"),
            Err(_) if cancel.is_cancelled() => return,
            Err(error) => tracing::warn!(error = %format!("{error:#}"), "old slices could not be joined; tried again in a while"),
        }
        if tokio::time::timeout(every, cancel.cancelled()).await.is_ok() {
            return;
        }
    }
}

fn log(event: CompactEvent) {
    match event {
        CompactEvent::Joined { merge, compacted } => {
            tracing::debug!(replica_set = %merge.replica_set, range = %merge.range, slices = compacted.slices, "slices joined");
        }
        CompactEvent::Failed { merge, error } => {
            tracing::warn!(replica_set = %merge.replica_set, range = %merge.range, error, "slices could not be joined and stay as they are");
        }
    }
}

fn wanted(mut merges: Vec<Merge>, request: &CompactRequest) -> Vec<Merge> {
    merges.retain(|merge| request.replica_set.as_ref().is_none_or(|wanted| *wanted == merge.replica_set));
    merges
}

fn compression_of(merge: &Merge) -> Compression {
    merge.replaces.last().map_or(Compression::Zstd, |slice| Compression::of_name(&slice.object()))
}
