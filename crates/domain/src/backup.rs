//! A backup: the snapshots of all replica sets of a cluster under one name.

use std::fmt;
use std::str::FromStr;

use crate::namespace::{NamespaceSelection, ReplicaSetName};
use crate::time::{OplogRange, OplogTime};

/// The name of a backup. Any text that can be one folder's name; ours are the start time in RFC 3339, as PBM's are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupName(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a backup: it must be 1 to 200 characters without `/`, control characters or a leading dot")]
pub struct BackupNameError(pub String);

impl BackupName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BackupName {
    type Err = BackupNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = !text.is_empty() && text.len() <= 200 && !text.starts_with('.') && !text.contains('/');
        // Folders of the layout itself.
        let reserved = matches!(text, "pbmPitr" | "oplogue");
        if fits && !reserved && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BackupNameError(text.to_owned()))
        }
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupKind {
    Logical,
    /// Physical, incremental or external: recognised and listed, never used.
    Unsupported,
}

/// Why a backup that lies on the storage cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupProblem {
    #[error("its metadata cannot be read: {0}")]
    Unreadable(String),
    #[error("it is {0}, and only logical backups can be restored")]
    Unsupported(String),
    #[error("its status is `{0}`, not `done`")]
    NotDone(String),
    #[error("it was written by {0}, whose archive format is older than PBM 2.0")]
    LegacyArchive(String),
    #[error("object `{0}` is missing")]
    MissingObject(String),
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// One replica set's part of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub replica_set: ReplicaSetName,
    /// The oplog that makes the documents consistent: from before the first of them was read (`after`, inclusive in the object)
    /// to the moment the snapshot stands for (`through`).
    pub oplog: OplogRange,
    /// `host:port` that was read, when known.
    pub node: Option<String>,
    /// True on a config server's replica set.
    pub is_config_server: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    pub name: BackupName,
    pub kind: BackupKind,
    /// Sorted by replica set.
    pub snapshots: Vec<Snapshot>,
    pub selection: NamespaceSelection,
    /// Users and roles are in it: always in full ones, only when asked in selective ones.
    pub users_and_roles: bool,
    /// As written in the metadata: `zstd`, `s2`, …
    pub compression: String,
    /// Bytes as the metadata says; PBM counts compressed documents and uncompressed oplog.
    pub bytes: u64,
    pub mongodb_version: String,
    /// Feature compatibility version; empty before PBM 2.1.
    pub fcv: String,
    /// `2.15.0`: what wrote it, as far as its format goes.
    pub pbm_version: String,
    /// The writer's own name and version when it was us.
    pub written_by: Option<String>,
    /// Unix seconds.
    pub started: u32,
    pub finished: u32,
    /// The moment it restores to by PBM's reckoning (the minimum over the replica sets; see `Backup::consistent_at`).
    pub last_write: OplogTime,
    /// `None` when it can be restored as far as the listing tells.
    pub problem: Option<BackupProblem>,
}

impl Backup {
    pub fn snapshot(&self, replica_set: &ReplicaSetName) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.replica_set == *replica_set)
    }

    /// True for a backup a point-in-time restore may start from.
    pub fn is_base(&self) -> bool {
        self.problem.is_none() && self.kind == BackupKind::Logical && self.selection.is_everything()
    }

    /// The earliest moment at which the documents of every replica set are consistent. PBM's `last_write` is the minimum over
    /// the replica sets and may lie before the dump of a busy one ended (its bug W2); this never does.
    pub fn consistent_at(&self) -> OplogTime {
        self.snapshots.iter().map(|snapshot| snapshot.oplog.through).max().unwrap_or(self.last_write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagram::{at, catalog};

    #[test]
    fn a_backups_name_is_one_folder() {
        let longest = "x".repeat(200);
        for text in ["2026-11-22T10:00:05Z", "before the upgrade", "über", "a*b\"c", "pbm", longest.as_str()] {
            assert_eq!(text.parse::<BackupName>().map(|name| name.to_string()), Ok(text.to_owned()));
        }
        let too_long = "x".repeat(201);
        for text in ["", "a/b", "..", ".pbm.init", "pbmPitr", "oplogue", "a\nb", "a\0b", too_long.as_str()] {
            assert_eq!(text.parse::<BackupName>(), Err(BackupNameError(text.to_owned())));
        }
    }

    #[test]
    fn w2_a_backup_is_consistent_when_the_last_of_its_dumps_ended() {
        let backup = &catalog("rs0   B=====|\n rs1   B=|").backups[0];
        assert_eq!((backup.consistent_at(), backup.last_write), (at(6), at(2)));
    }

    #[test]
    fn a_backup_without_replica_sets_has_only_the_word_of_its_metadata() {
        let mut backup = catalog("rs0   B==|").backups.remove(0);
        backup.snapshots.clear();
        assert_eq!(backup.consistent_at(), backup.last_write);
    }

    #[test]
    fn only_full_sound_logical_backups_are_bases() {
        let backup = |letter: &str| catalog(&format!("rs0   {letter}==|")).backups.remove(0);
        assert!(backup("B").is_base() && !backup("s").is_base());
        assert!(!Backup { kind: BackupKind::Unsupported, ..backup("B") }.is_base());
        assert!(!Backup { problem: Some(BackupProblem::NotDone("running".to_owned())), ..backup("B") }.is_base());
    }
}
