//! The whole way on a real S3 server: backup, slices, restore, over TLS at both ends, with objects that need several parts.

use std::sync::Arc;

use anyhow::Context;
use bson::{Binary, doc, spec::BinarySubtype};
use oplogue_domain::plan::Moment;
use oplogue_engine::progress::Silent;
use oplogue_engine::restore;
use oplogue_repository::Repository;
use oplogue_storage::{Storage, StorageOptions};
use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, S3Server, capture, differences};
use tokio_util::sync::CancellationToken;

use crate::load::Dice;
use crate::setup::{self, Slicing};

/// The smallest part S3 allows.
const PART_BYTES: usize = 5 << 20;

/// Bytes that no codec makes smaller.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    (0..length).map(|_| dice.roll(256) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_with_auth_and_tls_is_restored_from_s3_with_objects_of_many_parts() -> anyhow::Result<()> {
    let server = S3Server::shared().await?;
    let bucket = server.new_bucket().await?;
    let options = StorageOptions {
        access_key: Some(bucket.access_key.clone()),
        secret_key: Some(bucket.secret_key.clone()),
        ca_file: Some(bucket.ca_file.clone()),
        part_bytes: PART_BYTES,
        ..StorageOptions::default()
    };
    let storage = Storage::open(&bucket.https_url_within("cluster a/folder"), &options)?;
    let repository = Repository::new(storage);
    let source = ReplicaSet::start(ReplicaSetOptions::default().members(3).auth(true).tls(true)).await?;
    let client = source.client().await?;

    let files = client.database("files").collection("blobs");
    let blob = |n: u64| doc! {"_id": n as i64, "data": Binary { subtype: BinarySubtype::Generic, bytes: noise(n, 1 << 20) }};
    files.insert_many((0..13).map(blob)).await?;
    setup::backup(&source, &repository).await?;
    let slicing = Slicing::start(&source, &repository).await?;
    files.insert_many((13..30).map(blob)).await?;
    let good = setup::newest_entry(&client).await?;
    let state = capture(&client).await?;
    client.database("files").drop().await?;
    slicing.stop_after(setup::newest_entry(&client).await?).await?;

    let objects = repository.storage().list("").await?;
    let largest = |prefix: &str| objects.iter().filter(|one| one.name.starts_with(prefix)).map(|one| one.bytes).max().unwrap_or(0);
    assert!(largest("20") > 2 * PART_BYTES as u64, "no object of the backup needed several parts: {objects:?}");
    assert!(largest("pbmPitr/") > 2 * PART_BYTES as u64, "no slice needed several parts: {objects:?}");

    // Back onto the set it came from, where the database is gone.
    let request = setup::restore_request(&source, &repository, Moment::At(good)).await?;
    let plan = restore::prepare(request, Arc::new(Silent), CancellationToken::new()).await.context("prepare")?;
    restore::carry_out(plan, Arc::new(Silent), CancellationToken::new()).await.context("restore")?;
    let wrong = differences(&state, &capture(&client).await?);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
