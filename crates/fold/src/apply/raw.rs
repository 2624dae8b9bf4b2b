//! Fields of a BSON document as slices of its bytes.
//!
//! Only what is needed to find the next field is looked at: a value is a slice, whatever is in it, and names may be any bytes but
//! zero. So everything can be copied byte for byte, also what a decoder would refuse (invalid UTF-8) or change.

use super::ApplyError;

/// Type bytes that matter here.
pub(super) mod kind {
    pub const DOCUMENT: u8 = 0x03;
    pub const ARRAY: u8 = 0x04;
    pub const BOOLEAN: u8 = 0x08;
    pub const NULL: u8 = 0x0A;
    pub const INT32: u8 = 0x10;
    pub const INT64: u8 = 0x12;
}

/// One field: type byte, name, zero, value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    bytes: &'a [u8],
    key_len: usize,
}

impl<'a> Element<'a> {
    pub fn kind(self) -> u8 {
        self.bytes[0]
    }

    pub fn key(self) -> &'a [u8] {
        &self.bytes[1..=self.key_len]
    }

    pub fn value(self) -> &'a [u8] {
        &self.bytes[self.key_len + 2..]
    }

    /// All of it.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// An int or a long.
    pub fn integer(self) -> Option<i64> {
        match self.kind() {
            kind::INT32 => self.value().try_into().ok().map(i32::from_le_bytes).map(i64::from),
            kind::INT64 => self.value().try_into().ok().map(i64::from_le_bytes),
            _ => None,
        }
    }
}

/// The fields of a document not yet read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// From a whole document: length, fields, zero.
    pub fn of(document: &'a [u8]) -> Result<Self, ApplyError> {
        match document {
            [a, b, c, d, rest @ .., 0] if i32::from_le_bytes([*a, *b, *c, *d]).try_into() == Ok(document.len()) => Ok(Self { rest }),
            _ => Err(malformed("a document's length does not fit")),
        }
    }

    /// The bytes of the fields not yet read.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub fn next(&mut self) -> Result<Option<Element<'a>>, ApplyError> {
        let Some((kind, named)) = self.rest.split_first() else {
            return Ok(None);
        };
        let key_len = text_len(named)?;
        let start = key_len + 2;
        let size = value_len(*kind, &self.rest[start..])?;
        let Some((bytes, rest)) = start.checked_add(size).and_then(|end| self.rest.split_at_checked(end)) else {
            return Err(malformed("a value is longer than its document"));
        };
        self.rest = rest;
        Ok(Some(Element { bytes, key_len }))
    }
}

/// How long a value is, from its first bytes. It may be longer than `value`.
fn value_len(kind: u8, value: &[u8]) -> Result<usize, ApplyError> {
    let fixed = match kind {
        0x06 | 0x0A | 0x7F | 0xFF => 0,
        0x08 => 1,
        0x10 => 4,
        0x01 | 0x09 | 0x11 | 0x12 => 8,
        0x07 => 12,
        0x13 => 16,
        0x0B => {
            let pattern = text_len(value)?;
            pattern + 1 + text_len(&value[pattern + 1..])? + 1
        }
        // Length and text with its zero; for a pointer an ObjectId besides.
        0x02 | 0x0D | 0x0E => 4 + length(value, 1)?,
        0x0C => 16 + length(value, 1)?,
        0x05 => 5 + length(value, 0)?,
        // The length counts itself.
        0x03 | 0x04 => length(value, 5)?,
        0x0F => length(value, 14)?,
        _ => return Err(malformed("a type of value that does not exist")),
    };
    Ok(fixed)
}

fn length(value: &[u8], least: i32) -> Result<usize, ApplyError> {
    let length = value.first_chunk().map(|bytes| i32::from_le_bytes(*bytes)).filter(|length| *length >= least);
    length.and_then(|length| usize::try_from(length).ok()).ok_or_else(|| malformed("a value has an impossible length"))
}

/// How long a text is that ends with a zero.
fn text_len(bytes: &[u8]) -> Result<usize, ApplyError> {
    bytes.iter().position(|byte| *byte == 0).ok_or_else(|| malformed("a name does not end"))
}

fn malformed(reason: &str) -> ApplyError {
    ApplyError::Malformed(String::from(reason))
}
