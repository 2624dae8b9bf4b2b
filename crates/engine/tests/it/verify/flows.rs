//! What is no damage, what a sample leaves out, what is left after damage, copies, and encrypted folders.

use std::sync::Arc;

use bytes::Bytes;
use oplogue_domain::damage::Standing;
use oplogue_domain::retention::deletion_of;
use oplogue_domain::{Namespace, OplogRange};
use oplogue_engine::copy::{self, CopyReport, CopyRequest};
use oplogue_engine::failure::{Ending, ending};
use oplogue_engine::progress::Silent;
use oplogue_engine::verify::Sample;
use oplogue_format::compression::Compression;
use oplogue_format::sidecar::{self, SliceRecord};
use oplogue_repository::Repository;
use oplogue_storage::{Beginning, EncryptionKey, Storage, StorageOptions};
use oplogue_testkit::{Fault, FaultProxy, S3Bucket, S3Server};
use tokio_util::sync::CancellationToken;

use super::bed::{self, Objects, at, rs0};
use super::{Checked, told, verified, verified_with};

async fn ours() -> anyhow::Result<Objects> {
    bed::ours(Compression::Zstd, "new").await
}

fn names(objects: &Objects, kind: &str) -> Vec<String> {
    objects.keys().filter(|name| bed::kind(name) == kind).cloned().collect()
}

fn flip(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes.into()
}

#[tokio::test]
async fn a_crash_between_a_slice_and_its_record_makes_no_good_slice_bad() -> Checked {
    let storage = Storage::memory();
    let repository = Repository::new(storage.clone());
    bed::write(&repository, Compression::Zstd, "new").await?;
    // The newest slice was stored, and its record was not; the next slicer goes on behind it.
    let newest = sidecar::slice_record(&rs0(), OplogRange::new(at(50), at(60)));
    storage.delete(&newest).await?;
    bed::slices(&repository, Compression::Zstd, "new", &[60, 70]).await?;
    let report = verified(storage.clone()).await?;
    assert!(report.is_whole(), "{}", told(&report));
    assert_eq!(report.slices[0].unrecorded, 1);
    // It is read all the same.
    let object = names(&bed::objects(&storage).await?, "slice")[3].clone();
    storage.put(&object, flip(&storage.get(&object).await?)).await?;
    let report = verified(storage).await?;
    assert!(told(&report).contains(&object), "{}", told(&report));
    Ok(())
}

#[tokio::test]
async fn what_retention_deletes_is_no_damage() -> Checked {
    let storage = bed::storage_of(&ours().await?).await?;
    let repository = Repository::new(storage.clone());
    // The oldest slices, as retention would: records first.
    for (after, through) in [(20, 30), (30, 40)] {
        let range = OplogRange::new(at(after), at(through));
        storage.delete(&sidecar::slice_record(&rs0(), range)).await?;
        let catalog = repository.catalog().await?;
        let slice = catalog.slices_of(&rs0()).iter().find(|slice| slice.range == range).expect("it is there");
        storage.delete(&slice.object()).await?;
    }
    let catalog = repository.catalog().await?;
    repository.delete(&deletion_of(&catalog, &bed::BACKUP.parse()?), 400, &|_, _| {}).await?;
    let report = verified(storage).await?;
    assert!(report.is_whole() && report.slices[0].tally.objects == 2, "{}", told(&report));
    Ok(())
}

#[tokio::test]
async fn a_slice_that_replaces_others_keeps_the_chain() -> Checked {
    let storage = bed::storage_of(&ours().await?).await?;
    let repository = Repository::new(storage.clone());
    let link = |after, through| OplogRange::new(at(after), at(through));
    let record = async |range: OplogRange| -> anyhow::Result<SliceRecord> {
        Ok(SliceRecord::parse(&storage.get(&sidecar::slice_record(&rs0(), range)).await?)?)
    };
    let (first, second) = (record(link(20, 30)).await?, record(link(30, 40)).await?);
    // One slice in place of two, with a record as compaction writes it.
    let mut builder = oplogue_repository::SliceBuilder::new(rs0(), at(20), Compression::Zstd);
    let catalog = repository.catalog().await?;
    let (previous, continues) = repository.links_over(&catalog.slices_of(&rs0())[..2]).await?;
    for slice in catalog.slices_of(&rs0()).iter().take(2) {
        let mut entries = repository.read_oplog(&rs0(), &oplogue_domain::OplogSource::Slice(slice.clone())).await?;
        while let Some(batch) = entries.next_batch().await? {
            for (_, entry) in batch {
                builder.push(&entry).await?;
            }
        }
    }
    repository.write_slice(builder).await?;
    let long = record(link(20, 40)).await?;
    let replaces = vec![first.object.clone(), second.object.clone()];
    let replaced = SliceRecord { previous, replaces, continues, ..long };
    storage.put(&sidecar::slice_record(&rs0(), link(20, 40)), replaced.to_json().into()).await?;
    let report = verified(storage.clone()).await?;
    assert!(report.is_whole(), "both are there: {}", told(&report));
    for replaced in [first, second] {
        storage.delete(&sidecar::slice_record(&rs0(), replaced.range)).await?;
        storage.delete(&replaced.object).await?;
    }
    let report = verified(storage.clone()).await?;
    assert!(report.is_whole() && report.slices[0].tally.objects == 3, "{}", told(&report));
    // And the long one is missed when it is gone.
    storage.delete(&sidecar::slice_record(&rs0(), link(20, 40))).await?;
    storage.delete(&replaced.object).await?;
    let report = verified(storage).await?;
    assert!(told(&report).contains("gone"), "{}", told(&report));
    assert_eq!(report.remaining.lost, [OplogRange::new(at(20), at(60))]);
    Ok(())
}

