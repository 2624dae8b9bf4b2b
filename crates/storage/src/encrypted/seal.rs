//! How one object is sealed.
//!
//! ```text
//! OPLGENC1 | 19 random bytes | chunk 0 | chunk 1 | … | last chunk
//! ```
//!
//! A chunk is 64 KiB of the object (the last one what is left, of an empty object nothing) encrypted with XChaCha20-Poly1305, and its tag of 16
//! bytes. The nonce is the 19 bytes, the number of the chunk, and whether it is the last: the STREAM construction, so that chunks cannot be
//! left out, put in another order, or cut off unnoticed. The object's name is authenticated with every chunk: no object can be passed off
//! as another.
//!
//! Chunks have one size, so that the size inside follows from the size outside, and a reader can begin anywhere.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

const MAGIC: &[u8; 8] = b"OPLGENC1";
const PREFIX_BYTES: usize = 19;
/// What comes before the first chunk.
pub(super) const HEADER_BYTES: u64 = (MAGIC.len() + PREFIX_BYTES) as u64;
/// Of the object, in one chunk.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;
const TAG_BYTES: usize = 16;
/// Stored, of one whole chunk.
pub(super) const SEALED_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// The key of a folder, ready for use.
pub(super) struct Cipher(XChaCha20Poly1305);

/// One object's sealing: what its nonces begin with, and what it is called.
#[derive(Clone)]
pub(super) struct Sealed {
    prefix: [u8; PREFIX_BYTES],
    name: Vec<u8>,
}

/// The size of an object, from its size as stored. `None`: no object is stored in so many bytes.
pub(super) fn plain_bytes(stored: u64) -> Option<u64> {
    let (whole, tag) = (SEALED_BYTES as u64, TAG_BYTES as u64);
    let chunks = stored.checked_sub(HEADER_BYTES)?;
    match (chunks / whole, chunks % whole) {
        (0, rest) => rest.checked_sub(tag),
        (full, 0) => Some(full * CHUNK_BYTES as u64),
        // Only an empty object has a chunk with nothing in it.
        (full, rest) if rest > tag => Some(full * CHUNK_BYTES as u64 + rest - tag),
        _ => None,
    }
}

/// The number of the last chunk of an object of so many bytes.
pub(super) fn last_chunk(plain: u64) -> u64 {
    plain.saturating_sub(1) / CHUNK_BYTES as u64
}

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// `None` past 2^32 chunks, which is 256 TiB.
    pub(super) fn seal(&self, object: &Sealed, number: u64, last: bool, plain: &[u8]) -> Option<Vec<u8>> {
        let payload = Payload { msg: plain, aad: &object.name };
        self.0.encrypt(&object.nonce(number, last)?, payload).ok()
    }

    /// `None`: this is not what was sealed.
    pub(super) fn open(&self, object: &Sealed, number: u64, last: bool, sealed: &[u8]) -> Option<Vec<u8>> {
        let payload = Payload { msg: sealed, aad: &object.name };
        self.0.decrypt(&object.nonce(number, last)?, payload).ok()
    }
}

impl Sealed {
    /// A new object. `prefix` must be random: it may never come twice with the same key.
    pub(super) fn new(prefix: [u8; PREFIX_BYTES], name: &str) -> Self {
        Self { prefix, name: name.as_bytes().to_vec() }
    }

    /// From its first [`HEADER_BYTES`]; `None` when they are not those of a sealed object.
    pub(super) fn parse(header: &[u8], name: &str) -> Option<Self> {
        let prefix = header.strip_prefix(MAGIC)?;
        Some(Self::new(prefix.try_into().ok()?, name))
    }

    pub(super) fn header(&self) -> Vec<u8> {
        [MAGIC.as_slice(), &self.prefix].concat()
    }

    fn nonce(&self, number: u64, last: bool) -> Option<XNonce> {
        let number = u32::try_from(number).ok()?;
        let mut nonce = [0; PREFIX_BYTES + 5];
        nonce[..PREFIX_BYTES].copy_from_slice(&self.prefix);
        nonce[PREFIX_BYTES..PREFIX_BYTES + 4].copy_from_slice(&number.to_be_bytes());
        nonce[PREFIX_BYTES + 4] = u8::from(last);
        Some(XNonce::from(nonce))
    }
}

/// A prefix for a new object.
pub(super) fn random_prefix() -> Result<[u8; PREFIX_BYTES], getrandom::Error> {
    let mut prefix = [0; PREFIX_BYTES];
    getrandom::fill(&mut prefix)?;
    Ok(prefix)
}
