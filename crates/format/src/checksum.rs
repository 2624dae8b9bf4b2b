//! CRC-64/XZ, the checksum PBM keeps for the documents of every collection.

/// A running CRC-64/XZ (polynomial 0x42F0E1EBA9EA3693 reflected, all ones in and out; Go calls it ECMA).
#[derive(Clone)]
pub struct Crc64(crc64fast::Digest);

impl Crc64 {
    pub fn new() -> Self {
        Self(crc64fast::Digest::new())
    }

    /// Takes the next bytes in.
    pub fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The checksum of everything written so far.
    pub fn sum(&self) -> u64 {
        self.0.sum64()
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
}