#[tokio::test]
async fn a_repository_written_before_there_were_hashes_is_read_as_before() -> Checked {
    let mut objects = ours().await?;
    objects.retain(|name, _| bed::kind(name) != "manifest");
    for name in names(&objects, "slice record").into_iter().chain(names(&objects, "snapshot record")) {
        let mut json: serde_json::Value = serde_json::from_slice(&objects[&name])?;
        without_hashes(&mut json);
        json["format"] = 1.into();
        objects.insert(name, json.to_string().into());
    }
    let report = verified(bed::storage_of(&objects).await?).await?;
    assert!(report.is_whole(), "{}", told(&report));
    assert!(report.remarks.iter().any(|remark| remark.contains("before there were manifests")), "{:?}", report.remarks);
    let slice = &names(&objects, "slice")[1];
    objects.insert(slice.clone(), flip(&objects[slice]));
    assert!(!verified(bed::storage_of(&objects).await?).await?.is_whole());
    Ok(())
}

fn without_hashes(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(map) => {
            map.retain(|key, _| !["seal", "blake3", "stored_blake3", "previous", "first", "last"].contains(&key.as_str()));
            map.values_mut().for_each(without_hashes);
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(without_hashes),
        _ => {}
    }
}

#[tokio::test]
async fn after_damage_one_is_told_what_is_left() -> Checked {
    let mut objects = ours().await?;
    let orders = names(&objects, "documents").into_iter().find(|name| name.contains("shop.orders")).expect("it is there");
    let slice = names(&objects, "slice")[2].clone();
    objects.insert(orders.clone(), flip(&objects[&orders]));
    let report = verified(bed::storage_of(&objects).await?).await?;
    assert_eq!(report.remaining.backups, [(bed::BACKUP.parse()?, Standing::Without(vec![Namespace::new("shop", "orders")]))]);
    assert!(report.remaining.restorable.is_empty());
    assert_eq!(report.remaining.lost, [OplogRange::new(at(19), at(60))]);

    let mut objects = ours().await?;
    objects.insert(slice.clone(), flip(&objects[&slice]));
    let report = verified(bed::storage_of(&objects).await?).await?;
    assert_eq!(report.remaining.backups, [(bed::BACKUP.parse()?, Standing::Whole)]);
    let reach: Vec<_> = report.remaining.restorable.iter().map(|range| (range.from, range.through)).collect();
    assert_eq!((reach, report.remaining.lost), (vec![(at(20), at(40))], vec![OplogRange::new(at(40), at(60))]));
    Ok(())
}

#[tokio::test]
async fn a_sample_reads_its_share_and_still_compares_sizes() -> Checked {
    let mut objects = ours().await?;
    let all = verified(bed::storage_of(&objects).await?).await?.totals();
    let report = verified_with(bed::storage_of(&objects).await?, Sample::Objects(3), &[]).await?;
    // Beside what is small and always read: metadata and both forms of the collections.
    assert_eq!((report.totals().objects, report.totals().read), (all.objects, 3 + 3), "{report:?}");
    for name in names(&objects, "slice").into_iter().chain(names(&objects, "documents")) {
        objects.insert(name.clone(), objects[&name].slice(1..));
    }
    let report = verified_with(bed::storage_of(&objects).await?, Sample::Percent(1), &[]).await?;
    assert_eq!(report.findings.iter().filter(|finding| finding.kind.as_str() == "size").count(), 4 + 4, "{}", told(&report));
    Ok(())
}

