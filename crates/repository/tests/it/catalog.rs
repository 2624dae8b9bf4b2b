//! What a listing of a storage becomes: backups, slices, gaps, and what is wrong with them.

use bytes::Bytes;
use oplogue_domain::{BackupProblem, Namespace};
use oplogue_format::compression::Compression;

use crate::support::{Checked, at, backup, documents, memory, rs0, slice};

#[tokio::test]
async fn an_empty_folder_is_an_empty_catalog() -> Checked {
    assert_eq!(memory().catalog().await?, oplogue_domain::Catalog::default());
    Ok(())
}

#[tokio::test]
async fn strangers_are_passed_over() -> Checked {
    let repository = memory();
    for name in [
        "README",
        "pbmPitr/README",
        "pbmPitr/rs0/x.y.oplog",
        "other/2026-01-01T00:00:00Z.pbm.json",
        ".pbm.restore/x.json",
        "oplogue/unknown/thing",
    ] {
        repository.storage().put(name, Bytes::from_static(b"x")).await?;
    }
    assert_eq!(repository.catalog().await?, oplogue_domain::Catalog::default());
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_understood_is_listed_with_its_reason() -> Checked {
    let repository = memory();
    for (name, bytes) in [
        ("broken.pbm.json", "{"),
        ("oplogue/gaps/rs0/19700101000140-1.19700101000141-1.json", "[]"),
        ("pbmPitr/rs0/19700101/19700101000140-1.19700101000141-1.oplog", ""),
    ] {
        repository.storage().put(name, Bytes::copy_from_slice(bytes.as_bytes())).await?;
    }
    let catalog = repository.catalog().await?;
    assert_eq!(catalog.unreadable.len(), 3, "{catalog:?}");
    assert!(catalog.backups.is_empty() && catalog.slices_of(&rs0()).is_empty());
    Ok(())
}

#[tokio::test]
async fn a_backup_without_its_metadata_is_shown_as_broken() -> Checked {
    let repository = memory();
    backup(&repository, "b", &[(Namespace::new("shop", "orders"), documents(3))], Compression::Zstd).await?;
    repository.storage().delete("b/rs0/metadata.json").await?;
    let catalog = repository.catalog().await?;
    assert_eq!(catalog.backups[0].problem, Some(BackupProblem::MissingObject("b/rs0/metadata.json".to_owned())));
    Ok(())
}

#[tokio::test]
async fn slices_come_by_time_and_not_by_name() -> Checked {
    let repository = memory();
    for (first, last) in [(10, 20), (2, 10), (100, 200), (20, 100)] {
        slice(&repository, &[at(100, first), at(100, last)], Compression::Zstd).await?;
    }
    let ordinals: Vec<_> = repository.catalog().await?.slices_of(&rs0()).iter().map(|slice| slice.range.after.ordinal).collect();
    assert_eq!(ordinals, [2, 10, 20, 100]);
    Ok(())
}

#[tokio::test]
async fn the_parts_of_a_continued_slice_are_one_slice() -> Checked {
    let repository = memory();
    let stored = slice(&repository, &[at(100, 1), at(100, 2)], Compression::Zstd).await?.slice;
    let whole = repository.storage().get(&stored.object()).await?;
    repository.storage().put(&stored.object(), whole.slice(..9)).await?;
    repository.storage().put(&format!("{}.pbmpart.1", stored.object()), whole.slice(9..)).await?;
    assert_eq!(repository.catalog().await?.slices_of(&rs0()), std::slice::from_ref(&stored));

    repository.storage().delete(&stored.object()).await?;
    let catalog = repository.catalog().await?;
    assert_eq!((catalog.slices_of(&rs0()).len(), catalog.unreadable.len()), (0, 1));
    Ok(())
}

#[tokio::test]
async fn a_folder_within_a_storage_is_a_repository_of_its_own() -> Checked {
    let storage = oplogue_storage::Storage::memory();
    let (one, two) =
        (oplogue_repository::Repository::new(storage.within("one")), oplogue_repository::Repository::new(storage.within("two")));
    backup(&one, "b", &[], Compression::None).await?;
    assert_eq!((one.catalog().await?.backups.len(), two.catalog().await?.backups.len()), (1, 0));
    Ok(())
}
