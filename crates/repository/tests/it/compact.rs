//! Compaction on a storage: wherever it stops the same moments can be restored, by us and by PBM, and every entry is there once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bson::RawDocumentBuf;
use oplogue_domain::compact::{Merge, Policy, compact};
use oplogue_domain::coverage::Coverage;
use oplogue_domain::{Catalog, Moment, NamespaceSelection, OplogRange, OplogSource, OplogTime, ReplicaSetName, Timeline, choose, timeline};
use oplogue_format::compression::Compression;
use oplogue_repository::{Repository, RepositoryError};
use oplogue_storage::fate::{Action, Fate, Fates, fated};

use crate::pbm::unpack;
use crate::support::{self, Checked, at, backup, memory, rs0, slice, time_of};

/// Spans of ten seconds.
const TENS: Policy = Policy { older_than_seconds: 0, span_seconds: 10, bytes_max: u64::MAX };
const LATER: u32 = 100_000;

/// Dead after so many changes; what is asked then fails.
struct Crash {
    changes_left: AtomicU32,
}

impl Fates for Crash {
    fn fate(&self, action: Action<'_>) -> Fate {
        let changes = u32::from(matches!(action, Action::Put(_) | Action::Delete(_)));
        let left = self.changes_left.load(Ordering::Relaxed);
        if left == 0 {
            return Fate::Failed;
        }
        self.changes_left.store(left - changes, Ordering::Relaxed);
        Fate::Done
    }
}

/// A backup and eleven slices: a second of entries each, one with a continuation, one of another compression.
async fn world() -> Result<Repository, Box<dyn std::error::Error>> {
    let repository = memory();
    backup(&repository, "base", &[], Compression::Zstd).await?;
    for number in 0..11 {
        let first = if number == 0 { at(100, 5) } else { at(100 + number, 1) };
        let times: Vec<_> = std::iter::once(first).chain((6..9).map(|ordinal| at(100 + number, ordinal))).collect();
        let times: Vec<_> = times.into_iter().chain([at(101 + number, 1)]).collect();
        let stored = slice(&repository, &times, if number == 4 { Compression::S2 } else { Compression::None }).await?;
        if number == 2 {
            let whole = repository.storage().get(&stored.slice.object()).await?;
            repository.storage().put(&format!("{}.pbmpart.1", stored.slice.object()), whole.slice(50..)).await?;
            repository.storage().put(&stored.slice.object(), whole.slice(..50)).await?;
        }
    }
    Ok(repository)
}

async fn copy(repository: &Repository) -> Result<Repository, Box<dyn std::error::Error>> {
    let copied = memory();
    for object in repository.storage().list("").await? {
        copied.storage().put(&object.name, repository.storage().get(&object.name).await?).await?;
    }
    Ok(copied)
}

async fn entries(repository: &Repository, catalog: &Catalog, name: &ReplicaSetName) -> Result<Vec<RawDocumentBuf>, RepositoryError> {
    let coverage = Coverage::of(catalog, name);
    let mut entries = Vec::new();
    for stretch in coverage.stretches() {
        for piece in coverage.chain(*stretch).expect("a stretch is covered") {
            let read = support::entries(repository.read_oplog(name, &piece.source).await?).await?;
            entries.extend(read.into_iter().filter(|entry| piece.range.contains(time_of(entry))));
        }
    }
    Ok(entries)
}

/// PBM sorts by the beginning, and looks at each slice and the one before.
fn has_gap_for_pbm(catalog: &Catalog) -> bool {
    let mut ranges: Vec<OplogRange> = catalog.slices_of(&rs0()).iter().map(|slice| slice.range).collect();
    ranges.sort_by_key(|range| range.after);
    let gap = |ranges: &[OplogRange]| ranges.windows(2).any(|pair| pair[0].through < pair[1].after);
    let mut other = ranges.clone();
    other.sort_by_key(|range| (range.after, std::cmp::Reverse(range.through)));
    gap(&ranges) || gap(&other)
}

