//! What to keep.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{MomentJson, RangeJson};

/// A backup is kept when any rule that is set keeps it. With nothing set, everything is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RetentionPolicy {
    /// The newest so many backups. 0: no rule.
    #[schema(maximum = 9999)]
    pub count: u32,
    /// Backups younger than this many days. 0: no rule.
    #[schema(maximum = 36500)]
    pub days: u32,
    /// Every moment of the last so many hours stays restorable. 0: no rule.
    #[schema(maximum = 876000)]
    pub window_hours: u32,
    /// The newest backup of each of the last so many days, weeks, months, years that have one.
    #[schema(maximum = 9999)]
    pub daily: u32,
    #[schema(maximum = 9999)]
    pub weekly: u32,
    #[schema(maximum = 9999)]
    pub monthly: u32,
    #[schema(maximum = 9999)]
    pub yearly: u32,
}

impl RetentionPolicy {
    pub fn keeps_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// What would a policy do that is about every backup of a folder?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RetentionPreviewInput {
    pub location_id: String,
    pub folder: String,
    pub policy: RetentionPolicy,
}

/// Everything that retention looks at, with what becomes of it and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RetentionPreview {
    pub items: Vec<RetentionItem>,
    /// Moments that can be restored now and could not be any more.
    pub lost: Vec<RangeJson>,
    pub deleted_bytes: u64,
    pub oldest_after: Option<MomentJson>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RetentionItem {
    pub kind: RetentionItemKind,
    /// A backup's name, or a stray object's. Slices that follow each other and share their fate are one item: `12 slices, 2026-… … 2026-…`.
    pub name: String,
    pub replica_set: Option<String>,
    pub bytes: u64,
    pub keep: bool,
    pub reasons: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetentionItemKind {
    Backup,
    Slice,
    /// An object nobody refers to.
    Orphan,
}
