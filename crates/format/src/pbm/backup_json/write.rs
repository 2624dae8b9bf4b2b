//! Writing `.pbm.json`: from the domain's view of a backup to the text PBM reads.

use std::collections::BTreeMap;

use oplogue_domain::{Backup, BackupName, Snapshot};
use serde_json::{Value, json};

use super::{BackupJson, ReplicaSetJson, StoreNote};
use crate::checksum::Crc64;
use crate::pbm::{PBM_VERSION, go_json, layout};

impl BackupJson {
    /// The document for a backup of ours that is whole. Every snapshot's range must be that of the one
    /// oplog object it has; the history that PBM's listings show is made from `started` and `finished`.
    pub fn from_domain(backup: &Backup) -> Self {
        let first_writes = backup.snapshots.iter().map(|snapshot| snapshot.oplog.after);
        let replica_set = |snapshot: &Snapshot| ReplicaSetJson {
            name: snapshot.replica_set.clone(),
            metadata_object: layout::metadata_json(&backup.name, &snapshot.replica_set),
            oplog_name: layout::backup_oplog_folder(&backup.name, &snapshot.replica_set).trim_end_matches('/').to_owned(),
            first_write: snapshot.oplog.after,
            last_write: snapshot.oplog.through,
            node: snapshot.node.clone().unwrap_or_default(),
            is_config_server: snapshot.is_config_server,
            is_config_shard: false,
            start_seconds: backup.started,
            dump_done_seconds: Some(backup.finished),
            pbm_version: PBM_VERSION.to_owned(),
            mongodb_version: backup.mongodb_version.clone(),
        };
        Self {
            kind: "logical".to_owned(),
            opid: opid(&backup.name, backup.started),
            name: backup.name.clone(),
            shard_remap: BTreeMap::new(),
            namespaces: backup.selection.patterns().iter().map(ToString::to_string).collect(),
            users_and_roles: !backup.selection.is_everything() && backup.users_and_roles,
            replica_sets: backup.snapshots.iter().map(replica_set).collect(),
            compression: backup.compression.clone(),
            // PBM takes a size of 0 for a damaged backup.
            bytes: backup.bytes.max(1),
            mongodb_version: backup.mongodb_version.clone(),
            fcv: backup.fcv.clone(),
            start_seconds: backup.started,
            last_transition_seconds: backup.finished,
            first_write: first_writes.max().unwrap_or_default(),
            last_write: backup.last_write,
            status: "done".to_owned(),
            error: String::new(),
            pbm_version: PBM_VERSION.to_owned(),
            written_by: backup.written_by.clone(),
        }
    }

    /// The document as PBM writes it.
    pub fn to_json(&self, store: &StoreNote) -> Vec<u8> {
        let mut fields = vec![("type", json!(self.kind)), ("opid", json!(self.opid)), ("name", json!(self.name.as_str()))];
        if !self.shard_remap.is_empty() {
            fields.push(("shardRemap", json!(self.shard_remap)));
        }
        if !self.namespaces.is_empty() {
            fields.push(("nss", json!(self.namespaces)));
        }
        if self.users_and_roles {
            fields.push(("sel_users_and_roles", json!(true)));
        }
        let (start, end) = (self.start_seconds, self.last_transition_seconds);
        let nomination =
            |replica_set: &ReplicaSetJson| json!({ "rs": replica_set.name.as_str(), "n": [replica_set.node], "ack": replica_set.node });
        fields.extend([
            ("replsets", self.replica_sets.iter().map(|replica_set| replica_set.to_value(end)).collect()),
            ("compression", json!(self.compression)),
            ("store", store.to_value()),
            ("size", json!(self.bytes)),
            ("size_uncompressed", json!(0)),
            ("mongodb_version", json!(self.mongodb_version)),
            ("fcv", json!(self.fcv)),
            ("start_ts", json!(start)),
            ("last_transition_ts", json!(end)),
            ("first_write_ts", go_json::time(self.first_write)),
            ("last_write_ts", go_json::time(self.last_write)),
            ("hb", go_json::time(self.last_write)),
            ("status", json!(self.status)),
            ("conditions", conditions(&[("starting", start), ("running", start), ("dumpDone", end), ("done", end)])),
            ("n", self.replica_sets.iter().map(nomination).collect()),
        ]);
        if !self.error.is_empty() {
            fields.push(("error", json!(self.error)));
        }
        fields.extend([("pbm_version", json!(self.pbm_version)), ("balancer", json!("off"))]);
        if let Some(version) = &self.written_by {
            fields.push(("x_oplogue", json!({ "version": version })));
        }
        go_json::to_text(&object(fields), b"\t")
    }
}

impl ReplicaSetJson {
    fn to_value(&self, end: u32) -> Value {
        let start = self.start_seconds;
        let mut fields = vec![
            ("name", json!(self.name.as_str())),
            ("backup_name", json!(self.metadata_object)),
            ("oplog_name", json!(self.oplog_name)),
            ("start_ts", json!(start)),
            ("status", json!("done")),
            ("size", json!(0)),
            ("size_uncompressed", json!(0)),
        ];
        if self.is_config_server {
            fields.push(("iscs", json!(true)));
        }
        if self.is_config_shard {
            fields.push(("configshard", json!(true)));
        }
        fields.extend([
            ("last_transition_ts", json!(end)),
            ("first_write_ts", go_json::time(self.first_write)),
            ("last_write_ts", go_json::time(self.last_write)),
            ("node", json!(self.node)),
            ("conditions", conditions(&[("running", start), ("dumpDone", self.dump_done_seconds.unwrap_or(end)), ("done", end)])),
            ("pbm_version", json!(self.pbm_version)),
            ("mongo_version", json!(self.mongodb_version)),
        ]);
        object(fields)
    }
}

impl StoreNote {
    fn to_value(&self) -> Value {
        match self {
            Self::Filesystem { path } => json!({ "type": "filesystem", "filesystem": { "path": path } }),
            Self::S3 { bucket, prefix, region, endpoint } => {
                let (bucket, prefix) = (bucket.as_str(), prefix.trim_matches('/'));
                json!({ "type": "s3", "s3": { "region": region, "endpointUrl": endpoint, "bucket": bucket, "prefix": prefix } })
            }
            Self::Gcs { bucket, prefix } => json!({ "type": "gcs", "gcs": { "bucket": bucket, "prefix": prefix.trim_matches('/') } }),
            Self::Azure { container, prefix } => {
                json!({ "type": "azure", "azure": { "container": container, "prefix": prefix.trim_matches('/') } })
            }
        }
    }
}

fn object(fields: Vec<(&str, Value)>) -> Value {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<serde_json::Map<_, _>>().into()
}

fn conditions(history: &[(&str, u32)]) -> Value {
    history.iter().map(|(status, seconds)| json!({ "timestamp": seconds, "status": status })).collect()
}

/// PBM identifies the command that started a backup by an ObjectId; ours follows from the backup itself: its second, then a checksum of
/// its name.
fn opid(name: &BackupName, started: u32) -> String {
    format!("{started:08x}{:016x}", Crc64::of(name.as_str().as_bytes()))
}
