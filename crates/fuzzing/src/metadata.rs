//! What describes a backup: PBM's documents and our records.

use oplogue_format::pbm::backup_json::{BackupJson, StoreNote};
use oplogue_format::pbm::collections::SnapshotMetadata;
use oplogue_format::sidecar::{GapRecord, SliceRecord, SnapshotRecord};

/// The bytes are a `.pbm.json`, or one of our records.
pub(crate) fn backup_json(bytes: &[u8]) {
    if let Ok(read) = BackupJson::parse(bytes) {
        let _ = (read.generation(), read.lost_index_options());
        if let Ok(backup) = read.to_domain() {
            let written = BackupJson::from_domain(&backup).to_json(&StoreNote::Filesystem { path: "backups".to_owned() });
            let again = BackupJson::parse(&written).expect("what we write can be read");
            let again = again.to_domain().expect("what we write describes a backup");
            assert_eq!(again.name, backup.name);
            assert_eq!(again.snapshots.len(), backup.snapshots.len());
        }
    }
    if let Ok(record) = SnapshotRecord::parse(bytes) {
        let again = SnapshotRecord::parse(&record.to_json()).expect("what we write can be read");
        assert_eq!(again, record);
    }
    if let Ok(record) = SliceRecord::parse(bytes) {
        let again = SliceRecord::parse(&record.to_json()).expect("what we write can be read");
        assert_eq!(again, record);
    }
    if let Ok(record) = GapRecord::parse(bytes) {
        let again = GapRecord::parse(&record.to_json()).expect("what we write can be read");
        assert_eq!(again, record);
    }
}

/// The bytes are a `metadata.json`, or a `meta.pbm`.
pub(crate) fn metadata_json(bytes: &[u8]) {
    if let Ok(read) = SnapshotMetadata::read_json(bytes) {
        let again = SnapshotMetadata::read_json(&read.write_json()).expect("what we write can be read");
        assert_eq!(again.collections.len(), read.collections.len());
    }
    if let Ok(read) = SnapshotMetadata::read_bson(bytes)
        && let Ok(written) = read.write_bson()
    {
        let again = SnapshotMetadata::read_bson(&written).expect("what we write can be read");
        assert_eq!(again.collections.len(), read.collections.len());
    }
}
