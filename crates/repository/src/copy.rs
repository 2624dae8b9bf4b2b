//! What must be copied of a backup and of slices, in which order, and one object from here to there.
//!
//! The order is that of writing: data, then our records, the manifest, and last the metadata that make it a backup. A slice comes before its
//! record. So a copy that stops anywhere leaves nothing that is listed and not whole, and beginning again goes on: what is there with the same
//! content is skipped, and what is there with another is never overwritten.
//!
//! Every object is hashed while it passes. Where a record of ours knows its hash, an object that is not as recorded never becomes visible at
//! the destination.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::TryStreamExt;
use oplogue_domain::{Backup, Gap, Slice};
use oplogue_format::checksum::{ContentHash, ContentHasher};
use oplogue_format::pbm::layout;
use oplogue_format::sidecar::{self, BackupManifest};
use oplogue_storage::{ObjectInfo, StorageError};

use crate::Repository;
use crate::error::RepositoryError;

/// An object to be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyItem {
    pub name: String,
    pub bytes: u64,
    /// What it must be, where a record knows.
    pub hash: Option<ContentHash>,
}

/// What lies at the destination under an object's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Absent,
    /// The same bytes.
    Same,
}

impl Repository {
    /// What a backup consists of, in steps that must follow each other. Within a step the order does not matter.
    ///
    /// # Errors
    /// When the storage cannot be read, or our records of the backup cannot be understood.
    pub async fn copy_steps(&self, backup: &Backup) -> Result<Vec<Vec<CopyItem>>, RepositoryError> {
        let mut data = Vec::new();
        let mut records = Vec::new();
        let ours = self.storage.list(&sidecar::backup_folder(&backup.name)).await?;
        let manifest = self.manifest(backup).await?;
        let vouched =
            |name: &str| manifest.as_ref().and_then(|manifest| manifest.objects.iter().find(|one| one.name == name)).map(|one| one.hash);
        for snapshot in &backup.snapshots {
            let record = self.snapshot_record(&backup.name, &snapshot.replica_set).await?;
            let known: BTreeMap<&str, ContentHash> =
                record.iter().flat_map(|record| &record.objects).filter_map(|object| Some((object.name.as_str(), object.hash?))).collect();
            let item = |object: &ObjectInfo| item(object, known.get(object.name.as_str()).copied());
            data.extend(self.storage.list(&layout::snapshot_folder(&backup.name, &snapshot.replica_set)).await?.iter().map(item));
            let folder = format!("{}{}/data/", sidecar::backup_folder(&backup.name), snapshot.replica_set);
            data.extend(ours.iter().filter(|object| object.name.starts_with(&folder)).map(item));
            let record = sidecar::snapshot_record(&backup.name, &snapshot.replica_set);
            records.extend(ours.iter().filter(|object| object.name == record).map(|object| self::item(object, vouched(&object.name))));
        }
        let manifest_name = sidecar::backup_manifest(&backup.name);
        let manifest = ours.iter().filter(|object| object.name == manifest_name).map(|object| item(object, None)).collect();
        let json = layout::backup_json(&backup.name);
        let metadata = item(&self.storage.stat(&json).await?, vouched(&json));
        Ok(vec![data, records, manifest, vec![metadata]])
    }

    /// A slice with its continuations, and its record.
    ///
    /// # Errors
    /// When the storage cannot be read, or the record of the slice cannot be understood.
    pub async fn copy_steps_of_slice(&self, slice: &Slice) -> Result<Vec<Vec<CopyItem>>, RepositoryError> {
        let facts = self.slice_facts(slice).await?;
        let object = slice.object().into_owned();
        let first = self.storage.stat(&object).await?;
        let mut parts = Vec::new();
        // Only what PBM wrote has continuations; the listing that made the slice counted their bytes.
        let mut bytes = first.bytes;
        while bytes < slice.bytes {
            let part = self.storage.stat(&layout::part(&object, parts.len() as u32 + 1)).await?;
            bytes += part.bytes;
            parts.push(item(&part, None));
        }
        let hash = facts.as_ref().and_then(|facts| facts.stored_hash).filter(|_| parts.is_empty());
        parts.insert(0, item(&first, hash));
        let mut steps = vec![parts];
        if facts.is_some() {
            let record = sidecar::slice_record(&slice.replica_set, slice.range);
            steps.push(vec![item(&self.storage.stat(&record).await?, None)]);
        }
        Ok(steps)
    }

