//! The Snappy framing format, and S2, which is the same framing with larger blocks and one more kind of copy.
//!
//! A stream is a sequence of chunks: one byte for the type, three for the length (little endian), then the data. The first is an
//! identifier; another identifier begins another stream. Data chunks start with a masked CRC-32C of the uncompressed bytes. Rules
//! from the Snappy framing description and section 3.5 of the PBM specification.

use std::io::{self, Read};

use super::source::Source;
use super::{lz4, read_whole, s2_block};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    Snappy,
    S2,
}

pub(super) const IDENTIFIER_BYTES: usize = 10;
const CHECKSUM_BYTES: usize = 4;
const COMPRESSED: u8 = 0x00;
const UNCOMPRESSED: u8 = 0x01;
const IDENTIFIER: u8 = 0xff;

impl Flavour {
    /// The first chunk of a stream, whole.
    pub(super) const fn identifier(self) -> &'static [u8; IDENTIFIER_BYTES] {
        match self {
            Self::Snappy => b"\xff\x06\x00\x00sNaPpY",
            Self::S2 => b"\xff\x06\x00\x00S2sTwO",
        }
    }

    /// Uncompressed bytes of one chunk that we write: Snappy's limit, and what PBM uses for S2.
    const fn block_bytes(self) -> usize {
        match self {
            Self::Snappy => 64 * 1024,
            Self::S2 => 1024 * 1024,
        }
    }

    /// Uncompressed bytes of one chunk that we read.
    const fn block_bytes_max(self) -> usize {
        match self {
            Self::Snappy => 64 * 1024,
            Self::S2 => 4 * 1024 * 1024,
        }
    }
}

/// One stream. S2 blocks hold plain Snappy, which is valid S2: half a percent larger and twice as fast.
pub(super) fn encode(flavour: Flavour, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = snap::raw::Encoder::new();
    let mut out = Vec::with_capacity(IDENTIFIER_BYTES + bytes.len() / 2);
    out.extend_from_slice(flavour.identifier());
    for block in bytes.chunks(flavour.block_bytes()) {
        let compressed = encoder.compress_vec(block).expect("a block is far below the 4 GiB that Snappy allows");
        // Snappy's own rule: what shrinks by less than an eighth is not worth decompressing.
        let (kind, data) =
            if compressed.len() < block.len() - block.len() / 8 { (COMPRESSED, compressed.as_slice()) } else { (UNCOMPRESSED, block) };
        let length = u32::try_from(CHECKSUM_BYTES + data.len()).expect("a block is at most 1 MiB");
        out.push(kind);
        out.extend_from_slice(&length.to_le_bytes()[..3]);
        out.extend_from_slice(&masked_checksum(block).to_le_bytes());
        out.extend_from_slice(data);
    }
    out
}

fn masked_checksum(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

pub(super) struct Decoder {
    source: Source,
    /// Set by the identifier that was read last.
    flavour: Option<Flavour>,
    chunk: Vec<u8>,
    block: Vec<u8>,
    /// How much of `block` was handed out.
    given: usize,
}

fn damaged(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

impl Decoder {
    pub(super) fn new(source: Source) -> Self {
        Self { source, flavour: None, chunk: Vec::new(), block: Vec::new(), given: 0 }
    }

    /// Reads chunks until one has data; false at the end of the stream.
    fn next_block(&mut self) -> io::Result<bool> {
        self.block.clear();
        self.given = 0;
        while self.block.is_empty() {
            if self.source.peek(1)?.is_empty() {
                return Ok(false);
            }
            let mut header = [0; 4];
            read_whole(&mut self.source, &mut header, "the header of a chunk")?;
            let [kind, a, b, c] = header;
            let length = u32::from_le_bytes([a, b, c, 0]) as usize;
            match (kind, self.flavour) {
                (IDENTIFIER, _) => self.read_identifier(length)?,
                (_, None) => return Err(damaged("the stream does not begin with an identifier")),
                (COMPRESSED | UNCOMPRESSED, Some(flavour)) => self.read_data(kind, length, flavour)?,
                // Padding, skippable chunks, and the index klauspost's writer may append (0x99).
                (0x80..=0xfe, _) => lz4::skip(&mut self.source, length as u64)?,
                (unknown, _) => return Err(damaged(format!("chunk type {unknown:#04x} is reserved and cannot be skipped"))),
            }
        }
        Ok(true)
    }

    fn read_identifier(&mut self, length: usize) -> io::Result<()> {
        let mut identifier = *Flavour::S2.identifier();
        let text = &mut identifier[4..];
        if length != text.len() {
            return Err(damaged(format!("an identifier has {length} bytes, not 6")));
        }
        read_whole(&mut self.source, text, "an identifier")?;
        let flavour = [Flavour::S2, Flavour::Snappy].into_iter().find(|flavour| *flavour.identifier() == identifier);
        self.flavour = Some(flavour.ok_or_else(|| damaged(format!("unknown identifier {:?}", &identifier[4..])))?);
        Ok(())
    }

    fn read_data(&mut self, kind: u8, length: usize, flavour: Flavour) -> io::Result<()> {
        let limit = flavour.block_bytes_max();
        // The largest a block of this size can become: Snappy's own bound.
        let length_max = CHECKSUM_BYTES + if kind == UNCOMPRESSED { limit } else { 32 + limit + limit / 6 };
        if length < CHECKSUM_BYTES || length > length_max {
            return Err(damaged(format!("a chunk of {length} bytes, where 4 to {length_max} are possible")));
        }
        let mut checksum = [0; CHECKSUM_BYTES];
        read_whole(&mut self.source, &mut checksum, "a chunk")?;
        let target = if kind == UNCOMPRESSED { &mut self.block } else { &mut self.chunk };
        target.resize(length - CHECKSUM_BYTES, 0);
        read_whole(&mut self.source, target, "a chunk")?;
        if kind == COMPRESSED {
            s2_block::decode(&self.chunk, &mut self.block, limit).map_err(|error| damaged(error.to_string()))?;
        }
        if masked_checksum(&self.block) != u32::from_le_bytes(checksum) {
            return Err(damaged("the checksum of a chunk does not match its bytes"));
        }
        Ok(())
    }
}

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.block.len() && !self.next_block()? {
            return Ok(0);
        }
        let rest = &self.block[self.given..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}
