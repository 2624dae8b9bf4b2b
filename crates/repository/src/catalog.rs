//! Finding again everything that lies in the folder: one listing, then the metadata of each backup and the record of each hole.
//!
//! Nothing found makes it fail: what cannot be understood is listed as such, with the reason, because a broken backup that
//! nobody mentions is worse than one that is shown as broken.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use oplogue_domain::{Backup, BackupProblem, Catalog, Slice};
use oplogue_format::pbm::backup_json::{BackupJson, Generation};
use oplogue_format::pbm::layout::{self, Located, WholeObject};
use oplogue_format::sidecar::{self, GapRecord, LocatedRecord};

use crate::Repository;
use crate::error::RepositoryError;

/// Small objects fetched at once.
const FETCHES_AT_ONCE: usize = 16;

type Listed<'a> = BTreeMap<&'a str, WholeObject>;

impl Repository {
    /// Everything in the folder, parsed and sorted.
    ///
    /// # Errors
    /// Only when the storage cannot be listed or read. What is damaged or foreign is in the catalog.
    pub async fn catalog(&self) -> Result<Catalog, RepositoryError> {
        let objects = self.storage.list("").await?;
        let listed = layout::join_parts(objects.iter().map(|object| (object.name.as_str(), object.bytes)));
        let mut catalog = Catalog::default();
        let (mut backups, mut gaps) = (Vec::new(), Vec::new());
        for (name, whole) in &listed {
            match layout::locate(name) {
                Located::BackupJson { .. } => backups.push((*name).to_owned()),
                Located::Slice { replica_set, range, .. } => {
                    if let Some(why) = defect(whole) {
                        catalog.unreadable.push(((*name).to_owned(), why));
                        continue;
                    }
                    let slice = Slice { replica_set: replica_set.clone(), range, object: (*name).to_owned(), bytes: whole.bytes };
                    catalog.slices.entry(replica_set).or_default().push(slice);
                }
                Located::Ours if matches!(sidecar::locate(name), LocatedRecord::Gap { .. }) => gaps.push((*name).to_owned()),
                _ => {}
            }
        }
        for slices in catalog.slices.values_mut() {
            slices.sort_by(|left, right| (left.range, &left.object).cmp(&(right.range, &right.object)));
        }
        for (name, bytes) in self.fetch_all(backups).await? {
            match bytes.map(|bytes| read_backup(&bytes, &listed)) {
                Some(Ok(backup)) => catalog.backups.push(backup),
                Some(Err(why)) => catalog.unreadable.push((name, why)),
                // Deleted since the listing.
                None => {}
            }
        }
        catalog.backups.sort_by(|left, right| {
            (left.consistent_at(), left.started, &left.name).cmp(&(right.consistent_at(), right.started, &right.name))
        });
        for (name, bytes) in self.fetch_all(gaps).await? {
            match bytes.map(|bytes| GapRecord::parse(&bytes).map(|record| record.to_domain())) {
                Some(Ok(gap)) => catalog.recorded_gaps.entry(gap.replica_set.clone()).or_default().push(gap),
                Some(Err(error)) => catalog.unreadable.push((name, error.to_string())),
                None => {}
            }
        }
        for gaps in catalog.recorded_gaps.values_mut() {
            gaps.sort_by_key(|gap| gap.range);
        }
        Ok(catalog)
    }

    async fn fetch_all(&self, names: Vec<String>) -> Result<Vec<(String, Option<Bytes>)>, RepositoryError> {
        let fetches = names.into_iter().map(|name| async move {
            let bytes = self.get_if_there(&name).await?;
            Ok::<_, RepositoryError>((name, bytes))
        });
        stream::iter(fetches).buffered(FETCHES_AT_ONCE).try_collect().await
    }
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
