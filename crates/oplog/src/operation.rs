//! One committed change: what is left of entries when transactions are resolved and `applyOps` are unfolded.

use bson::RawDocumentBuf;
use bson::raw::RawBsonRef;
use oplogue_domain::{Namespace, OplogTime};

use crate::entry::Entry;
use crate::{OplogError, Uuid};

/// What an operation does, by the letter of its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Insert,
    Update,
    Delete,
    Command,
}

impl Kind {
    /// The letter of the oplog: `i`, `u`, `d`, `c`.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Insert => "i",
            Self::Update => "u",
            Self::Delete => "d",
            Self::Command => "c",
        }
    }

    pub(crate) fn from_letter(letter: &str) -> Option<Self> {
        match letter {
            "i" => Some(Self::Insert),
            "u" => Some(Self::Update),
            "d" => Some(Self::Delete),
            "c" => Some(Self::Command),
            _ => None,
        }
    }
}

/// A change that was committed at `time`. `o` and `o2` are the bytes of the oplog.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The commit's time for what was done in a transaction. Operations of one time belong together.
    pub time: OplogTime,
    pub kind: Kind,
    /// Of a command: the collection it is about (of a rename: the old name), or `database.$cmd` when it is about none.
    pub namespace: Namespace,
    pub ui: Option<Uuid>,
    pub o: RawDocumentBuf,
    pub o2: Option<RawDocumentBuf>,
    /// `b` of an update, when the entry had it.
    pub upsert: Option<bool>,
}

impl Operation {
    pub(crate) fn from_entry(entry: &Entry<'_>) -> Result<Self, OplogError> {
        let kind = Kind::from_letter(entry.op)
            .ok_or_else(|| OplogError::malformed(entry.time, format!("`{}` is not a change of documents", entry.op)))?;
        let namespace = match kind {
            Kind::Command => command_namespace(entry)?,
            _ => parse_namespace(entry.ns, entry)?,
        };
        Ok(Self {
            time: entry.time,
            kind,
            namespace,
            ui: entry.ui,
            o: entry.o.to_owned(),
            o2: entry.o2.map(|o2| o2.to_owned()),
            upsert: entry.upsert,
        })
    }

    /// The command's name, or the letter of the kind.
    pub fn name(&self) -> &str {
        match self.kind {
            Kind::Command => self.o.iter().next().and_then(Result::ok).map_or("", |(key, _)| key.as_str()),
            kind => kind.letter(),
        }
    }
}

fn parse_namespace(text: &str, entry: &Entry<'_>) -> Result<Namespace, OplogError> {
    text.parse().map_err(|_| OplogError::malformed(entry.time, format!("`{text}` is not a namespace")))
}

fn command_namespace(entry: &Entry<'_>) -> Result<Namespace, OplogError> {
    let Some((name, value)) = entry.command() else {
        return Err(OplogError::malformed(entry.time, "its command is empty"));
    };
    let database = match entry.ns.split_once('.') {
        Some((database, _)) if !database.is_empty() => database,
        _ => return Err(OplogError::malformed(entry.time, format!("`{}` is not a namespace", entry.ns))),
    };
    match (name, value) {
        // The only command of the log that names its collections in full.
        ("renameCollection", RawBsonRef::String(from)) => parse_namespace(from, entry),
        // dbCheck writes the whole namespace as well, and stands in that namespace itself.
        ("dbCheck", RawBsonRef::String(about)) => Ok(about.parse().unwrap_or_else(|_| Namespace::new(database, "$cmd"))),
        (_, RawBsonRef::String(collection)) if !collection.is_empty() => Ok(Namespace::new(database, collection)),
        _ => Ok(Namespace::new(database, "$cmd")),
    }
}
