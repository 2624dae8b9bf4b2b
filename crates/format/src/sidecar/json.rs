//! Values of the domain as JSON in our records.

use oplogue_domain::{Namespace, OplogRange, OplogTime};
use serde::{Deserialize, Serialize};

/// `{"t": seconds, "i": ordinal, "at": RFC 3339}`. The last is for people and not read.
#[derive(Serialize, Deserialize, Clone)]
pub(super) struct TimeJson {
    t: u32,
    i: u32,
    #[serde(skip_deserializing)]
    at: String,
}

impl From<OplogTime> for TimeJson {
    fn from(time: OplogTime) -> Self {
        Self { t: time.seconds, i: time.ordinal, at: time.rfc3339() }
    }
}

impl From<TimeJson> for OplogTime {
    fn from(json: TimeJson) -> Self {
        Self::new(json.t, json.i)
    }
}

/// `{"after": …, "through": …}`.
#[derive(Serialize, Deserialize, Clone)]
pub(super) struct RangeJson {
    after: TimeJson,
    through: TimeJson,
}

impl From<OplogRange> for RangeJson {
    fn from(range: OplogRange) -> Self {
        Self { after: range.after.into(), through: range.through.into() }
    }
}

impl From<RangeJson> for OplogRange {
    fn from(json: RangeJson) -> Self {
        Self::new(json.after.into(), json.through.into())
    }
}

/// A namespace in two fields, because its collection may look like anything.
#[derive(Serialize, Deserialize, Clone)]
pub(super) struct NamespaceJson {
    database: String,
    collection: String,
}

impl From<Namespace> for NamespaceJson {
    fn from(namespace: Namespace) -> Self {
        Self { database: namespace.database, collection: namespace.collection }
    }
}

impl From<NamespaceJson> for Namespace {
    fn from(json: NamespaceJson) -> Self {
        Self::new(json.database, json.collection)
    }
}

/// A checksum as 16 hexadecimal digits: JSON readers elsewhere lose bits of large numbers.
pub(super) mod checksum {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::sidecar) fn serialize<S: Serializer>(sum: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{sum:016x}"))
    }

    pub(in crate::sidecar) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map_err(|_| D::Error::custom(format!("`{text}` is not a checksum of hexadecimal digits")))
    }
}

/// A UUID as 32 hexadecimal digits, or null.
pub(super) mod uuid {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::sidecar) fn serialize<S: Serializer>(uuid: &Option<[u8; 16]>, serializer: S) -> Result<S::Ok, S::Error> {
        uuid.map(hex::encode).serialize(serializer)
    }

    pub(in crate::sidecar) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 16]>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let bytes = hex::decode(&text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Some).ok_or_else(|| D::Error::custom(format!("`{text}` is not a UUID of 32 hexadecimal digits")))
    }
}

/// A BLAKE3 hash as 64 hexadecimal digits.
pub(super) mod hash {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::checksum::ContentHash;

    pub(in crate::sidecar) fn serialize<S: Serializer>(hash: &ContentHash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(hash)
    }

    pub(in crate::sidecar) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ContentHash, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The same where records of format 1 have none.
pub(super) mod hash_or_none {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::checksum::ContentHash;

    pub(in crate::sidecar) fn serialize<S: Serializer>(hash: &Option<ContentHash>, serializer: S) -> Result<S::Ok, S::Error> {
        hash.map(|hash| hash.to_string()).serialize(serializer)
    }

    pub(in crate::sidecar) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ContentHash>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}
