//! `<backup>.pbm.json`: what PBM knows about a backup. Written last, so its presence means the backup is whole.
//!
//! Reading is as tolerant as PBM's own (see `go_json`); what is understood but cannot be restored becomes a [`BackupProblem`] of the
//! domain, not an error. Writing gives every field PBM 2.15 needs to list and restore, and the ones its listings show. Rules from
//! sections 2 and 10 of the PBM specification.

use std::collections::BTreeMap;

use oplogue_domain::backup::BackupNameError;
use oplogue_domain::namespace::NamespaceError;
use oplogue_domain::{
    Backup, BackupKind, BackupName, BackupProblem, NamespacePattern, NamespaceSelection, OplogRange, OplogTime, ReplicaSetName, Snapshot,
};
use serde_json::Value;

use super::go_json::{Object, WrongType};

mod write;

/// Why a `.pbm.json` cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum BackupJsonError {
    #[error("it is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    #[error(transparent)]
    WrongType(#[from] WrongType),
    #[error(transparent)]
    Name(#[from] BackupNameError),
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
}

/// The document, with the fields we use. Zero and empty values stand for missing ones, as in PBM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupJson {
    /// `logical`, `physical`, `incremental`, `external`; anything else is as unusable.
    pub kind: String,
    pub opid: String,
    pub name: BackupName,
    /// Replica set → shard id, for those that differ.
    pub shard_remap: BTreeMap<String, String>,
    /// The selection of a selective backup; empty for a full one.
    pub namespaces: Vec<String>,
    pub users_and_roles: bool,
    pub replica_sets: Vec<ReplicaSetJson>,
    pub compression: String,
    pub bytes: u64,
    pub mongodb_version: String,
    pub fcv: String,
    /// Unix seconds.
    pub start_seconds: u32,
    pub last_transition_seconds: u32,
    pub first_write: OplogTime,
    pub last_write: OplogTime,
    pub status: String,
    pub error: String,
    pub pbm_version: String,
    /// Our own mark: what wrote it, when it was us.
    pub written_by: Option<String>,
}

/// One replica set's part of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSetJson {
    pub name: ReplicaSetName,
    /// The object with the metadata of the collections (for 1.x: the archive).
    pub metadata_object: String,
    /// The folder with the oplog (from 2.4 on), or the one object (before).
    pub oplog_name: String,
    pub first_write: OplogTime,
    pub last_write: OplogTime,
    /// `host:port`.
    pub node: String,
    pub is_config_server: bool,
    pub is_config_shard: bool,
    pub start_seconds: u32,
    /// When the documents had all been read, as far as its history says. Unix seconds.
    pub dump_done_seconds: Option<u32>,
    pub pbm_version: String,
    pub mongodb_version: String,
}

/// Where a backup lies, as told to people in PBM's listings. PBM replaces it by its own configuration when it reads the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreNote {
    Filesystem { path: String },
    S3 { bucket: String, prefix: String, region: String, endpoint: String },
    Gcs { bucket: String, prefix: String },
    Azure { container: String, prefix: String },
}

/// Which generation of PBM's format a backup has, by `pbm_version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// Before 2.0: one archive for all collections. Not supported.
    Archive,
    /// 2.0 to 2.3: the oplog is one object.
    SingleOplog,
    /// From 2.4: the oplog is a folder.
    OplogFolder,
}

impl Generation {
    /// A version that cannot be read counts as older than all others, as in PBM.
    pub fn of(pbm_version: &str) -> Self {
        match version(pbm_version) {
            Some(version) if version >= (2, 4) => Self::OplogFolder,
            Some(version) if version >= (2, 0) => Self::SingleOplog,
            _ => Self::Archive,
        }
    }
}

/// Major and minor of `v2.15.0-rc1`.
fn version(text: &str) -> Option<(u32, u32)> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let text = text.split(['-', '+']).next()?;
    let mut numbers = text.split('.').map(|number| number.parse::<u32>().ok());
    Some((numbers.next()??, numbers.next().unwrap_or(Some(0))?))
}

impl BackupJson {
    /// Reads the document as PBM would, and a little more: unknown, missing, null and differently cased keys are fine.
    pub fn parse(bytes: &[u8]) -> Result<Self, BackupJsonError> {
        let value: Value = serde_json::from_slice(bytes)?;
        let object = Object::new(&value, "")?;
        let replica_sets: Result<Vec<_>, BackupJsonError> =
            object.array("replsets")?.into_iter().map(|(path, value)| ReplicaSetJson::parse(&Object::new(value, &path)?)).collect();
        let mut shard_remap = BTreeMap::new();
        if let Some(remap) = object.object("shardRemap")? {
            for (replica_set, _) in remap.fields() {
                shard_remap.insert(replica_set.clone(), remap.text(replica_set)?);
            }
        }
        let written_by = object.object("x_oplogue")?.map(|ours| ours.text("version")).transpose()?;
        Ok(Self {
            kind: object.text("type")?,
            opid: object.text("opid")?,
            name: object.text("name")?.parse()?,
            shard_remap,
            namespaces: object.texts("nss")?,
            users_and_roles: object.flag("sel_users_and_roles")?,
            replica_sets: replica_sets?,
            compression: object.text("compression")?,
            bytes: u64::try_from(object.integer("size")?).unwrap_or(0),
            mongodb_version: object.text("mongodb_version")?,
            fcv: object.text("fcv")?,
            start_seconds: object.seconds("start_ts")?,
            last_transition_seconds: object.seconds("last_transition_ts")?,
            first_write: object.time("first_write_ts")?,
            last_write: object.time("last_write_ts")?,
            status: object.text("status")?,
            error: object.text("error")?,
            pbm_version: object.text("pbm_version")?,
            written_by,
        })
    }

