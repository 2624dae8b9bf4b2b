//! The oplog, folded for all collections at once, before anything is touched: while it is surveyed, or in a reading of its own.
//!
//! Out come, for each collection, what its documents become on their way in, and the commands that change its options. What a collection's
//! documents are does not depend on its options (nothing is validated in a restore), so those commands run after it is loaded, each
//! argument with its last value.
//!
//! Users and roles are few and are merged with those of the target, so they always go by way of the server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use bson::{Document, RawDocumentBuf};
use oplogue_domain::plan::Part;
use oplogue_domain::{Namespace, OplogTime};
use oplogue_fold::Folded;
use oplogue_oplog::{CollectionId, CollectionSpec, Lineage, Router, Transactions};
use tokio_util::sync::CancellationToken;

use super::ahead::Ahead;
use super::check::Checked;
use super::feed::Feed;
use super::folding::{Folding, Routed, order};
use super::spill::TemporaryFile;
use super::survey::{Survey, cannot_apply, untouched};
use super::work::Work;
use super::{RestoreRequest, principals};
use crate::failure::Refused;
use crate::progress::{Progress, Step, Unit};

/// How the oplog comes into the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It is folded into the documents on their way in; a server applies only what cannot be folded.
    Fold(FoldLimits),
    /// A server applies all of it: the reference that folding is tested against, and the way without a temporary file.
    OnServer,
}

/// What folding may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldLimits {
    /// For what the oplog says of the documents. Beyond, it goes to a temporary file.
    pub memory_bytes_max: usize,
    /// Where that file is made; `None`: where the system keeps temporary files.
    pub folder: Option<PathBuf>,
}

/// Where the documents of a million operations lie needs a third of it, and with everything else a restore stays below 400 MiB.
pub const FOLD_MEMORY_BYTES: usize = 96 << 20;

impl Default for Replay {
    fn default() -> Self {
        Self::Fold(FoldLimits { memory_bytes_max: FOLD_MEMORY_BYTES, folder: None })
    }
}

/// How one collection comes to the moment.
pub(super) enum Way {
    Folded {
        documents: Box<Folded>,
        commands: Vec<(String, Document)>,
    },
    /// The reference way, and why.
    Replayed(String),
}

/// What the oplog amounts to.
pub(super) struct Ways {
    /// Of every collection that is restored.
    pub collections: BTreeMap<CollectionId, Way>,
    /// There may be changes of users and roles in it.
    pub principals: bool,
}

impl Ways {
    /// Why this collection is not folded; `None` when it is.
    pub(super) fn replayed_because(&self, id: CollectionId) -> Option<&str> {
        match self.collections.get(&id) {
            Some(Way::Replayed(why)) => Some(why),
            _ => None,
        }
    }
}

/// What is to be folded.
pub(super) struct Inputs<'a> {
    pub request: &'a RestoreRequest,
    pub part: &'a Part,
    pub specs: &'a [CollectionSpec],
    pub work: &'a [Work],
    pub checked: &'a BTreeMap<Namespace, Checked>,
    pub principals: bool,
    pub survey: &'a Survey,
}

/// Folds the oplog, if that was not done already while it was surveyed. Nothing is touched; a refusal says so.
pub(super) async fn fold(
    inputs: Inputs<'_>,
    ahead: Option<Ahead>,
    progress: &Arc<dyn Progress>,
    cancel: &CancellationToken,
) -> anyhow::Result<Ways> {
    let limits = match &inputs.request.replay {
        Replay::Fold(limits) => limits,
        Replay::OnServer => {
            let asked = |one: &Work| (one.selected.survivor.id, Way::Replayed("that was asked for".to_owned()));
            return Ok(Ways { collections: inputs.work.iter().map(asked).collect(), principals: inputs.principals });
        }
    };
    progress.begin(Step::Fold, Unit::Entries, Some(inputs.survey.entries()));
    let done = match ahead {
        Some(ahead) => ahead.end(inputs.work, inputs.request.parallel).await,
        None => None,
    };
    let (mut ways, file) = match done {
        Some(done) => {
            progress.advance(Step::Fold, inputs.survey.entries());
            done
        }
        None => read_again(&inputs, limits, progress, cancel).await?,
    };
    if cancel.is_cancelled() {
        return Err(untouched().into());
    }
    ways.principals &= inputs.principals;
    progress.end(Step::Fold);
    refuse_without_room(&ways, &inputs, &file)?;
    Ok(ways)
}

