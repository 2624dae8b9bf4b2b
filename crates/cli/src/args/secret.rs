//! A value that is never printed.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A password, a key, or a URI that may hold one. Any text is accepted here, so that the parser of the command line never has a
/// reason to quote it in an error; what is wrong with it is said by whoever uses it, without its value.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value itself. For the place that needs it, never for a message.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}
