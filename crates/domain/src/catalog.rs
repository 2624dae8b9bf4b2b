//! Everything found on a storage, parsed and sorted.

use std::collections::BTreeMap;
use std::fmt;

use crate::backup::{Backup, BackupName, BackupProblem};
use crate::namespace::ReplicaSetName;
use crate::slice::Slice;
use crate::time::OplogRange;

/// Why a stretch of the oplog is not on the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The server had already discarded these entries when the slicer came for them.
    OplogRolledOver,
    /// Nobody was slicing, and no record says why.
    NotSliced,
    /// A slice is there but cannot be read.
    Damaged(String),
    /// It was there, and retention or a person deleted it.
    Deleted,
    /// As recorded by another version.
    Other(String),
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OplogRolledOver => f.write_str("the server's oplog rolled over before it was sliced"),
            Self::NotSliced => f.write_str("nothing was slicing"),
            Self::Damaged(what) => write!(f, "a slice is damaged: {what}"),
            Self::Deleted => f.write_str("it was deleted, by retention or by hand"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// A stretch of oplog that is not on the storage, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub replica_set: ReplicaSetName,
    pub range: OplogRange,
    pub reason: GapReason,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Oldest first, by the moment they restore to.
    pub backups: Vec<Backup>,
    /// Per replica set, by range.
    pub slices: BTreeMap<ReplicaSetName, Vec<Slice>>,
    /// Holes as the slicer recorded them, per replica set, by range.
    pub recorded_gaps: BTreeMap<ReplicaSetName, Vec<Gap>>,
    /// Objects that look like ours and could not be understood: name and why.
    pub unreadable: Vec<(String, String)>,
}

impl Catalog {
    pub fn backup(&self, name: &BackupName) -> Option<&Backup> {
        self.backups.iter().find(|backup| backup.name == *name)
    }

    pub fn slices_of(&self, replica_set: &ReplicaSetName) -> &[Slice] {
        self.slices.get(replica_set).map_or(&[], Vec::as_slice)
    }

    /// Every replica set that a backup or a slice speaks of, sorted.
    pub fn replica_sets(&self) -> Vec<ReplicaSetName> {
        let mut names: Vec<_> = self.slices.keys().cloned().collect();
        names.extend(self.backups.iter().flat_map(|backup| &backup.snapshots).map(|snapshot| snapshot.replica_set.clone()));
        names.sort();
        names.dedup();
        names
    }

    /// The slice of `replica_set` that reaches furthest.
    pub fn newest_slice(&self, replica_set: &ReplicaSetName) -> Option<&Slice> {
        self.slices_of(replica_set).iter().max_by_key(|slice| slice.range.through)
    }

    /// The full, usable backup that holds `replica_set` and restores to the latest moment.
    pub fn newest_base(&self, replica_set: &ReplicaSetName) -> Option<&Backup> {
        let bases = self.backups.iter().filter(|backup| backup.is_base());
        let of_it = bases.filter_map(|backup| Some((backup.snapshot(replica_set)?.oplog.through, backup)));
        of_it.max_by_key(|(through, backup)| (*through, backup.started)).map(|(_, backup)| backup)
    }

    /// The catalog as if the cluster had no replica sets but these: for a restore of one shard alone, or when several
    /// replica sets that are no cluster share a folder. A backup without any of them is left out.
    pub fn only(&self, replica_sets: &[ReplicaSetName]) -> Self {
        let kept = |name: &ReplicaSetName| replica_sets.contains(name);
        let mut catalog = self.clone();
        for backup in &mut catalog.backups {
            backup.snapshots.retain(|snapshot| kept(&snapshot.replica_set));
        }
        // A backup whose metadata could not be read names no replica set, and stays to be listed with its problem.
        catalog.backups.retain(|backup| !backup.snapshots.is_empty() || backup.problem.is_some());
        catalog.slices.retain(|name, _| kept(name));
        catalog.recorded_gaps.retain(|name, _| kept(name));
        catalog
    }

    /// The catalog after `object` turned out to be no good: the slice becomes a gap whose reason is `what`. Planning again
    /// on the result finds another way, or the nearest moments that are still good.
    pub fn without_slice(&self, replica_set: &ReplicaSetName, object: &str, what: &str) -> Self {
        let mut catalog = self.clone();
        let Some(slices) = catalog.slices.get_mut(replica_set) else { return catalog };
        let damaged: Vec<_> = slices.extract_if(.., |slice| slice.object() == object).collect();
        let gaps = catalog.recorded_gaps.entry(replica_set.clone()).or_default();
        for slice in damaged {
            let reason = GapReason::Damaged(format!("{object}: {what}"));
            // First, so that its reason is the one told.
            gaps.insert(0, Gap { replica_set: replica_set.clone(), range: slice.range, reason });
        }
        catalog
    }

