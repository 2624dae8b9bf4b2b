//! The record of a gap: the slicer found that a stretch of oplog is gone, and says why.

use oplogue_domain::{Gap, GapReason, OplogRange, ReplicaSetName};
use serde::{Deserialize, Serialize};

use super::json::RangeJson;
use super::{FORMAT, SidecarError, read, write};

/// A stretch of oplog that will never be on the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapRecord {
    pub replica_set: ReplicaSetName,
    pub range: OplogRange,
    pub reason: GapReason,
    /// When it was found. Unix seconds.
    pub recorded_seconds: u32,
}

#[derive(Serialize, Deserialize)]
struct Json {
    format: u32,
    replica_set: String,
    range: RangeJson,
    reason: ReasonJson,
    recorded_seconds: u32,
}

#[derive(Serialize, Deserialize)]
struct ReasonJson {
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    text: String,
}

impl From<&GapReason> for ReasonJson {
    fn from(reason: &GapReason) -> Self {
        let (kind, text) = match reason {
            GapReason::OplogRolledOver => ("oplog-rolled-over", ""),
            GapReason::NotSliced => ("not-sliced", ""),
            GapReason::Damaged(what) => ("damaged", what.as_str()),
            GapReason::Deleted => ("deleted", ""),
            GapReason::Other(what) => ("other", what.as_str()),
        };
        Self { kind: kind.to_owned(), text: text.to_owned() }
    }
}

impl From<ReasonJson> for GapReason {
    fn from(json: ReasonJson) -> Self {
        match json.kind.as_str() {
            "oplog-rolled-over" => Self::OplogRolledOver,
            "not-sliced" => Self::NotSliced,
            "damaged" => Self::Damaged(json.text),
            "deleted" => Self::Deleted,
            "other" => Self::Other(json.text),
            unknown if json.text.is_empty() => Self::Other(unknown.to_owned()),
            unknown => Self::Other(format!("{unknown}: {}", json.text)),
        }
    }
}

impl GapRecord {
    pub fn to_json(&self) -> Vec<u8> {
        write(&Json {
            format: FORMAT,
            replica_set: self.replica_set.as_str().to_owned(),
            range: self.range.into(),
            reason: (&self.reason).into(),
            recorded_seconds: self.recorded_seconds,
        })
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, SidecarError> {
        let json: Json = read(bytes)?;
        Ok(Self {
            replica_set: json.replica_set.parse().map_err(|error| SidecarError::Malformed(format!("{error}")))?,
            range: json.range.into(),
            reason: json.reason.into(),
            recorded_seconds: json.recorded_seconds,
        })
    }

    /// The domain's view.
    pub fn to_domain(&self) -> Gap {
        Gap { replica_set: self.replica_set.clone(), range: self.range, reason: self.reason.clone() }
    }
}
