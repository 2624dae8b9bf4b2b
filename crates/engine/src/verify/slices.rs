//! The slices of one replica set, in order, several read at the same time.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use oplogue_domain::damage::{Loss, unexplained};
use oplogue_domain::{Catalog, Coverage, OplogRange, ReplicaSetName, Slice};
use oplogue_format::compression::Compression;
use oplogue_format::sidecar::{self, LocatedRecord, SliceRecord};
use oplogue_repository::ObjectRef;

use super::chain::{Chain, Seen};
use super::object::Fault;
use super::{CheckedSlices, Kind, Notes, Tally, Work};

/// Everybody of whom slices or records of slices are there.
pub(super) async fn replica_sets(work: &Work, catalog: &Catalog) -> anyhow::Result<Vec<ReplicaSetName>> {
    let mut names: BTreeSet<ReplicaSetName> = catalog.slices.keys().cloned().collect();
    let folders = work.repository.storage().folders(sidecar::SLICES.trim_end_matches('/')).await?;
    names.extend(folders.iter().filter_map(|folder| folder.strip_prefix(sidecar::SLICES)?.parse().ok()));
    Ok(names.into_iter().collect())
}

pub(super) async fn check(
    work: &Work,
    catalog: &Catalog,
    replica_set: &ReplicaSetName,
    notes: &mut Notes,
) -> anyhow::Result<CheckedSlices> {
    let coverage = Coverage::of(catalog, replica_set);
    let explained: Vec<OplogRange> = catalog.recorded_gaps.get(replica_set).into_iter().flatten().map(|gap| gap.range).collect();
    let mut chain = Chain::new(replica_set, &coverage, &explained);
    let mut checked = CheckedSlices { replica_set: replica_set.clone(), tally: Tally::default(), unrecorded: 0 };
    let slices = catalog.slices_of(replica_set);
    let checks = slices.iter().cloned().map(|slice| look_at(work, slice));
    let mut checks = stream::iter(checks).buffered(work.parallel);
    while let Some(looked) = checks.next().await {
        let (seen, found) = looked?;
        checked.tally.objects += 1;
        checked.unrecorded += u64::from(seen.record.is_none());
        if let Some(entries) = &seen.entries {
            checked.tally.add(Tally { objects: 0, read: 1, stored_bytes: seen.slice.bytes, documents: entries.summary.documents });
        }
        notes.take(found);
        chain.add(&seen, notes);
    }
    drop(checks);
    records_without_slices(work, catalog, replica_set, &coverage, notes).await?;
    holes(catalog, replica_set, notes);
    Ok(checked)
}

/// One slice: its record, and its entries if it is in the sample.
async fn look_at(work: &Work, slice: Slice) -> anyhow::Result<(Seen, Notes)> {
    work.stop_if_cancelled()?;
    let mut notes = Notes::default();
    let object = slice.object().into_owned();
    let lost = || Loss::Slice { replica_set: slice.replica_set.clone(), object: object.clone() };
    let record = match work.repository.sealed_slice_facts(&slice).await {
        Ok(record) => record,
        Err(error) => {
            let fault = Fault::of(error)?;
            notes.find(sidecar::slice_record(&slice.replica_set, slice.range), Kind::Record, fault.what, Loss::Nothing);
            None
        }
    };
    let facts = record.as_ref().map(|(facts, _)| facts).filter(|facts| facts.object == object);
    if let Some(facts) = facts.filter(|facts| facts.stored_bytes != slice.bytes) {
        let what = format!("it has {} bytes, and {} were written", slice.bytes, facts.stored_bytes);
        notes.find(&object, Kind::Size, what, lost());
        return Ok((Seen { slice, record, entries: None }, notes));
    }
    let mut entries = None;
    if work.is_picked(&object) {
        match work.entries(&object_of(&slice, facts), slice.range).await? {
            Ok(read) => entries = Some(read),
            // It was there when everything was listed: retention, or a slicer that replaced it, took it away meanwhile.
            Err(Fault { kind: Kind::Missing, .. }) => notes.remark(format!("slice `{object}` was deleted before it could be read")),
            Err(fault) => notes.find(&object, fault.kind, fault.what, lost()),
        }
    }
    Ok((Seen { slice, record, entries }, notes))
}

fn object_of(slice: &Slice, facts: Option<&SliceRecord>) -> ObjectRef {
    ObjectRef {
        stored_bytes: Some(slice.bytes),
        stored_crc64: facts.map(|facts| facts.stored_crc64),
        stored_hash: facts.and_then(|facts| facts.stored_hash),
        ..ObjectRef::named(slice.object())
    }
}

/// A record is deleted before its slice: one alone speaks of a slice that was lost. Looked for day by day, because there may be millions.
async fn records_without_slices(
    work: &Work,
    catalog: &Catalog,
    replica_set: &ReplicaSetName,
    coverage: &Coverage,
    notes: &mut Notes,
) -> anyhow::Result<()> {
    let storage = work.repository.storage();
    let there: BTreeSet<OplogRange> = catalog.slices_of(replica_set).iter().map(|slice| slice.range).collect();
    let told = notes.gone(replica_set);
    let folder = sidecar::slice_records_folder(replica_set);
    for day in storage.folders(folder.trim_end_matches('/')).await? {
        work.stop_if_cancelled()?;
        for object in storage.list(&day).await? {
            let LocatedRecord::Slice { replica_set: of, range } = sidecar::locate(&object.name) else { continue };
            if of != *replica_set || there.contains(&range) || told.contains(&range) {
                continue;
            }
            if coverage.missing(range).is_empty() {
                notes.remark(format!("`{}` is the record of a slice that is not there; others hold its entries", object.name));
                continue;
            }
            let name = oplogue_format::pbm::layout::slice(replica_set, range, Compression::Zstd);
            let what = format!("the slice of {range} that it speaks of is not there");
            let gone = Slice { replica_set: replica_set.clone(), range, name: name.into(), bytes: 0 };
            notes.find(object.name, Kind::Missing, what, Loss::Gone(gone));
        }
    }
    Ok(())
}

/// Holes that neither a record of ours nor anything found before explains.
fn holes(catalog: &Catalog, replica_set: &ReplicaSetName, notes: &mut Notes) {
    let gone = notes.gone(replica_set);
    for hole in unexplained(catalog, replica_set) {
        if gone.iter().any(|gone| gone.after < hole.through && hole.after < gone.through) {
            continue;
        }
        let behind = catalog.slices_of(replica_set).iter().find(|slice| slice.range.after == hole.through);
        let object = behind.map_or_else(|| hole.to_string(), |slice| slice.object().into_owned());
        let what = format!("the oplog of {hole} before it is missing, and nothing says why: slicing stood still, or slices were lost");
        notes.find(object, Kind::Hole, what, Loss::Nothing);
    }
}
