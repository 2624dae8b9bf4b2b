//! Reads back what lies on a storage and says what is damaged, and what can still be restored.
//!
//! Nothing is written. Each backup is followed from its manifest, if it has one, down to every object: sizes, hashes, checksums, framing,
//! counts, metadata against objects. Each replica set's slices are read in order: their records, their entries, the joins between neighbours,
//! and the chain of records. What PBM wrote is checked as far as its format allows: its own checksums, its two metadata against each other,
//! framing, names against entries, joins.
//!
//! An object that is wrong is a [`Finding`]; a storage that cannot be read is an error. What is deleted while this runs is a remark.
//!
//! With a sample, only a share of the objects is read to its end; of the others presence and size are compared. Which ones follows from the
//! seed, so that a run can be repeated. Memory is bounded by a few batches per object read at the same time.

mod backup;
mod chain;
mod finding;
mod object;
mod sample;
mod slices;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use oplogue_domain::damage::{Loss, Remaining, remaining};
use oplogue_domain::{BackupName, Catalog, OplogRange, ReplicaSetName, Slice};
use oplogue_format::pbm::layout::{self, Located};
use oplogue_format::sidecar;
use oplogue_repository::Repository;
use oplogue_storage::Storage;
use tokio_util::sync::CancellationToken;

use crate::failure::{Cancelled, Refused};
use crate::progress::{Progress, Step, Unit};

pub use finding::{Finding, Kind};
pub use sample::Sample;

/// What to read back.
#[derive(Clone)]
pub struct VerifyRequest {
    pub repository: Repository,
    /// Only these backups, and no slices. Empty: everything.
    pub backups: Vec<BackupName>,
    pub sample: Sample,
    /// Chooses the sample.
    pub seed: u64,
    /// Objects read at once. At least 1.
    pub parallel: usize,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct VerifyReport {
    pub sample: Sample,
    pub seed: u64,
    pub backups: Vec<CheckedBackup>,
    pub slices: Vec<CheckedSlices>,
    /// By object.
    pub findings: Vec<Finding>,
    /// Not damage, and worth knowing.
    pub remarks: Vec<String>,
    pub remaining: Remaining,
}

impl VerifyReport {
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    pub fn totals(&self) -> Tally {
        let mut totals = Tally::default();
        for tally in self.backups.iter().map(|backup| backup.tally).chain(self.slices.iter().map(|slices| slices.tally)) {
            totals.add(tally);
        }
        totals
    }
}

/// One backup, as far as it was looked at.
#[derive(Clone, Debug)]
pub struct CheckedBackup {
    pub name: BackupName,
    pub tally: Tally,
}

/// The slices of one replica set.
#[derive(Clone, Debug)]
pub struct CheckedSlices {
    pub replica_set: ReplicaSetName,
    pub tally: Tally,
    /// Without a record of ours.
    pub unrecorded: u64,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub objects: u64,
    /// Of these, read to their end.
    pub read: u64,
    /// Stored bytes of those.
    pub stored_bytes: u64,
    /// Documents and oplog entries in those.
    pub documents: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.objects += other.objects;
        self.read += other.read;
        self.stored_bytes += other.stored_bytes;
        self.documents += other.documents;
    }
}

/// What every part of the work needs.
struct Work {
    repository: Repository,
    /// An object is read to its end when its rank is not above this.
    threshold: u64,
    seed: u64,
    parallel: usize,
    progress: Arc<dyn Progress>,
    cancel: CancellationToken,
}

impl Work {
    fn is_picked(&self, object: &str) -> bool {
        sample::rank(self.seed, object) <= self.threshold
    }

    fn stop_if_cancelled(&self) -> anyhow::Result<()> {
        if self.cancel.is_cancelled() {
            return Err(Cancelled { state: "nothing was changed; what was read so far says nothing about the rest".to_owned() }.into());
        }
        Ok(())
    }
}

/// Findings and remarks, as they come.
#[derive(Debug, Default)]
struct Notes {
    findings: Vec<Finding>,
    remarks: Vec<String>,
}

impl Notes {
    fn find(&mut self, object: impl Into<String>, kind: Kind, what: impl Into<String>, loss: Loss) {
        self.findings.push(Finding { object: object.into(), kind, what: what.into(), loss });
    }

    fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }

    /// Ranges of the slices of `replica_set` that were found to be gone.
    fn gone(&self, replica_set: &ReplicaSetName) -> BTreeSet<OplogRange> {
        let losses = self.findings.iter().map(|finding| &finding.loss);
        losses
            .filter_map(|loss| match loss {
                Loss::Gone(slice) if slice.replica_set == *replica_set => Some(slice.range),
                _ => None,
            })
            .collect()
    }

    fn take(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.remarks.extend(other.remarks);
    }
}

