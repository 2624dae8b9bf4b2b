//! Deleting: wherever it stops, nothing looks restorable that is not; nothing of others is touched; leftovers are found.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use oplogue_domain::retention::{Deletions, Policy, Scope, deletion_of, lost, retention};
use oplogue_domain::{Catalog, Moment, Namespace, NamespaceSelection, OplogRange, OplogSource, OplogTime, choose, timeline};
use oplogue_format::compression::Compression;
use oplogue_repository::{DeletionStep, OrphanKind, Repository, Spool};
use oplogue_storage::{Storage, StorageOptions};

use crate::support::{
    Checked, at, backup_facts, collection, documents, entries, entry, facts, fixture, memory, name, rs0, slice, time_of, write,
};

const DAY: Duration = Duration::from_secs(86_400);
/// Long after everything the tests write.
const LATER: u32 = 2_000_000_000;

/// The same repository at every run with the same seed.
struct Dice(u64);

impl Dice {
    /// Below `sides`.
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 33).unwrap_or(0) % sides
    }
}

/// A backup of one collection whose oplog reaches from `first` to `last`.
async fn backup(repository: &Repository, named: &str, first: u32, last: u32) -> Checked {
    let namespaces = [Namespace::new("shop", "orders"), Namespace::new("shop", "a//b")];
    let mut writer = repository.begin_snapshot(name(named), rs0(), Compression::None);
    writer.assign(namespaces.iter());
    let mut written = Vec::new();
    for namespace in &namespaces {
        written.push(collection(namespace, write(&writer, namespace, &documents(3)).await?));
    }
    let mut spool = Spool::new(Compression::None)?;
    spool.write(&(first..=last).map(|second| entry(at(second, 1))).collect::<Vec<_>>()).await?;
    let snapshot = writer.finish(written, spool, facts(OplogRange::new(at(first, 1), at(last, 1)))).await?;
    let facts = oplogue_repository::BackupFacts { started: first, finished: last, ..backup_facts(named, Compression::None) };
    repository.finish_backup(&facts, vec![snapshot]).await?;
    Ok(())
}

async fn slices(repository: &Repository, ends: &[u32], lost: &[usize]) -> Checked {
    for (index, pair) in ends.windows(2).enumerate().filter(|(index, _)| !lost.contains(index)) {
        let times: Vec<_> = (pair[0]..=pair[1]).map(|second| at(second, 1)).collect();
        let stored = slice(repository, &times, Compression::None).await?;
        // As PBM cuts large objects.
        if index % 3 == 0 {
            let whole = repository.storage().get(&stored.slice.object()).await?;
            let middle = whole.len() / 2;
            repository.storage().put(&stored.slice.object(), whole.slice(..middle)).await?;
            repository.storage().put(&format!("{}.pbmpart.1", stored.slice.object()), whole.slice(middle..)).await?;
        }
    }
    Ok(())
}

async fn copy(repository: &Repository) -> Result<Repository, Box<dyn std::error::Error>> {
    let copy = memory();
    for object in repository.storage().list("").await? {
        copy.storage().put(&object.name, repository.storage().get(&object.name).await?).await?;
    }
    Ok(copy)
}

