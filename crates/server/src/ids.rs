//! Names for new things: a prefix that tells the kind, then time and chance in hex, so that they sort by age.

use jiff::Timestamp;

/// `job_0199f0c2a1b4` + eight random digits.
pub fn new(prefix: &str, now: Timestamp) -> String {
    let millis = now.as_millisecond().max(0);
    format!("{prefix}_{millis:012x}{:08x}", u32::from_be_bytes(random()))
}

/// Bytes from the operating system that nobody can guess.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A secret for a person or program to keep: `prefix` + 64 hex digits.
pub fn secret(prefix: &str) -> String {
    format!("{prefix}{}", hex::encode(random::<32>()))
}
