//! Which MongoDB it is, and what one of its version can do.

use std::fmt;
use std::str::FromStr;

use bson::doc;

use crate::command::Patience;
use crate::connect::Connection;
use crate::error::MongoError;

/// `6.0.5`. Suffixes (`-rc1`) are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl ServerVersion {
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for ServerVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split(['-', '+']).next().unwrap_or(text);
        let mut parts = numbers.split('.').map(str::parse::<u32>);
        let mut next = |missing: Option<u32>| match parts.next() {
            Some(Ok(number)) => Ok(number),
            None if missing.is_some() => Ok(missing.unwrap_or_default()),
            _ => Err(format!("`{text}` is not a MongoDB version")),
        };
        Ok(Self { major: next(None)?, minor: next(None)?, patch: next(Some(0))? })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    pub server: ServerVersion,
    /// Feature compatibility version: `6.0`.
    pub fcv: String,
}

/// What a server of a version, at its feature compatibility version, can do. From the vendor's release notes, checked by running
/// for 4.2, 4.4, 5.0 and 6.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// 4.4
    pub hidden_indexes: bool,
    /// 5.0
    pub time_series: bool,
    /// Applies updates in the delta form (`$v: 2`): 5.0, whatever the FCV (4.4.? writes them never, reads them only from 4.7).
    pub delta_updates: bool,
    /// 5.3, with FCV 6.0 in production.
    pub clustered_collections: bool,
    /// `prepareUnique`: 6.0
    pub prepare_unique: bool,
    /// `changeStreamPreAndPostImages`: 6.0
    pub pre_images: bool,
}

impl Versions {
    pub fn abilities(&self) -> Abilities {
        let fcv: ServerVersion = self.fcv.parse().unwrap_or(self.server);
        let both = |major, minor| self.server >= ServerVersion::new(major, minor, 0) && fcv >= ServerVersion::new(major, minor, 0);
        Abilities {
            hidden_indexes: both(4, 4),
            time_series: both(5, 0),
            delta_updates: self.server >= ServerVersion::new(5, 0, 0),
            clustered_collections: both(5, 3),
            prepare_unique: both(6, 0),
            pre_images: both(6, 0),
        }
    }
}

impl Connection {
    /// Version of the server asked, and the replica set's feature compatibility version.
    ///
    /// # Errors
    /// [`MongoError::Unauthorized`] without the action `getParameter` (role `clusterMonitor`).
    pub async fn versions(&self) -> Result<Versions, MongoError> {
        let server = self.server_version().await?;
        const WHAT: &str = "read the feature compatibility version";
        let command = doc! { "getParameter": 1, "featureCompatibilityVersion": 1 };
        let reply = self.run_again(WHAT, "admin", command, Patience::Short).await?;
        let fcv = reply.get_document("featureCompatibilityVersion").and_then(|fcv| fcv.get_str("version"));
        Ok(Versions { server, fcv: fcv.map_err(|error| MongoError::answer(WHAT, error))?.to_owned() })
    }

    /// Version of the server asked; needs no privilege.
    pub async fn server_version(&self) -> Result<ServerVersion, MongoError> {
        const WHAT: &str = "read the server's version";
        let reply = self.run_again(WHAT, "admin", doc! { "buildInfo": 1 }, Patience::Short).await?;
        let text = reply.get_str("version").map_err(|error| MongoError::answer(WHAT, error))?;
        text.parse().map_err(|error| MongoError::answer(WHAT, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_numbers() {
        let version = |text: &str| text.parse::<ServerVersion>().expect("a version of the test");
        assert!(version("4.2.26") < version("4.4.0-rc7"));
        assert!(version("10.0") > version("8.2.1"));
        assert_eq!(version("6.0.5").to_string(), "6.0.5");
        for text in ["", "6", "6.x", "six"] {
            assert!(text.parse::<ServerVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_old_fcv_takes_abilities_away() {
        let versions = |server: &str, fcv: &str| Versions { server: server.parse().expect("a version of the test"), fcv: fcv.to_owned() };
        assert!(versions("6.0.5", "6.0").abilities().prepare_unique);
        let old = versions("6.0.5", "5.0").abilities();
        assert!(!old.clustered_collections && old.time_series && old.delta_updates);
        assert!(!versions("4.4.2", "4.4").abilities().delta_updates);
    }
}
