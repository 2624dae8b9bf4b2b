//! Which objects are read to their end. Each has a rank that follows from its name and a seed; those with the lowest are read.

use std::collections::BinaryHeap;
use std::fmt;
use std::str::FromStr;

/// How much is read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    Everything,
    /// Of a hundred objects, so many.
    Percent(u8),
    /// So many objects.
    Objects(u64),
}

impl Sample {
    /// The highest rank that is read, where it does not depend on what is there.
    pub(super) fn share_threshold(self) -> u64 {
        match self {
            Self::Everything | Self::Objects(_) => u64::MAX,
            Self::Percent(percent) => (u64::MAX / 100).saturating_mul(u64::from(percent.min(100))),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Percent(percent) => write!(f, "{percent} % of the objects"),
            Self::Objects(1) => f.write_str("1 object"),
            Self::Objects(count) => write!(f, "{count} objects"),
        }
    }
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a sample: write a share as `10%`, or a number of objects as `500`");
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse() {
                Ok(percent @ 1..=100) => Ok(Self::Percent(percent)),
                _ => Err(wrong()),
            },
            None => match text.parse() {
                Ok(count) if count > 0 => Ok(Self::Objects(count)),
                _ => Err(wrong()),
            },
        }
    }
}

/// Spread evenly over all numbers, and the same on every machine.
pub(super) fn rank(seed: u64, name: &str) -> u64 {
    // FNV-1a, and then SplitMix64's finish, because FNV alone leaves similar names close together.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The rank up to which `count` of `names` lie. Holds `count` ranks.
pub(super) fn threshold(seed: u64, count: u64, names: impl IntoIterator<Item = String>) -> u64 {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut lowest = BinaryHeap::new();
    for name in names {
        lowest.push(rank(seed, &name));
        if lowest.len() > count {
            lowest.pop();
        }
    }
    if lowest.len() < count { u64::MAX } else { lowest.peek().copied().unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        (0..10_000).map(|number| format!("pbmPitr/rs0/20261122/{number}.oplog.zst")).collect()
    }

    #[test]
    fn samples_are_written_as_people_say_them() {
        assert_eq!("10%".parse(), Ok(Sample::Percent(10)));
        assert_eq!("500".parse(), Ok(Sample::Objects(500)));
        for text in ["", "0", "0%", "101%", "-1", "ten", "10 percent"] {
            assert!(text.parse::<Sample>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_about_that_share_and_depends_on_the_seed() {
        let picked =
            |seed| names().iter().filter(|name| rank(seed, name) <= Sample::Percent(10).share_threshold()).cloned().collect::<Vec<_>>();
        for seed in [1, 2, 3] {
            assert!((900..1_100).contains(&picked(seed).len()), "{}", picked(seed).len());
        }
        assert_eq!(picked(1), picked(1));
        assert_ne!(picked(1), picked(2));
    }

    #[test]
    fn a_number_is_exactly_that_number() {
        for count in [1, 7, 10_000] {
            let threshold = threshold(5, count, names());
            assert_eq!(names().iter().filter(|name| rank(5, name) <= threshold).count() as u64, count);
        }
        assert_eq!(threshold(5, 20_000, names()), u64::MAX);
    }
}