    /// The catalog in which a slice is there that is not: as it was before that slice was lost.
    pub fn with_slice(&self, slice: Slice) -> Self {
        let mut catalog = self.clone();
        let slices = catalog.slices.entry(slice.replica_set.clone()).or_default();
        let place = slices.partition_point(|known| known.range <= slice.range);
        slices.insert(place, slice);
        catalog
    }

    /// The catalog after `backup` turned out to be no good.
    pub fn without_backup(&self, backup: &BackupName, problem: BackupProblem) -> Self {
        let mut catalog = self.clone();
        for found in catalog.backups.iter_mut().filter(|found| found.name == *backup) {
            found.problem = Some(problem.clone());
        }
        catalog
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagram::{at, backup_name, catalog, replica_set};

    #[test]
    fn the_newest_slice_is_the_one_that_reaches_furthest() {
        let catalog = catalog(
            "rs0   |-------------|
             rs0        |---|
             rs1   |--|",
        );
        assert_eq!(catalog.newest_slice(&replica_set("rs0")).map(|slice| slice.object().into_owned()).as_deref(), Some("rs0/0-14"));
        assert_eq!(catalog.newest_slice(&replica_set("rs1")).map(|slice| slice.range.through), Some(at(3)));
        assert_eq!(catalog.newest_slice(&replica_set("rs2")), None);
    }

    #[test]
    fn the_newest_base_is_full_sound_and_holds_the_replica_set() {
        let catalog = catalog(
            "rs0   A=|  B=|        s=|
             rs1   A=|       C=|",
        );
        let newest = |catalog: &Catalog, name: &str| catalog.newest_base(&replica_set(name)).map(|backup| backup.name.to_string());
        assert_eq!(newest(&catalog, "rs0").as_deref(), Some("B"));
        assert_eq!(newest(&catalog, "rs1").as_deref(), Some("C"));
        assert_eq!(newest(&catalog, "rs2"), None);
        let broken = catalog.without_backup(&backup_name("B"), BackupProblem::NotDone("error".to_owned()));
        assert_eq!(newest(&broken, "rs0").as_deref(), Some("A"));
    }

    #[test]
    fn replica_sets_are_told_once_and_sorted_whoever_speaks_of_them() {
        let catalog = catalog(
            "rs2   |--|
             rs0   B=|--|
             rs1   B=|",
        );
        assert_eq!(catalog.replica_sets(), [replica_set("rs0"), replica_set("rs1"), replica_set("rs2")]);
    }

    #[test]
    fn a_catalog_of_some_replica_sets_keeps_what_speaks_of_them_and_what_cannot_be_read() {
        let mut catalog = catalog(
            "rs0   B=|--|~~|
             rs1   B==|--|~|
             rs1   C=|",
        );
        let mut unreadable = catalog.backups[0].clone();
        unreadable.name = backup_name("unreadable");
        unreadable.snapshots.clear();
        unreadable.problem = Some(BackupProblem::Unreadable("not JSON".to_owned()));
        catalog.backups.push(unreadable);

        let only = catalog.only(&[replica_set("rs0")]);
        assert_eq!(only.backups.iter().map(|backup| backup.name.as_str()).collect::<Vec<_>>(), ["B", "unreadable"]);
        assert_eq!(only.replica_sets(), [replica_set("rs0")]);
        assert_eq!(only.recorded_gaps.len(), 1);
        assert_eq!(only.backups[0].consistent_at(), at(2));
        assert!(catalog.only(&[]).slices.is_empty());
    }

    #[test]
    fn setting_aside_what_is_not_there_changes_nothing() {
        let catalog = catalog("rs0   B=|--|");
        assert_eq!(catalog.without_slice(&replica_set("rs1"), "rs0/2-5", "gone"), catalog);
        assert_eq!(catalog.without_backup(&backup_name("X"), BackupProblem::NotDone("error".to_owned())), catalog);
        assert_eq!(catalog.without_slice(&replica_set("rs0"), "other", "gone").slices, catalog.slices);
    }

    #[test]
    fn reasons_are_sentences() {
        for (reason, text) in [
            (GapReason::OplogRolledOver, "the server's oplog rolled over before it was sliced"),
            (GapReason::NotSliced, "nothing was slicing"),
            (GapReason::Damaged("a: ends early".to_owned()), "a slice is damaged: a: ends early"),
            (GapReason::Deleted, "it was deleted, by retention or by hand"),
            (GapReason::Other("as it is".to_owned()), "as it is"),
        ] {
            assert_eq!(reason.to_string(), text);
        }
    }
}
