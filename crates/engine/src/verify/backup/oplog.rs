//! The oplog of a backup: its objects in order, within their names, and as long as the metadata say.

use oplogue_domain::{OplogTime, Snapshot};
use oplogue_format::pbm::layout;

use super::{Checking, Listed, as_listed};
use crate::verify::{Kind, Notes, Tally};

impl Checking<'_> {
    pub(super) async fn check_oplog(&self, snapshot: &Snapshot, listed: &Listed, notes: &mut Notes) -> anyhow::Result<Tally> {
        let (name, replica_set) = (&self.backup.name, &snapshot.replica_set);
        let objects = self.work.repository.backup_oplog(name, replica_set).await?;
        let (named, _) = layout::backup_oplog_objects(name, replica_set, listed.keys().map(String::as_str));
        let mut tally = Tally::default();
        if objects.is_empty() {
            let folder = layout::backup_oplog_folder(name, replica_set);
            if !notes.findings.iter().any(|finding| finding.object == folder) {
                notes.find(folder, Kind::Missing, "no oplog is there, without which the documents are not consistent", self.lost());
            }
            return Ok(tally);
        }
        let mut reached: Option<OplogTime> = None;
        for object in &objects {
            tally.objects += 1;
            let stored = match as_listed(object, listed) {
                Ok(stored) => stored,
                Err(fault) => {
                    notes.find(&object.name, fault.kind, fault.what, self.lost());
                    continue;
                }
            };
            // Of PBM 2.0 to 2.3 there is one object, whose name tells no range.
            let range = named.iter().find(|named| named.object == object.name).map_or(snapshot.oplog, |named| named.range);
            if reached.is_some_and(|reached| reached < range.after) {
                notes.find(
                    &object.name,
                    Kind::Entries,
                    format!("it begins at {}, behind the end of the object before", range.after),
                    self.lost(),
                );
            }
            reached = reached.max(Some(range.through));
            if !self.work.is_picked(&object.name) {
                continue;
            }
            match self.work.entries(object, range).await? {
                Ok(entries) => tally.add(Tally { objects: 0, read: 1, stored_bytes: stored, documents: entries.summary.documents }),
                Err(fault) => notes.find(&object.name, fault.kind, fault.what, self.lost()),
            }
        }
        let first = named.first().map(|named| named.range.after);
        let wanted = snapshot.oplog;
        if first.is_some_and(|first| first > wanted.after) || reached.is_some_and(|reached| reached < wanted.through) {
            let what = format!("the metadata say that the oplog goes from {} to {}, and its objects do not", wanted.after, wanted.through);
            notes.find(layout::backup_oplog_folder(name, replica_set), Kind::Metadata, what, self.lost());
        }
        Ok(tally)
    }
}
