//! The collections of a snapshot, as PBM records them twice: `metadata.json`, which its restore reads, and `meta.pbm`, which has a
//! little more. Rules from sections 3.2 and 3.3 of the PBM specification.

use bson::Document;
use oplogue_domain::Namespace;

use super::{meta_pbm, metadata_json};

/// A collection, view or time series of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCollection {
    /// The name its users know: for a time series not that of its buckets.
    pub namespace: Namespace,
    pub kind: CollectionKind,
    /// `None` for views, for time series (see `buckets_uuid`), and where the metadata does not say.
    pub uuid: Option<[u8; 16]>,
    /// Of a time series' bucket collection, where the metadata says.
    pub buckets_uuid: Option<[u8; 16]>,
    /// As `listCollections` gave them: for a time series with `timeseries`, for a view with `viewOn` and `pipeline`.
    pub options: Document,
    /// As `listIndexes` gave them; PBM's metadata lacks some of their options. For a time series in the form its users know.
    pub indexes: Vec<Document>,
    /// CRC-64/XZ of the uncompressed documents (of a time series: of its buckets); 0 when there are none.
    pub crc64: u64,
    /// Uncompressed bytes of the documents; 0 means there is no object.
    pub bytes: u64,
}

/// What a namespace is, as `listCollections` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CollectionKind {
    Collection,
    View,
    TimeSeries,
}

impl CollectionKind {
    /// As in PBM's metadata and the server's listing.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Collection => "collection",
            Self::View => "view",
            Self::TimeSeries => "timeseries",
        }
    }

    /// Old metadata has no kind, and means a collection.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "collection" | "" => Some(Self::Collection),
            "view" => Some(Self::View),
            "timeseries" => Some(Self::TimeSeries),
            _ => None,
        }
    }
}

/// Everything the metadata of a snapshot says.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotMetadata {
    /// `6.0.5`. PBM's restore fails when it does not begin with three numbers.
    pub server_version: String,
    /// What wrote it.
    pub tool_version: String,
    /// Only in `meta.pbm`; empty when read from `metadata.json`.
    pub fcv: String,
    /// By database, then collection.
    pub collections: Vec<StoredCollection>,
}

/// Why the metadata of a snapshot cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    #[error("it is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    #[error("it is not BSON: {0}")]
    NotBson(String),
    #[error("it has no list of namespaces")]
    NoList,
    #[error("its entry {entry} ({namespace}): {what}")]
    BadEntry { entry: usize, namespace: String, what: String },
}

impl SnapshotMetadata {
    /// Reads `metadata.json`, of PBM 2.0 or later, canonical or relaxed.
    pub fn read_json(bytes: &[u8]) -> Result<Self, MetadataError> {
        metadata_json::read(bytes)
    }

    /// Writes `metadata.json`. Index options are those that PBM writes itself: it was never seen with others.
    pub fn write_json(&self) -> Vec<u8> {
        metadata_json::write(self)
    }

    /// Reads `meta.pbm`, of PBM 2.8 or later.
    pub fn read_bson(bytes: &[u8]) -> Result<Self, MetadataError> {
        meta_pbm::read(bytes)
    }

    /// Writes `meta.pbm`, with complete index options. Fails only for what no server can have: a key with a NUL in it.
    pub fn write_bson(&self) -> Result<Vec<u8>, MetadataError> {
        meta_pbm::write(self)
    }

    pub fn collection(&self, namespace: &Namespace) -> Option<&StoredCollection> {
        self.collections.iter().find(|collection| collection.namespace == *namespace)
    }
}

/// The version as PBM can read it: three numbers, and whatever follows a dash or plus.
pub(super) fn readable_version(version: &str) -> String {
    let (numbers, rest) = version.split_at(version.find(['-', '+']).unwrap_or(version.len()));
    let mut numbers: Vec<&str> = numbers.split('.').filter(|number| number.parse::<u32>().is_ok()).take(3).collect();
    numbers.resize(3, "0");
    format!("{}{rest}", numbers.join("."))
}

pub(super) fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|character| *character != '-').collect();
    hex::decode(digits).ok()?.try_into().ok()
}

/// Puts bucket collections into the time series they belong to, and sorts.
pub(super) fn fold_buckets(listed: Vec<StoredCollection>) -> Vec<StoredCollection> {
    let (buckets, mut collections): (Vec<_>, Vec<_>) =
        listed.into_iter().partition(|collection| collection.namespace.is_buckets() && collection.kind == CollectionKind::Collection);
    for bucket in buckets {
        let logical = bucket.namespace.logical();
        let is_owner =
            |collection: &&mut StoredCollection| collection.namespace == logical && collection.kind == CollectionKind::TimeSeries;
        match collections.iter_mut().find(is_owner) {
            Some(owner) => {
                owner.buckets_uuid = bucket.uuid;
                (owner.crc64, owner.bytes) = (bucket.crc64, bucket.bytes);
            }
            // Buckets without their time series: kept, so that nothing is lost without a word.
            None => collections.push(bucket),
        }
    }
    collections.sort_by(|left, right| left.namespace.cmp(&right.namespace));
    collections
}
