//! The last line of a record: the hash of everything before it.
//!
//! ```text
//! {
//!   …,
//!   "seal": "<64 hexadecimal digits>"
//! }
//! ```
//!
//! It covers every byte up to its own digits, and what comes after them is fixed, so that no byte of a record can change unnoticed.

use super::SidecarError;
use crate::checksum::ContentHash;

const OPENING: &[u8] = b",\n  \"seal\": \"";
const CLOSING: &[u8] = b"\"\n}\n";
const DIGITS: usize = 64;

/// The record `text` (an object, printed over several lines) with its seal.
pub(super) fn sealed(mut text: Vec<u8>) -> Vec<u8> {
    let body = text.strip_suffix(b"\n}").map_or(text.len(), <[u8]>::len);
    text.truncate(body);
    text.extend_from_slice(OPENING);
    let seal = ContentHash::of(&text);
    text.extend_from_slice(seal.to_string().as_bytes());
    text.extend_from_slice(CLOSING);
    text
}

/// The seal of a record as it stands there; `None` for a record without one. Says nothing about whether it fits.
pub fn seal_of(record: &[u8]) -> Option<ContentHash> {
    let (_, digits) = split(record)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether the record has a seal, which then fits.
pub(super) fn is_intact(record: &[u8]) -> Result<bool, SidecarError> {
    let Some((covered, digits)) = split(record) else { return Ok(false) };
    if ContentHash::of(covered).to_string().as_bytes() == digits {
        Ok(true)
    } else {
        Err(SidecarError::Broken("its seal does not fit what it says"))
    }
}

/// What a seal covers, and its digits.
fn split(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = record.strip_suffix(CLOSING)?;
    let (covered, digits) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    covered.ends_with(OPENING).then_some((covered, digits))
}