fn what_people_see(catalog: &Catalog) -> Timeline {
    timeline(catalog)
}

async fn finish(repository: &Repository) -> Result<usize, Box<dyn std::error::Error>> {
    let mut done = 0;
    loop {
        let merges = compact(&repository.catalog().await?, &TENS, LATER);
        if merges.is_empty() {
            return Ok(done);
        }
        for merge in merges {
            repository.compact(&merge, Compression::Zstd).await?;
            done += 1;
        }
    }
}

#[tokio::test]
async fn wherever_it_stops_the_same_moments_can_be_restored_and_the_next_compaction_finishes() -> Checked {
    let world = world().await?;
    let before = world.catalog().await?;
    let (seen, held) = (what_people_see(&before), entries(&world, &before, &rs0()).await?);
    for changes in 0.. {
        let repository = copy(&world).await?;
        let mortal = Repository::new(fated(repository.storage(), Arc::new(Crash { changes_left: AtomicU32::new(changes) })));
        let merges = compact(&before, &TENS, LATER);
        assert_eq!(merges.iter().map(|merge| merge.replaces.len()).collect::<Vec<_>>(), [10]);
        let ended = mortal.compact(&merges[0], Compression::Zstd).await;

        let stopped = repository.catalog().await?;
        // A continuation may be left, which is an orphan and swept as such.
        assert!(stopped.unreadable.iter().all(|(_, why)| why.contains("only continuations")), "after {changes} changes: {stopped:?}");
        assert_eq!(what_people_see(&stopped), seen, "after {changes} changes");
        assert!(!has_gap_for_pbm(&stopped), "after {changes} changes: {:?}", stopped.slices);
        assert_eq!(entries(&repository, &stopped, &rs0()).await?, held, "after {changes} changes");
        let moment = choose(&stopped, &Moment::At(at(104, 7)), &NamespaceSelection::Everything)?;
        assert_eq!(moment.through, at(104, 7));

        finish(&repository).await?;
        let after = repository.catalog().await?;
        let ranges: Vec<_> = after.slices_of(&rs0()).iter().map(|slice| slice.range).collect();
        assert_eq!(ranges, [OplogRange::new(at(100, 5), at(110, 1)), OplogRange::new(at(110, 1), at(111, 1))], "after {changes} changes");
        assert_eq!(entries(&repository, &after, &rs0()).await?, held, "after {changes} changes");
        let records = repository.storage().list("oplogue/slices").await?;
        let objects = repository.storage().list("pbmPitr").await?;
        assert!(objects.len() == 2 + after.unreadable.len() && after.unreadable.len() <= 1, "{objects:?}");
        assert!(records.len() <= 2, "{records:?}");
        if ended.is_ok() {
            let facts = repository.slice_facts(&after.slices_of(&rs0())[0]).await?.ok_or("no record")?;
            assert_eq!((facts.entries, facts.replaces.len()), (41, 10));
            assert!(changes > 20, "it ended after {changes} changes");
            return Ok(());
        }
    }
    unreachable!("a compaction ends")
}

/// Stores the first object it is given otherwise.
struct CorruptsSlices;

impl Fates for CorruptsSlices {
    fn fate(&self, action: Action<'_>) -> Fate {
        match action {
            Action::Put(key) if key.starts_with("pbmPitr/") => Fate::Corrupted,
            _ => Fate::Done,
        }
    }
}

#[tokio::test]
async fn a_long_slice_that_reads_otherwise_is_taken_away_and_the_short_ones_stay() -> Checked {
    for compression in [Compression::None, Compression::Zstd] {
        let repository = world().await?;
        let before = repository.catalog().await?;
        let corrupting = Repository::new(fated(repository.storage(), Arc::new(CorruptsSlices)));
        let merges = compact(&before, &TENS, LATER);
        let ended = corrupting.compact(&merges[0], compression).await;
        assert!(matches!(&ended, Err(RepositoryError::Damaged { .. })), "{ended:?}");
        assert_eq!(repository.catalog().await?, before);
    }
    Ok(())
}

