//! Compressed streams, in the six ways Percona Backup for MongoDB (PBM) writes them.
//!
//! What we write is a sequence of complete frames (members, streams): each is compressed on its own, and their concatenation is
//! one valid object, for our reader and for PBM's. So blocks can be compressed in parallel and simply appended.
//!
//! What we read is decided by the first bytes, not by the suffix: PBM before 1.7 stored S2 streams under `.snappy`. A stream
//! that ends in the middle of a frame is an error. A stream that was cut exactly between two frames cannot be told from a whole
//! one here; sizes and checksums in the metadata, and the framing of the documents, catch that.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::str::FromStr;

mod framed;
mod lz4;
mod s2_block;
mod source;

use source::Source;

/// How an object is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Compression {
    None,
    /// Also what PBM calls `pgzip`: the same bytes on storage, written by several threads.
    Gzip,
    Snappy,
    Lz4,
    S2,
    Zstd,
}

/// A word that names no compression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a compression: use one of none, gzip, snappy, lz4, s2, zstd")]
pub struct UnknownCompression(pub String);

/// The largest window a zstd frame may ask for: 2^29 bytes, as PBM's reader allows.
const ZSTD_WINDOW_LOG_MAX: u32 = 29;
/// Level 1 is nearly as fast as S2 and smaller than everything else that fast.
const ZSTD_LEVEL: i32 = 1;
/// gzip is chosen for compatibility, not for size: the higher levels cost far more time than they save bytes.
const GZIP_LEVEL: u32 = 3;

impl Compression {
    pub const ALL: [Self; 6] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::S2, Self::Zstd];

    /// As the metadata of a backup names it: `none`, `gzip`, `snappy`, `lz4`, `s2`, `zstd`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::S2 => "s2",
            Self::Zstd => "zstd",
        }
    }

    /// What is appended to an object's name, with its dot; empty for no compression.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Snappy => ".snappy",
            Self::Lz4 => ".lz4",
            Self::S2 => ".s2",
            Self::Zstd => ".zst",
        }
    }

    /// The compression whose suffix is `suffix` (with its dot), or `None` when nobody's is. The empty suffix is no compression.
    pub fn from_suffix(suffix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.suffix() == suffix)
    }

    /// The compression told by an object's name. A name with any other ending is uncompressed, as for PBM.
    pub fn of_name(name: &str) -> Self {
        let compressed = Self::ALL.into_iter().filter(|compression| *compression != Self::None);
        compressed.into_iter().find(|compression| name.ends_with(compression.suffix())).unwrap_or(Self::None)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Compression {
    type Err = UnknownCompression;

    /// `pgzip` reads as gzip: its objects cannot be told apart.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "pgzip" {
            return Ok(Self::Gzip);
        }
        let found = Self::ALL.into_iter().find(|compression| compression.name() == text);
        found.ok_or_else(|| UnknownCompression(text.to_owned()))
    }
}

/// Compresses `bytes` into one complete frame, which may be followed by others. Also for empty `bytes` the frame is not empty
/// (except without compression), because an object of zero bytes counts as broken.
///
/// Within the limits of PBM's reader: zstd with a content checksum and a window below 8 MiB, LZ4 with independent blocks, Snappy
/// chunks of 64 KiB, S2 chunks of 1 MiB.
pub fn encode_frame(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    match compression {
        Compression::None => bytes.to_vec(),
        Compression::Gzip => {
            let level = flate2::Compression::new(GZIP_LEVEL);
            let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(bytes.len() / 2), level);
            let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
            written.expect("a vector takes every byte")
        }
        Compression::Snappy => framed::encode(framed::Flavour::Snappy, bytes),
        Compression::S2 => framed::encode(framed::Flavour::S2, bytes),
        Compression::Lz4 => lz4::encode(bytes),
        Compression::Zstd => encode_zstd(bytes).expect("a vector takes every byte, and the parameters are valid constants"),
    }
}

fn encode_zstd(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.compress(bytes)
}

