//! Backups as the API names them: location, folder and name in one word that is good in URLs.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Stands for the continuous oplog of a folder. No backup can be named so.
pub const OPLOG: &str = "\u{1}oplog";

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackupId {
    pub location_id: String,
    pub folder: String,
    /// On the storage, or [`OPLOG`].
    pub name: String,
}

impl BackupId {
    pub fn new(location_id: &str, folder: &str, name: &str) -> Self {
        Self { location_id: location_id.to_owned(), folder: folder.to_owned(), name: name.to_owned() }
    }

    /// `None`: it is no id of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = text.splitn(3, '\n');
        Some(Self { location_id: parts.next()?.to_owned(), folder: parts.next()?.to_owned(), name: parts.next()?.to_owned() })
    }

    pub fn is_oplog(&self) -> bool {
        self.name == OPLOG
    }
}

impl std::fmt::Display for BackupId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(format!("{}\n{}\n{}", self.location_id, self.folder, self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_what_it_names() {
        for (folder, name) in [("shop", "nightly_2026-11-25T03:00:00Z"), ("", "über\nzwei"), ("a/b", OPLOG)] {
            let id = BackupId::new("loc_1", folder, name);
            assert_eq!(BackupId::parse(&id.to_string()), Some(id));
        }
        for text in ["", "a", "%", "bG9j", "bG9jCg"] {
            assert_eq!(BackupId::parse(text), None, "{text}");
        }
    }
}
