//! What the servers can give: the same bytes moved by clients that do nothing else.
//!
//! Each function returns the seconds its work took. Everything that is sent is built before the clock starts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Context;
use bson::{RawDocumentBuf, doc, rawdoc};
use futures::TryStreamExt;
use mongodb::Client;

use super::data::{COLLECTIONS, Stretch};
use super::wire::Wire;

/// Collections read, and connections written, at once.
pub const PARALLEL: usize = 4;

/// Reads every collection through exhaust cursors and throws the bytes away. Blocks.
pub fn read_exhaust(address: &str, expected_bytes: u64) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let read = in_parallel(address, &COLLECTIONS, |wire, collection| {
        wire.exhaust(collection.database, rawdoc! { "find": collection.name }, |_| Ok(()))
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let bytes: u64 = read.into_iter().sum();
    anyhow::ensure!(bytes >= expected_bytes, "the exhaust cursors gave {bytes} bytes, {expected_bytes} are there");
    Ok(seconds)
}

/// Reads every collection through the driver's raw batch cursors and throws the bytes away.
pub async fn read_driver(client: &Client, expected_bytes: u64) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let next = std::sync::Arc::new(AtomicUsize::new(0));
    let readers = (0..PARALLEL).map(|_| {
        let (client, next) = (client.clone(), next.clone());
        tokio::spawn(async move {
            let mut bytes = 0;
            while let Some(collection) = COLLECTIONS.get(next.fetch_add(1, Ordering::Relaxed)) {
                let handle = client.database(collection.database).collection::<RawDocumentBuf>(collection.name);
                let mut batches = handle.find(doc! {}).batch().await?;
                while let Some(batch) = batches.try_next().await? {
                    bytes += batch.as_raw_document().as_bytes().len() as u64;
                }
            }
            anyhow::Ok(bytes)
        })
    });
    let mut bytes = 0;
    for reader in futures::future::join_all(readers).await {
        bytes += reader.context("a reader panicked")??;
    }
    anyhow::ensure!(bytes >= expected_bytes, "the driver's cursors gave {bytes} bytes, {expected_bytes} are there");
    Ok(begun.elapsed().as_secs_f64())
}

/// Most of the data that the messages of [`insert`] are built of beforehand, in memory. As much as a usual bench has: a server that is
/// given a part of the data fills its cache, and never has to make room in it.
const INSERTED_MB_MAX: u64 = 2_500;

/// Insert messages of the first part of every collection, or of all of it, and how many bytes of documents each holds.
pub fn inserts(size_mb: u64) -> anyhow::Result<Vec<(Vec<u8>, u64)>> {
    // The stretches of one collection lie together: taken in strides, all collections grow side by side, as in a restore.
    let stretches = Stretch::all(size_mb, size_mb.div_ceil(INSERTED_MB_MAX).max(1));
    let stride = stretches.len().div_ceil(PARALLEL);
    let order = (0..stride).flat_map(|offset| (offset..stretches.len()).step_by(stride));
    order.map(|index| stretches[index].message()).collect()
}

/// Sends these messages. Blocks.
pub fn insert(address: &str, inserts: &[(Vec<u8>, u64)]) -> anyhow::Result<f64> {
    let begun = Instant::now();
    in_parallel(address, inserts, |wire, (message, _)| wire.send(message).map(|_| ()))?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Loads the whole data set. Returns its bytes and documents. Blocks.
pub fn load(address: &str, size_mb: u64) -> anyhow::Result<(u64, u64)> {
    let stretches = Stretch::all(size_mb, 1);
    let loaded = in_parallel(address, &stretches, |wire, stretch| {
        let (message, bytes) = stretch.message()?;
        wire.send(&message)?;
        Ok(bytes)
    })?;
    Ok((loaded.into_iter().sum(), stretches.iter().map(|stretch| stretch.numbers.end - stretch.numbers.start).sum()))
}

/// Works off `jobs` in their order with [`PARALLEL`] connections, each on a thread of its own.
pub fn in_parallel<J: Sync, R: Send>(
    address: &str,
    jobs: &[J],
    work: impl Fn(&mut Wire, &J) -> anyhow::Result<R> + Sync,
) -> anyhow::Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut wire = Wire::connect(address)?;
        let mut results = Vec::new();
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            results.push(work(&mut wire, job)?);
        }
        anyhow::Ok(results)
    };
    let mut results = Vec::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..PARALLEL).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            let done = worker.join().map_err(|_| anyhow::anyhow!("a thread of the bench panicked"))?;
            results.extend(done?);
        }
        Ok(results)
    })
}
