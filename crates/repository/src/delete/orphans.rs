//! Objects nobody refers to: what crashes and broken connections left behind.
//!
//! Only what is surely ours or PBM's counts. A storage is shared with other clusters and with people's own files, and what cannot be told apart from
//! those is left alone: data without metadata are a backup's only when a record or claim of ours says so, or when they lie in a folder named after a
//! time as PBM names its backups, and no repository lies in it.
//!
//! A running backup has no metadata yet. It renews its claim every hour, so that the age of the newest object of its name tells whether it
//! is alive. PBM gives no such sign: its leftovers wait seven times as long. An object of unknown age is never old.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, SystemTime};

use oplogue_domain::{BackupName, OplogRange, ReplicaSetName};
use oplogue_format::pbm::layout::{self, Located};
use oplogue_format::sidecar::{self, LocatedRecord};
use oplogue_storage::ObjectInfo;

use super::{Deleted, Metadata, below, spare};
use crate::Repository;
use crate::error::RepositoryError;

/// How many times as long leftovers of PBM wait: the dump of one huge collection shows nothing until it is done.
const PBM_AGES: u32 = 7;

/// What was left behind, to be deleted as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    pub kind: OrphanKind,
    /// In the order in which they must go.
    pub objects: Vec<ObjectInfo>,
    /// When the newest of them was written.
    pub newest: SystemTime,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrphanKind {
    /// Data and records of a backup without metadata.
    Backup(BackupName),
    /// The record of a slice that is not there.
    SliceRecord(String),
    /// The end of a slice whose beginning is not there.
    SliceParts(String),
    /// An object that a test of the storage wrote.
    Probe(String),
    /// A claim to the name of a backup that has long been whole.
    Claim(BackupName),
}

impl fmt::Display for OrphanKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backup(name) => write!(f, "what is left of backup {name}, which has no metadata"),
            Self::SliceRecord(object) => write!(f, "{object}, the record of a slice that is not there"),
            Self::SliceParts(object) => write!(f, "the end of {object}, whose beginning is not there"),
            Self::Probe(object) => write!(f, "{object}, left by a test of the storage"),
            Self::Claim(name) => write!(f, "a claim to the name of backup {name}, which is whole"),
        }
    }
}

impl Orphan {
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.bytes).sum()
    }
}

impl Repository {
    /// What nobody refers to and nobody has touched for `min_age`. `now` by the clock that the storage's times are compared with.
    pub async fn orphans(&self, now: SystemTime, min_age: Duration) -> Result<Vec<Orphan>, RepositoryError> {
        let listed = self.storage.list("").await?;
        let metadata = self.metadata(&listed).await?;
        let mut groups = orphaned_slices(&listed);
        groups.extend(orphaned_backups(&listed, &metadata));
        let is_old = |newest: SystemTime, age: Duration| now.duration_since(newest).is_ok_and(|passed| passed >= age);
        let orphans = groups.into_iter().filter_map(|(kind, objects)| {
            let newest = objects.iter().map(|object| object.modified).collect::<Option<Vec<_>>>()?.into_iter().max()?;
            let ours = !matches!(&kind, OrphanKind::Backup(name) if below(&listed, &sidecar::backup_folder(name)).next().is_none());
            let age = if ours { min_age } else { min_age.saturating_mul(PBM_AGES) };
            is_old(newest, age).then_some(Orphan { kind, objects, newest })
        });
        Ok(orphans.collect())
    }

    /// What is left of one backup without metadata, whatever its age: for who has just deleted it, or tried to.
    pub async fn leftovers_of(&self, name: &BackupName) -> Result<Option<Orphan>, RepositoryError> {
        let listed = self.storage.list("").await?;
        let metadata = self.metadata(&listed).await?;
        let mut groups = orphaned_backups(&listed, &metadata);
        let kind = OrphanKind::Backup(name.clone());
        let objects = groups.remove(&kind);
        Ok(objects.map(|objects| Orphan { kind, objects, newest: SystemTime::UNIX_EPOCH }))
    }