#[tokio::test]
async fn metadata_that_are_gone_from_a_whole_backup_are_missed() -> Checked {
    let mut objects = ours().await?;
    let json = names(&objects, "backup metadata")[0].clone();
    objects.remove(&json);
    let report = verified(bed::storage_of(&objects).await?).await?;
    assert!(told(&report).contains(&format!("missing {json}")), "{}", told(&report));
    // Of a backup that is being written there is no manifest yet.
    objects.retain(|name, _| bed::kind(name) != "manifest");
    let report = verified(bed::storage_of(&objects).await?).await?;
    assert!(!told(&report).contains(&json), "{}", told(&report));
    Ok(())
}

#[tokio::test]
async fn a_backup_can_be_read_alone_and_one_that_is_not_there_is_refused() -> Checked {
    let mut objects = ours().await?;
    let slice = names(&objects, "slice")[0].clone();
    objects.insert(slice.clone(), flip(&objects[&slice]));
    let storage = bed::storage_of(&objects).await?;
    let report = verified_with(storage.clone(), Sample::Everything, &[bed::BACKUP]).await?;
    assert!(report.is_whole() && report.slices.is_empty(), "{}", told(&report));
    let error = verified_with(storage, Sample::Everything, &["unheard-of"]).await.expect_err("it is not there");
    assert_eq!(ending(&error), Ending::Refused);
    Ok(())
}

async fn copied(from: &Storage, to: &Storage, backups: &[&str]) -> anyhow::Result<CopyReport> {
    let backups = backups.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    let (from, to) = (Repository::new(from.clone()), Repository::new(to.clone()));
    let request = CopyRequest { from, to, backups, slices: true, parallel: 4 };
    copy::run(request, Arc::new(Silent), CancellationToken::new()).await
}

#[tokio::test]
async fn a_copy_is_the_same_and_a_second_one_copies_nothing() -> Checked {
    let objects = ours().await?;
    let (from, to) = (bed::storage_of(&objects).await?, Storage::memory());
    let report = copied(&from, &to, &[]).await?;
    assert_eq!((report.slices, report.skipped_objects, report.backups.len()), (4, 0, 1));
    assert_eq!(bed::objects(&to).await?, objects);
    assert!(verified(to.clone()).await?.is_whole());
    let report = copied(&from, &to, &[bed::BACKUP]).await?;
    assert_eq!(report.copied_objects, 0);
    assert!(report.skipped_objects > 15, "{report:?}");
    Ok(())
}

#[tokio::test]
async fn a_copy_that_was_cut_off_goes_on_and_shows_nothing_half_meanwhile() -> Checked {
    let objects = ours().await?;
    let from = bed::storage_of(&objects).await?;
    let (metadata, documents) = (names(&objects, "backup metadata")[0].clone(), names(&objects, "documents")[1].clone());
    let (slice, record) = (names(&objects, "slice")[2].clone(), names(&objects, "slice record")[2].clone());
    let to = Storage::memory();
    copied(&from, &to, &[bed::BACKUP]).await?;
    for name in [&metadata, &documents, &slice, &record] {
        to.delete(name).await?;
    }
    let report = copied(&from, &to, &[bed::BACKUP]).await?;
    assert_eq!(report.copied_objects, 4);
    assert!(verified(to).await?.is_whole());
    Ok(())
}

#[tokio::test]
async fn a_copy_overwrites_nothing_and_copies_no_damage() -> Checked {
    let objects = ours().await?;
    let documents = names(&objects, "documents")[1].clone();
    for other in [flip(&objects[&documents]), Bytes::from_static(b"short")] {
        let (from, to) = (bed::storage_of(&objects).await?, Storage::memory());
        to.put(&documents, other.clone()).await?;
        let error = copied(&from, &to, &[]).await.expect_err("something else is there");
        assert_eq!(ending(&error), Ending::Refused, "{error:#}");
        assert!(format!("{error:#}").contains(&documents), "{error:#}");
        assert_eq!(bed::objects(&to).await?, Objects::from([(documents.clone(), other)]));
    }
    for damaged in [documents, names(&objects, "slice")[1].clone(), names(&objects, "backup metadata")[0].clone()] {
        let mut objects = objects.clone();
        objects.insert(damaged.clone(), flip(&objects[&damaged]));
        let (from, to) = (bed::storage_of(&objects).await?, Storage::memory());
        let error = copied(&from, &to, &[]).await.expect_err("the source is damaged");
        assert!(to.get(&damaged).await.is_err(), "{damaged}: {error:#}");
    }
    Ok(())
}

#[tokio::test]
async fn what_pbm_wrote_is_copied_with_all_its_slices() -> Checked {
    let objects = bed::of_pbm("storage-pitr.tar", "pitr", |_| true)?;
    let to = Storage::memory();
    copied(&bed::storage_of(&objects).await?, &to, &[]).await?;
    let mut copied = bed::objects(&to).await?;
    // The marker is written anew: it says which version's format it is.
    copied.insert(".pbm.init".to_owned(), objects[".pbm.init"].clone());
    assert_eq!(copied, objects);
    Ok(())
}

