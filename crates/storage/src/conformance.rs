//! The suite every storage must pass.
//!
//! [`check`] runs all cases against a storage, each in a folder of its own, and panics with the names of those that failed. Open the
//! storage with parts of 5 MiB: [`LARGE_BYTES`] is then a multipart upload.

mod content;
mod listing;
mod names;
mod writing;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;

use crate::Storage;

/// Four parts of 5 MiB, the last one full, and a bit.
pub const LARGE_BYTES: usize = 20 * 1024 * 1024 + 4321;

type Case = (&'static str, fn(Storage) -> BoxFuture<'static, ()>);

/// Cases run at once: enough to be quick on a network, little enough memory.
const CASES_AT_ONCE: usize = 4;

/// Runs every case on `storage`, which should be empty and is left with nothing but what a case wrote.
///
/// # Panics
/// When a case fails; that is what it is for.
pub async fn check(storage: Storage) {
    check_all_but(storage, &[]).await;
}

/// As [`check`], for a storage that cannot hold every name: `refused` are those of [`names::ODD_NAMES`] that it says it cannot.
///
/// # Panics
/// When a case fails, or it refuses other names.
pub async fn check_all_but(storage: Storage, refused: &[&str]) {
    let found: Vec<_> = names::ODD_NAMES.iter().filter(|name| !storage.holds(name)).copied().collect();
    assert_eq!(found, refused, "the names that {} cannot hold", storage.location());
    let cases = [content::CASES, listing::CASES, names::CASES, writing::CASES].concat();
    let runs = futures::stream::iter(cases).map(|(name, case)| {
        let storage = storage.within(name);
        // A task of its own, so that one panic does not hide the other cases.
        async move { (name, tokio::spawn(case(storage)).await) }
    });
    let outcomes: Vec<_> = runs.buffer_unordered(CASES_AT_ONCE).collect().await;
    let failed: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.is_err()).map(|(name, _)| name).collect();
    assert!(failed.is_empty(), "{} does not keep: {failed:?}", storage.location());
}

/// Bytes that differ from block to block and with `seed`, so that parts in the wrong order or of another object are noticed.
fn pattern(bytes: usize, seed: u64) -> Bytes {
    const BLOCK_BYTES: usize = 4096;
    let mut block = [0; BLOCK_BYTES];
    for (index, byte) in block.iter_mut().enumerate() {
        *byte = (index % 251) as u8;
    }
    let mut made = Vec::with_capacity(bytes + BLOCK_BYTES);
    for number in 0..bytes.div_ceil(BLOCK_BYTES) as u64 {
        let stamp = (number + 1).wrapping_mul(seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15));
        block[..8].copy_from_slice(&stamp.to_le_bytes());
        made.extend_from_slice(&block);
    }
    made.truncate(bytes);
    made.into()
}

/// All of an object through its reader, and how many pieces it came in.
async fn read_all(storage: &Storage, name: &str) -> (Vec<u8>, usize) {
    let mut reader = storage.reader(name).await.expect("the object can be opened");
    let (mut whole, mut pieces) = (Vec::new(), 0);
    while let Some(piece) = reader.next().await {
        whole.extend_from_slice(&piece.expect("the object can be read"));
        pieces += 1;
    }
    assert_eq!(whole.len() as u64, reader.bytes(), "a reader announces the object's size");
    (whole, pieces)
}

async fn names_in(storage: &Storage, prefix: &str) -> Vec<String> {
    storage.list(prefix).await.expect("listing works").into_iter().map(|object| object.name).collect()
}
