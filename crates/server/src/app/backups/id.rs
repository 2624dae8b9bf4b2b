//! What a row of All Backups is called in URLs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::app::AppError;

/// No name of a backup has control characters.
const OPLOG: &str = "\u{1}oplog";
const JOB: char = '\u{2}';

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupId {
    pub location_id: String,
    pub folder: String,
    pub which: Which,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// By its name on the storage.
    Named(String),
    /// The folder's slices.
    Oplog,
    /// A run that has no name yet, or never had one.
    Job(String),
}

/// What [`Which`] is, without its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Named,
    Job,
    Oplog,
}

impl BackupId {
    pub(super) fn key(&self) -> (&str, &str, Kind, &str) {
        let (kind, name) = match &self.which {
            Which::Named(name) => (Kind::Named, name.as_str()),
            Which::Job(id) => (Kind::Job, id.as_str()),
            Which::Oplog => (Kind::Oplog, ""),
        };
        (&self.location_id, &self.folder, kind, name)
    }

    pub fn new(location_id: &str, folder: &str, which: Which) -> Self {
        Self { location_id: location_id.to_owned(), folder: folder.to_owned(), which }
    }

    pub fn parse(text: &str) -> Result<Self, AppError> {
        let parsed = || {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            let plain = String::from_utf8(bytes).ok()?;
            let mut parts = plain.splitn(3, '\n');
            let (location_id, folder, name) = (parts.next()?, parts.next()?, parts.next()?);
            let which = match name.strip_prefix(JOB) {
                Some(id) => Which::Job(id.to_owned()),
                None if name == OPLOG => Which::Oplog,
                None => Which::Named(name.to_owned()),
            };
            Some(Self::new(location_id, folder, which))
        };
        parsed().ok_or_else(|| AppError::not_found("backup", text))
    }
}

impl std::fmt::Display for BackupId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match &self.which {
            Which::Named(name) => name.clone(),
            Which::Oplog => OPLOG.to_owned(),
            Which::Job(id) => format!("{JOB}{id}"),
        };
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{}\n{}\n{name}", self.location_id, self.folder)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_which_row_it_is_of() {
        for which in [Which::Named("nightly_2026-11-25T03:00:00Z".into()), Which::Oplog, Which::Job("job_1".into())] {
            let id = BackupId::new("loc_1", "a/b", which);
            assert_eq!(BackupId::parse(&id.to_string()).expect("its own"), id);
        }
        for text in ["", "x", "!", "YQ", "YQpi"] {
            assert!(BackupId::parse(text).is_err(), "{text}");
        }
    }
}
