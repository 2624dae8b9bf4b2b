//! Finding again everything that lies in the folder: one listing, then the metadata of each backup and the record of each hole.
//!
//! Nothing found makes it fail: what cannot be understood is listed as such, with the reason, because a broken backup that
//! nobody mentions is worse than one that is shown as broken.
//!
//! Whoever looks again and again keeps the [`CatalogState`] and asks for what is new ([`Repository::refresh`]): a handful of requests,
//! however much is there.

mod refresh;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use oplogue_domain::{Backup, BackupName, BackupProblem, Catalog, Gap, Slice};
use oplogue_format::pbm::backup_json::{BackupJson, Generation};
use oplogue_format::pbm::layout::{self, Located, WholeObject};
use oplogue_format::sidecar::{self, GapRecord, LocatedRecord};
use oplogue_storage::ObjectInfo;

use crate::Repository;
use crate::error::RepositoryError;

/// Small objects fetched at once.
const FETCHES_AT_ONCE: usize = 16;

type Listed<'a> = BTreeMap<&'a str, WholeObject>;

/// The bytes of a small object, or what is wrong with them.
type Fetched = Result<Bytes, String>;

/// A catalog with what is needed to bring it up to date cheaply.
#[derive(Clone, Debug, Default)]
pub struct CatalogState {
    catalog: Arc<Catalog>,
    /// Metadata of backups and records of holes, by name: what did not change is not read again.
    small: BTreeMap<String, Small>,
}

impl CatalogState {
    /// The same value as before when a refresh found nothing new.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }
}

/// A small object as listed, and what it said.
#[derive(Clone, Debug, PartialEq)]
struct Small {
    bytes: u64,
    modified: Option<SystemTime>,
    content: Content,
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    Backup(BackupName),
    Gap(Gap),
    Unreadable,
}

impl Small {
    fn backup(&self) -> Option<&BackupName> {
        match &self.content {
            Content::Backup(name) => Some(name),
            _ => None,
        }
    }

    fn is_as_listed(&self, object: &ObjectInfo) -> bool {
        (self.bytes, self.modified) == (object.bytes, object.modified)
    }
}

impl Repository {
    /// Everything in the folder, parsed and sorted.
    ///
    /// # Errors
    /// Only when the storage cannot be listed or read. What is damaged or foreign is in the catalog.
    pub async fn catalog(&self) -> Result<Catalog, RepositoryError> {
        Ok(Arc::unwrap_or_clone(self.state().await?.catalog))
    }

    /// As [`Repository::catalog`], for whoever will look again.
    ///
    /// # Errors
    /// Only when the storage cannot be listed or read.
    pub async fn state(&self) -> Result<CatalogState, RepositoryError> {
        let mut objects = self.storage.list("").await?;
        if objects.iter().any(|object| object.name == oplogue_storage::ENCRYPTION_MARKER) {
            return Err(RepositoryError::Encrypted { location: self.storage.location() });
        }
        // Half of all names, and none of them says anything here.
        objects.retain(|object| !object.name.starts_with(sidecar::SLICES));
        let listed = layout::join_parts(objects.iter().map(|object| (object.name.as_str(), object.bytes)));
        let mut catalog = Catalog::default();
        for (name, whole) in &listed {
            if name.starts_with(layout::SLICES) {
                add_slice(&mut catalog, name, whole);
            }
        }
        let mut small = BTreeMap::new();
        let read = self.fetch_all(objects.iter().filter(|object| is_small(&object.name)).cloned().collect()).await?;
        for (object, bytes) in read {
            add_small(&mut catalog, &mut small, &object, bytes, &listed);
        }
        sort(&mut catalog);
        Ok(CatalogState { catalog: Arc::new(catalog), small })
    }

