//! Deletes what was decided to be deleted.
//!
//! Metadata goes first: a backup is gone when its `.pbm.json` is, a slice when its first object is, whatever remains of them. A crash leaves
//! objects nobody refers to, never a reference to nothing; [`Repository::orphans`] finds them, and so does deciding and deleting
//! again. What PBM wrote is deleted like our own.
//!
//! Everything is spelled out as [`DeletionStep`]s before the first object goes. Between two steps the repository is consistent, and inside one the
//! order does not matter.

mod orphans;
mod spare;

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use oplogue_domain::retention::Deletions;
use oplogue_domain::{BackupName, Gap};
use oplogue_format::pbm::backup_json::BackupJson;
use oplogue_format::pbm::layout::{self, Located};
use oplogue_format::sidecar;
use oplogue_storage::ObjectInfo;

use crate::Repository;
use crate::error::RepositoryError;

pub use orphans::{Orphan, OrphanKind};

/// Objects deleted at once.
const DELETIONS_AT_ONCE: usize = 32;
/// Metadata objects read at once.
const READS_AT_ONCE: usize = 16;

/// What may be done at once, in any order, after the steps before and before the steps behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletionStep {
    /// Says of a stretch of oplog that it was deleted.
    Record(Gap),
    /// Absent objects are fine: somebody may have begun before.
    Delete(Vec<ObjectInfo>),
}

impl DeletionStep {
    /// How many objects it is about.
    pub fn objects(&self) -> usize {
        match self {
            Self::Record(_) => 1,
            Self::Delete(objects) => objects.len(),
        }
    }
}

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    pub backups: usize,
    pub slices: usize,
    /// All objects: data, metadata, records.
    pub objects: usize,
    /// Stored.
    pub bytes: u64,
}

/// The metadata of a backup: which object, and what it says. `None`: it cannot be understood.
struct Metadata {
    object: ObjectInfo,
    /// What the object is named after: the backup, as a rule.
    stem: String,
    json: Option<BackupJson>,
}

impl Metadata {
    fn stem(&self) -> &str {
        &self.stem
    }

    fn is_of(&self, name: &BackupName) -> bool {
        self.json.as_ref().is_some_and(|json| json.name == *name)
    }

    /// The objects that it names outright.
    fn named(&self) -> impl Iterator<Item = &str> {
        let sets = self.json.iter().flat_map(|json| &json.replica_sets);
        sets.flat_map(|set| [set.metadata_object.as_str(), set.oplog_name.as_str()]).filter(|name| !name.is_empty())
    }
}

impl Repository {
    /// Deletes, in the order in which it is safe to stop anywhere. `now`: Unix seconds, for the records of gaps. `told` hears after each
    /// object how many of how many are done.
    ///
    /// When it fails or is dropped, what is still listed is whole; deciding again and deleting again finishes.
    pub async fn delete(&self, deletions: &Deletions, now: u32, told: &(dyn Fn(usize, usize) + Sync)) -> Result<Deleted, RepositoryError> {
        let steps = self.deletion_steps(deletions).await?;
        let total = steps.iter().map(DeletionStep::objects).sum();
        let mut deleted = Deleted { backups: deletions.backups.len(), slices: deletions.slices.len(), ..Deleted::default() };
        let mut done = 0;
        for step in &steps {
            match step {
                DeletionStep::Record(gap) => {
                    self.record_gap(gap, now).await?;
                    done += 1;
                    told(done, total);
                }
                DeletionStep::Delete(objects) => {
                    let before = done;
                    self.delete_all(objects, &|gone| told(before + gone, total)).await?;
                    done += objects.len();
                    deleted.objects += objects.len();
                    deleted.bytes += objects.iter().map(|object| object.bytes).sum::<u64>();
                }
            }
        }
        Ok(deleted)
    }

    /// What [`Repository::delete`] will do, step by step, by what is listed now.
    pub async fn deletion_steps(&self, deletions: &Deletions) -> Result<Vec<DeletionStep>, RepositoryError> {
        let listed = self.storage.list("").await?;
        let mut steps: Vec<DeletionStep> = deletions.new_gaps.iter().cloned().map(DeletionStep::Record).collect();
        let mut phases = self.phases_of_backups(deletions, &listed).await?;
        phases.extend(phases_of_slices(deletions, &listed));
        let gaps = deletions.gaps.iter().map(|gap| sidecar::gap_record(&gap.replica_set, gap.range)).collect();
        phases.push(those_named(&listed, &gaps));
        steps.extend(phases.into_iter().filter(|objects| !objects.is_empty()).map(DeletionStep::Delete));
        Ok(steps)
    }