    /// The record of a gap.
    ///
    /// # Errors
    /// When the storage cannot be read.
    pub async fn copy_item_of_gap(&self, gap: &Gap) -> Result<CopyItem, RepositoryError> {
        Ok(item(&self.storage.stat(&sidecar::gap_record(&gap.replica_set, gap.range)).await?, None))
    }

    async fn manifest(&self, backup: &Backup) -> Result<Option<BackupManifest>, RepositoryError> {
        let name = sidecar::backup_manifest(&backup.name);
        let Some(bytes) = self.get_if_there(&name).await? else { return Ok(None) };
        let manifest = BackupManifest::parse(&bytes);
        manifest.map(Some).map_err(|error| RepositoryError::Unreadable { object: name, why: error.to_string() })
    }

    /// What lies in `to` under the item's name. Reads it, and if need be the object here, to compare.
    ///
    /// # Errors
    /// [`RepositoryError::Different`] when it is something else.
    pub async fn presence(&self, to: &Self, item: &CopyItem) -> Result<Presence, RepositoryError> {
        let there = match to.storage.stat(&item.name).await {
            Ok(there) => there,
            Err(StorageError::NotFound { .. }) => return Ok(Presence::Absent),
            Err(error) => return Err(error.into()),
        };
        let different = |why: String| Err(RepositoryError::Different { object: item.name.clone(), location: to.storage.location(), why });
        if there.bytes != item.bytes {
            return different(format!("it has {} bytes, and {} would be copied", there.bytes, item.bytes));
        }
        let expected = match item.hash {
            Some(hash) => hash,
            None => self.hash_of(&item.name).await?,
        };
        let found = to.hash_of(&item.name).await?;
        if found == expected { Ok(Presence::Same) } else { different("it has the same size and other bytes".to_owned()) }
    }

    async fn hash_of(&self, name: &str) -> Result<ContentHash, RepositoryError> {
        let mut hasher = ContentHasher::new();
        let mut reader = self.storage.reader(name).await?;
        while let Some(piece) = reader.try_next().await.map_err(|error| self.storage_error(name, error))? {
            hasher.write(&piece);
        }
        Ok(hasher.hash())
    }

    /// Copies one object that is not in `to`. `told` hears of bytes as they go by. Dropped or failed, it leaves nothing there.
    ///
    /// # Errors
    /// [`RepositoryError::Damaged`] when the object here is not what was recorded of it.
    pub async fn copy_object(&self, to: &Self, item: &CopyItem, told: &(dyn Fn(u64) + Send + Sync)) -> Result<(), RepositoryError> {
        let mut reader = self.storage.reader(&item.name).await?;
        let mut writer = to.storage.writer(&item.name).await?;
        let mut hasher = ContentHasher::new();
        let mut bytes = 0;
        while let Some(piece) = reader.try_next().await.map_err(|error| self.storage_error(&item.name, error))? {
            hasher.write(&piece);
            bytes += piece.len() as u64;
            told(piece.len() as u64);
            writer.write(piece).await?;
        }
        let why = match item.hash.filter(|hash| *hash != hasher.hash()) {
            _ if bytes != item.bytes => Some(format!("{bytes} bytes were read of {}", item.bytes)),
            Some(hash) => Some(format!("its stored bytes have hash {} instead of {hash}", hasher.hash())),
            None => None,
        };
        if let Some(why) = why {
            writer.abort().await?;
            return Err(RepositoryError::Damaged { object: item.name.clone(), at: 0, why });
        }
        writer.finish().await?;
        Ok(())
    }

    /// Marks the folder as one that PBM can use, as the one at the source was.
    pub async fn mark_for_pbm(&self) -> Result<(), RepositoryError> {
        match self.storage.stat(layout::INIT).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => {
                Ok(self.storage.put(layout::INIT, Bytes::from_static(layout::INIT_CONTENT.as_bytes())).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn storage_error(&self, name: &str, error: std::io::Error) -> RepositoryError {
        match error.downcast::<StorageError>() {
            // Named as the caller knows it.
            Ok(StorageError::Damaged { at, .. }) => StorageError::Damaged { name: name.to_owned(), at }.into(),
            Ok(error) => error.into(),
            Err(error) => RepositoryError::Damaged { object: name.to_owned(), at: 0, why: format!("it cannot be read on: {error}") },
        }
    }
}

fn item(object: &ObjectInfo, hash: Option<ContentHash>) -> CopyItem {
    CopyItem { name: object.name.clone(), bytes: object.bytes, hash }
}
