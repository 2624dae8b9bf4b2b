//! What we know beyond PBM's metadata, in objects of our own below `oplogue/`.
//!
//! ```text
//! oplogue/backups/<backup>/manifest.json                 the hashes of `<backup>.pbm.json` and of each `snapshot.json`
//! oplogue/backups/<backup>/<replica set>/snapshot.json   every object of the snapshot with size, hash and count; collections in full
//! oplogue/backups/<backup>/<replica set>/data/…          documents that cannot lie under PBM's name
//! oplogue/slices/<replica set>/<day>/<first>.<last>.json the size and hash of a slice, what is in it, and which record came before
//! oplogue/gaps/<replica set>/<after>.<through>.json      a stretch of oplog that is lost, and why
//! ```
//!
//! A record is written after the object it speaks of. Without it the object can still be used; with it damage is seen before anything
//! is restored. A record of a newer format than we know is an error, never half understood.
//!
//! Every record ends with a seal: the BLAKE3 hash of all its bytes before. Records name each other by it (the manifest the records of
//! snapshots, the record of a slice that of the slice before), so that one that was changed, or replaced by an older one, is found out.
//! Records of format 1 have no seal and know no hashes; they are read all the same.

use oplogue_domain::{BackupName, Namespace, OplogRange, OplogTime, ReplicaSetName};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::compression::Compression;
use crate::pbm::stamp;

mod gap;
mod json;
mod manifest;
mod seal;
mod slice;
mod snapshot;

pub use gap::GapRecord;
pub use manifest::{BackupManifest, Vouched};
pub use seal::seal_of;
pub use slice::{Link, SliceRecord};
pub use snapshot::{RecordedCollection, RecordedObject, SnapshotRecord};

/// The folder of everything that is ours.
pub const FOLDER: &str = "oplogue/";
/// Where the records of backups lie, and the documents that cannot lie under PBM's names.
pub const BACKUPS: &str = "oplogue/backups/";
/// Where the records of slices lie.
pub const SLICES: &str = "oplogue/slices/";
/// Where the records of gaps lie.
pub const GAPS: &str = "oplogue/gaps/";
/// The version of the records we write, and the newest we read.
pub const FORMAT: u32 = 2;
/// Records have a seal from this version on.
const SEALED_FORMAT: u64 = 2;

/// Why a record cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    #[error("it is not a record of the kind expected: {0}")]
    Malformed(String),
    #[error("it was changed after it was written: {0}")]
    Broken(&'static str),
    #[error("its format is {found}, and this version of oplogue knows formats up to {FORMAT}: use a newer version to read it")]
    TooNew { found: u64 },
}

/// `oplogue/backups/<backup>/`.
pub fn backup_folder(backup: &BackupName) -> String {
    format!("{BACKUPS}{backup}/")
}

/// `oplogue/backups/<backup>/manifest.json`.
pub fn backup_manifest(backup: &BackupName) -> String {
    format!("{}manifest.json", backup_folder(backup))
}

/// `oplogue/backups/<backup>/<replica set>/snapshot.json`.
pub fn snapshot_record(backup: &BackupName, replica_set: &ReplicaSetName) -> String {
    format!("{}{replica_set}/snapshot.json", backup_folder(backup))
}

/// The object for the documents of a namespace that cannot lie under PBM's name for it; `number` tells those of one snapshot apart.
pub fn data_object(
    backup: &BackupName,
    replica_set: &ReplicaSetName,
    number: usize,
    namespace: &Namespace,
    compression: Compression,
) -> String {
    // Readable for people, and nothing any storage could object to.
    let readable: String = namespace
        .to_string()
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() || "._-".contains(character) { character } else { '_' })
        .take(100)
        .collect();
    // Never without a suffix: the name may end like one of PBM's own.
    let suffix = if compression == Compression::None { ".bson" } else { compression.suffix() };
    format!("{}{replica_set}/data/{number:05}-{readable}{suffix}", backup_folder(backup))
}

/// `oplogue/slices/<replica set>/`.
pub fn slice_records_folder(replica_set: &ReplicaSetName) -> String {
    format!("{SLICES}{replica_set}/")
}

