//! What the oplog says of one document, when nobody has seen the document yet.
//!
//! As little is kept as the end needs: an insert or a delete makes everything before it forgotten, a replacement all changes before it,
//! and a change of a document that is known whole is made at once.

use std::io;

use bson::{RawDocument, RawDocumentBuf};

use crate::spill::{Record, Run, document, part, torn};
use crate::{ApplyError, FoldError, apply};

/// One operation on one document.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    Insert(&'a RawDocument),
    /// Of the document with the `_id` that `of` has; `change` is `o` of the entry.
    Update {
        of: &'a RawDocument,
        change: &'a RawDocument,
        upsert: bool,
    },
    Delete,
}

impl<'a> Change<'a> {
    /// The document that is there afterwards, whatever was before.
    pub(crate) fn whole(self) -> Option<&'a RawDocument> {
        match self {
            Change::Insert(document) => Some(document),
            Change::Update { change, upsert: true, .. } => {
                (is_replacement(change) && matches!(change.get("_id"), Ok(Some(_)))).then_some(change)
            }
            Change::Update { .. } | Change::Delete => None,
        }
    }

    /// Bytes of what it says.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Change::Insert(document) => document.as_bytes().len(),
            Change::Update { change, .. } => change.as_bytes().len(),
            Change::Delete => 0,
        }
    }
}

/// What is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Known {
    /// These changes, for whatever document there is.
    Changes(Vec<Box<[u8]>>),
    Whole(Box<[u8]>),
    Gone,
    /// It has been handed out, whole. Whoever comes again is an older self of it.
    Delivered,
}

pub(crate) const UPSERT: &str = "an upsert of a document that may not be there";

/// Bytes that a state costs beside its contents and its key: the entry of the table, and what allocations cost.
const STATE_BYTES: usize = 128;
/// Bytes of each change in a list, beside itself.
const CHANGE_BYTES: usize = 32;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) known: Known,
    /// Changes that must have found a document of the snapshot: if it is not there, they are lost.
    pub(crate) late: u32,
    /// When it was inserted, as a number that grows: the order of a capped collection.
    pub(crate) place: u64,
}

/// What came of a change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Effect {
    /// There is certainly no document to change, and there should be one.
    pub(crate) lost: bool,
    /// A document that the log had made is no more.
    pub(crate) unmade: bool,
}

impl State {
    pub(crate) fn unknown() -> Self {
        Self { known: Known::Changes(Vec::new()), late: 0, place: 0 }
    }

    /// Takes the next change. `late`: the snapshot has caught up with itself, so that an update must find its document.
    pub(crate) fn take(&mut self, change: Change<'_>, late: bool) -> Result<Effect, ApplyError> {
        let mut effect = Effect::default();
        if let Some(document) = change.whole() {
            self.known = Known::Whole(document.as_bytes().into());
            return Ok(effect);
        }
        match change {
            Change::Insert(_) => {}
            Change::Delete => {
                effect.unmade = matches!(self.known, Known::Whole(_));
                self.known = Known::Gone;
            }
            Change::Update { of, change, upsert } => match &mut self.known {
                Known::Whole(whole) => {
                    let before = RawDocument::from_bytes(whole).map_err(|error| ApplyError::Malformed(error.to_string()))?;
                    *whole = boxed(apply::update(before, change)?);
                }
                Known::Changes(_) | Known::Gone if upsert => {
                    return Err(ApplyError::Unknown(UPSERT.to_owned()));
                }
                Known::Changes(changes) => {
                    check(of, change)?;
                    if is_replacement(change) {
                        changes.clear();
                    }
                    changes.push(change.as_bytes().into());
                    self.late = self.late.saturating_add(u32::from(late));
                }
                Known::Gone | Known::Delivered => effect.lost = late,
            },
        }
        Ok(effect)
    }

    /// First what is there by itself, in the order in which it was inserted.
    pub(crate) fn order(&self) -> (bool, u64) {
        match self.known {
            Known::Whole(_) => (false, self.place),
            _ => (true, 0),
        }
    }

    /// Bytes that the state costs with a key of this length.
    pub(crate) fn weight(&self, key_bytes: usize) -> usize {
        let contents = match &self.known {
            Known::Changes(changes) => changes.iter().map(|change| change.len() + CHANGE_BYTES).sum(),
            Known::Whole(whole) => whole.len(),
            Known::Gone | Known::Delivered => 0,
        };
        STATE_BYTES + key_bytes + contents
    }

    /// Writes down what has the same effect on a document as everything taken so far.
    pub(crate) fn write(&self, key: &[u8], run: &mut Run) {
        match &self.known {
            Known::Whole(whole) => run.push(key, Record::Whole(whole), self.late),
            Known::Gone => run.push(key, Record::Gone, self.late),
            Known::Changes(changes) => {
                let mut late = self.late;
                for change in changes {
                    run.push(key, Record::Change(change), std::mem::take(&mut late));
                }
            }
            Known::Delivered => {}
        }
    }