/// Everything that is said to be restorable really is: each object is read to its end.
async fn assert_true(repository: &Repository, catalog: &Catalog, told: &str) -> Checked {
    for backup in catalog.backups.iter().filter(|backup| backup.problem.is_none()) {
        for snapshot in &backup.snapshots {
            let contents = repository.snapshot(backup, &snapshot.replica_set).await.map_err(|error| format!("{told}: {error}"))?;
            for collection in &contents.collections {
                repository.verify_documents(collection).await.map_err(|error| format!("{told}: {error}"))?;
            }
        }
    }
    for range in &timeline(catalog).cluster {
        for moment in [range.from, range.through] {
            let choice = choose(catalog, &Moment::At(moment), &NamespaceSelection::Everything)?;
            for part in &choice.parts {
                let mut position = part.snapshot.oplog.after.predecessor();
                for piece in &part.oplog {
                    let read = entries(repository.read_oplog(&part.replica_set, &piece.source).await?).await;
                    let times: Vec<OplogTime> = read.map_err(|error| format!("{told}: {error}"))?.iter().map(time_of).collect();
                    for second in position.seconds + 1..=piece.range.through.seconds {
                        assert!(times.contains(&at(second, 1)), "{told}: entry {second} is not in {}", piece.source);
                    }
                    position = piece.range.through;
                }
            }
        }
    }
    assert!(!catalog.unreadable.iter().any(|(name, _)| name.ends_with(".pbm.json")), "{told}: {:?}", catalog.unreadable);
    Ok(())
}

async fn carry_out(repository: &Repository, step: &DeletionStep) -> Checked {
    match step {
        DeletionStep::Record(gap) => repository.record_gap(gap, LATER).await?,
        DeletionStep::Delete(objects) => {
            for object in objects {
                repository.storage().delete(&object.name).await?;
            }
        }
    }
    Ok(())
}

/// One step per object; inside a step the order does not matter, so every other world goes backwards there.
fn one_by_one(steps: &[DeletionStep], backwards: bool) -> Vec<DeletionStep> {
    let split = |step: &DeletionStep| match step {
        DeletionStep::Record(_) => vec![step.clone()],
        DeletionStep::Delete(objects) => {
            let mut single: Vec<_> = objects.iter().map(|object| DeletionStep::Delete(vec![object.clone()])).collect();
            if backwards {
                single.reverse();
            }
            single
        }
    };
    steps.iter().flat_map(split).collect()
}

#[tokio::test]
async fn a_crash_after_any_object_leaves_nothing_that_looks_restorable_and_is_not() -> Checked {
    let mut deleted = 0;
    for seed in 0..80 {
        let mut dice = Dice(seed);
        let repository = memory();
        let mut ends = vec![100 + dice.roll(3)];
        for _ in 0..3 + dice.roll(5) {
            ends.push(ends[ends.len() - 1] + 1 + dice.roll(5));
        }
        let lost_slices: Vec<usize> = (0..ends.len()).filter(|_| dice.roll(8) == 0).collect();
        slices(&repository, &ends, &lost_slices).await?;
        let span = ends[ends.len() - 1] - ends[0];
        for index in 0..2 + dice.roll(3) {
            let first = ends[0] + dice.roll(span);
            backup(&repository, &format!("b{index}"), first, first + dice.roll(4)).await?;
        }
        let policy = if dice.roll(2) == 0 {
            Policy { count: 1 + dice.roll(2), ..Policy::default() }
        } else {
            Policy { window_seconds: u64::from(1 + dice.roll(span)), ..Policy::default() }
        };
        let now = ends[ends.len() - 1];

        let before = repository.catalog().await?;
        let verdicts = retention(&before, &policy, &Scope::everything(), now);
        let (deletions, after) = (verdicts.deletions(), verdicts.after(&before));
        let steps = one_by_one(&repository.deletion_steps(&deletions).await?, seed % 2 == 1);
        deleted += steps.len();
        let crashing = copy(&repository).await?;
        for k in 0..=steps.len() {
            let told = format!("seed {seed}, {policy:?}, after {k} of {} deletions", steps.len());
            let found = crashing.catalog().await?;
            assert_true(&crashing, &found, &told).await?;
            let gained = oplogue_domain::retention::gained(&before, &found);
            assert!(gained.is_empty(), "{told}: {gained:?}");
            assert_eq!(lost(&after, &found), [], "{told}: something promised is away");

            // Whoever decides and deletes again comes to the same end.
            if k % 3 == 0 {
                let again = copy(&crashing).await?;
                let verdicts = retention(&found, &policy, &Scope::everything(), now);
                again.delete(&verdicts.deletions(), LATER, &|_, _| {}).await?;
                let end = again.catalog().await?;
                assert_eq!((&end.backups, &end.slices), (&after.backups, &after.slices), "{told}");
            }
            if let Some(step) = steps.get(k) {
                carry_out(&crashing, step).await?;
            }
        }
        let counted = Mutex::new((0, 0));
        let report = repository.delete(&deletions, LATER, &|done, total| *counted.lock().expect("nobody panics") = (done, total)).await?;
        assert_eq!(*counted.lock().expect("nobody panics"), (steps.len(), steps.len()));
        assert_eq!((report.backups, report.slices), (deletions.backups.len(), deletions.slices.len()));
        let end = repository.catalog().await?;
        assert_eq!((&end.backups, &end.slices, &end.recorded_gaps), (&after.backups, &after.slices, &after.recorded_gaps), "seed {seed}");
        let kept: BTreeSet<String> = end.backups.iter().map(|backup| backup.name.to_string()).collect();
        for object in repository.storage().list("").await? {
            let of_a_backup = object.name.split('/').find(|part| part.starts_with('b') && part.len() == 2);
            assert!(of_a_backup.is_none_or(|name| kept.contains(name)), "seed {seed}: {} is left", object.name);
        }
    }
    assert!(deleted > 750, "only {deleted} deletions were tried");
    Ok(())
}