    pub fn generation(&self) -> Generation {
        Generation::of(&self.pbm_version)
    }

    pub fn replica_set(&self, name: &ReplicaSetName) -> Option<&ReplicaSetJson> {
        self.replica_sets.iter().find(|replica_set| replica_set.name == *name)
    }

    /// True when every index lost its options beyond the basic ones: PBM 2.8.0 did that.
    pub fn lost_index_options(&self) -> bool {
        self.pbm_version.trim_start_matches('v').split(['-', '+']).next() == Some("2.8.0")
    }

    /// The domain's view, with what keeps it from being restored as far as this document tells.
    pub fn to_domain(&self) -> Result<Backup, BackupJsonError> {
        let mut snapshots: Vec<Snapshot> = self.replica_sets.iter().map(|replica_set| self.snapshot(replica_set)).collect();
        snapshots.sort_by(|left, right| left.replica_set.cmp(&right.replica_set));
        let selection = self.selection()?;
        Ok(Backup {
            name: self.name.clone(),
            kind: if self.kind == "logical" { BackupKind::Logical } else { BackupKind::Unsupported },
            snapshots,
            users_and_roles: selection.is_everything() || self.users_and_roles,
            selection,
            compression: self.compression.clone(),
            bytes: self.bytes,
            mongodb_version: self.mongodb_version.clone(),
            fcv: self.fcv.clone(),
            pbm_version: self.pbm_version.clone(),
            written_by: self.written_by.clone(),
            started: self.start_seconds,
            finished: self.last_transition_seconds,
            last_write: self.last_write,
            problem: self.problem(),
        })
    }

    fn snapshot(&self, replica_set: &ReplicaSetJson) -> Snapshot {
        let or_cluster = |own: OplogTime, cluster| if own == OplogTime::MIN { cluster } else { own };
        let first = or_cluster(replica_set.first_write, self.first_write);
        let last = or_cluster(replica_set.last_write, self.last_write);
        Snapshot {
            replica_set: replica_set.name.clone(),
            // On a replica set without writes PBM may write them the other way round.
            oplog: OplogRange::new(first.min(last), last),
            node: Some(replica_set.node.clone()).filter(|node| !node.is_empty()),
            is_config_server: replica_set.is_config_server,
        }
    }

    /// `*` and `*.*` are the whole cluster, as on PBM's command line.
    fn selection(&self) -> Result<NamespaceSelection, NamespaceError> {
        if self.namespaces.iter().any(|pattern| matches!(pattern.as_str(), "*" | "*.*")) {
            return Ok(NamespaceSelection::Everything);
        }
        let patterns: Result<Vec<NamespacePattern>, _> = self.namespaces.iter().map(|pattern| pattern.parse()).collect();
        Ok(NamespaceSelection::from_patterns(patterns?))
    }

    fn problem(&self) -> Option<BackupProblem> {
        if self.kind != "logical" {
            let kind = if self.kind.is_empty() { "of no known kind".to_owned() } else { format!("`{}`", self.kind) };
            return Some(BackupProblem::Unsupported(kind));
        }
        if self.status != "done" {
            return Some(BackupProblem::NotDone(self.status.clone()));
        }
        if self.generation() == Generation::Archive {
            let version = if self.pbm_version.is_empty() { "an unknown version".to_owned() } else { format!("PBM {}", self.pbm_version) };
            return Some(BackupProblem::LegacyArchive(version));
        }
        if self.replica_sets.is_empty() {
            return Some(BackupProblem::Unreadable("it names no replica sets".to_owned()));
        }
        None
    }
}

impl ReplicaSetJson {
    fn parse(object: &Object<'_>) -> Result<Self, BackupJsonError> {
        let mut dump_done_seconds = None;
        for (path, condition) in object.array("conditions")? {
            let condition = Object::new(condition, &path)?;
            if condition.text("status")? == "dumpDone" {
                dump_done_seconds = Some(condition.seconds("timestamp")?);
            }
        }
        Ok(Self {
            name: object.text("name")?.parse()?,
            metadata_object: object.text("backup_name")?,
            oplog_name: object.text("oplog_name")?,
            first_write: object.time("first_write_ts")?,
            last_write: object.time("last_write_ts")?,
            node: object.text("node")?,
            is_config_server: object.flag("iscs")?,
            is_config_shard: object.flag("configshard")?,
            start_seconds: object.seconds("start_ts")?,
            dump_done_seconds,
            pbm_version: object.text("pbm_version")?,
            mongodb_version: object.text("mongo_version")?,
        })
    }
}
