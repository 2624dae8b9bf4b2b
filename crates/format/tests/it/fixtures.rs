//! The storages under `fixtures/pbm`, in memory: see the README there.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::LazyLock;

use oplogue_domain::{Backup, BackupName, Namespace, ReplicaSetName};
use oplogue_format::compression::Compression;
use oplogue_format::pbm::backup_json::BackupJson;
use oplogue_format::pbm::collections::SnapshotMetadata;
use oplogue_format::pbm::layout;
use oplogue_format::{DocumentReader, decoder};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/pbm")
}

pub fn truth(file: &str) -> Value {
    let text = std::fs::read(folder().join(file)).expect("a file of the fixtures");
    serde_json::from_slice(&text).expect("JSON of the fixtures")
}

pub fn lines(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder().join(file)).expect("a file of the fixtures");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON of the fixtures")).collect()
}

/// A storage PBM wrote: object name → bytes.
pub struct Storage {
    pub objects: BTreeMap<String, Vec<u8>>,
}

pub static SNAPSHOTS: LazyLock<Storage> = LazyLock::new(|| Storage::unpack("snapshots"));
pub static PITR: LazyLock<Storage> = LazyLock::new(|| Storage::unpack("pitr"));
pub static SHARDED: LazyLock<Storage> = LazyLock::new(|| Storage::unpack("sharded"));

impl Storage {
    fn unpack(name: &str) -> Self {
        let archive = std::fs::File::open(folder().join(format!("storage-{name}.tar"))).expect("an archive of the fixtures");
        let mut archive = tar::Archive::new(std::io::BufReader::new(archive));
        let mut objects = BTreeMap::new();
        for entry in archive.entries().expect("an archive") {
            let mut entry = entry.expect("a whole archive");
            let path = String::from_utf8(entry.path_bytes().into_owned()).expect("names in UTF-8");
            if entry.header().entry_type().is_file() {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).expect("a whole archive");
                let object = path.strip_prefix(&format!("{name}/")).expect("one folder").to_owned();
                objects.insert(object, bytes);
            }
        }
        Self { objects }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    pub fn get(&self, name: &str) -> &[u8] {
        self.objects.get(name).unwrap_or_else(|| panic!("no object {name}"))
    }

    pub fn backups(&self) -> Vec<(BackupJson, Backup)> {
        let is_backup = |name: &&str| matches!(layout::locate(name), layout::Located::BackupJson { .. });
        let parse = |name: &str| {
            let json = BackupJson::parse(self.get(name)).expect("metadata PBM wrote");
            assert_eq!(layout::backup_json(&json.name), name);
            let domain = json.to_domain().expect("names PBM uses");
            (json, domain)
        };
        self.names().filter(is_backup).map(parse).collect()
    }

    pub fn metadata(&self, backup: &BackupName, replica_set: &ReplicaSetName) -> SnapshotMetadata {
        SnapshotMetadata::read_json(self.get(&layout::metadata_json(backup, replica_set))).expect("metadata PBM wrote")
    }

    pub fn documents(&self, object: &str, compression: Compression) -> Documents {
        read_documents(compression, self.get(object).to_vec())
    }

    pub fn namespace(&self, backup: &Backup, replica_set: &ReplicaSetName, namespace: &Namespace) -> Documents {
        let compression = backup.compression.parse().expect("a compression PBM knows");
        self.documents(&layout::namespace_object(&backup.name, replica_set, namespace, compression), compression)
    }
}

/// What an object holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Documents {
    pub count: u64,
    pub bytes: u64,
    pub crc64: u64,
    /// As the fixtures define it: independent of the order.
    pub docset_sha256: String,
}

pub fn read_documents(compression: Compression, stored: Vec<u8>) -> Documents {
    let mut reader = DocumentReader::new(decoder(compression, Box::new(Cursor::new(stored))));
    let mut hashes: Vec<String> =
        reader.by_ref().map(|document| hex::encode(Sha256::digest(document.expect("a whole object").as_bytes()))).collect();
    hashes.sort();
    Documents {
        count: reader.documents(),
        bytes: reader.bytes(),
        crc64: reader.crc64(),
        docset_sha256: hex::encode(Sha256::digest(hashes.join("\n"))),
    }
}

pub fn rs(name: &str) -> ReplicaSetName {
    name.parse().expect("a replica set of the test")
}

/// `{"$timestamp": {"t", "i"}}` or `{"t", "i"}`.
pub fn time(value: &Value) -> oplogue_domain::OplogTime {
    let value = value.get("$timestamp").unwrap_or(value);
    let part = |key: &str| u32::try_from(value[key].as_u64().expect("a time of the fixtures")).expect("32 bits");
    oplogue_domain::OplogTime::new(part("t"), part("i"))
}
