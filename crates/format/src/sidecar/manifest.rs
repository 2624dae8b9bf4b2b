//! The manifest of a backup: what vouches for its metadata and for the record of each of its snapshots, which vouch for all the rest.
//!
//! It is written after the records it speaks of and before `<backup>.pbm.json`, whose hash it already knows: metadata stay last.

use oplogue_domain::BackupName;
use serde::{Deserialize, Serialize};

use super::json::hash;
use super::{FORMAT, SidecarError, read, write};
use crate::checksum::ContentHash;

/// What a backup consists of, from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupManifest {
    pub backup: BackupName,
    /// `<backup>.pbm.json` and the record of each replica set's snapshot.
    pub objects: Vec<Vouched>,
    /// Objects that the records speak of, all replica sets together.
    pub recorded_objects: u64,
    /// What wrote it, e.g. `oplogue 0.1.0`.
    pub written_by: String,
}

/// A small object and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// Relative to the storage's folder.
    pub name: String,
    pub bytes: u64,
    pub hash: ContentHash,
}

#[derive(Serialize, Deserialize)]
struct Json {
    format: u32,
    backup: String,
    objects: Vec<VouchedJson>,
    recorded_objects: u64,
    written_by: String,
}

#[derive(Serialize, Deserialize)]
struct VouchedJson {
    name: String,
    bytes: u64,
    #[serde(with = "hash")]
    blake3: ContentHash,
}

impl BackupManifest {
    pub fn to_json(&self) -> Vec<u8> {
        let vouched = |one: &Vouched| VouchedJson { name: one.name.clone(), bytes: one.bytes, blake3: one.hash };
        write(&Json {
            format: FORMAT,
            backup: self.backup.to_string(),
            objects: self.objects.iter().map(vouched).collect(),
            recorded_objects: self.recorded_objects,
            written_by: self.written_by.clone(),
        })
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, SidecarError> {
        let json: Json = read(bytes)?;
        let vouched = |one: VouchedJson| Vouched { name: one.name, bytes: one.bytes, hash: one.blake3 };
        Ok(Self {
            backup: json.backup.parse().map_err(|error| SidecarError::Malformed(format!("{error}")))?,
            objects: json.objects.into_iter().map(vouched).collect(),
            recorded_objects: json.recorded_objects,
            written_by: json.written_by,
        })
    }
}

impl Vouched {
    pub fn new(name: String, bytes: &[u8]) -> Self {
        Self { name, bytes: bytes.len() as u64, hash: ContentHash::of(bytes) }
    }
}