/// `oplogue/slices/<replica set>/<day>/`: the records of slices that begin on the day of `first`.
pub fn slice_records_of_day(replica_set: &ReplicaSetName, first: OplogTime) -> String {
    format!("{SLICES}{replica_set}/{}/", stamp::day(first))
}

/// `oplogue/slices/<replica set>/<day>/<first>.<last>.json`: the record of the slice of this range.
pub fn slice_record(replica_set: &ReplicaSetName, range: OplogRange) -> String {
    let (first, last) = (stamp::format(range.after), stamp::format(range.through));
    format!("{SLICES}{replica_set}/{}/{first}.{last}.json", stamp::day(range.after))
}

/// `oplogue/gaps/<replica set>/`.
pub fn gap_records_folder(replica_set: &ReplicaSetName) -> String {
    format!("{GAPS}{replica_set}/")
}

/// `oplogue/gaps/<replica set>/<after>.<through>.json`.
pub fn gap_record(replica_set: &ReplicaSetName, range: OplogRange) -> String {
    let (after, through) = (stamp::format(range.after), stamp::format(range.through));
    format!("{GAPS}{replica_set}/{after}.{through}.json")
}

/// What the name of one of our objects tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocatedRecord {
    Manifest {
        backup: BackupName,
    },
    Snapshot {
        backup: BackupName,
        replica_set: ReplicaSetName,
    },
    /// Documents under a name of ours.
    Data {
        backup: BackupName,
        replica_set: ReplicaSetName,
    },
    Slice {
        replica_set: ReplicaSetName,
        range: OplogRange,
    },
    Gap {
        replica_set: ReplicaSetName,
        range: OplogRange,
    },
    Unknown,
}

/// Reads the name of an object below [`FOLDER`]. Never fails.
pub fn locate(object: &str) -> LocatedRecord {
    let located = object.strip_prefix(FOLDER).and_then(|path| {
        let (kind, path) = path.split_once('/')?;
        match kind {
            "backups" => locate_in_backup(path),
            "slices" => ranged(path).map(|(replica_set, range)| LocatedRecord::Slice { replica_set, range }),
            "gaps" => ranged(path).map(|(replica_set, range)| LocatedRecord::Gap { replica_set, range }),
            _ => None,
        }
    });
    located.unwrap_or(LocatedRecord::Unknown)
}

fn locate_in_backup(path: &str) -> Option<LocatedRecord> {
    if let Some(backup) = path.strip_suffix("/manifest.json")
        && !backup.contains('/')
    {
        return Some(LocatedRecord::Manifest { backup: backup.parse().ok()? });
    }
    let mut parts = path.splitn(3, '/');
    let (backup, replica_set) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    match parts.next()? {
        "snapshot.json" => Some(LocatedRecord::Snapshot { backup, replica_set }),
        rest if rest.starts_with("data/") => Some(LocatedRecord::Data { backup, replica_set }),
        _ => None,
    }
}

/// `<replica set>/…/<from>.<to>.json`.
fn ranged(path: &str) -> Option<(ReplicaSetName, OplogRange)> {
    let (replica_set, rest) = path.split_once('/')?;
    let (from, to) = rest.rsplit('/').next()?.strip_suffix(".json")?.split_once('.')?;
    let range = OplogRange::new(stamp::parse(from)?, stamp::parse(to)?);
    (range.after <= range.through).then_some(())?;
    Some((replica_set.parse().ok()?, range))
}

#[derive(Deserialize)]
struct Header {
    format: u64,
}

/// Reads a record after looking at its seal and its format.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, SidecarError> {
    let malformed = |error: serde_json::Error| SidecarError::Malformed(error.to_string());
    let sealed = seal::is_intact(bytes)?;
    let header: Header = serde_json::from_slice(bytes).map_err(malformed)?;
    if header.format > FORMAT.into() {
        return Err(SidecarError::TooNew { found: header.format });
    }
    if header.format >= SEALED_FORMAT && !sealed {
        return Err(SidecarError::Broken("its seal is missing"));
    }
    serde_json::from_slice(bytes).map_err(malformed)
}

fn write<T: Serialize>(record: &T) -> Vec<u8> {
    let text = serde_json::to_vec_pretty(record).expect("records have only text keys, and a vector takes every byte");
    seal::sealed(text)
}
