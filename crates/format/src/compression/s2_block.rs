//! One S2 block: the Snappy block format plus copies that repeat the last offset.
//!
//! A block is a varint (its uncompressed length), then literals and copies. In S2 a copy of the first kind whose offset is 0 means
//! "the same offset as before", with lengths of its own. Rules from section 3.5 of the PBM specification.

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BlockError {
    #[error("a block claims {length} bytes, more than the {limit} allowed")]
    TooLarge { length: u64, limit: usize },
    #[error("a block ends within an element")]
    EndsEarly,
    #[error("a copy reaches {offset} bytes back where only {available} are known")]
    BadOffset { offset: usize, available: usize },
    #[error("a block holds more bytes than the {0} it claims")]
    Overflow(usize),
    #[error("a block holds {found} bytes, not the {length} it claims")]
    Underflow { found: usize, length: usize },
}

/// Decodes the block `from` into `into`, replacing what is there. At most `limit` bytes.
pub(super) fn decode(from: &[u8], into: &mut Vec<u8>, limit: usize) -> Result<(), BlockError> {
    into.clear();
    let mut input = Input { bytes: from };
    let claimed = input.varint()?;
    let length = usize::try_from(claimed).unwrap_or(usize::MAX);
    if length > limit {
        return Err(BlockError::TooLarge { length: claimed, limit });
    }
    into.reserve(length);
    let mut offset = 0;
    while let Some(tag) = input.next() {
        let field = usize::from(tag >> 2);
        match tag & 3 {
            0 => {
                let count = match field {
                    0..=59 => field,
                    _ => input.little_endian(field - 59)?,
                };
                let count = count.checked_add(1).ok_or(BlockError::EndsEarly)?;
                let literal = input.take(count)?;
                if into.len() + count > length {
                    return Err(BlockError::Overflow(length));
                }
                into.extend_from_slice(literal);
                continue;
            }
            1 => {
                let near = usize::from(tag & 0xe0) << 3 | input.little_endian(1)?;
                let field = field & 7;
                let count = if near != 0 {
                    offset = near;
                    field
                } else {
                    match field {
                        0..=4 => field,
                        5 => input.little_endian(1)? + 4,
                        6 => input.little_endian(2)? + (1 << 8),
                        _ => input.little_endian(3)? + (1 << 16),
                    }
                };
                copy(into, offset, count + 4, length)?;
            }
            wide => {
                offset = input.little_endian(if wide == 2 { 2 } else { 4 })?;
                copy(into, offset, field + 1, length)?;
            }
        }
    }
    if into.len() == length { Ok(()) } else { Err(BlockError::Underflow { found: into.len(), length }) }
}

/// Appends `count` bytes that stand `offset` bytes back. A copy may overlap what it writes: offset 1 repeats one byte.
fn copy(into: &mut Vec<u8>, offset: usize, count: usize, length: usize) -> Result<(), BlockError> {
    let have = into.len();
    if offset == 0 || offset > have {
        return Err(BlockError::BadOffset { offset, available: have });
    }
    if have + count > length {
        return Err(BlockError::Overflow(length));
    }
    let start = have - offset;
    let mut left = count;
    while left > 0 {
        // All bytes from `start` on repeat with period `offset`, so each round may take everything written so far.
        let step = left.min(into.len() - start);
        into.extend_from_within(start..start + step);
        left -= step;
    }
    Ok(())
}

struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], BlockError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(BlockError::EndsEarly)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// A number of 1 to 4 bytes.
    fn little_endian(&mut self, count: usize) -> Result<usize, BlockError> {
        let taken = self.take(count)?;
        Ok(taken.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    fn varint(&mut self) -> Result<u64, BlockError> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.next().ok_or(BlockError::EndsEarly)?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(BlockError::TooLarge { length: u64::MAX, limit: u32::MAX as usize })
    }
}
