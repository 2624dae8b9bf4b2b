//! The record of a slice: what the object must be when it is whole.

use oplogue_domain::{OplogRange, ReplicaSetName};
use serde::{Deserialize, Serialize};

use super::json::{RangeJson, checksum};
use super::{FORMAT, SidecarError, read, write};

/// What a slice held when it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceRecord {
    pub replica_set: ReplicaSetName,
    /// As in the name of the slice: the entry at `after` is in the object, too.
    pub range: OplogRange,
    /// The object's name.
    pub object: String,
    /// Stored bytes, and the CRC-64/XZ over them.
    pub stored_bytes: u64,
    pub stored_crc64: u64,
    /// Uncompressed bytes of the entries, and the CRC-64/XZ over them.
    pub raw_bytes: u64,
    pub raw_crc64: u64,
    /// Entries in the object, no-ops among them.
    pub entries: u64,
    pub no_ops: u64,
    /// What wrote it, e.g. `oplogue 0.1.0`.
    pub written_by: String,
}

#[derive(Serialize, Deserialize)]
struct Json {
    format: u32,
    replica_set: String,
    range: RangeJson,
    object: String,
    stored_bytes: u64,
    #[serde(with = "checksum")]
    stored_crc64: u64,
    raw_bytes: u64,
    #[serde(with = "checksum")]
    raw_crc64: u64,
    entries: u64,
    no_ops: u64,
    written_by: String,
}

impl SliceRecord {
    pub fn to_json(&self) -> Vec<u8> {
        write(&Json {
            format: FORMAT,
            replica_set: self.replica_set.as_str().to_owned(),
            range: self.range.into(),
            object: self.object.clone(),
            stored_bytes: self.stored_bytes,
            stored_crc64: self.stored_crc64,
            raw_bytes: self.raw_bytes,
            raw_crc64: self.raw_crc64,
            entries: self.entries,
            no_ops: self.no_ops,
            written_by: self.written_by.clone(),
        })
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, SidecarError> {
        let json: Json = read(bytes)?;
        Ok(Self {
            replica_set: json.replica_set.parse().map_err(|error| SidecarError::Malformed(format!("{error}")))?,
            range: json.range.into(),
            object: json.object,
            stored_bytes: json.stored_bytes,
            stored_crc64: json.stored_crc64,
            raw_bytes: json.raw_bytes,
            raw_crc64: json.raw_crc64,
            entries: json.entries,
            no_ops: json.no_ops,
            written_by: json.written_by,
        })
    }
}