/// The one merge of the world.
async fn merge(repository: &Repository) -> Result<Merge, Box<dyn std::error::Error>> {
    Ok(compact(&repository.catalog().await?, &TENS, LATER).into_iter().next().ok_or("nothing to merge")?)
}

#[tokio::test]
async fn a_damaged_or_missing_short_slice_stops_it_before_anything_has_changed() -> Checked {
    for damage in ["flipped", "short", "gone"] {
        let repository = world().await?;
        let merge = merge(&repository).await?;
        let object = merge.replaces[6].object().into_owned();
        let bytes = repository.storage().get(&object).await?;
        match damage {
            "flipped" => {
                let mut bytes = bytes.to_vec();
                bytes[20] ^= 1;
                repository.storage().put(&object, bytes.into()).await?;
            }
            // Between two entries: only the name tells.
            "short" => {
                let first = usize::try_from(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))?;
                repository.storage().put(&object, bytes.slice(..first)).await?;
                repository.storage().delete_under("oplogue/slices").await?;
            }
            _ => repository.storage().delete(&object).await?,
        }
        let before = repository.storage().list("").await?;
        let ended = repository.compact(&merge, Compression::Zstd).await;
        assert!(matches!(&ended, Err(RepositoryError::Damaged { .. } | RepositoryError::Missing { .. })), "{damage}: {ended:?}");
        assert_eq!(repository.storage().list("").await?, before, "{damage}");
    }
    Ok(())
}

#[tokio::test]
async fn a_long_slice_that_is_there_must_hold_what_the_short_ones_hold() -> Checked {
    let repository = world().await?;
    let merge = merge(&repository).await?;
    // As somebody else might have made it: one entry is missing in the middle.
    let mut times: Vec<OplogTime> = Vec::new();
    for piece in &merge.pieces {
        let read = support::entries(repository.read_oplog(&rs0(), &piece.source).await?).await?;
        times.extend(read.iter().map(time_of).filter(|time| piece.range.contains(*time)));
    }
    times.remove(20);
    slice(&repository, &times, Compression::Gzip).await?;
    let before = repository.catalog().await?;
    let merges = compact(&before, &TENS, LATER);
    assert!(merges[0].keeps.is_some());
    let ended = repository.compact(&merges[0], Compression::Zstd).await;
    assert!(matches!(&ended, Err(RepositoryError::Damaged { why, .. }) if why.contains("does not hold the entry")), "{ended:?}");
    assert_eq!(repository.catalog().await?, before);
    Ok(())
}

#[tokio::test]
async fn what_pbm_sliced_becomes_long_slices_with_every_entry_as_it_was() -> Checked {
    for (file, folder) in [("storage-pitr.tar", "pitr"), ("storage-sharded.tar", "sharded")] {
        let unpacked = unpack(file, folder)?;
        let repository = &unpacked.repository;
        let before = repository.catalog().await?;
        let seen = what_people_see(&before);
        let mut held = Vec::new();
        for name in before.replica_sets() {
            held.push((name.clone(), before.slices_of(&name).len(), entries(repository, &before, &name).await?));
        }
        let policy = Policy { older_than_seconds: 0, span_seconds: 86_400, bytes_max: u64::MAX };
        for merge in compact(&before, &policy, u32::MAX) {
            let last = OplogSource::Slice(merge.replaces.last().ok_or("nothing to replace")?.clone());
            let compression = Compression::of_name(&last.to_string());
            repository.compact(&merge, compression).await?;
        }
        let after = repository.catalog().await?;
        assert_eq!(what_people_see(&after), seen, "{file}");
        for (name, slices, held) in held {
            assert_eq!(entries(repository, &after, &name).await?, held, "{file}: {name}");
            assert!(slices < 4 || after.slices_of(&name).len() < slices, "{file}: {name}: {slices}");
        }
    }
    Ok(())
}