    /// Appends all of it, and the key it belongs to.
    pub(crate) fn encode(&self, key: &[u8], out: &mut Vec<u8>) {
        let (kind, payloads): (u8, &[Box<[u8]>]) = match &self.known {
            Known::Changes(changes) => (b'c', changes),
            Known::Whole(whole) => (b'w', std::slice::from_ref(whole)),
            Known::Gone => (b'g', &[]),
            Known::Delivered => (b'd', &[]),
        };
        out.push(kind);
        out.extend_from_slice(&self.late.to_le_bytes());
        out.extend_from_slice(&self.place.to_le_bytes());
        out.extend_from_slice(&(payloads.len() as u32).to_le_bytes());
        for part in std::iter::once(key).chain(payloads.iter().map(|payload| &**payload)) {
            out.extend_from_slice(&(part.len() as u32).to_le_bytes());
            out.extend_from_slice(part);
        }
    }

    /// What [`State::encode`] wrote at the beginning of `bytes`: the key, and the state.
    pub(crate) fn decode(bytes: &[u8]) -> io::Result<(&[u8], Self)> {
        let (kind, rest) = bytes.split_first().ok_or_else(torn)?;
        let (late, rest) = rest.split_first_chunk().ok_or_else(torn)?;
        let (place, rest) = rest.split_first_chunk().ok_or_else(torn)?;
        let (count, rest) = rest.split_first_chunk().ok_or_else(torn)?;
        let (key, mut rest) = part(rest)?;
        let mut payloads = Vec::new();
        for _ in 0..u32::from_le_bytes(*count) {
            let (payload, after) = part(rest)?;
            payloads.push(Box::from(payload));
            rest = after;
        }
        let known = match (kind, payloads.len()) {
            (b'c', _) => Known::Changes(payloads),
            (b'w', 1) => payloads.pop().map(Known::Whole).ok_or_else(torn)?,
            (b'g', 0) => Known::Gone,
            (b'd', 0) => Known::Delivered,
            _ => return Err(torn()),
        };
        Ok((key, Self { known, late: u32::from_le_bytes(*late), place: u64::from_le_bytes(*place) }))
    }

    /// What becomes of `base`, a document of the snapshot. `None`: nothing is left of it here.
    pub(crate) fn meet(&mut self, base: &RawDocument) -> Result<Option<RawDocumentBuf>, FoldError> {
        self.late = 0;
        match std::mem::replace(&mut self.known, Known::Delivered) {
            Known::Changes(changes) => {
                let mut now: Option<RawDocumentBuf> = None;
                for change in &changes {
                    now = Some(apply_to(now.as_deref().unwrap_or(base), document(change)?)?);
                }
                Ok(Some(now.unwrap_or_else(|| base.to_owned())))
            }
            Known::Whole(whole) => Ok(Some(owned(whole.into_vec())?)),
            Known::Gone => {
                self.known = Known::Gone;
                Ok(None)
            }
            Known::Delivered => Ok(None),
        }
    }
}

/// Refuses a change that could not be made of any document, while nothing has been touched yet.
pub(crate) fn check(of: &RawDocument, change: &RawDocument) -> Result<(), ApplyError> {
    let mut least = RawDocumentBuf::new();
    if let Ok(Some(id)) = of.get("_id") {
        least.append(bson::raw::cstr!("_id"), id);
    }
    apply::update(&least, change).map(drop)
}

pub(crate) fn apply_to(before: &RawDocument, change: &RawDocument) -> Result<RawDocumentBuf, FoldError> {
    apply::update(before, change).map_err(|error| FoldError::of(&error, before.get("_id").ok().flatten()))
}

pub(crate) fn owned(bytes: Vec<u8>) -> Result<RawDocumentBuf, FoldError> {
    RawDocumentBuf::from_bytes(bytes).map_err(|error| FoldError::CannotFold(format!("a document is damaged: {error}")))
}

pub(crate) fn boxed(document: RawDocumentBuf) -> Box<[u8]> {
    document.into_bytes().into_boxed_slice()
}