/// Reads everything that `request` names.
///
/// # Errors
/// When the storage cannot be listed or read, a named backup is not there, or on cancellation. Damage is not an error.
pub async fn run(request: VerifyRequest, progress: Arc<dyn Progress>, cancel: CancellationToken) -> anyhow::Result<VerifyReport> {
    let repository = request.repository;
    let catalog = repository.catalog().await.context("read what lies on the storage")?;
    for name in &request.backups {
        if catalog.backup(name).is_none() {
            let refused = Refused::new(format!("there is no backup `{name}` in {}", repository.storage().location()));
            return Err(refused.advise("`oplogue list` shows those that are there").into());
        }
    }
    let everything = request.backups.is_empty();
    let chosen: Vec<_> = catalog.backups.iter().filter(|backup| everything || request.backups.contains(&backup.name)).collect();
    let threshold = match request.sample {
        Sample::Objects(count) => {
            let names = object_names(&repository, &catalog, &chosen, everything).await?;
            sample::threshold(request.seed, count, names)
        }
        sample => sample.share_threshold(),
    };
    let parallel = request.parallel.max(1);
    let work = Work { repository, threshold, seed: request.seed, parallel, progress, cancel };
    work.progress.begin(Step::Verify, Unit::Bytes, None);
    let mut notes = Notes::default();
    let mut backups = Vec::new();
    for backup in chosen {
        work.stop_if_cancelled()?;
        let tally = backup::check(&work, backup, &mut notes).await.with_context(|| format!("read backup {} back", backup.name))?;
        backups.push(CheckedBackup { name: backup.name.clone(), tally });
    }
    let mut slices = Vec::new();
    if everything {
        unreadable(&catalog, &mut notes);
        for replica_set in slices::replica_sets(&work, &catalog).await? {
            let checked = slices::check(&work, &catalog, &replica_set, &mut notes).await;
            slices.push(checked.with_context(|| format!("read the slices of {replica_set} back"))?);
        }
        // Last, so that a deletion that was under way has come to its end.
        manifests_without_backups(&work, &catalog, &mut notes).await?;
    }
    work.progress.end(Step::Verify);
    notes.findings.sort_by(|left, right| (&left.object, left.kind).cmp(&(&right.object, right.kind)));
    let losses: Vec<Loss> = notes.findings.iter().map(|finding| finding.loss.clone()).collect();
    let remaining = remaining(&catalog, &losses);
    let Notes { findings, remarks } = notes;
    Ok(VerifyReport { sample: request.sample, seed: request.seed, backups, slices, findings, remarks, remaining })
}

/// What the listing itself could not make sense of.
fn unreadable(catalog: &Catalog, notes: &mut Notes) {
    for (object, why) in &catalog.unreadable {
        let (kind, loss) = match layout::locate(object) {
            Located::Slice { replica_set, range, .. } => {
                (Kind::Content, Loss::Gone(Slice { replica_set, range, name: object.as_str().into(), bytes: 0 }))
            }
            Located::BackupJson { stem } => match stem.parse() {
                Ok(backup) => (Kind::Metadata, Loss::Backup { backup }),
                Err(_) => (Kind::Metadata, Loss::Nothing),
            },
            _ => (Kind::Record, Loss::Nothing),
        };
        notes.find(object, kind, why, loss);
    }
}

/// A manifest is written when all else of a backup is there: one whose metadata are gone speaks of a backup that was lost, or whose deletion was
/// cut off.
async fn manifests_without_backups(work: &Work, catalog: &Catalog, notes: &mut Notes) -> anyhow::Result<()> {
    let storage = work.repository.storage();
    for folder in storage.folders(sidecar::BACKUPS.trim_end_matches('/')).await? {
        let Some(name) = folder.strip_prefix(sidecar::BACKUPS).and_then(|name| name.parse::<BackupName>().ok()) else { continue };
        let (json, manifest) = (layout::backup_json(&name), sidecar::backup_manifest(&name));
        let known = catalog.backup(&name).is_some() || catalog.unreadable.iter().any(|(object, _)| *object == json);
        // Asked in this order: a backup that ends, and one that is deleted, are never told.
        if known || !is_there(storage, &manifest).await? || is_there(storage, &json).await? || !is_there(storage, &manifest).await? {
            continue;
        }
        let what = format!(
            "it is not there, and everything else of backup {name} is: lost, or a deletion that was cut off (`oplogue prune` ends it)"
        );
        notes.find(json, Kind::Missing, what, Loss::Nothing);
    }
    Ok(())
}

async fn is_there(storage: &Storage, name: &str) -> anyhow::Result<bool> {
    match storage.stat(name).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// All that could be read to its end, to draw a sample of so many.
async fn object_names(
    repository: &Repository,
    catalog: &Catalog,
    backups: &[&oplogue_domain::Backup],
    slices: bool,
) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for backup in backups {
        for snapshot in &backup.snapshots {
            let listed = repository.storage().list(&layout::snapshot_folder(&backup.name, &snapshot.replica_set)).await?;
            let metadata = backup::metadata_objects(&backup.name, &snapshot.replica_set);
            let whole = listed.into_iter().filter(|object| layout::split_part(&object.name).1.is_none());
            names.extend(whole.map(|object| object.name).filter(|name| !metadata.contains(name)));
        }
    }
    if slices {
        names.extend(catalog.slices.values().flatten().map(|slice| slice.object().into_owned()));
    }
    Ok(names)
}