    /// Reads small objects; one that was deleted since the listing is left out, and of one that is damaged it is told why.
    async fn fetch_all(&self, objects: Vec<ObjectInfo>) -> Result<Vec<(ObjectInfo, Fetched)>, RepositoryError> {
        let fetches = objects.into_iter().map(|object| async move {
            match self.get_if_there(&object.name).await {
                Ok(bytes) => Ok(bytes.map(|bytes| (object, Ok(bytes)))),
                Err(RepositoryError::Damaged { why, .. }) => Ok(Some((object, Err(why)))),
                Err(error) => Err(error),
            }
        });
        let found: Vec<_> = stream::iter(fetches).buffered(FETCHES_AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// Metadata of a backup or the record of a hole: objects whose content is in the catalog.
fn is_small(name: &str) -> bool {
    match layout::locate(name) {
        Located::BackupJson { .. } => true,
        Located::Ours => matches!(sidecar::locate(name), LocatedRecord::Gap { .. }),
        _ => false,
    }
}

fn add_slice(catalog: &mut Catalog, name: &str, whole: &WholeObject) {
    let Located::Slice { replica_set, range, compression } = layout::locate(name) else { return };
    if let Some(why) = defect(whole) {
        catalog.unreadable.push((name.to_owned(), why));
        return;
    }
    // All slices of a replica set share one name.
    let replica_set = catalog.slices.get_key_value(&replica_set).map_or(replica_set, |(known, _)| known.clone());
    let name = layout::slice_name(name, &replica_set, range, compression);
    let slice = Slice { replica_set: replica_set.clone(), range, name, bytes: whole.bytes };
    catalog.slices.entry(replica_set).or_default().push(slice);
}

fn add_small(catalog: &mut Catalog, small: &mut BTreeMap<String, Small>, object: &ObjectInfo, fetched: Fetched, listed: &Listed<'_>) {
    let read = fetched.and_then(|bytes| match layout::locate(&object.name) {
        Located::BackupJson { .. } => read_backup(&bytes, listed).map(|backup| {
            let name = backup.name.clone();
            catalog.backups.push(backup);
            Content::Backup(name)
        }),
        _ => GapRecord::parse(&bytes).map_err(|error| error.to_string()).map(|record| {
            let gap = record.to_domain();
            catalog.recorded_gaps.entry(gap.replica_set.clone()).or_default().push(gap.clone());
            Content::Gap(gap)
        }),
    });
    let content = read.unwrap_or_else(|why| {
        catalog.unreadable.push((object.name.clone(), why));
        Content::Unreadable
    });
    small.insert(object.name.clone(), Small { bytes: object.bytes, modified: object.modified, content });
}

fn sort(catalog: &mut Catalog) {
    for slices in catalog.slices.values_mut() {
        slices.sort_by(|left, right| left.range.cmp(&right.range).then_with(|| left.object().cmp(&right.object())));
        slices.shrink_to_fit();
    }
    catalog
        .backups
        .sort_by(|left, right| (left.consistent_at(), left.started, &left.name).cmp(&(right.consistent_at(), right.started, &right.name)));
    for gaps in catalog.recorded_gaps.values_mut() {
        gaps.sort_by_key(|gap| gap.range);
    }
    catalog.unreadable.sort();
}

/// What is wrong with an object as far as the listing tells.
pub(crate) fn defect(whole: &WholeObject) -> Option<String> {
    match (whole.missing, whole.bytes) {
        (Some(0), _) => Some("its beginning is missing, and only continuations are there".to_owned()),
        (Some(part), _) => Some(format!("its part {part} is missing")),
        (None, 0) => Some("it is empty".to_owned()),
        (None, _) => None,
    }
}

fn read_backup(bytes: &[u8], listed: &Listed<'_>) -> Result<Backup, String> {
    let json = BackupJson::parse(bytes).map_err(|error| error.to_string())?;
    let mut backup = json.to_domain().map_err(|error| error.to_string())?;
    if backup.problem.is_none() {
        backup.problem = missing_object(&json, listed).map(BackupProblem::MissingObject);
    }
    Ok(backup)
}

/// The first object that a backup cannot do without and that is not there. Its data objects are looked at when it is opened.
fn missing_object(json: &BackupJson, listed: &Listed<'_>) -> Option<String> {
    let there = |name: &str| listed.get(name).is_some_and(|whole| defect(whole).is_none());
    for replica_set in &json.replica_sets {
        if !there(&replica_set.metadata_object) {
            return Some(replica_set.metadata_object.clone());
        }
        let single = json.generation() == Generation::SingleOplog;
        if single && !there(&replica_set.oplog_name) {
            return Some(replica_set.oplog_name.clone());
        }
        // PBM restores its own backups without any oplog, and so do we; one of ours always has it.
        if !single && json.written_by.is_some() {
            let folder = layout::backup_oplog_folder(&json.name, &replica_set.name);
            let below = listed.range(folder.as_str()..).take_while(|(name, _)| name.starts_with(&folder));
            let whole = below.filter(|(_, whole)| defect(whole).is_none()).map(|(name, _)| *name);
            let (found, _) = layout::backup_oplog_objects(&json.name, &replica_set.name, whole);
            if found.is_empty() {
                return Some(folder);
            }
        }
    }
    None
}
