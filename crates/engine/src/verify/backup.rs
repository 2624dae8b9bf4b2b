//! One backup: from its manifest, over the record and the metadata of each replica set, to every object.

mod metadata;
mod oplog;

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use oplogue_domain::damage::Loss;
use oplogue_domain::{Backup, BackupName, BackupProblem, ReplicaSetName, Snapshot};
use oplogue_format::checksum::ContentHash;
use oplogue_format::pbm::layout::{self, WholeObject};
use oplogue_format::sidecar::{self, BackupManifest, SnapshotRecord};
use oplogue_repository::{ObjectRef, SnapshotCollection, SnapshotContents};

use super::object::Fault;
use super::{Kind, Notes, Tally, Work, is_there};

/// Both forms of a snapshot's metadata.
pub(super) fn metadata_objects(backup: &BackupName, replica_set: &ReplicaSetName) -> [String; 2] {
    [layout::metadata_json(backup, replica_set), layout::meta_pbm(backup, replica_set)]
}

pub(super) async fn check(work: &Work, backup: &Backup, notes: &mut Notes) -> anyhow::Result<Tally> {
    let mut found = Notes::default();
    let json = layout::backup_json(&backup.name);
    let named = is_there(work.repository.storage(), &json).await?;
    if !named {
        let what = format!("the metadata that name backup {} lie under another name", backup.name);
        found.find(&json, Kind::Metadata, what, Loss::Nothing);
    }
    let tally = if is_looked_into(backup, &mut found) {
        let checking = Checking { work, backup, ours: backup.written_by.is_some() };
        checking.check(&mut found).await?
    } else {
        Tally::default()
    };
    // What retention deleted meanwhile is no damage.
    if named && !found.findings.is_empty() && !is_there(work.repository.storage(), &json).await? {
        notes.remark(format!("backup {} was deleted while it was read", backup.name));
        return Ok(tally);
    }
    notes.take(found);
    Ok(tally)
}

/// What its listing says of it. False when there is nothing to be read.
fn is_looked_into(backup: &Backup, notes: &mut Notes) -> bool {
    let loss = || Loss::Backup { backup: backup.name.clone() };
    match &backup.problem {
        None => true,
        Some(BackupProblem::MissingObject(object)) => {
            notes.find(object, Kind::Missing, format!("backup {} needs it, and it is not there or empty", backup.name), loss());
            true
        }
        Some(BackupProblem::Unreadable(why) | BackupProblem::Damaged(why)) => {
            notes.find(layout::backup_json(&backup.name), Kind::Metadata, why, loss());
            false
        }
        Some(problem) => {
            notes.remark(format!("backup {} was not read: {problem}", backup.name));
            false
        }
    }
}

/// A small object, or what is wrong with it.
async fn small_object(work: &Work, name: &str) -> anyhow::Result<Result<Vec<u8>, Fault>> {
    match work.repository.storage().get(name).await {
        Ok(bytes) => Ok(Ok(bytes.to_vec())),
        Err(error) => Fault::of(error.into()).map(Err),
    }
}

struct Checking<'a> {
    work: &'a Work,
    backup: &'a Backup,
    ours: bool,
}

/// What a snapshot's objects are, as far as the storage lists them.
type Listed = BTreeMap<String, WholeObject>;

