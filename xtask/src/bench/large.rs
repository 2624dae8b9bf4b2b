//! Documents as large as they can be: memory must not grow with them.

use bson::rawdoc;

use super::ceilings::in_parallel;
use super::wire::message;

/// As near to 16 MiB as a server takes.
const FILL_BYTES: usize = 16 * 1024 * 1024 - 100;
const COLLECTIONS: [&str; 4] = ["a", "b", "c", "d"];
/// Documents of each collection.
const DOCUMENTS: i32 = 12;
pub const DATABASE: &str = "large";

/// Loads them. Returns their bytes. Blocks.
pub fn load(address: &str) -> anyhow::Result<u64> {
    let bytes = in_parallel(address, &COLLECTIONS, |wire, collection| {
        let mut bytes = 0;
        for id in 0..DOCUMENTS {
            // Half of it compresses well.
            let noise: Vec<u8> =
                (0..FILL_BYTES as u32 / 2).map(|at| (at.wrapping_mul(2_654_435_761).wrapping_add(id as u32) >> 13) as u8).collect();
            let noise = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: noise };
            let document = rawdoc! { "_id": id, "noise": noise, "text": "x".repeat(FILL_BYTES / 2) };
            let command = rawdoc! { "insert": *collection, "$db": DATABASE };
            wire.send(&message(&command, Some(("documents", document.as_bytes())), 0)?)?;
            bytes += document.as_bytes().len() as u64;
        }
        Ok(bytes)
    })?;
    Ok(bytes.into_iter().sum())
}
