//! Writing slices and reading them back: boundaries, records, damage.

use oplogue_domain::{Gap, GapReason, OplogRange, OplogSource};
use oplogue_format::compression::Compression;
use oplogue_repository::{RepositoryError, SliceBuilder};

use crate::support::{Checked, at, entries, entry, memory, rs0, slice, time_of};

#[tokio::test]
async fn a_slice_comes_back_with_what_was_recorded_of_it() -> Checked {
    for compression in Compression::ALL {
        let repository = memory();
        let times: Vec<_> = (1..=50).map(|ordinal| at(100, ordinal)).collect();
        let stored = slice(&repository, &times, compression).await?;
        assert_eq!((stored.slice.range, stored.entries, stored.noops), (OplogRange::new(at(100, 1), at(100, 50)), 50, 16));
        let catalog = repository.catalog().await?;
        assert_eq!(catalog.slices_of(&rs0()), std::slice::from_ref(&stored.slice), "{compression}");
        let facts = repository.slice_facts(&stored.slice).await?.ok_or("no record")?;
        assert_eq!((facts.entries, facts.no_ops, facts.stored_bytes), (50, 16, stored.slice.bytes));
        let entries = entries(repository.read_oplog(&rs0(), &OplogSource::Slice(stored.slice)).await?).await?;
        assert_eq!(entries.iter().map(time_of).collect::<Vec<_>>(), times, "{compression}");
    }
    Ok(())
}

#[tokio::test]
async fn the_next_slice_begins_with_the_entry_the_last_one_ended_with() -> Checked {
    let repository = memory();
    let mut builder = SliceBuilder::new(rs0(), at(100, 1), Compression::Zstd);
    for ordinal in 1..=5 {
        builder.push(&entry(at(100, ordinal))).await?;
    }
    let mut next = builder.following(Compression::Zstd).await?;
    assert_eq!((next.first(), next.last(), next.entries()), (at(100, 5), at(100, 5), 1));
    // What is read again is left out.
    for ordinal in 4..=7 {
        next.push(&entry(at(100, ordinal))).await?;
    }
    assert_eq!((next.last(), next.entries()), (at(100, 7), 3));
    let first = repository.write_slice(builder).await?;
    let second = repository.write_slice(next).await?;
    assert_eq!(first.slice.range.through, second.slice.range.after);
    assert_eq!((first.entries, second.entries), (5, 3));
    Ok(())
}

#[tokio::test]
async fn a_slice_may_begin_where_the_server_has_no_entry() -> Checked {
    let repository = memory();
    let mut builder = SliceBuilder::new(rs0(), at(100, 1), Compression::Zstd);
    builder.push(&entry(at(100, 3))).await?;
    let stored = repository.write_slice(builder).await?;
    assert_eq!((stored.slice.range, stored.entries), (OplogRange::new(at(100, 1), at(100, 3)), 1));
    Ok(())
}

#[tokio::test]
async fn an_empty_slice_is_not_written() -> Checked {
    let repository = memory();
    let builder = SliceBuilder::new(rs0(), at(100, 1), Compression::None);
    assert!(matches!(repository.write_slice(builder).await, Err(RepositoryError::Unwritable { .. })));
    assert_eq!(repository.storage().list("").await?, []);
    Ok(())
}

#[tokio::test]
async fn a_changed_slice_is_found_out_even_without_compression() -> Checked {
    let repository = memory();
    let stored = slice(&repository, &[at(100, 1), at(100, 2), at(100, 4)], Compression::None).await?;
    let mut bytes = repository.storage().get(&stored.slice.object()).await?.to_vec();
    // Within a value: the framing stays right.
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    repository.storage().put(&stored.slice.object(), bytes.into()).await?;
    let read = entries(repository.read_oplog(&rs0(), &OplogSource::Slice(stored.slice)).await?).await;
    assert!(matches!(&read, Err(RepositoryError::Damaged { why, .. }) if why.contains("hash")), "{read:?}");
    Ok(())
}

#[tokio::test]
async fn a_slice_of_another_writer_has_no_record_and_is_read_all_the_same() -> Checked {
    let repository = memory();
    let stored = slice(&repository, &[at(100, 1), at(100, 2)], Compression::Gzip).await?;
    repository.storage().delete_under("oplogue").await?;
    assert_eq!(repository.slice_facts(&stored.slice).await?, None);
    assert_eq!(entries(repository.read_oplog(&rs0(), &OplogSource::Slice(stored.slice)).await?).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_hole_is_found_again_with_its_reason() -> Checked {
    let repository = memory();
    let gap = Gap { replica_set: rs0(), range: OplogRange::new(at(100, 1), at(200, 1)), reason: GapReason::OplogRolledOver };
    repository.record_gap(&gap, 300).await?;
    assert_eq!(repository.catalog().await?.recorded_gaps.get(&rs0()), Some(&vec![gap]));
    Ok(())
}
