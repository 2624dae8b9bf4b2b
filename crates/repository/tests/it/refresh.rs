//! Looking again: what is new is found in few requests, and the result is what a full listing gives.

use bytes::Bytes;
use oplogue_domain::{Gap, GapReason, Namespace, OplogRange};
use oplogue_format::compression::Compression;
use oplogue_repository::Repository;
use oplogue_storage::counting::{Counts, counted};
use oplogue_storage::{Storage, StorageOptions};

use crate::support::{Checked, at, backup, documents, rs0, slice};

fn watched() -> (Repository, Counts) {
    let (storage, counts) = counted(&Storage::memory());
    (Repository::new(storage.within("shop")), counts)
}

/// Names as ours, content of no interest.
async fn slices(repository: &Repository, replica_set: &str, from_second: u32, count: u32) -> Checked {
    let replica_set = replica_set.parse()?;
    for number in 0..count {
        let second = from_second + 10 * number;
        let range = OplogRange::new(at(second, 1), at(second + 10, 1));
        let name = oplogue_format::pbm::layout::slice(&replica_set, range, Compression::Zstd);
        repository.storage().put(&name, Bytes::from_static(b"x")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_was_added_is_found_in_a_handful_of_requests() -> Checked {
    let (repository, counts) = watched();
    slices(&repository, "rs0", 1_795_390_000, 5000).await?;
    slices(&repository, "rs1", 1_795_390_000, 5000).await?;
    backup(&repository, "first", &[(Namespace::new("shop", "orders"), documents(3))], Compression::Zstd).await?;
    counts.reset();
    let mut state = repository.state().await?;
    assert!(counts.requests() > 10, "a full listing pages through everything: {}", counts.requests());

    for round in 0..5 {
        slices(&repository, "rs0", 1_795_440_000 + 10 * round, 1).await?;
        counts.reset();
        state = repository.refresh(&state).await?;
        assert!(counts.requests() <= 5 && counts.listed() < 500, "{} requests, {} listed", counts.requests(), counts.listed());
        assert_eq!(**state.catalog(), repository.catalog().await?);
    }

    backup(&repository, "second", &[(Namespace::new("shop", "orders"), documents(9))], Compression::Zstd).await?;
    let gap = Gap { replica_set: rs0(), range: OplogRange::new(at(5, 1), at(9, 1)), reason: GapReason::OplogRolledOver };
    repository.record_gap(&gap, 100).await?;
    slices(&repository, "rs2", 1_795_440_000, 3).await?;
    repository.storage().put("broken.pbm.json", Bytes::from_static(b"{")).await?;
    repository.storage().put("pbmPitr/rs1/20261124/20261124120000-1.20261124120010-1.oplog", Bytes::new()).await?;
    counts.reset();
    state = repository.refresh(&state).await?;
    assert!(counts.requests() <= 10, "{} requests", counts.requests());
    assert_eq!(**state.catalog(), repository.catalog().await?);
    assert_eq!((state.catalog().backups.len(), state.catalog().unreadable.len()), (2, 2));
    Ok(())
}

#[tokio::test]
async fn nothing_new_is_the_same_value() -> Checked {
    let (repository, counts) = watched();
    let empty = repository.state().await?;
    assert!(std::sync::Arc::ptr_eq(empty.catalog(), repository.refresh(&empty).await?.catalog()));
    slices(&repository, "rs0", 1_795_390_000, 20).await?;
    backup(&repository, "first", &[(Namespace::new("shop", "orders"), documents(3))], Compression::Zstd).await?;
    let state = repository.refresh(&empty).await?;
    counts.reset();
    let again = repository.refresh(&state).await?;
    assert!(std::sync::Arc::ptr_eq(state.catalog(), again.catalog()));
    assert!(counts.requests() <= 4, "{} requests", counts.requests());
    Ok(())
}

#[tokio::test]
async fn what_went_is_noticed_at_once_or_by_the_next_full_listing() -> Checked {
    let (repository, _) = watched();
    slices(&repository, "rs0", 1_795_390_000, 5000).await?;
    slices(&repository, "gone", 1_795_390_000, 2).await?;
    for name in ["first", "second"] {
        backup(&repository, name, &[(Namespace::new("shop", "orders"), documents(3))], Compression::Zstd).await?;
    }
    repository.storage().put("broken.pbm.json", Bytes::from_static(b"{")).await?;
    let state = repository.state().await?;

    repository.storage().delete("first.pbm.json").await?;
    repository.storage().delete("broken.pbm.json").await?;
    repository.storage().delete_under("pbmPitr/gone").await?;
    let newest = state.catalog().newest_slice(&rs0()).ok_or("slices were made")?.object().into_owned();
    repository.storage().delete(&newest).await?;
    let state = repository.refresh(&state).await?;
    assert_eq!(**state.catalog(), repository.catalog().await?);

    let oldest = state.catalog().slices_of(&rs0())[0].object().into_owned();
    repository.storage().delete(&oldest).await?;
    assert_eq!(repository.refresh(&state).await?.catalog().slices_of(&rs0()).len(), 4999, "too old to be looked at");
    let state = repository.state().await?;
    assert_eq!(state.catalog().slices_of(&rs0()).len(), 4998);
    Ok(())
}

#[tokio::test]
async fn a_backup_that_changed_and_a_broken_slice_that_was_mended_are_read_again() -> Checked {
    let folder = tempfile::tempdir()?;
    let storage = Storage::open(&format!("file://{}", folder.path().display()), &StorageOptions::default())?;
    let repository = Repository::new(storage);
    backup(&repository, "first", &[], Compression::None).await?;
    let stored = slice(&repository, &[at(1_795_390_000, 1), at(1_795_390_007, 1)], Compression::Zstd).await?.slice.object().into_owned();
    let whole = repository.storage().get(&stored).await?;
    repository.storage().put(&stored, Bytes::new()).await?;
    let metadata = repository.storage().get("first.pbm.json").await?;
    repository.storage().put("first.pbm.json", Bytes::from_static(b"{")).await?;
    let state = repository.state().await?;
    assert_eq!((state.catalog().unreadable.len(), state.catalog().backups.len()), (2, 0));

    repository.storage().put(&stored, whole).await?;
    repository.storage().put("first.pbm.json", metadata).await?;
    let state = repository.refresh(&state).await?;
    assert_eq!(**state.catalog(), repository.catalog().await?);
    assert_eq!((state.catalog().unreadable.len(), state.catalog().backups.len()), (0, 1));
    Ok(())
}
