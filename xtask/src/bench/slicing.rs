//! What slicing costs while a server is written to at a steady pace.

use std::time::Duration;

use bson::rawdoc;

use super::data::COLLECTIONS;
use super::wire::{Wire, message};

/// Oplog entries per second.
pub const WRITES_PER_SECOND: u64 = 1_000;
/// How long.
pub const SECONDS: u64 = 60;
/// Inserts in one command.
const TOGETHER: u64 = 10;

/// Writes at a steady pace. Blocks only as long as each command takes; never makes up for more than a moment that was lost.
pub async fn write_steadily(address: &str) -> anyhow::Result<()> {
    let mut wire = Wire::connect(address)?;
    let mut pace = tokio::time::interval(Duration::from_millis(1_000 * TOGETHER / WRITES_PER_SECOND));
    let collection = &COLLECTIONS[0];
    for round in 0..SECONDS * WRITES_PER_SECOND / TOGETHER {
        pace.tick().await;
        // Beyond the numbers of everything else.
        let numbers = (0..TOGETHER).map(|place| (1 << 40) + round * TOGETHER + place);
        let documents: Vec<u8> = numbers.flat_map(|number| collection.document(number).into_bytes()).collect();
        let command = rawdoc! { "insert": "paced", "$db": "pace", "ordered": false };
        wire.send(&message(&command, Some(("documents", &documents)), 0)?)?;
    }
    Ok(())
}
