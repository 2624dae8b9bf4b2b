//! The two forms of a snapshot's metadata: against our record, or where there is none against each other.

use std::collections::BTreeSet;

use oplogue_domain::damage::Loss;
use oplogue_domain::{Namespace, ReplicaSetName};
use oplogue_format::checksum::{ContentHash, Crc64};
use oplogue_format::pbm::collections::SnapshotMetadata;
use oplogue_format::pbm::layout;
use oplogue_format::sidecar::{RecordedObject, SnapshotRecord};

use super::{Checking, Listed, metadata_objects, small_object};
use crate::verify::object::Fault;
use crate::verify::{Kind, Notes, Tally};

impl Checking<'_> {
    /// `metadata.json` and `meta.pbm`: against our record, or else against each other.
    pub(super) async fn check_metadata(
        &self,
        replica_set: &ReplicaSetName,
        record: Option<&SnapshotRecord>,
        listed: &Listed,
        notes: &mut Notes,
    ) -> anyhow::Result<Tally> {
        let mut texts = Vec::new();
        let mut tally = Tally::default();
        for name in metadata_objects(&self.backup.name, replica_set) {
            let recorded = record.and_then(|record| record.object(&name));
            if recorded.is_none() && !listed.contains_key(&name) {
                texts.push(None);
                continue;
            }
            let (bytes, fault) = match small_object(self.work, &name).await? {
                Ok(bytes) => {
                    let fault = recorded.and_then(|recorded| differs(&bytes, recorded));
                    tally.add(Tally { objects: 1, read: 1, stored_bytes: bytes.len() as u64, documents: 0 });
                    (Some(bytes), fault)
                }
                Err(fault) => (None, Some(fault)),
            };
            if let Some(fault) = fault {
                // With our record we can do without; PBM cannot.
                let (hint, loss) = match record {
                    Some(_) => ("; PBM can no longer restore it", Loss::Nothing),
                    None if name == layout::meta_pbm(&self.backup.name, replica_set) => ("", Loss::Nothing),
                    None => ("", self.lost()),
                };
                notes.find(&name, fault.kind, format!("{}{hint}", fault.what), loss);
            }
            texts.push(bytes);
        }
        if record.is_none()
            && let [Some(json), second] = texts.as_slice()
        {
            self.compare_metadata(replica_set, json, second.as_deref(), notes);
        }
        Ok(tally)
    }

    fn compare_metadata(&self, replica_set: &ReplicaSetName, json: &[u8], second: Option<&[u8]>, notes: &mut Notes) {
        let [json_name, bson_name] = metadata_objects(&self.backup.name, replica_set);
        // That it cannot be understood is told when it is opened.
        let (Ok(first), Some(second)) = (SnapshotMetadata::read_json(json), second) else { return };
        let second = match SnapshotMetadata::read_bson(second) {
            Ok(second) => second,
            Err(error) => return notes.find(bson_name, Kind::Metadata, error.to_string(), Loss::Nothing),
        };
        if let Some(what) = contradiction(&first, &second) {
            notes.find(json_name, Kind::Metadata, format!("it contradicts `{bson_name}`: {what}"), self.lost());
        }
    }
}

fn differs(bytes: &[u8], recorded: &RecordedObject) -> Option<Fault> {
    if bytes.len() as u64 != recorded.bytes {
        return Some(Fault::new(Kind::Size, format!("it has {} bytes, and {} were written", bytes.len(), recorded.bytes)));
    }
    let same = match recorded.hash {
        Some(hash) => ContentHash::of(bytes) == hash,
        None => Crc64::of(bytes) == recorded.crc64,
    };
    (!same).then(|| Fault::new(Kind::Content, "it is not what was written"))
}

/// Where two metadata of one snapshot do not agree.
fn contradiction(json: &SnapshotMetadata, bson: &SnapshotMetadata) -> Option<String> {
    let names = |metadata: &SnapshotMetadata| -> BTreeSet<Namespace> {
        metadata.collections.iter().map(|collection| collection.namespace.clone()).collect()
    };
    if let Some(name) = names(json).symmetric_difference(&names(bson)).next() {
        return Some(format!("only one of them knows {name}"));
    }
    for first in &json.collections {
        let second = bson.collection(&first.namespace)?;
        let what = [
            (first.kind != second.kind, "what kind of collection it is"),
            (first.bytes != second.bytes, "how many bytes its documents have"),
            (first.crc64 != second.crc64, "the checksum of its documents"),
            (first.uuid.is_some() && second.uuid.is_some() && first.uuid != second.uuid, "its UUID"),
            (first.indexes.len() != second.indexes.len(), "how many indexes it has"),
        ];
        if let Some((_, what)) = what.into_iter().find(|(differs, _)| *differs) {
            return Some(format!("of {}, {what}", first.namespace));
        }
        let named = |index: &bson::Document| {
            (index.get_str("name").unwrap_or_default().to_owned(), index.get_document("key").cloned().unwrap_or_default())
        };
        let keys = |document: &bson::Document| document.keys().cloned().collect::<Vec<_>>();
        for (left, right) in first.indexes.iter().zip(&second.indexes) {
            let ((left_name, left_key), (right_name, right_key)) = (named(left), named(right));
            if left_name != right_name || keys(&left_key) != keys(&right_key) {
                return Some(format!("of {}, its index {left_name}", first.namespace));
            }
        }
        if keys(&first.options) != keys(&second.options) {
            return Some(format!("of {}, its options", first.namespace));
        }
    }
    None
}
