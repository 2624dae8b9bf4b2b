//! Writing backups and reading them back: every codec, odd names, damage, what a failed or cancelled one leaves behind.

use bytes::Bytes;
use oplogue_domain::{Namespace, OplogSource};
use oplogue_format::compression::Compression;
use oplogue_format::pbm::layout;
use oplogue_repository::{RepositoryError, Spool};

use crate::support::{
    Checked, all, at, backup, backup_facts, collection, documents, entries, entry, facts, id_index, memory, name, rs0, time_of, write,
};

fn odd_names() -> Vec<Namespace> {
    let long = "l".repeat(230);
    ["plain", "a/b", "a//b", "a/../b", "with space", "dots.in.it", "ünï😀", "q\"uote\\", "per%20cent", "tab\there", long.as_str(), "foo.gz"]
        .into_iter()
        .map(|collection| Namespace::new("shop", collection))
        .chain([Namespace::new("metadata", "json"), Namespace::new("meta", "pbm")])
        .collect()
}

#[tokio::test]
async fn every_name_and_every_compression_comes_back_as_it_was() -> Checked {
    for compression in Compression::ALL {
        let repository = memory();
        let collections: Vec<_> = odd_names().into_iter().zip(1..).map(|(namespace, count)| (namespace, documents(count * 31))).collect();
        let written = backup(&repository, "b", &collections, compression).await?;
        let found = repository.catalog().await?;
        assert_eq!(found.backups, std::slice::from_ref(&written), "{compression}");
        let contents = repository.snapshot(&written, &rs0()).await?;
        assert_eq!(contents.collections.len(), collections.len(), "{compression}");
        for (namespace, documents) in &collections {
            let stored = contents.collections.iter().find(|stored| stored.namespace == *namespace).ok_or("a collection is missing")?;
            let object = stored.object.as_ref().ok_or("an object is missing")?;
            let summary = repository.verify_documents(stored).await?;
            assert_eq!(summary.documents, documents.len() as u64);
            assert_eq!(all(repository.read_documents(object)).await?, *documents, "{compression} {namespace}");
            assert_eq!(stored.indexes[1].get_bool("hidden").ok(), Some(true), "what PBM's metadata has no room for is kept");
        }
    }
    Ok(())
}

