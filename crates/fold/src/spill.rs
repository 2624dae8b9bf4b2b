//! Where goes what does not fit into memory, and how it is written there.
//!
//! Everything of one restore goes into one file, in blocks; who wrote a block remembers where it lies. So there may be any number of
//! partitions and never more than one open file, and nothing needs to be found again after a crash.

use std::io;
use std::sync::Arc;

use bson::RawDocument;

/// A place for bytes. The engine's is a temporary file, the tests' is memory.
pub trait Spill: Send + Sync {
    /// Writes a block and returns where it begins.
    fn write(&self, block: &[u8]) -> io::Result<u64>;
    /// Fills `block` with what was written at `at`.
    fn read(&self, at: u64, block: &mut [u8]) -> io::Result<()>;
}

/// One thing remembered of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// The whole document, whatever was before.
    Whole(&'a [u8]),
    /// A change of the document that is there.
    Change(&'a [u8]),
    Gone,
}

/// Bytes in the order in which they were written: the end of them in memory, the rest in blocks.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    blocks: Vec<Block>,
    pub(crate) buffer: Vec<u8>,
    /// Where the buffer begins among all bytes.
    flushed: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Where it begins among all bytes.
    pub(crate) start: u64,
    /// Where it lies in the file.
    pub(crate) at: u64,
    pub(crate) bytes: usize,
}

impl Blocks {
    pub(crate) fn total_bytes(&self) -> u64 {
        self.flushed + self.buffer.len() as u64
    }

    /// Writes a block once `block_bytes` are held.
    pub(crate) fn relieve(&mut self, block_bytes: usize, spill: &dyn Spill) -> io::Result<()> {
        if self.buffer.len() >= block_bytes { self.flush(spill) } else { Ok(()) }
    }

    pub(crate) fn flush(&mut self, spill: &dyn Spill) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let (bytes, at) = (self.buffer.len(), spill.write(&self.buffer)?);
        self.blocks.push(Block { start: self.flushed, at, bytes });
        self.flushed += bytes as u64;
        self.buffer = Vec::new();
        Ok(())
    }

    /// The block that holds the byte at `place`, and its number.
    pub(crate) fn find(&self, place: u64) -> Option<(usize, Block)> {
        let number = self.blocks.partition_point(|block| block.start <= place).checked_sub(1)?;
        Some((number, self.blocks[number]))
    }
}

/// Records in the order in which they were written. Every block holds whole ones.
#[derive(Debug, Default)]
pub(crate) struct Run(Blocks);

impl Run {
    /// Adds a record. `late`: how many of the changes it stands for must have found their document.
    pub(crate) fn push(&mut self, key: &[u8], record: Record<'_>, late: u32) {
        let (kind, payload): (u8, &[u8]) = match record {
            Record::Whole(document) => (b'w', document),
            Record::Change(change) => (b'c', change),
            Record::Gone => (b'g', &[]),
        };
        self.0.buffer.push(kind);
        self.0.buffer.extend_from_slice(&late.to_le_bytes());
        for part in [key, payload] {
            self.0.buffer.extend_from_slice(&(part.len() as u32).to_le_bytes());
            self.0.buffer.extend_from_slice(part);
        }
    }

    /// Bytes that are held in memory.
    pub(crate) fn held_bytes(&self) -> usize {
        self.0.buffer.len()
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        self.0.total_bytes()
    }

    /// Writes a block once `block_bytes` are held.
    pub(crate) fn relieve(&mut self, block_bytes: usize, spill: &dyn Spill) -> io::Result<()> {
        self.0.relieve(block_bytes, spill)
    }

    pub(crate) fn flush(&mut self, spill: &dyn Spill) -> io::Result<()> {
        self.0.flush(spill)
    }

    /// Calls `take` with every record, in order: `(key, record, late)`. It goes on while `take` says true.
    pub(crate) fn read(
        &self,
        spill: &Arc<dyn Spill>,
        mut take: impl FnMut(&[u8], Record<'_>, u32) -> Result<bool, crate::FoldError>,
    ) -> Result<bool, crate::FoldError> {
        let mut block = Vec::new();
        for one in &self.0.blocks {
            block.resize(one.bytes, 0);
            spill.read(one.at, &mut block)?;
            if !each(&block, &mut take)? {
                return Ok(false);
            }
        }
        each(&self.0.buffer, &mut take)
    }
}

fn each(
    mut block: &[u8],
    take: &mut impl FnMut(&[u8], Record<'_>, u32) -> Result<bool, crate::FoldError>,
) -> Result<bool, crate::FoldError> {
    while !block.is_empty() {
        let (head, rest) = block.split_at_checked(5).ok_or_else(torn)?;
        let late = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let (key, rest) = part(rest)?;
        let (payload, rest) = part(rest)?;
        let record = match head[0] {
            b'w' => Record::Whole(payload),
            b'c' => Record::Change(payload),
            b'g' => Record::Gone,
            _ => return Err(torn().into()),
        };
        if !take(key, record, late)? {
            return Ok(false);
        }
        block = rest;
    }
    Ok(true)
}

pub(crate) fn part(bytes: &[u8]) -> io::Result<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(4).ok_or_else(torn)?;
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
    rest.split_at_checked(length).ok_or_else(torn)
}

/// Somebody else wrote into the file, or the disk lost it.
pub(crate) fn torn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the temporary file does not hold what was written to it")
}

/// The bytes as the document they are.
pub(crate) fn document(bytes: &[u8]) -> io::Result<&RawDocument> {
    RawDocument::from_bytes(bytes).map_err(|_| torn())
}
