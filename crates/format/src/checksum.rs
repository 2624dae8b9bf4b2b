//! Checksums: CRC-64/XZ, which PBM keeps for the documents of every collection, and BLAKE3, with which our records know every object.
//!
//! A CRC finds what breaks by chance. A hash also tells two versions of an object apart, and one record can vouch for another by it. BLAKE3
//! rather than SHA-256, because a backup is hashed while it is read: it keeps up with an uncompressed one on every processor, and
//! `b3sum` computes the same by hand.

use std::fmt;
use std::str::FromStr;

use crc_fast::CrcAlgorithm;

/// A running CRC-64/XZ (polynomial 0x42F0E1EBA9EA3693 reflected, all ones in and out; Go calls it ECMA).
#[derive(Clone)]
pub struct Crc64(crc_fast::Digest);

impl Crc64 {
    pub fn new() -> Self {
        Self(crc_fast::Digest::new(CrcAlgorithm::Crc64Xz))
    }

    /// Takes the next bytes in.
    pub fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of everything written so far.
    pub fn sum(&self) -> u64 {
        self.0.finalize()
    }

    /// The checksum of `bytes` alone.
    pub fn of(bytes: &[u8]) -> u64 {
        let mut crc = Self::new();
        crc.write(bytes);
        crc.sum()
    }
}

impl Default for Crc64 {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Crc64 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Crc64({:016x})", self.sum())
    }
}

/// The BLAKE3 hash of an object's stored bytes, or of a record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The hash of `bytes` alone.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a hash of 64 hexadecimal digits")]
pub struct HashError(String);

impl FromStr for ContentHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| HashError(text.chars().take(80).collect()))
    }
}

/// A running [`ContentHash`].
#[derive(Clone, Debug, Default)]
pub struct ContentHasher(blake3::Hasher);

impl ContentHasher {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes in.
    pub fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of everything written so far.
    pub fn hash(&self) -> ContentHash {
        ContentHash(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_is_that_of_crc_64_xz() {
        assert_eq!(Crc64::of(b"123456789"), 0x995D_C9BB_DF19_39FA);
        assert_eq!(Crc64::of(b""), 0);
    }

    #[test]
    fn pieces_give_the_same_sum_as_the_whole() {
        let mut crc = Crc64::new();
        for piece in [b"12".as_slice(), b"", b"3456", b"789"] {
            crc.write(piece);
        }
        assert_eq!(crc.sum(), Crc64::of(b"123456789"));
    }

    /// Bit by bit, as the polynomial says.
    fn crc_by_hand(bytes: &[u8]) -> u64 {
        let step = |crc: u64| if crc & 1 == 1 { (crc >> 1) ^ 0xC96C_5795_D787_0F42 } else { crc >> 1 };
        !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u64::from(*byte), |crc, _| step(crc)))
    }

    #[test]
    fn long_and_short_pieces_give_what_the_polynomial_says() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|at| (at * at % 251) as u8).collect();
        for cut in [1, 15, 16, 127, 128, 129, 255, 256, 1_023, 4_095, 4_096, 9_999] {
            let mut crc = Crc64::new();
            crc.write(&bytes[..cut]);
            assert_eq!(crc.sum(), crc_by_hand(&bytes[..cut]), "{cut}");
            crc.write(&bytes[cut..]);
            assert_eq!(crc.sum(), crc_by_hand(&bytes), "{cut}");
        }
    }

    #[test]
    fn a_hash_is_that_of_b3sum_in_pieces_and_as_text() {
        let abc = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
        let mut hasher = ContentHasher::new();
        hasher.write(b"a");
        hasher.write(b"bc");
        assert_eq!(hasher.hash().to_string(), abc);
        assert_eq!(abc.parse(), Ok(ContentHash::of(b"abc")));
        for text in ["", "64", &abc[1..], &abc.replace('6', "x")] {
            assert!(text.parse::<ContentHash>().is_err(), "{text}");
        }
    }
}