#[tokio::test]
async fn several_hands_append_to_one_object_and_nothing_is_lost() -> Checked {
    let repository = memory();
    let namespace = Namespace::new("shop", "orders");
    let mut writer = repository.begin_snapshot(name("b"), rs0(), Compression::Lz4);
    writer.assign([&namespace]);
    let object = writer.object(&namespace)?;
    let documents = documents(200_000);
    let tasks: Vec<_> = documents
        .chunks(25_000)
        .map(|part| {
            let (mut hand, part) = (object.appender(), part.to_vec());
            tokio::spawn(async move {
                for some in part.chunks(1000) {
                    hand.write(some).await?;
                }
                hand.finish().await
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let written = object.finish().await?;
    let mut spool = Spool::new(Compression::Lz4)?;
    spool.write(&[entry(at(100, 1))]).await?;
    let range = oplogue_domain::OplogRange::new(at(100, 1), at(100, 1));
    let snapshot = writer.finish(vec![collection(&namespace, written)], spool, facts(range)).await?;
    let backup = repository.finish_backup(&backup_facts("b", Compression::Lz4), vec![snapshot]).await?;
    let contents = repository.snapshot(&backup, &rs0()).await?;
    repository.verify_documents(&contents.collections[0]).await?;
    let object = contents.collections[0].object.clone().ok_or("an object is missing")?;
    let mut read = all(repository.read_documents(&object)).await?;
    read.sort_by_key(|document| document.get_i64("_id").unwrap_or(-1));
    assert_eq!(read, documents);
    Ok(())
}

#[tokio::test]
async fn an_empty_collection_has_no_object_and_keeps_its_indexes() -> Checked {
    let repository = memory();
    let namespace = Namespace::new("shop", "empty");
    let written = backup(&repository, "b", &[(namespace.clone(), Vec::new())], Compression::Zstd).await?;
    let contents = repository.snapshot(&written, &rs0()).await?;
    let stored = &contents.collections[0];
    assert_eq!((stored.object.clone(), stored.bytes, stored.crc64, stored.documents), (None, 0, 0, Some(0)));
    assert_eq!(stored.indexes[0], id_index());
    repository.verify_documents(stored).await?;
    Ok(())
}

#[tokio::test]
async fn starting_over_forgets_what_was_written_before() -> Checked {
    let repository = memory();
    let namespace = Namespace::new("shop", "orders");
    let mut writer = repository.begin_snapshot(name("b"), rs0(), Compression::None);
    writer.assign([&namespace]);
    let object = writer.object(&namespace)?;
    let (mut hand, mut late) = (object.appender(), object.appender());
    hand.write(&documents(100)).await?;
    hand.finish().await?;
    late.write(&documents(10)).await?;
    object.restart().await?;
    // What was on its way when it began anew belongs to the former beginning.
    late.finish().await?;
    let mut hand = object.appender();
    hand.write(&documents(3)).await?;
    hand.finish().await?;
    let written = object.finish().await?;
    assert_eq!(written.documents, 3);
    let stored = repository.storage().get("b/rs0/shop.orders").await?;
    assert_eq!(stored.len() as u64, written.bytes);
    Ok(())
}

#[tokio::test]
async fn what_is_given_up_before_its_end_leaves_no_object() -> Checked {
    let repository = memory();
    let namespace = Namespace::new("shop", "orders");
    let mut writer = repository.begin_snapshot(name("b"), rs0(), Compression::None);
    writer.assign([&namespace]);
    let object = writer.object(&namespace)?;
    let mut hand = object.appender();
    hand.write(&documents(100_000)).await?;
    hand.finish().await?;
    drop(object);
    assert_eq!(repository.storage().list("").await?, []);
    Ok(())
}

#[tokio::test]
async fn a_backup_without_its_last_document_is_not_listed_and_can_be_removed() -> Checked {
    let repository = memory();
    backup(&repository, "b", &[(Namespace::new("shop", "a//b"), documents(3))], Compression::Zstd).await?;
    repository.storage().delete("b.pbm.json").await?;
    assert_eq!(repository.catalog().await?.backups, []);
    assert!(matches!(repository.refuse_taken_name(&name("b")).await, Err(RepositoryError::NameTaken { .. })));
    repository.discard_backup(&name("b")).await?;
    repository.refuse_taken_name(&name("b")).await?;
    repository.claim_name(&name("b"), "token").await?;
    repository.discard_backup(&name("b")).await?;
    let left: Vec<_> = repository.storage().list("").await?.into_iter().map(|object| object.name).collect();
    assert_eq!(left, [layout::INIT]);
    Ok(())
}

#[tokio::test]
async fn a_name_is_taken_by_anything_that_lies_under_it() -> Checked {
    for object in ["b.pbm.json", "b/rs0/shop.orders.zst", "oplogue/backups/b/rs0/data/00000-x.zst"] {
        let repository = memory();
        repository.refuse_taken_name(&name("b")).await?;
        repository.storage().put(object, Bytes::from_static(b"x")).await?;
        let error = repository.refuse_taken_name(&name("b")).await;
        assert!(matches!(&error, Err(RepositoryError::NameTaken { example, .. }) if example == object), "{object}: {error:?}");
        repository.refuse_taken_name(&name("b2")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn damage_is_told_with_object_and_place() -> Checked {
    for compression in Compression::ALL {
        let repository = memory();
        let written = backup(&repository, "b", &[(Namespace::new("shop", "orders"), documents(5_000))], compression).await?;
        let contents = repository.snapshot(&written, &rs0()).await?;
        let stored = &contents.collections[0];
        let object = stored.object.clone().ok_or("an object is missing")?.name;
        let whole = repository.storage().get(&object).await?;

        repository.storage().put(&object, whole.slice(..whole.len() - 7)).await?;
        let torn = repository.verify_documents(stored).await;
        assert!(matches!(&torn, Err(RepositoryError::Damaged { object: told, .. }) if *told == object), "{compression}: {torn:?}");

        let mut changed = whole.to_vec();
        let middle = changed.len() / 2;
        changed[middle] ^= 0x10;
        repository.storage().put(&object, changed.into()).await?;
        let damaged = repository.verify_documents(stored).await;
        assert!(matches!(&damaged, Err(RepositoryError::Damaged { .. })), "{compression}: {damaged:?}");

        repository.storage().delete(&object).await?;
        let missing = repository.verify_documents(stored).await;
        assert!(matches!(&missing, Err(RepositoryError::Missing { object: told, .. }) if *told == object), "{compression}: {missing:?}");

        repository.storage().put(&object, whole).await?;
        repository.verify_documents(stored).await?;
    }
    Ok(())
}

#[tokio::test]
async fn continued_objects_are_read_whole_whatever_the_sizes_of_their_parts() -> Checked {
    let repository = memory();
    let written = backup(&repository, "b", &[(Namespace::new("shop", "orders"), documents(5_000))], Compression::Zstd).await?;
    let object = "b/rs0/shop.orders.zst";
    let whole = repository.storage().get(object).await?;
    let cuts = [0, 10, 5_000.min(whole.len() - 2), whole.len() - 1, whole.len()];
    for (part, ends) in cuts.windows(2).enumerate() {
        let part_name = if part == 0 { object.to_owned() } else { format!("{object}.pbmpart.{part}") };
        repository.storage().put(&part_name, whole.slice(ends[0]..ends[1])).await?;
    }
    let contents = repository.snapshot(&written, &rs0()).await?;
    repository.verify_documents(&contents.collections[0]).await?;
    // Without any record of sizes the parts are found by asking for them.
    let plain = oplogue_repository::ObjectRef::named(object);
    assert_eq!(all(repository.read_documents(&plain)).await?.len(), 5_000);

    repository.storage().delete(&format!("{object}.pbmpart.2")).await?;
    let broken = repository.verify_documents(&contents.collections[0]).await;
    assert!(matches!(&broken, Err(RepositoryError::Damaged { .. })), "{broken:?}");
    Ok(())
}

#[tokio::test]
async fn the_oplog_of_a_backup_is_one_object_and_comes_back_in_order() -> Checked {
    let repository = memory();
    let written = backup(&repository, "b", &[], Compression::S2).await?;
    let source = OplogSource::BackupOplog { backup: written.name.clone() };
    let entries = entries(repository.read_oplog(&rs0(), &source).await?).await?;
    assert_eq!(entries.iter().map(time_of).collect::<Vec<_>>(), (1..=5).map(|ordinal| at(100, ordinal)).collect::<Vec<_>>());
    let objects = repository.storage().list("b/rs0/oplog").await?;
    assert_eq!(objects.len(), 1, "PBM replays several in random order");

    repository.storage().delete(&objects[0].name).await?;
    let problem = repository.catalog().await?.backups[0].problem.clone();
    assert!(problem.is_some_and(|problem| problem.to_string().contains("b/rs0/oplog/")));
    Ok(())
}

#[tokio::test]
async fn several_oplog_objects_of_a_backup_are_read_by_time_and_each_entry_once() -> Checked {
    let repository = memory();
    // As PBM names them: the order of names is wrong within a second, and neighbours share an entry or overlap.
    for (name, ordinals) in [
        ("19700101000140-10.19700101000140-12", 10..=12),
        ("19700101000140-2.19700101000140-10", 2..=10),
        ("19700101000140-9.19700101000140-11", 9..=11),
    ] {
        let bytes: Vec<u8> = ordinals.flat_map(|ordinal| entry(at(100, ordinal)).as_bytes().to_vec()).collect();
        repository.storage().put(&format!("b/rs0/oplog/{name}"), bytes.into()).await?;
    }
    let source = OplogSource::BackupOplog { backup: name("b") };
    let entries = entries(repository.read_oplog(&rs0(), &source).await?).await?;
    assert_eq!(entries.iter().map(time_of).collect::<Vec<_>>(), (2..=12).map(|ordinal| at(100, ordinal)).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn the_oplog_of_an_early_pbm_is_one_object_of_another_name() -> Checked {
    let repository = memory();
    let bytes: Vec<u8> = (1..=4).flat_map(|ordinal| entry(at(100, ordinal)).as_bytes().to_vec()).collect();
    repository.storage().put("b/rs0/local.oplog.rs.bson", bytes.into()).await?;
    let source = OplogSource::BackupOplog { backup: name("b") };
    assert_eq!(entries(repository.read_oplog(&rs0(), &source).await?).await?.len(), 4);
    Ok(())
}

#[tokio::test]
async fn a_reader_that_goes_away_holds_nobody_up() -> Checked {
    let repository = memory();
    let namespace = Namespace::new("shop", "orders");
    let mut writer = repository.begin_snapshot(name("b"), rs0(), Compression::Zstd);
    writer.assign([&namespace]);
    write(&writer, &namespace, &documents(300_000)).await?;
    let mut stream = repository.read_documents(&oplogue_repository::ObjectRef::named("b/rs0/shop.orders.zst"));
    assert!(stream.next_batch().await?.is_some());
    drop(stream);
    // The runtime would not end while the thread behind the stream still waits.
    Ok(())
}

#[tokio::test]
async fn a_record_of_a_newer_version_is_refused_not_half_understood() -> Checked {
    let repository = memory();
    let written = backup(&repository, "b", &[], Compression::None).await?;
    repository.storage().put("oplogue/backups/b/rs0/snapshot.json", Bytes::from_static(br#"{"format": 99}"#)).await?;
    let error = repository.snapshot(&written, &rs0()).await.err().ok_or("it was understood")?;
    assert!(error.to_string().contains("newer version"), "{error}");
    Ok(())
}

#[tokio::test]
async fn of_two_that_claim_a_name_at_once_at_most_one_gets_it() -> Checked {
    for _ in 0..50 {
        let repository = memory();
        let (named, first, second) = (name("b"), repository.clone(), repository.clone());
        let (one, two) = tokio::join!(first.claim_name(&named, "1"), second.claim_name(&named, "2"));
        assert!(one.is_err() || two.is_err());
        repository.discard_backup(&named).await?;
        repository.claim_name(&named, "3").await?;
        assert!(matches!(repository.claim_name(&named, "4").await, Err(RepositoryError::NameTaken { .. })));
    }
    Ok(())
}