fn key(byte: u8) -> EncryptionKey {
    EncryptionKey::Bytes([byte; 32])
}

#[tokio::test]
async fn an_encrypted_folder_is_backed_up_listed_verified_and_copied_like_any_other() -> Checked {
    let around = Storage::memory();
    let encrypted = around.encrypted(key(1), Beginning::Allowed);
    bed::write(&Repository::new(encrypted.clone()), Compression::Zstd, "new").await?;
    assert_eq!(bed::objects(&encrypted).await?.keys().collect::<Vec<_>>(), ours().await?.keys().collect::<Vec<_>>());
    let report = verified(encrypted.clone()).await?;
    assert!(report.is_whole() && report.remarks.is_empty(), "{}", told(&report));
    // Out of it, into another one, and back.
    let (plain, second) = (Storage::memory(), Storage::memory().encrypted(key(2), Beginning::Allowed));
    copied(&encrypted, &plain, &[]).await?;
    copied(&plain, &second, &[]).await?;
    copied(&encrypted, &second, &[bed::BACKUP]).await?;
    for storage in [plain, second] {
        assert!(verified(storage.clone()).await?.is_whole(), "{}", storage.location());
    }
    Ok(())
}

#[tokio::test]
async fn without_the_key_one_is_told_that_it_is_missing() -> Checked {
    let around = Storage::memory();
    bed::write(&Repository::new(around.encrypted(key(1), Beginning::Allowed)), Compression::Zstd, "new").await?;
    let plain = Repository::new(around.clone());
    let listed = plain.catalog().await.expect_err("it is encrypted").to_string();
    let written = plain.claim_name(&"b".parse()?, "token").await.expect_err("it is encrypted").to_string();
    for error in [listed, written, format!("{:#}", copied(&Storage::memory(), &around, &[]).await.expect_err("it is encrypted"))] {
        assert!(error.contains("is encrypted: give its key with --key-file"), "{error}");
    }
    let error = Repository::new(around.encrypted(key(2), Beginning::Never)).catalog().await.expect_err("another key");
    assert!(error.to_string().contains("the key is not the one"), "{error}");
    Ok(())
}

#[tokio::test]
async fn damage_below_the_encryption_is_found_in_every_object() -> Checked {
    let around = Storage::memory();
    let encrypted = around.encrypted(key(1), Beginning::Allowed);
    bed::write(&Repository::new(encrypted), Compression::Zstd, "new").await?;
    let objects = bed::objects(&around).await?;
    let inside = "oplogue/encrypted/";
    let damaged: Vec<&String> =
        objects.keys().filter(|name| name.strip_prefix(inside).is_some_and(|name| bed::kind(name) != "marker")).collect();
    assert!(damaged.len() > 18, "{damaged:?}");
    for name in damaged {
        for way in 0..3 {
            let mut objects = objects.clone();
            let bytes = objects[name].clone();
            let changed = [flip(&bytes), bytes.slice(..bytes.len() - 1), bytes.slice(..30)][way].clone();
            objects.insert(name.clone(), changed);
            let storage = bed::storage_of(&objects).await?.encrypted(key(1), Beginning::Never);
            let report = verified(storage).await?;
            assert!(!report.is_whole(), "{name} {way}");
            assert!(told(&report).contains(&name[inside.len()..]), "{name} {way}: {}", told(&report));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_again_and_again_are_read_past() -> Checked {
    let bucket = S3Server::shared().await?.new_bucket().await?;
    let options = StorageOptions {
        access_key: Some(bucket.access_key.clone()),
        secret_key: Some(bucket.secret_key.clone()),
        ..StorageOptions::default()
    };
    let objects = bed::of_pbm("storage-pitr.tar", "pitr", |_| true)?;
    copied(&bed::storage_of(&objects).await?, &Storage::open(&bucket.url(), &options)?, &[]).await?;

    let proxy = FaultProxy::start(bucket.endpoint.trim_start_matches("http://")).await?;
    let through = S3Bucket { endpoint: format!("http://{}", proxy.address()), ..bucket };
    let storage = Storage::open(&through.url(), &options)?;
    // Less than the largest object has: no connection carries it whole.
    proxy.set(Fault::CutAfter(150_000));
    let report = verified(storage.clone()).await?;
    assert!(report.is_whole(), "{}", told(&report));
    assert!(proxy.accepted() > 8, "{}", proxy.accepted());
    let back = Storage::memory();
    copied(&storage, &back, &[]).await?;
    assert_eq!(bed::objects(&back).await?.len(), objects.len());
    Ok(())
}