    /// Deletes orphans. When it is dropped in the middle, the rest is found again.
    pub async fn sweep(&self, orphans: &[Orphan]) -> Result<Deleted, RepositoryError> {
        let mut deleted = Deleted::default();
        for orphan in orphans {
            if let OrphanKind::Backup(name) = &orphan.kind
                && self.get_if_there(&layout::backup_json(name)).await?.is_some()
            {
                // It ended after all.
                continue;
            }
            // Of a backup: the data first, at once, and then what shows whose they are.
            let (ours, data): (Vec<_>, Vec<_>) =
                orphan.objects.iter().cloned().partition(|object| object.name.starts_with(sidecar::FOLDER));
            self.delete_all(&data, &|_| {}).await?;
            self.delete_all(&ours, &|_| {}).await?;
            deleted.objects += orphan.objects.len();
            deleted.bytes += orphan.bytes();
        }
        Ok(deleted)
    }
}

type Groups = BTreeMap<OrphanKind, Vec<ObjectInfo>>;

fn orphaned_backups(listed: &[ObjectInfo], metadata: &[Metadata]) -> Groups {
    let mut known: BTreeSet<&str> = metadata.iter().map(Metadata::stem).collect();
    known.extend(metadata.iter().filter_map(|metadata| metadata.json.as_ref()).map(|json| json.name.as_str()));
    // Metadata that cannot be read may speak of any folder, if they do not lie beside one of their own name.
    let unread = metadata.iter().filter(|metadata| metadata.json.is_none());
    let riddle = unread.into_iter().any(|metadata| below(listed, &format!("{}/", metadata.stem())).next().is_none());
    let mut groups = Groups::new();
    for name in candidates(listed) {
        let ours = sidecar::backup_folder(&name);
        if known.contains(name.as_str()) {
            let claims: Vec<_> = below(listed, &format!("{ours}claims/")).cloned().collect();
            if !claims.is_empty() {
                groups.insert(OrphanKind::Claim(name), claims);
            }
            continue;
        }
        let folder = layout::backup_folder(&name);
        if riddle || spare::is_of_a_cluster(&folder, listed) {
            continue;
        }
        let objects: Vec<_> = below(listed, &folder).chain(below(listed, &ours)).cloned().collect();
        groups.insert(OrphanKind::Backup(name), objects);
    }
    groups
}

/// Names that are surely those of backups: we have records of them, or PBM would call one so.
fn candidates(listed: &[ObjectInfo]) -> BTreeSet<BackupName> {
    let mut names = BTreeSet::new();
    let ours = format!("{}backups/", sidecar::FOLDER);
    for object in listed {
        let first = match object.name.strip_prefix(&ours) {
            Some(rest) => rest.split_once('/').map(|(name, _)| name),
            None => match layout::locate(&object.name) {
                Located::InBackup { backup, .. } if is_a_time(backup.as_str()) => object.name.split_once('/').map(|(name, _)| name),
                _ => None,
            },
        };
        names.extend(first.and_then(|name| name.parse().ok()));
    }
    names
}

/// `2026-11-22T10:00:05Z`: what PBM calls its backups.
fn is_a_time(name: &str) -> bool {
    name.len() == 20 && name.ends_with('Z') && name.parse::<jiff::Timestamp>().is_ok()
}

fn orphaned_slices(listed: &[ObjectInfo]) -> Groups {
    let joined = layout::join_parts(listed.iter().map(|object| (object.name.as_str(), object.bytes)));
    let mut there: BTreeSet<(ReplicaSetName, OplogRange)> = BTreeSet::new();
    for name in joined.keys() {
        if let Located::Slice { replica_set, range, .. } = layout::locate(name) {
            there.insert((replica_set, range));
        }
    }
    let mut groups = Groups::new();
    for object in listed {
        let name = object.name.clone();
        let (whole, part) = layout::split_part(&object.name);
        let kind = match sidecar::locate(&object.name) {
            LocatedRecord::Slice { replica_set, range } if !there.contains(&(replica_set.clone(), range)) => OrphanKind::SliceRecord(name),
            _ if object.name.starts_with(&format!("{}probe-", sidecar::FOLDER)) => OrphanKind::Probe(name),
            _ if part.is_some()
                && joined.get(whole).is_some_and(|joined| joined.missing == Some(0))
                && matches!(layout::locate(whole), Located::Slice { .. }) =>
            {
                OrphanKind::SliceParts(whole.to_owned())
            }
            _ => continue,
        };
        groups.entry(kind).or_default().push(object.clone());
    }
    groups
}
