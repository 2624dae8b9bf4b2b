//! The record of a slice: what the object must be when it is whole, and which record came before it.
//!
//! The records of a replica set's slices are a chain: each names the one before by its seal. A slice that is gone with its record, or was
//! replaced together with it by an older version, leaves a link that leads nowhere. A slice without a record (PBM's, or one after which
//! its writer crashed) begins the chain anew; it is joined to its neighbours by its entries.
//!
//! A slice that replaces others (compaction) says which, takes over the link of the first of them, and keeps the link *to* the last of them,
//! so that the record behind still finds what it names.

use oplogue_domain::{OplogRange, OplogTime, ReplicaSetName};
use serde::{Deserialize, Serialize};

use super::json::{RangeJson, TimeJson, checksum, hash, hash_or_none};
use super::{FORMAT, SidecarError, read, write};
use crate::checksum::ContentHash;

/// Another slice's record, as a record names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Of the slice.
    pub range: OplogRange,
    /// Of its record.
    pub seal: ContentHash,
}

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
    /// BLAKE3 over the stored bytes. `None` in records of format 1.
    pub stored_hash: Option<ContentHash>,
    /// Uncompressed bytes of the entries, and the CRC-64/XZ over them.
    pub raw_bytes: u64,
    pub raw_crc64: u64,
    /// Entries in the object, no-ops among them.
    pub entries: u64,
    pub no_ops: u64,
    /// Times of the first and last entry in the object. `None` in records of format 1.
    pub first: Option<OplogTime>,
    pub last: Option<OplogTime>,
    /// The record of the slice before. `None`: nothing was recorded there.
    pub previous: Option<Link>,
    /// Names of the objects that this slice stands for, oldest first; they may be gone.
    pub replaces: Vec<String>,
    /// The record of the last of those, which the slice behind names.
    pub continues: Option<Link>,
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
    #[serde(with = "hash_or_none", default)]
    stored_blake3: Option<ContentHash>,
    raw_bytes: u64,
    #[serde(with = "checksum")]
    raw_crc64: u64,
    entries: u64,
    no_ops: u64,
    #[serde(default)]
    first: Option<TimeJson>,
    #[serde(default)]
    last: Option<TimeJson>,
    #[serde(default)]
    previous: Option<LinkJson>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replaces: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    continues: Option<LinkJson>,
    written_by: String,
}

#[derive(Serialize, Deserialize)]
struct LinkJson {
    range: RangeJson,
    #[serde(with = "hash")]
    seal: ContentHash,
}

impl From<Link> for LinkJson {
    fn from(link: Link) -> Self {
        Self { range: link.range.into(), seal: link.seal }
    }
}

impl From<LinkJson> for Link {
    fn from(json: LinkJson) -> Self {
        Self { range: json.range.into(), seal: json.seal }
    }
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
            stored_blake3: self.stored_hash,
            raw_bytes: self.raw_bytes,
            raw_crc64: self.raw_crc64,
            entries: self.entries,
            no_ops: self.no_ops,
            first: self.first.map(TimeJson::from),
            last: self.last.map(TimeJson::from),
            previous: self.previous.map(LinkJson::from),
            replaces: self.replaces.clone(),
            continues: self.continues.map(LinkJson::from),
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
            stored_hash: json.stored_blake3,
            raw_bytes: json.raw_bytes,
            raw_crc64: json.raw_crc64,
            entries: json.entries,
            no_ops: json.no_ops,
            first: json.first.map(OplogTime::from),
            last: json.last.map(OplogTime::from),
            previous: json.previous.map(Link::from),
            replaces: json.replaces,
            continues: json.continues.map(Link::from),
            written_by: json.written_by,
        })
    }
}