impl Checking<'_> {
    fn lost(&self) -> Loss {
        Loss::Backup { backup: self.backup.name.clone() }
    }

    async fn check(&self, notes: &mut Notes) -> anyhow::Result<Tally> {
        let mut tally = Tally { objects: 1, read: 1, ..Tally::default() };
        let mut hashed = false;
        for snapshot in &self.backup.snapshots {
            let replica_set = &snapshot.replica_set;
            let record = self.record(replica_set, notes).await?;
            hashed |= record.as_ref().is_some_and(|record| record.objects.iter().any(|object| object.hash.is_some()));
            tally.add(self.check_snapshot(snapshot, record.as_ref(), notes).await?);
        }
        self.check_manifest(hashed, notes).await?;
        Ok(tally)
    }

    async fn record(&self, replica_set: &ReplicaSetName, notes: &mut Notes) -> anyhow::Result<Option<SnapshotRecord>> {
        let name = sidecar::snapshot_record(&self.backup.name, replica_set);
        match self.work.repository.snapshot_record(&self.backup.name, replica_set).await {
            Ok(Some(record)) if record.backup == self.backup.name && record.replica_set == *replica_set => Ok(Some(record)),
            Ok(Some(record)) => {
                let what = format!("it speaks of {} of backup {}", record.replica_set, record.backup);
                notes.find(name, Kind::Record, what, self.lost());
                Ok(None)
            }
            Ok(None) => {
                if self.ours {
                    let what = "it is not there: indexes may lack options, and documents that PBM's names cannot hold are not found";
                    notes.find(name, Kind::Missing, what, Loss::Nothing);
                }
                Ok(None)
            }
            Err(error) => {
                let fault = Fault::of(error)?;
                notes.find(name, Kind::Record, fault.what, self.lost());
                Ok(None)
            }
        }
    }

    async fn check_manifest(&self, hashed: bool, notes: &mut Notes) -> anyhow::Result<()> {
        let name = sidecar::backup_manifest(&self.backup.name);
        let bytes = match small_object(self.work, &name).await? {
            Ok(bytes) => bytes,
            Err(Fault { kind: Kind::Missing, .. }) => {
                if hashed {
                    notes.find(name, Kind::Missing, "it is not there: nothing vouches for the backup's metadata", Loss::Nothing);
                } else if self.ours {
                    notes.remark(format!(
                        "backup {} was written before there were manifests: its metadata are compared as far as they go",
                        self.backup.name
                    ));
                }
                return Ok(());
            }
            Err(fault) => {
                notes.find(name, Kind::Record, fault.what, Loss::Nothing);
                return Ok(());
            }
        };
        let manifest = match BackupManifest::parse(&bytes) {
            Ok(manifest) if manifest.backup == self.backup.name => manifest,
            Ok(manifest) => {
                notes.find(name, Kind::Record, format!("it speaks of backup {}", manifest.backup), Loss::Nothing);
                return Ok(());
            }
            Err(error) => {
                notes.find(name, Kind::Record, error.to_string(), Loss::Nothing);
                return Ok(());
            }
        };
        for vouched in &manifest.objects {
            let what = match small_object(self.work, &vouched.name).await? {
                Ok(bytes) if bytes.len() as u64 == vouched.bytes && ContentHash::of(&bytes) == vouched.hash => continue,
                Ok(bytes) if bytes.len() as u64 != vouched.bytes => {
                    Fault::new(Kind::Size, format!("it has {} bytes, and its manifest says {}", bytes.len(), vouched.bytes))
                }
                Ok(_) => Fault::new(Kind::Content, "it is not what its manifest vouches for: changed, or of another version"),
                Err(fault) => fault,
            };
            if !notes.findings.iter().any(|finding| finding.object == vouched.name) {
                notes.find(&vouched.name, what.kind, what.what, self.lost());
            }
        }
        Ok(())
    }

    async fn check_snapshot(&self, snapshot: &Snapshot, record: Option<&SnapshotRecord>, notes: &mut Notes) -> anyhow::Result<Tally> {
        let replica_set = &snapshot.replica_set;
        let listed = self.listed(replica_set).await?;
        let mut tally = self.check_metadata(replica_set, record, &listed, notes).await?;
        let contents = match self.work.repository.snapshot(self.backup, replica_set).await {
            Ok(contents) => contents,
            Err(error) => {
                let fault = Fault::of(error)?;
                let metadata = layout::metadata_json(&self.backup.name, replica_set);
                if !notes.findings.iter().any(|finding| finding.object == metadata || finding.loss == self.lost()) {
                    notes.find(metadata, fault.kind, fault.what, self.lost());
                }
                return Ok(tally);
            }
        };
        tally.add(self.check_collections(replica_set, &contents, &listed, notes).await?);
        tally.add(self.check_oplog(snapshot, &listed, notes).await?);
        self.tell_strangers(replica_set, &contents, record, &listed, notes);
        Ok(tally)
    }

    async fn listed(&self, replica_set: &ReplicaSetName) -> anyhow::Result<Listed> {
        let storage = self.work.repository.storage();
        let mut objects = storage.list(&layout::snapshot_folder(&self.backup.name, replica_set)).await?;
        objects.extend(storage.list(&sidecar::backup_folder(&self.backup.name)).await?);
        let joined = layout::join_parts(objects.iter().map(|object| (object.name.as_str(), object.bytes)));
        Ok(joined.into_iter().map(|(name, whole)| (name.to_owned(), whole)).collect())
    }

    async fn check_collections(
        &self,
        replica_set: &ReplicaSetName,
        contents: &SnapshotContents,
        listed: &Listed,
        notes: &mut Notes,
    ) -> anyhow::Result<Tally> {
        let needed = contents.collections.iter().chain(&contents.users).chain(&contents.roles).map(|one| (one, true));
        let all = needed.chain(contents.not_restored.iter().map(|one| (one, false)));
        let with_objects: Vec<_> = all.filter_map(|(one, needed)| Some((one, one.object.as_ref()?, needed))).collect();
        let checks = with_objects.iter().map(|(collection, object, _)| self.check_collection(collection, object, listed));
        let outcomes: Vec<_> = stream::iter(checks).buffered(self.work.parallel).try_collect().await?;
        let mut tally = Tally::default();
        for ((collection, object, needed), outcome) in with_objects.into_iter().zip(outcomes) {
            match outcome {
                Ok(checked) => tally.add(checked),
                Err(fault) => {
                    let (backup, replica_set, namespace) = (self.backup.name.clone(), replica_set.clone(), collection.namespace.clone());
                    let loss = if needed { Loss::Namespace { backup, replica_set, namespace } } else { Loss::Nothing };
                    tally.objects += 1;
                    notes.find(&object.name, fault.kind, fault.what, loss);
                }
            }
        }
        Ok(tally)
    }

    async fn check_collection(
        &self,
        collection: &SnapshotCollection,
        object: &ObjectRef,
        listed: &Listed,
    ) -> anyhow::Result<Result<Tally, Fault>> {
        let stored = match as_listed(object, listed) {
            Ok(stored) => stored,
            Err(fault) => return Ok(Err(fault)),
        };
        if !self.work.is_picked(&object.name) {
            return Ok(Ok(Tally { objects: 1, ..Tally::default() }));
        }
        let read = match self.work.documents(object).await? {
            Ok(read) => read,
            Err(fault) => return Ok(Err(fault)),
        };
        match collection.compare(read) {
            Ok(()) => Ok(Ok(Tally { objects: 1, read: 1, stored_bytes: stored, documents: read.documents })),
            Err(error) => Ok(Err(Fault::of(error)?)),
        }
    }

    /// Objects that nothing speaks of: no damage, but they cost money and were once meant for something.
    fn tell_strangers(
        &self,
        replica_set: &ReplicaSetName,
        contents: &SnapshotContents,
        record: Option<&SnapshotRecord>,
        listed: &Listed,
        notes: &mut Notes,
    ) {
        let name = &self.backup.name;
        let all = contents.collections.iter().chain(&contents.users).chain(&contents.roles).chain(&contents.not_restored);
        let mut known: BTreeSet<String> = all.filter_map(|one| Some(one.object.as_ref()?.name.clone())).collect();
        known.extend(metadata_objects(name, replica_set));
        known.extend(record.iter().flat_map(|record| &record.objects).map(|object| object.name.clone()));
        let oplog = layout::backup_oplog_folder(name, replica_set);
        let folder = layout::snapshot_folder(name, replica_set);
        let old = oplogue_format::compression::Compression::ALL.map(|compression| layout::old_backup_oplog(name, replica_set, compression));
        let strangers: Vec<&String> = listed
            .keys()
            .filter(|object| {
                object.starts_with(&folder) && !object.starts_with(&oplog) && !known.contains(*object) && !old.contains(object)
            })
            .collect();
        if let Some(example) = strangers.first() {
            notes.remark(format!("backup {name}: {} that nothing speaks of (e.g. `{example}`)", objects(strangers.len())));
        }
        notes
            .remarks
            .extend(contents.warnings.iter().filter(|warning| warning.starts_with('`')).map(|warning| format!("backup {name}: {warning}")));
    }
}

fn objects(count: usize) -> String {
    if count == 1 { "an object".to_owned() } else { format!("{count} objects") }
}

/// The size that the listing gives, if it is the one expected.
fn as_listed(object: &ObjectRef, listed: &Listed) -> Result<u64, Fault> {
    let Some(whole) = listed.get(&object.name) else { return Err(Fault::new(Kind::Missing, "it is not there")) };
    match (whole.missing, object.stored_bytes) {
        (Some(0), _) => Err(Fault::new(Kind::Missing, "its beginning is missing, and only continuations are there")),
        (Some(part), _) => Err(Fault::new(Kind::Missing, format!("its part {part} is missing"))),
        (None, _) if whole.bytes == 0 => Err(Fault::new(Kind::Size, "it is empty")),
        (None, Some(expected)) if expected != whole.bytes => {
            Err(Fault::new(Kind::Size, format!("it has {} bytes, and {expected} were written", whole.bytes)))
        }
        (None, _) => Ok(whole.bytes),
    }
}
