//! Reading one object to its end.

use anyhow::Context;
use bson::raw::RawIter;
use bson::{RawBsonRef, RawDocument, RawDocumentBuf};
use oplogue_domain::{OplogRange, OplogTime};
use oplogue_format::checksum::ContentHash;
use oplogue_repository::{ObjectRef, ReadSummary, RepositoryError};

use super::{Kind, Work};
use crate::progress::Step;

/// What is wrong with an object.
pub(super) struct Fault {
    pub kind: Kind,
    pub what: String,
}

/// What the oplog entries of an object told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entries {
    /// Of the first and the last entry: its time, and the hash of its bytes.
    pub first: Option<(OplogTime, ContentHash)>,
    pub last: Option<(OplogTime, ContentHash)>,
    pub summary: ReadSummary,
}

/// Nested deeper than any server allows.
const DEPTH_MAX: usize = 250;

impl Fault {
    pub(super) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }

    /// Damage is a fault; a storage that cannot be read is an error.
    pub(super) fn of(error: RepositoryError) -> anyhow::Result<Self> {
        match error {
            RepositoryError::Missing { .. } => Ok(Self::new(Kind::Missing, "it is not there")),
            RepositoryError::Damaged { at: 0, why, .. } => Ok(Self::new(Kind::Content, why)),
            RepositoryError::Damaged { at, why, .. } => Ok(Self::new(Kind::Content, format!("{why} (at byte {at}, uncompressed)"))),
            RepositoryError::Unreadable { why, .. } => Ok(Self::new(Kind::Metadata, why)),
            RepositoryError::Storage(error) if error.is_not_found() => Ok(Self::new(Kind::Missing, "it is not there")),
            error => Err(error.into()),
        }
    }
}

impl Work {
    /// Reads documents. What they amount to is for the caller to compare.
    pub(super) async fn documents(&self, object: &ObjectRef) -> anyhow::Result<Result<ReadSummary, Fault>> {
        self.read(object, |_| Ok(())).await
    }

    /// Reads oplog entries, which must be in order and within `range`, both ends included, and reach its end.
    pub(super) async fn entries(&self, object: &ObjectRef, range: OplogRange) -> anyhow::Result<Result<Entries, Fault>> {
        let mut entries = Entries::default();
        let mut last: Option<RawDocumentBuf> = None;
        let mut newest: Option<OplogTime> = None;
        let outcome = self
            .read(object, |entry| {
                let time = entry.get_timestamp("ts").map_err(|error| format!("an oplog entry has no time `ts`: {error}"))?;
                let time = OplogTime::new(time.time, time.increment);
                if newest.is_some_and(|newest| time <= newest) {
                    return Err(format!("the entry at {time} comes after one that is not earlier"));
                }
                if time < range.after || time > range.through {
                    return Err(format!("the entry at {time} is not within what its name says, {range}"));
                }
                if newest.is_none() {
                    entries.first = Some((time, ContentHash::of(entry.as_bytes())));
                }
                newest = Some(time);
                if time == range.through {
                    last = Some(entry.clone());
                }
                Ok(())
            })
            .await?;
        entries.summary = match outcome {
            Ok(summary) => summary,
            Err(fault) => return Ok(Err(fault)),
        };
        match (newest, last) {
            (_, Some(last)) => {
                entries.last = Some((range.through, ContentHash::of(last.as_bytes())));
                Ok(Ok(entries))
            }
            (Some(newest), None) => {
                let what = format!("its last entry is at {newest}, and by its name it goes through {}", range.through);
                Ok(Err(Fault::new(Kind::Entries, what)))
            }
            (None, None) => Ok(Err(Fault::new(Kind::Entries, "it holds no entry"))),
        }
    }

    async fn read(
        &self,
        object: &ObjectRef,
        mut look: impl FnMut(&RawDocumentBuf) -> Result<(), String>,
    ) -> anyhow::Result<Result<ReadSummary, Fault>> {
        // Where a hash vouches for every byte, what the bytes say needs no second look.
        let deep = object.stored_hash.is_none();
        let mut stream = self.repository.read_documents(object);
        loop {
            self.stop_if_cancelled()?;
            let batch = match stream.next_batch().await {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(error) => return Ok(Err(Fault::of(error)?)),
            };
            self.progress.advance(Step::Verify, batch.iter().map(|document| document.as_bytes().len() as u64).sum());
            for document in &batch {
                if deep && let Err(why) = is_well_formed(document) {
                    return Ok(Err(Fault::new(Kind::Content, format!("a document makes no sense: {why}"))));
                }
                if let Err(what) = look(document) {
                    return Ok(Err(Fault::new(Kind::Entries, what)));
                }
            }
        }
        Ok(Ok(stream.summary().context("a stream that ended has a summary")?))
    }
}

/// Whether every element of a document is where it should be. What servers store that is no UTF-8 is none of our business.
fn is_well_formed(document: &RawDocument) -> Result<(), String> {
    are_well_formed(document.iter_elements(), 0)
}

fn are_well_formed(elements: RawIter<'_>, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("it is nested more than {DEPTH_MAX} deep"));
    }
    for element in elements {
        let element = element.map_err(|error| error.to_string())?;
        match element.value() {
            Ok(RawBsonRef::Document(inner)) => are_well_formed(inner.iter_elements(), depth + 1)?,
            Ok(RawBsonRef::Array(inner)) => are_well_formed(inner.iter_elements(), depth + 1)?,
            Ok(_) => {}
            Err(error) if matches!(error.kind, bson::error::ErrorKind::Utf8Encoding { .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn a_document_is_looked_at_to_its_leaves() {
        let document = rawdoc! { "a": [1, { "b": "text" }], "c": { "d": [[2]] }, "e": true };
        assert_eq!(is_well_formed(&document), Ok(()));
        let bytes = document.as_bytes();
        let mut found = 0;
        for at in 4..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[at] ^= 0x40;
            if let Ok(changed) = RawDocument::from_bytes(&changed) {
                found += usize::from(is_well_formed(changed).is_err());
            }
        }
        assert!(found > 20, "{found}");
        let deep = (0..300).fold(rawdoc! {}, |inner, _| rawdoc! { "a": inner });
        assert!(is_well_formed(&deep).is_err());
    }
}