fn on_disk(folder: &std::path::Path) -> Result<Repository, Box<dyn std::error::Error>> {
    Ok(Repository::new(Storage::open(&format!("file://{}", folder.display()), &StorageOptions::default())?))
}

async fn names(repository: &Repository) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    Ok(repository.storage().list("").await?.into_iter().map(|object| object.name).collect())
}

#[tokio::test]
async fn what_pbm_wrote_is_pruned_and_the_rest_is_still_restorable() -> Checked {
    for (file, inside) in [("storage-snapshots.tar", "snapshots"), ("storage-pitr.tar", "pitr"), ("storage-sharded.tar", "sharded")] {
        let unpacked = tempfile::tempdir()?;
        tar::Archive::new(std::fs::File::open(fixture(file))?).unpack(unpacked.path())?;
        let repository = on_disk(&unpacked.path().join(inside))?;
        let before = repository.catalog().await?;
        for policy in [Policy { count: 1, ..Policy::default() }, Policy { window_seconds: 60, ..Policy::default() }] {
            let verdicts = retention(&before, &policy, &Scope::everything(), LATER);
            repository.delete(&verdicts.deletions(), LATER, &|_, _| {}).await?;
            let end = repository.catalog().await?;
            let after = verdicts.after(&before);
            assert_eq!((&end.backups, &end.slices), (&after.backups, &after.slices), "{file}");
            assert_eq!(timeline(&end).newest(), timeline(&before).newest(), "{file}: the newest moment is always kept");
            choose(&end, &Moment::Latest, &NamespaceSelection::Everything)?;
        }
        let end = repository.catalog().await?;
        let listed = names(&repository).await?;
        for gone in before.backups.iter().filter(|backup| end.backup(&backup.name).is_none()) {
            assert!(!listed.iter().any(|name| name.starts_with(gone.name.as_str())), "{file}: something of {} is left", gone.name);
        }
        for set in end.replica_sets() {
            for slice in end.slices_of(&set) {
                assert!(!entries(repository.read_oplog(&set, &OplogSource::Slice(slice.clone())).await?).await?.is_empty());
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn metadata_is_found_by_the_name_inside_and_other_peoples_objects_stay() -> Checked {
    let repository = memory();
    backup(&repository, "b", 100, 103).await?;
    backup(&repository, "bb", 104, 105).await?;
    let json = repository.storage().get("b.pbm.json").await?;
    repository.storage().put("copied by hand.pbm.json", json).await?;
    for name in ["photos/2024/beach.jpg", "notes.txt", "b.txt", "bbb/rs0/x"] {
        repository.storage().put(name, "mine".into()).await?;
    }
    let catalog = repository.catalog().await?;
    repository.delete(&deletion_of(&catalog, &name("b")), LATER, &|_, _| {}).await?;
    let left = names(&repository).await?;
    assert!(!left.iter().any(|name| name.starts_with("b/") || name.ends_with("hand.pbm.json") || name.contains("/b/")), "{left:?}");
    for name in ["photos/2024/beach.jpg", "notes.txt", "b.txt", "bbb/rs0/x", "bb.pbm.json", "bb/rs0/metadata.json"] {
        assert!(left.iter().any(|found| found == name), "{name} is gone");
    }
    assert_true(&repository, &repository.catalog().await?, "the other backup").await
}

#[tokio::test]
async fn a_cluster_in_a_folder_of_a_backups_name_loses_nothing() -> Checked {
    let repository = memory();
    backup(&repository, "shop", 100, 103).await?;
    let cluster = Repository::new(repository.storage().within("shop"));
    backup(&cluster, "theirs", 100, 103).await?;
    slices(&cluster, &[103, 105], &[]).await?;
    let (theirs, catalog) = (names(&cluster).await?, repository.catalog().await?);
    repository.delete(&deletion_of(&catalog, &name("shop")), LATER, &|_, _| {}).await?;
    let left = names(&cluster).await?;
    assert!(theirs.iter().filter(|name| !name.starts_with("rs0/")).all(|name| left.contains(name)), "{left:?}");
    assert_true(&cluster, &cluster.catalog().await?, "the cluster's").await
}

#[tokio::test]
async fn deleting_again_and_deleting_nothing_are_fine() -> Checked {
    let repository = memory();
    backup(&repository, "b", 100, 103).await?;
    let deletions = deletion_of(&repository.catalog().await?, &name("b"));
    assert!(repository.delete(&deletions, LATER, &|_, _| {}).await?.objects > 3);
    assert_eq!(repository.delete(&deletions, LATER, &|_, _| {}).await?.objects, 0);
    assert_eq!(repository.delete(&Deletions::default(), LATER, &|_, _| {}).await?.objects, 0);
    Ok(())
}

/// A repository on disk with one of each kind of leftover, and much that must not be mistaken for one.
async fn littered(folder: &std::path::Path) -> Result<Repository, Box<dyn std::error::Error>> {
    let repository = on_disk(folder)?;
    backup(&repository, "whole", 100, 103).await?;
    slices(&repository, &[103, 105, 107], &[]).await?;
    let storage = repository.storage();
    for name in [
        // A backup of ours that was killed.
        "oplogue/backups/killed/claims/1-2",
        "killed/rs0/shop.orders.zst",
        // A claim that a slow write brought back.
        "oplogue/backups/whole/claims/1-3",
        // One that PBM left.
        "2026-11-22T10:00:05Z/rs0/shop.orders.zst",
        "oplogue/probe-0011223344556677",
        "oplogue/slices/rs0/19700101/19700101000200-1.19700101000210-1.json",
        "pbmPitr/rs0/19700101/19700101000300-1.19700101000310-1.oplog.zst.pbmpart.1",
        // None of ours.
        "photos/2024/beach.jpg",
        "somebody/rs0/metadata.json",
        "2026-11-23T10:00:05Z/.pbm.init",
        "2026-11-23T10:00:05Z/theirs/rs0/data.zst",
        ".pbm.restore/2026/rs.rs0/node.x",
    ] {
        storage.put(name, "x".into()).await?;
    }
    Ok(repository)
}

#[tokio::test]
async fn leftovers_are_found_when_they_are_surely_old_and_nothing_else_is() -> Checked {
    let folder = tempfile::tempdir()?;
    let repository = littered(folder.path()).await?;
    let kinds = async |after: Duration| -> Result<Vec<OrphanKind>, Box<dyn std::error::Error>> {
        let orphans = repository.orphans(SystemTime::now() + after, DAY).await?;
        Ok(orphans.into_iter().map(|orphan| orphan.kind).collect())
    };
    assert_eq!(kinds(DAY - Duration::from_secs(60)).await?, []);
    let mut expected = vec![
        OrphanKind::Backup(name("killed")),
        OrphanKind::SliceRecord("oplogue/slices/rs0/19700101/19700101000200-1.19700101000210-1.json".to_owned()),
        OrphanKind::SliceParts("pbmPitr/rs0/19700101/19700101000300-1.19700101000310-1.oplog.zst".to_owned()),
        OrphanKind::Probe("oplogue/probe-0011223344556677".to_owned()),
        OrphanKind::Claim(name("whole")),
    ];
    let mut found = kinds(DAY + Duration::from_secs(60)).await?;
    found.sort();
    assert_eq!(found, expected);
    assert!(found.iter().all(|kind| !kind.to_string().is_empty()));
    // PBM shows no sign of life: its leftovers wait longer.
    expected.insert(0, OrphanKind::Backup(name("2026-11-22T10:00:05Z")));
    let mut found = kinds(DAY * 7 + Duration::from_secs(60)).await?;
    found.sort();
    assert_eq!(found, expected);

    // A sign of life: the running backup has renewed its claim.
    let claim = folder.path().join("oplogue/backups/killed/claims/1-2");
    std::fs::File::options().write(true).open(claim)?.set_modified(SystemTime::now() + DAY)?;
    assert!(!kinds(DAY + Duration::from_secs(60)).await?.contains(&OrphanKind::Backup(name("killed"))));
    Ok(())
}

#[tokio::test]
async fn sweeping_takes_the_leftovers_and_nothing_else_and_finishes_what_it_began() -> Checked {
    let folder = tempfile::tempdir()?;
    let repository = littered(folder.path()).await?;
    let before = names(&repository).await?;
    let future = SystemTime::now() + DAY * 8;
    let orphans = repository.orphans(future, DAY).await?;
    // It stopped after the data, before the claim: what is left is still known for what it is.
    repository.storage().delete("killed/rs0/shop.orders.zst").await?;
    assert!(repository.orphans(future, DAY).await?.iter().any(|orphan| orphan.kind == OrphanKind::Backup(name("killed"))));

    repository.sweep(&orphans).await?;
    assert_eq!(repository.orphans(future, DAY).await?, []);
    let gone: BTreeSet<String> = orphans.iter().flat_map(|orphan| &orphan.objects).map(|object| object.name.clone()).collect();
    let left = names(&repository).await?;
    assert_eq!(left, before.into_iter().filter(|name| !gone.contains(name)).collect::<Vec<_>>());
    assert_true(&repository, &repository.catalog().await?, "what is whole").await
}

#[tokio::test]
async fn a_backup_that_ended_after_all_is_not_swept() -> Checked {
    let folder = tempfile::tempdir()?;
    let repository = on_disk(folder.path())?;
    backup(&repository, "late", 100, 103).await?;
    let json = repository.storage().get("late.pbm.json").await?;
    repository.storage().delete("late.pbm.json").await?;
    let orphans = repository.orphans(SystemTime::now() + DAY * 2, DAY).await?;
    assert_eq!(orphans.len(), 1);
    repository.storage().put("late.pbm.json", json).await?;
    repository.sweep(&orphans).await?;
    assert_true(&repository, &repository.catalog().await?, "it ended").await
}

#[tokio::test]
async fn in_a_storage_without_times_nothing_is_old() -> Checked {
    let repository = memory();
    repository.claim_name(&name("b"), "1").await?;
    repository.renew_claim(&name("b"), "1").await?;
    assert_eq!(repository.orphans(SystemTime::now() + DAY * 365, DAY).await?, []);
    assert_eq!(repository.storage().list("oplogue/backups/b/claims").await?.len(), 1);
    Ok(())
}
