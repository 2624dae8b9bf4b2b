//! The document that is being written: one buffer, lengths filled in when a document ends.

use bson::RawDocumentBuf;

use super::raw::{Element, kind};
use super::{ApplyError, DOCUMENT_BYTES_MAX, unknown};

pub(super) struct Out {
    bytes: Vec<u8>,
}

/// An embedded document or array that was begun: where its length stands.
#[must_use]
pub(super) struct Begun(usize);

impl Out {
    pub fn with_capacity(bytes: usize) -> Self {
        let mut out = Vec::with_capacity(bytes.min(DOCUMENT_BYTES_MAX));
        out.extend_from_slice(&[0; 4]);
        Self { bytes: out }
    }

    /// Whole fields, as they are.
    pub fn copy(&mut self, fields: &[u8]) {
        self.bytes.extend_from_slice(fields);
    }

    /// A field with another's value.
    pub fn value_of(&mut self, key: &[u8], from: Element<'_>) {
        self.name(from.kind(), key);
        self.bytes.extend_from_slice(from.value());
    }

    pub fn null(&mut self, key: &[u8]) {
        self.name(kind::NULL, key);
    }

    pub fn begin(&mut self, kind: u8, key: &[u8]) -> Begun {
        self.name(kind, key);
        self.bytes.extend_from_slice(&[0; 4]);
        Begun(self.bytes.len() - 4)
    }

    pub fn end(&mut self, Begun(start): Begun) {
        self.bytes.push(0);
        self.fill_in(start);
    }

    /// So that padding ends.
    pub fn check_size(&self) -> Result<(), ApplyError> {
        if self.bytes.len() >= DOCUMENT_BYTES_MAX { Err(unknown("the document would be larger than 16 MiB")) } else { Ok(()) }
    }

    pub fn finish(mut self) -> Result<RawDocumentBuf, ApplyError> {
        self.check_size()?;
        self.bytes.push(0);
        self.fill_in(0);
        RawDocumentBuf::from_bytes(self.bytes).map_err(|error| ApplyError::Malformed(error.to_string()))
    }

    fn name(&mut self, kind: u8, key: &[u8]) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(key);
        self.bytes.push(0);
    }

    fn fill_in(&mut self, start: usize) {
        // What is longer than this is refused in the end.
        let length = i32::try_from(self.bytes.len() - start).unwrap_or(i32::MAX);
        self.bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }
}

/// The names of an array's items, `0`, `1`, … in order.
pub(super) struct Position {
    digits: [u8; 10],
    len: usize,
    number: u32,
}

impl Position {
    pub fn first() -> Self {
        Self { digits: *b"0000000000", len: 1, number: 0 }
    }

    pub fn number(&self) -> u32 {
        self.number
    }

    pub fn key(&self) -> &[u8] {
        &self.digits[self.digits.len() - self.len..]
    }

    pub fn advance(&mut self) {
        // An array of 16 MiB has fewer items than a u32 counts.
        self.number = self.number.saturating_add(1);
        for at in (0..self.digits.len()).rev() {
            if self.digits[at] < b'9' {
                self.digits[at] += 1;
                self.len = self.len.max(self.digits.len() - at);
                return;
            }
            self.digits[at] = b'0';
        }
    }
}

/// An array whose items are not named `0`, `1`, … is renumbered by some updates and not by others, depending on whether the server
/// could overwrite in place.
pub(super) fn check_name(item: Element<'_>, position: &Position) -> Result<(), ApplyError> {
    if item.key() == position.key() { Ok(()) } else { Err(unknown("an array to be changed is not numbered from 0")) }
}