    /// The metadata of one backup after the other, in the order given; then all their data, then our records of them, which show whose the
    /// data were.
    async fn phases_of_backups(&self, deletions: &Deletions, listed: &[ObjectInfo]) -> Result<Vec<Vec<ObjectInfo>>, RepositoryError> {
        let mut names: Vec<&BackupName> = Vec::new();
        for backup in &deletions.backups {
            if !names.contains(&&backup.name) {
                names.push(&backup.name);
            }
        }
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let metadata = self.metadata(listed).await?;
        let goes = |metadata: &Metadata| names.iter().any(|name| metadata.is_of(name));
        // By the name inside: the object may be called otherwise.
        let mut phases: Vec<Vec<ObjectInfo>> = Vec::new();
        for name in &names {
            phases.push(metadata.iter().filter(|metadata| metadata.is_of(name)).map(|metadata| metadata.object.clone()).collect());
        }
        let still_named: BTreeSet<&str> = metadata.iter().filter(|metadata| !goes(metadata)).flat_map(Metadata::named).collect();
        let mut data = Vec::new();
        let mut records = Vec::new();
        for name in &names {
            let named: BTreeSet<&str> = metadata.iter().filter(|metadata| metadata.is_of(name)).flat_map(Metadata::named).collect();
            let replica_sets = deletions.backups.iter().filter(|backup| backup.name == **name).flat_map(|backup| &backup.snapshots);
            let replica_sets: Vec<_> = replica_sets.map(|snapshot| snapshot.replica_set.as_str()).collect();
            data.extend(
                spare::data_of(name, &replica_sets, &named, listed).filter(|object| !still_named.contains(object.name.as_str())).cloned(),
            );
            let ours = sidecar::backup_folder(name);
            records.extend(below(listed, &ours).cloned());
        }
        phases.extend([data, records]);
        Ok(phases)
    }

    /// Deletes in any order. `told` hears how many are gone.
    async fn delete_all(&self, objects: &[ObjectInfo], told: &(dyn Fn(usize) + Sync)) -> Result<(), RepositoryError> {
        // Owned names: the compiler cannot prove a borrowed one in a task that moves between threads.
        let names: Vec<String> = objects.iter().map(|object| object.name.clone()).collect();
        let deletions = names.into_iter().map(|name| async move { self.storage.delete(&name).await });
        let mut going = stream::iter(deletions).buffer_unordered(DELETIONS_AT_ONCE);
        let mut gone = 0;
        while let Some(deleted) = going.next().await {
            deleted?;
            gone += 1;
            told(gone);
        }
        Ok(())
    }

    /// All metadata of backups in the listing, read.
    async fn metadata(&self, listed: &[ObjectInfo]) -> Result<Vec<Metadata>, RepositoryError> {
        let objects = listed.iter().filter_map(|object| match layout::locate(&object.name) {
            Located::BackupJson { stem } => Some((object.clone(), stem)),
            _ => None,
        });
        // Owned, for the same reason as above.
        let objects: Vec<(ObjectInfo, String)> = objects.collect();
        let reads = objects.into_iter().map(|(object, stem)| async move {
            match self.get_if_there(&object.name).await {
                Ok(bytes) => Ok(bytes.map(|bytes| Metadata { object, stem, json: BackupJson::parse(&bytes).ok() })),
                Err(RepositoryError::Damaged { .. }) => Ok(Some(Metadata { object, stem, json: None })),
                Err(error) => Err(error),
            }
        });
        let found: Vec<_> = stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// Records, then the slices themselves, then their continuations: a slice that has lost its beginning is no slice any more, one that has
/// lost its end would look whole.
fn phases_of_slices(deletions: &Deletions, listed: &[ObjectInfo]) -> [Vec<ObjectInfo>; 3] {
    let objects: BTreeSet<String> = deletions.slices.iter().map(|slice| slice.object().into_owned()).collect();
    let records = deletions.slices.iter().map(|slice| sidecar::slice_record(&slice.replica_set, slice.range)).collect();
    let part = |object: &&ObjectInfo| {
        let (whole, part) = layout::split_part(&object.name);
        part.is_some() && objects.contains(whole)
    };
    [those_named(listed, &records), those_named(listed, &objects), listed.iter().filter(part).cloned().collect()]
}

/// What of `listed` is named in `names`, by name.
fn those_named(listed: &[ObjectInfo], names: &BTreeSet<String>) -> Vec<ObjectInfo> {
    if names.is_empty() {
        return Vec::new();
    }
    listed.iter().filter(|object| names.contains(&object.name)).cloned().collect()
}

/// What of `listed`, which is sorted, lies below `folder`, which ends with `/`.
fn below<'a>(listed: &'a [ObjectInfo], folder: &str) -> impl Iterator<Item = &'a ObjectInfo> {
    let first = listed.partition_point(|object| object.name.as_str() < folder);
    let folder = folder.to_owned();
    listed[first..].iter().take_while(move |object| object.name.starts_with(&folder))
}