/// A whole document, not modifiers: those begin with `$v`, or with the first of them.
fn is_replacement(change: &RawDocument) -> bool {
    !change.iter().next().is_some_and(|field| field.is_ok_and(|(name, _)| name.as_str().starts_with('$')))
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    fn taken(changes: &[(Change<'_>, bool)]) -> (State, Effect) {
        let mut state = State::unknown();
        let mut all = Effect::default();
        for (change, late) in changes {
            let effect = state.take(*change, *late).expect("a change of the test");
            all = Effect { lost: all.lost || effect.lost, unmade: all.unmade || effect.unmade };
        }
        (state, all)
    }

    #[test]
    fn an_insert_a_delete_and_a_replacement_forget_what_was_before() {
        let (document, set) = (rawdoc! { "_id": 1, "a": 1 }, rawdoc! { "$v": 1, "$set": { "b": 2 } });
        let replacement = rawdoc! { "_id": 1, "c": 3 };
        let id = rawdoc! { "_id": 1 };
        let update = |change| Change::Update { of: &id, change, upsert: false };
        let (state, _) = taken(&[(update(&set), true), (Change::Insert(&document), true), (update(&set), true)]);
        assert_eq!(state.known, Known::Whole(boxed(rawdoc! { "_id": 1, "a": 1, "b": 2 })));

        let (state, effect) = taken(&[(Change::Insert(&document), true), (Change::Delete, true)]);
        assert!(state.known == Known::Gone && effect.unmade && !effect.lost);

        let (state, _) = taken(&[(update(&set), true), (update(&set), false), (update(&replacement), true), (update(&set), true)]);
        assert_eq!((state.known, state.late), (Known::Changes(vec![boxed(replacement), boxed(set)]), 3));
    }

    #[test]
    fn an_update_after_a_delete_is_lost_once_the_snapshot_has_caught_up() {
        let (id, set) = (rawdoc! { "_id": 1 }, rawdoc! { "$v": 1, "$set": { "b": 2 } });
        let update = Change::Update { of: &id, change: &set, upsert: false };
        assert!(!taken(&[(Change::Delete, false), (update, false)]).1.lost);
        assert!(taken(&[(Change::Delete, false), (update, true)]).1.lost);
    }

    #[test]
    fn an_upsert_is_folded_when_what_is_there_does_not_matter() {
        let (whole, set) = (rawdoc! { "_id": 1, "c": 3 }, rawdoc! { "$v": 1, "$set": { "b": 2 } });
        let upsert = |change| Change::Update { of: &whole, change, upsert: true };
        assert_eq!(taken(&[(upsert(&whole), true)]).0.known, Known::Whole(boxed(whole.clone())));
        assert_eq!(taken(&[(Change::Delete, true), (upsert(&whole), true)]).0.known, Known::Whole(boxed(whole.clone())));
        assert!(State::unknown().take(upsert(&set), true).is_err());
    }

    #[test]
    fn a_change_that_no_document_can_take_is_told_at_once() {
        let (id, unheard_of) = (rawdoc! { "_id": 1 }, rawdoc! { "$v": 1, "$transmogrify": { "b": 2 } });
        assert!(State::unknown().take(Change::Update { of: &id, change: &unheard_of, upsert: false }, true).is_err());
    }

    #[test]
    fn what_is_written_down_has_the_same_effect() {
        let (document, set) = (rawdoc! { "_id": 1, "a": 1 }, rawdoc! { "$v": 1, "$set": { "b": 2 } });
        let id = rawdoc! { "_id": 1 };
        let update = Change::Update { of: &id, change: &set, upsert: false };
        for changes in [
            vec![(update, true), (update, false), (update, true)],
            vec![(update, true), (Change::Insert(&document), true)],
            vec![(update, true), (Change::Delete, true)],
        ] {
            let (state, _) = taken(&changes);
            let mut run = Run::default();
            state.write(b"key", &mut run);
            let spill: std::sync::Arc<dyn crate::Spill> = std::sync::Arc::new(Nowhere);
            let (mut again, mut late_again) = (State::unknown(), 0);
            let whole = run.read(&spill, |key, record, late| {
                assert_eq!(key, b"key");
                late_again += late;
                let owned = |bytes: &[u8]| RawDocumentBuf::from_bytes(bytes.to_vec()).expect("a document");
                match record {
                    Record::Whole(whole) => again.take(Change::Insert(&owned(whole)), false).expect("an insert"),
                    Record::Change(change) => {
                        again.take(Change::Update { of: &document, change: &owned(change), upsert: false }, false).expect("a change")
                    }
                    Record::Gone => again.take(Change::Delete, false).expect("a delete"),
                };
                Ok(true)
            });
            assert!(whole.expect("it is all in memory"));
            assert_eq!((again.known, late_again), (state.known, state.late));
        }
    }

    struct Nowhere;

    impl crate::Spill for Nowhere {
        fn write(&self, _: &[u8]) -> std::io::Result<u64> {
            Err(std::io::Error::other("nothing is written in this test"))
        }
        fn read(&self, _: u64, _: &mut [u8]) -> std::io::Result<()> {
            Err(std::io::Error::other("nothing is written in this test"))
        }
    }
}