/// Something in a compressed stream is wrong, or it ends early. Carried inside an [`io::Error`], whose kind is
/// `UnexpectedEof` for a stream that ends early and `InvalidData` for a damaged one.
#[derive(Debug, thiserror::Error)]
#[error("decompress {compression}: {source}")]
pub struct DecodeError {
    pub compression: Compression,
    source: io::Error,
}

/// Decompresses `reader`. With `expected` none the bytes pass as they are; otherwise the first bytes decide which codec it is,
/// and `expected` only settles what they leave open.
///
/// Errors of `reader` come through unchanged; damage and early ends are errors that carry a [`DecodeError`]. Memory is bounded by
/// the codec: at most 512 MiB for a zstd stream that asks for such a window, usually some MiB.
pub fn decoder(expected: Compression, reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    if expected == Compression::None {
        return reader;
    }
    Box::new(Decoder { state: State::Unknown(Source::new(reader)), compression: expected })
}

/// Which codec wrote these first bytes of an object, if they tell.
pub fn sniff(first: &[u8]) -> Option<Compression> {
    match first {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some(Compression::Lz4),
        _ if first.starts_with(framed::Flavour::S2.identifier()) => Some(Compression::S2),
        _ if first.starts_with(framed::Flavour::Snappy.identifier()) => Some(Compression::Snappy),
        _ => None,
    }
}

/// Skippable frames may stand first in a stream; zstd and LZ4 share their magic numbers.
fn is_skippable_frame(first: &[u8]) -> bool {
    matches!(first, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

struct Decoder {
    state: State,
    compression: Compression,
}

enum State {
    Unknown(Source),
    Known(Box<dyn Read + Send>),
    /// After an error nothing that follows can be trusted.
    Failed,
}

impl Decoder {
    /// Looks at the first bytes and picks the codec.
    fn open(&mut self, mut source: Source) -> io::Result<Box<dyn Read + Send>> {
        let first = source.peek(framed::IDENTIFIER_BYTES)?;
        if first.is_empty() {
            return Err(self.broken(io::Error::new(io::ErrorKind::UnexpectedEof, "the object is empty")));
        }
        let found = match sniff(first) {
            Some(found) => found,
            None if is_skippable_frame(first) && matches!(self.compression, Compression::Zstd | Compression::Lz4) => self.compression,
            None => {
                let start = hex::encode(first);
                let what = format!("it begins with {start}, which is no {} stream", self.compression);
                return Err(self.broken(io::Error::new(io::ErrorKind::InvalidData, what)));
            }
        };
        self.compression = found;
        Ok(match found {
            Compression::None => unreachable!("sniffing never answers `none`"),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
            Compression::Snappy | Compression::S2 => Box::new(framed::Decoder::new(source)),
            Compression::Lz4 => Box::new(lz4::Decoder::new(source)),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(decoder)
            }
        })
    }

    fn broken(&self, source: io::Error) -> io::Error {
        let kind = match source.kind() {
            io::ErrorKind::UnexpectedEof => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, DecodeError { compression: self.compression, source })
    }

    /// Errors of the reader below pass as they are; what the codec found wrong says which codec.
    fn explain(&self, error: io::Error) -> io::Error {
        match source::ReaderError::unwrap(error) {
            Ok(from_below) => from_below,
            Err(from_codec) if from_codec.get_ref().is_some_and(|inner| inner.is::<DecodeError>()) => from_codec,
            Err(from_codec) => self.broken(from_codec),
        }
    }
}

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut reader = match std::mem::replace(&mut self.state, State::Failed) {
            State::Known(reader) => reader,
            State::Unknown(source) => self.open(source).map_err(|error| self.explain(error))?,
            State::Failed => return Err(self.broken(io::Error::other("reading went on after an error"))),
        };
        loop {
            match reader.read(buffer) {
                Ok(count) => {
                    self.state = State::Known(reader);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.explain(error)),
            }
        }
    }
}

/// Fills `buffer` or says what is missing: the standard `read_exact` with an error that names the need.
fn read_whole(source: &mut impl BufRead, buffer: &mut [u8], what: &str) -> io::Result<()> {
    source.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(io::ErrorKind::UnexpectedEof, format!("the stream ends within {what}")),
        _ => error,
    })
}
