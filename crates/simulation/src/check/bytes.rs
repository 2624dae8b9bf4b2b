//! Names and bytes, read without the help of what is tested.

use std::io::Read;

use bson::RawDocumentBuf;
use oplogue_domain::{OplogRange, OplogTime};
use oplogue_format::compression::{Compression, decoder};

pub enum Named {
    Slice(OplogRange),
    /// With the name of the backup.
    BackupOplog(String, OplogRange),
}

/// `pbmPitr/rs0/<day>/<first>.<last>.oplog<ext>` or `<backup>/rs0/oplog/<first>.<last><ext>`.
pub fn name_of(name: &str) -> Option<Named> {
    let parts: Vec<&str> = name.split('/').collect();
    let [folder, "rs0", middle, last] = parts[..] else { return None };
    let mut stamps = last.split('.');
    let range = OplogRange::new(stamp(stamps.next()?)?, stamp(stamps.next()?)?);
    match (folder, middle) {
        ("pbmPitr", _) => Some(Named::Slice(range)),
        (backup, "oplog") => Some(Named::BackupOplog(backup.to_owned(), range)),
        _ => None,
    }
}

/// `20261122234048-54`
fn stamp(text: &str) -> Option<OplogTime> {
    let (date, ordinal) = text.split_once('-')?;
    let number = |from: usize, to: usize| date.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    // Days since 1970 by counting.
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years: i64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let months: i64 = lengths.iter().take(usize::try_from(month - 1).ok()?).sum();
    let seconds = (((years + months + day - 1) * 24 + hour) * 60 + minute) * 60 + second;
    Some(OplogTime::new(u32::try_from(seconds).ok()?, ordinal.parse().ok()?))
}

/// The documents in an object. `None` when they cannot be read.
pub fn entries_of(name: &str, bytes: &::bytes::Bytes) -> Option<Vec<RawDocumentBuf>> {
    let mut raw = Vec::new();
    decoder(Compression::of_name(name), Box::new(std::io::Cursor::new(bytes.to_vec()))).read_to_end(&mut raw).ok()?;
    let mut entries = Vec::new();
    let mut rest = raw.as_slice();
    while let Some(length) = rest.get(..4) {
        let length = usize::try_from(u32::from_le_bytes([length[0], length[1], length[2], length[3]])).ok()?;
        entries.push(RawDocumentBuf::from_bytes(rest.get(..length)?.to_vec()).ok()?);
        rest = &rest[length..];
    }
    rest.is_empty().then_some(entries)
}

/// The time of an entry: its first field, an element of type 17 named `ts`, ordinal before seconds.
pub fn entry_time(entry: &[u8]) -> Option<OplogTime> {
    let field = entry.get(4..16)?;
    let number = |at: usize| Some(u32::from_le_bytes(field.get(at..at + 4)?.try_into().ok()?));
    (field.starts_with(b"\x11ts\0")).then_some(())?;
    Some(OplogTime::new(number(8)?, number(4)?))
}