/// Reads the oplog once more, for the collections that are restored.
async fn read_again(
    inputs: &Inputs<'_>,
    limits: &FoldLimits,
    progress: &Arc<dyn Progress>,
    cancel: &CancellationToken,
) -> anyhow::Result<(Ways, Arc<TemporaryFile>)> {
    let folding = Folding::begin(limits, inputs.part.snapshot.oplog.through);
    for one in inputs.work {
        folding.collection(one.selected.survivor.id, order(one.is_capped())).await;
    }
    let mut routing = Routing::new(inputs);
    let mut feed = Feed::new(&inputs.request.repository, &inputs.part.replica_set, &inputs.part.oplog);
    while let Some(entries) = feed.next().await.context("read the oplog that leads to the moment")? {
        if cancel.is_cancelled() {
            return Err(untouched().into());
        }
        let count = entries.len() as u64;
        // Beside the folding of those before.
        if !folding.take(routing.route(&entries)?).await {
            // It failed, and says why below.
            break;
        }
        progress.advance(Step::Fold, count);
    }
    let (pass, file) = folding.end().await?;
    let ways = pass.finish(inputs.work, inputs.request.parallel).map_err(|error| no_room(error.into(), &file))?;
    Ok((ways, file))
}

/// The first half of the way through: what the entries do, and to which collections.
struct Routing {
    transactions: Transactions,
    router: Router,
}

impl Routing {
    fn new(inputs: &Inputs<'_>) -> Self {
        let selected: Vec<_> = inputs.work.iter().map(|one| one.selected.clone()).collect();
        let lineage = Lineage::from_snapshot(inputs.specs.to_vec());
        Self {
            transactions: Transactions::beginning_at(inputs.part.snapshot.oplog.after),
            router: Router::new(lineage, &selected, inputs.principals.then(principals::scratch)),
        }
    }

    fn route(&mut self, entries: &[(OplogTime, RawDocumentBuf)]) -> anyhow::Result<Routed> {
        let mut routed = Vec::with_capacity(entries.len());
        for (_, entry) in entries {
            for operation in self.transactions.push(entry).map_err(cannot_apply)? {
                let destination = self.router.destination(&operation).map_err(cannot_apply)?;
                routed.extend(destination.map(|destination| (destination, operation)));
            }
        }
        Ok(routed)
    }
}

const MORE_ROOM: &str = "give a folder with more room (--temp-dir) or more memory (--fold-memory), or let the server apply the oplog \
    (--replay-on-server); nothing was touched";

/// Puts what the temporary file said into words.
pub(super) fn no_room(error: anyhow::Error, file: &TemporaryFile) -> anyhow::Error {
    if error.downcast_ref::<std::io::Error>().is_none() {
        return error;
    }
    let refused = Refused::new(format!("the oplog cannot be folded with a temporary file in {}", file.folder().display()));
    error.context(refused.advise(MORE_ROOM))
}

/// Documents whose partitions are in the temporary file will go there too. Refuses when it is plain that they cannot.
fn refuse_without_room(ways: &Ways, inputs: &Inputs<'_>, file: &TemporaryFile) -> anyhow::Result<()> {
    let needed = inputs.work.iter().map(|one| match ways.collections.get(&one.selected.survivor.id) {
        Some(Way::Folded { documents, .. }) => more_bytes(documents, one, inputs.checked),
        _ => 0,
    });
    let needed: u64 = needed.sum();
    let free = match file.free_bytes() {
        Ok(free) => free,
        // Where nothing was written there need not be a folder.
        Err(_) if needed == 0 => return Ok(()),
        Err(error) => return Err(no_room(error.into(), file)),
    };
    Ok(enough(needed, free, file.folder())?)
}

fn enough(needed_bytes: u64, free_bytes: u64, folder: &Path) -> Result<(), Refused> {
    if needed_bytes <= free_bytes {
        return Ok(());
    }
    let folder = folder.display();
    let refused = Refused::new(format!("folding the oplog needs about {needed_bytes} bytes in {folder}, and {free_bytes} are free"));
    Err(refused.advise(MORE_ROOM))
}

/// How much more will be written down of this collection, about: the documents that were touched, as large as they are on average.
fn more_bytes(folded: &Folded, one: &Work, checked: &BTreeMap<Namespace, Checked>) -> u64 {
    let spilled = folded.spilled();
    let Some(load) = one.load.as_ref().filter(|_| spilled.partitions > 0) else { return 0 };
    let documents = checked.get(&load.namespace).map_or(0, |checked| checked.documents);
    let touched = folded.tally().operations.min(documents);
    load.bytes / documents.max(1) * touched / 16 * spilled.partitions as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_room_is_refused_with_what_to_do() {
        assert!(enough(10, 10, Path::new("/tmp")).is_ok());
        let refused = enough(11, 10, Path::new("/var/tmp")).expect_err("one byte is missing");
        assert!(refused.reason.contains("/var/tmp") && refused.advice.is_some_and(|advice| advice.contains("--temp-dir")));
    }
}
