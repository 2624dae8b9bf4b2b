//! What `delete` and `prune` decide and do.

use oplogue_domain::retention::{Judged, Policy, Refusal, Verdict, Verdicts};
use oplogue_domain::{Backup, OplogRange};
use oplogue_repository::{Deleted, Orphan};
use serde::Serialize;

use super::catalog::BackupJson;
use super::time::{RangeJson, TimeJson};

#[derive(Serialize)]
pub struct PruneJson {
    /// In words.
    policy: String,
    /// Every backup, slice, record of a gap and leftover.
    items: Vec<ItemJson>,
    /// Moments that can be restored before and not after.
    lost: Vec<RangeJson>,
    /// Stored bytes of backups and slices that go, as far as their metadata tell.
    deleted_bytes: u64,
    /// What was done; `null` with `--dry-run`.
    deleted: Option<DeletedJson>,
}

#[derive(Serialize)]
struct ItemJson {
    /// `backup`, `slice`, `gap` (its record) or `orphan`.
    kind: &'static str,
    name: String,
    replica_set: Option<String>,
    /// A backup: the moment it restores to.
    restores_to: Option<TimeJson>,
    /// A slice, a gap.
    range: Option<RangeJson>,
    bytes: u64,
    keep: bool,
    reasons: Vec<String>,
}

#[derive(Serialize)]
struct DeletedJson {
    backups: usize,
    slices: usize,
    objects: usize,
    bytes: u64,
}

impl From<Deleted> for DeletedJson {
    fn from(deleted: Deleted) -> Self {
        Self { backups: deleted.backups, slices: deleted.slices, objects: deleted.objects, bytes: deleted.bytes }
    }
}

impl ItemJson {
    fn new(kind: &'static str, name: String, verdict: &Verdict) -> Self {
        let reasons = verdict.reasons().iter().map(ToString::to_string).collect();
        Self { kind, name, replica_set: None, restores_to: None, range: None, bytes: 0, keep: verdict.is_keep(), reasons }
    }

    fn orphan(orphan: &Orphan) -> Self {
        let name = orphan.objects.first().map(|object| object.name.clone()).unwrap_or_default();
        Self {
            kind: "orphan",
            name,
            replica_set: None,
            restores_to: None,
            range: None,
            bytes: orphan.bytes(),
            keep: false,
            reasons: vec![orphan.kind.to_string()],
        }
    }
}

impl PruneJson {
    pub fn new(policy: &Policy, verdicts: &Verdicts<'_>, orphans: &[Orphan], lost: &[OplogRange], deleted: Option<Deleted>) -> Self {
        let backup = |Judged { item, verdict }: &Judged<'_, Backup>| ItemJson {
            restores_to: Some(item.consistent_at().into()),
            bytes: item.bytes,
            ..ItemJson::new("backup", item.name.to_string(), verdict)
        };
        let mut items: Vec<_> = verdicts.backups.iter().map(backup).collect();
        items.extend(verdicts.slices.iter().map(|Judged { item, verdict }| ItemJson {
            replica_set: Some(item.replica_set.to_string()),
            range: Some(item.range.into()),
            bytes: item.bytes,
            ..ItemJson::new("slice", item.object().into_owned(), verdict)
        }));
        items.extend(verdicts.gaps.iter().map(|Judged { item, verdict }| ItemJson {
            replica_set: Some(item.replica_set.to_string()),
            range: Some(item.range.into()),
            ..ItemJson::new("gap", item.range.to_string(), verdict)
        }));
        items.extend(orphans.iter().map(ItemJson::orphan));
        Self {
            policy: policy.to_string(),
            items,
            lost: lost.iter().copied().map(RangeJson::from).collect(),
            deleted_bytes: verdicts.deleted_bytes(),
            deleted: deleted.map(DeletedJson::from),
        }
    }
}

/// `oplogue delete`.
#[derive(Serialize)]
pub struct DeletionJson {
    backup: BackupJson,
    /// Why it is refused, or would be without `--lose-range`.
    refusal: Option<String>,
    /// Moments that could not be restored any more.
    lost: Vec<RangeJson>,
    /// What was done; `null` with `--dry-run`.
    deleted: Option<DeletedJson>,
}

impl DeletionJson {
    pub fn new(backup: &Backup, refusal: Option<&Refusal>, deleted: Option<Deleted>) -> Self {
        let lost = refusal.filter(|refusal| refusal.is_a_loss()).map_or(&[][..], Refusal::ranges);
        Self {
            backup: backup.into(),
            refusal: refusal.map(ToString::to_string),
            lost: lost.iter().copied().map(RangeJson::from).collect(),
            deleted: deleted.map(DeletedJson::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use oplogue_domain::diagram;
    use oplogue_domain::retention::{Scope, retention};

    use super::*;

    #[test]
    fn every_item_is_there_with_its_reasons() {
        let catalog = diagram::catalog("rs0   A=|--|--|~~|\nrs0         B=|--|");
        let policy = Policy { count: 1, ..Policy::default() };
        let verdicts = retention(&catalog, &policy, &Scope::everything(), u32::MAX);
        let json = serde_json::to_value(PruneJson::new(&policy, &verdicts, &[], &[], None)).expect("serialises");
        let items = json["items"].as_array().expect("a list");
        let kinds: Vec<_> = items.iter().map(|item| (item["kind"].as_str().unwrap_or_default(), item["keep"].as_bool())).collect();
        let expected = [("backup", false), ("backup", true), ("slice", false), ("slice", false), ("slice", true), ("gap", true)];
        assert_eq!(kinds, expected.map(|(kind, keep)| (kind, Some(keep))));
        assert!(items.iter().all(|item| item["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty())));
        assert_eq!(json["deleted"], serde_json::Value::Null);
    }
}
