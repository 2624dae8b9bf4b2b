//! One update applied to one document: what the `o` of an oplog entry makes of it, byte for byte as a mongod that applies the entry.
//!
//! Three kinds of change are known, with the rules of MongoDB 4.2 to 6.0 (compared with real servers by the tests of this crate):
//!
//! - a **replacement**: a document with an `_id`, which comes first, wherever it stood;
//! - **modifiers** (`$v: 1`, or none): `$set` and `$unset`, what 4.2 and 4.4 write ([`modifiers`]);
//! - a **diff** (`$v: 2`): what 5.0 and later write ([`diff`]).
//!
//! A snapshot is taken while the collection changes, so a document may be newer than the update expects. Where a server then passes
//! over a part of an update in silence, so do we; where it would refuse, or where versions differ, the answer is
//! [`ApplyError::Unknown`], and a server has to be asked. Values are copied and never read, so whatever bytes they have stay as
//! they are. `before` is never changed, and nothing here panics or recurses without bound, whatever bytes come in.

mod diff;
mod modifiers;
mod modify;
mod out;
mod path;
mod raw;

use bson::{RawDocument, RawDocumentBuf};

use out::Out;
use raw::{Element, Elements, kind};

/// Documents deeper than this are left to a server: MongoDB's own limit for what users store.
const DEPTH_MAX: usize = 200;
/// No server makes a document larger than this by an update.
const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why an update was not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It is not what an oplog holds.
    #[error("the update cannot be read: {0}")]
    Malformed(String),
    /// A server would have to be asked.
    #[error("the update is of a kind that is not folded: {0}")]
    Unknown(String),
}

/// The document after `change`, which is the `o` of an update entry: a replacement, `$v: 1` modifiers or a `$v: 2` diff.
///
/// The `_id` of the result is that of `before`, byte for byte, and comes first.
///
/// # Errors
/// [`ApplyError`]; `before` is as it was.
pub fn update(before: &RawDocument, change: &RawDocument) -> Result<RawDocumentBuf, ApplyError> {
    let (before, change) = (before.as_bytes(), change.as_bytes());
    let mut fields = Elements::of(before)?;
    let Some(id) = fields.next()?.filter(|first| first.key() == b"_id") else {
        return Err(unknown("the document does not begin with its _id"));
    };
    let mut out = Out::with_capacity(before.len() + change.len() + 64);
    match Kind::of(change)? {
        Kind::Replacement(new_id) => replace(id, new_id, change, &mut out)?,
        Kind::Modifiers => modifiers::apply(id, before, change, &mut out)?,
        Kind::Diff(change) => diff::apply(id, fields, change, &mut out)?,
    }
    out.finish()
}

/// What an `o` is.
enum Kind<'a> {
    /// With its `_id`.
    Replacement(Element<'a>),
    Modifiers,
    /// The document under `diff`.
    Diff(&'a [u8]),
}

impl<'a> Kind<'a> {
    fn of(change: &'a [u8]) -> Result<Self, ApplyError> {
        let mut operators = false;
        let (mut id, mut version, mut diff) = (None, None, None);
        let mut fields = Elements::of(change)?;
        let mut first = true;
        while let Some(field) = fields.next()? {
            operators |= first && field.key().starts_with(b"$");
            first = false;
            match field.key() {
                b"_id" if id.is_none() => id = Some(field),
                b"$v" if version.is_none() => version = Some(field),
                b"diff" if diff.is_none() => diff = Some(field),
                _ => {}
            }
        }
        match (operators, id, version) {
            (true, Some(_), Some(_)) => Err(unknown("it has operators, a $v and an _id, which versions read differently")),
            // Also when a name like an operator's comes first, as it may since 5.0.
            (_, Some(id), _) => Ok(Kind::Replacement(id)),
            // Up to 5.0 a replacement that keeps the _id; 6.0 refuses it. No server writes it.
            (false, None, _) => Err(unknown("a replacement without an _id")),
            (true, None, None) => Ok(Kind::Modifiers),
            (true, None, Some(version)) => match (version.integer(), diff) {
                (Some(1), _) => Ok(Kind::Modifiers),
                (Some(2), Some(diff)) if diff.kind() == kind::DOCUMENT => Ok(Kind::Diff(diff.value())),
                (Some(2), _) => Err(ApplyError::Malformed(String::from("$v is 2, but there is no diff"))),
                (Some(version), _) => Err(unknown(format!("$v is {version}"))),
                (None, _) => Err(unknown("$v is not an integer")),
            },
        }
    }
}

/// The replacement, with its `_id` in front.
fn replace(id: Element<'_>, new_id: Element<'_>, change: &[u8], out: &mut Out) -> Result<(), ApplyError> {
    // A server allows 1 to become 1.0. Then the document's place in an index of bytes would be another, so it is asked.
    if new_id.bytes() != id.bytes() {
        return Err(unknown("the replacement has another _id"));
    }
    let content = Elements::of(change)?.rest();
    let at = new_id.bytes().as_ptr() as usize - content.as_ptr() as usize;
    out.copy(new_id.bytes());
    out.copy(&content[..at]);
    out.copy(&content[at + new_id.bytes().len()..]);
    Ok(())
}

fn unknown(reason: impl Into<String>) -> ApplyError {
    ApplyError::Unknown(reason.into())
}

/// A name for messages, which may be any bytes.
fn shown(name: &[u8]) -> String {
    name[..name.len().min(100)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests;
