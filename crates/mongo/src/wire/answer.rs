//! Takes the answer of a cursor apart while it arrives.
//!
//! A batch has up to 16 MiB, so an answer is never held whole: its documents are copied out of the receiving buffer as they come, into
//! batches of a size of our own. Of the documents only their lengths and their last bytes are looked at; the few other fields of the
//! answer are kept as they are. Everything comes from outside: nonsense is an error, and nothing here grows beyond its bound.

use bson::{RawDocument, RawDocumentBuf};

use super::elements::{self, NoElement};
use crate::read_batch::ReadBatch;

/// What an answer may hold besides documents.
pub(crate) const FIELDS_BYTES_MAX: usize = 128 * 1024;

/// An answer that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nonsense(pub(crate) &'static str);

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fed {
    /// More bytes are needed, after those that were not consumed.
    Hungry,
    /// The batch is full: hand it on, and go on with an empty one.
    Full,
    /// The answer is over.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Start,
    Answer,
    Cursor,
    Batch,
    /// Within a document of the batch: so many bytes are left of it.
    Document(usize),
    Done,
}

/// One answer on its way.
#[derive(Debug)]
pub(crate) struct Answer {
    level: Level,
    /// Bytes of the answer's document taken so far.
    at: usize,
    body_bytes: usize,
    /// Where cursor and batch end.
    cursor_end: usize,
    batch_end: usize,
    /// Elements of the answer, and of its cursor, without the batch.
    fields: Vec<u8>,
    cursor_fields: Vec<u8>,
}

impl Answer {
    /// An answer whose document has so many bytes.
    pub(crate) fn new(body_bytes: usize) -> Self {
        Self { level: Level::Start, at: 0, body_bytes, cursor_end: 0, batch_end: 0, fields: Vec::new(), cursor_fields: Vec::new() }
    }

    /// Bytes of the answer that were not taken yet.
    pub(crate) fn left(&self) -> usize {
        self.body_bytes - self.at
    }

    /// The answer's fields but its cursor, once it is over.
    pub(crate) fn fields(&self) -> Option<RawDocumentBuf> {
        document(&self.fields)
    }

    /// The cursor's fields but its batch, once the answer is over.
    pub(crate) fn cursor(&self) -> Option<RawDocumentBuf> {
        document(&self.cursor_fields)
    }

    /// Takes what it can from `bytes`, which are the next of the answer and none beyond it. Returns how many were consumed.
    pub(crate) fn feed(&mut self, bytes: &[u8], batch: &mut ReadBatch) -> Result<(usize, Fed), Nonsense> {
        let mut consumed = 0;
        let fed = loop {
            let rest = &bytes[consumed..];
            let took = match self.level {
                Level::Done => break Fed::Done,
                Level::Document(left) => {
                    if rest.is_empty() {
                        break Fed::Hungry;
                    }
                    let part = &rest[..left.min(rest.len()).min(batch.room())];
                    if part.is_empty() {
                        break Fed::Full;
                    }
                    if part.len() == left {
                        self.level = Level::Batch;
                        if part.last() != Some(&0) {
                            return Err(Nonsense("a document does not end with a zero byte"));
                        }
                    }
                    batch.append(part, part.len() == left);
                    if part.len() < left {
                        self.level = Level::Document(left - part.len());
                    }
                    Some(part.len())
                }
                Level::Batch => {
                    let Some((head, length)) = self.document_head(rest)? else { break Fed::Hungry };
                    if length == 0 {
                        self.level = Level::Cursor;
                    } else if !batch.may_begin(length) {
                        break Fed::Full;
                    } else {
                        batch.begin(length);
                        self.level = Level::Document(length);
                    }
                    Some(head)
                }
                Level::Start | Level::Answer | Level::Cursor => self.field(rest)?,
            };
            let Some(took) = took else { break Fed::Hungry };
            consumed += took;
            self.at += took;
        };
        Ok((consumed, fed))
    }

    /// The head of the next document of the batch: its own bytes, and the length of the document (0: the batch ends). `None`: cut.
    fn document_head(&self, rest: &[u8]) -> Result<Option<(usize, usize)>, Nonsense> {
        if self.at + 1 == self.batch_end {
            return match rest.first() {
                None => Ok(None),
                Some(0) => Ok(Some((1, 0))),
                Some(_) => Err(Nonsense("a batch does not end where it should")),
            };
        }
        let found = elements::key(rest).and_then(|(kind, value)| Ok((kind, value, elements::document_bytes(&rest[value..])?)));
        let (kind, value, length) = match found {
            Ok(found) => found,
            Err(NoElement::Cut) if rest.len() < 32 => return Ok(None),
            Err(_) => return Err(Nonsense("a batch holds something that is no document")),
        };
        if kind != 0x03 || self.at + value + length >= self.batch_end {
            return Err(Nonsense("a batch holds something that is no document, or one that is longer than the batch"));
        }
        Ok(Some((value, length)))
    }

    /// The beginning of the answer, or one field of it or of its cursor. `None`: cut.
    fn field(&mut self, rest: &[u8]) -> Result<Option<usize>, Nonsense> {
        if self.level == Level::Start {
            return match elements::length(rest) {
                Ok(length) if length == self.body_bytes => {
                    self.level = Level::Answer;
                    Ok(Some(4))
                }
                Err(NoElement::Cut) => Ok(None),
                _ => Err(Nonsense("the message and its document have different lengths")),
            };
        }
        let end = if self.level == Level::Cursor { self.cursor_end } else { self.body_bytes };
        if self.at + 1 == end {
            return match rest.first() {
                None => Ok(None),
                Some(0) => {
                    self.level = if self.level == Level::Cursor { Level::Answer } else { Level::Done };
                    Ok(Some(1))
                }
                Some(_) => Err(Nonsense("a document of the answer does not end where it should")),
            };
        }
        let cut = || if rest.len() > FIELDS_BYTES_MAX { Err(Nonsense("a field of the answer is too large")) } else { Ok(None) };
        let (kind, value) = match elements::key(rest) {
            Ok(found) => found,
            Err(_) => return cut(),
        };
        let name = &rest[1..value - 1];
        let inner = match (self.level, kind) {
            (Level::Answer, 0x03) if name == b"cursor" => Some(Level::Cursor),
            (Level::Cursor, 0x04) if name == b"firstBatch" || name == b"nextBatch" => Some(Level::Batch),
            _ => None,
        };
        if let Some(inner) = inner {
            let length = match elements::length(&rest[value..]) {
                Ok(length) => length,
                Err(NoElement::Cut) => return cut(),
                Err(NoElement::Nonsense) => return Err(Nonsense("a negative length")),
            };
            let inner_end = self.at + value + length;
            if length < elements::DOCUMENT_BYTES_MIN || inner_end >= end {
                return Err(Nonsense("a cursor or a batch is longer than what it is in"));
            }
            *(if inner == Level::Cursor { &mut self.cursor_end } else { &mut self.batch_end }) = inner_end;
            self.level = inner;
            return Ok(Some(value + 4));
        }
        match elements::element(rest) {
            Ok(element) if self.at + element.end >= end => Err(Nonsense("a field is longer than what it is in")),
            Ok(element) => {
                let kept = if self.level == Level::Cursor { &mut self.cursor_fields } else { &mut self.fields };
                if kept.len() + element.end > FIELDS_BYTES_MAX {
                    return Err(Nonsense("the fields of the answer are too large"));
                }
                kept.extend_from_slice(&rest[..element.end]);
                Ok(Some(element.end))
            }
            Err(NoElement::Cut) => cut(),
            Err(NoElement::Nonsense) => Err(Nonsense("a field of unknown type")),
        }
    }
}

fn document(elements: &[u8]) -> Option<RawDocumentBuf> {
    let length = i32::try_from(elements.len() + 5).ok()?;
    let bytes = [&length.to_le_bytes()[..], elements, &[0]].concat();
    RawDocumentBuf::from_bytes(bytes).ok()
}

/// Whether an answer says that all went well.
pub(crate) fn is_ok(answer: &RawDocument) -> bool {
    match answer.get("ok").ok().flatten() {
        Some(value) => value.as_f64().or_else(|| value.as_i32().map(f64::from)).or_else(|| value.as_bool().map(f64::from)) == Some(1.0),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bson::{RawArrayBuf, rawdoc};

    use super::*;
    use crate::read_batch::{BATCH_BYTES, BatchEnd};

    fn whole(documents: &[RawDocumentBuf]) -> RawDocumentBuf {
        let mut batch = RawArrayBuf::new();
        documents.iter().for_each(|document| batch.push(document.clone()));
        rawdoc! { "cursor": { "nextBatch": batch, "id": 7_i64, "ns": "db.c" }, "ok": 1.0, "operationTime": bson::Timestamp { time: 1, increment: 2 } }
    }

    /// Feeds `answer` in pieces of `piece` bytes, as a buffer that keeps what was not consumed.
    fn read(answer: &[u8], piece: usize, end: BatchEnd) -> Result<(Vec<ReadBatch>, Answer), Nonsense> {
        let mut parsing = Answer::new(answer.len());
        let empty = || ReadBatch::new(&Arc::default(), end);
        let (mut batches, mut batch) = (Vec::new(), empty());
        let (mut start, mut end) = (0, 0);
        loop {
            let (consumed, fed) = parsing.feed(&answer[start..end], &mut batch)?;
            start += consumed;
            match fed {
                Fed::Full => batches.push(std::mem::replace(&mut batch, empty())),
                Fed::Hungry if end == answer.len() => return Err(Nonsense("it never ends")),
                Fed::Hungry => end = (end + piece).min(answer.len()),
                Fed::Done => {
                    batches.push(batch);
                    return Ok((batches, parsing));
                }
            }
        }
    }

    fn bytes_of(documents: &[RawDocumentBuf]) -> Vec<u8> {
        documents.iter().flat_map(|document| document.as_bytes().to_vec()).collect()
    }

    fn joined(batches: &[ReadBatch]) -> Vec<u8> {
        batches.iter().flat_map(|batch| batch.bytes().to_vec()).collect()
    }

    fn counts(batches: &[ReadBatch]) -> Vec<usize> {
        batches.iter().map(ReadBatch::documents).collect()
    }

    #[test]
    fn documents_come_out_as_they_are_however_the_bytes_arrive() {
        let documents: Vec<_> = (0..120).map(|n| rawdoc! { "_id": n, "text": "x".repeat(n as usize) }).collect();
        let answer = whole(&documents);
        for piece in [1, 2, 3, 7, 64, 1_000, 1 << 20] {
            let (batches, parsed) = read(answer.as_bytes(), piece, BatchEnd::Document).expect("whole");
            assert_eq!((counts(&batches), joined(&batches)), (vec![120], bytes_of(&documents)), "{piece}");
            let cursor = parsed.cursor().expect("the cursor's fields");
            assert_eq!(cursor, rawdoc! { "id": 7_i64, "ns": "db.c" });
            assert!(is_ok(&parsed.fields().expect("the answer's fields")));
            assert_eq!(parsed.left(), 0);
        }
    }

    #[test]
    fn an_error_is_an_answer_without_documents() {
        let answer = rawdoc! { "ok": 0.0, "errmsg": "no", "code": 26, "codeName": "NamespaceNotFound" };
        let (batches, parsed) = read(answer.as_bytes(), 5, BatchEnd::Document).expect("whole");
        assert_eq!((batches.len(), batches[0].documents()), (1, 0));
        assert_eq!(parsed.fields(), Some(answer));
        assert!(!is_ok(&parsed.fields().expect("the answer's fields")));
    }

    #[test]
    fn a_batch_is_cut_where_the_next_document_would_make_it_too_large() {
        let documents: Vec<_> = (0..10).map(|n| rawdoc! { "_id": n, "text": "x".repeat(BATCH_BYTES / 4 - 1_000) }).collect();
        let (batches, _) = read(whole(&documents).as_bytes(), 100_000, BatchEnd::Document).expect("whole");
        assert_eq!(counts(&batches), [4, 4, 2]);
        assert!(batches.iter().all(|batch| batch.bytes().len() <= BATCH_BYTES));
        // One that is larger than a batch goes alone.
        let large = [rawdoc! { "_id": 1 }, rawdoc! { "_id": 2, "text": "x".repeat(BATCH_BYTES) }, rawdoc! { "_id": 3 }];
        let (batches, _) = read(whole(&large).as_bytes(), 100_000, BatchEnd::Document).expect("whole");
        assert_eq!(counts(&batches), [1, 1, 1]);
    }

    #[test]
    fn cut_anywhere_all_batches_but_the_last_are_full() {
        let mut documents: Vec<_> = (0..10).map(|n| rawdoc! { "_id": n, "text": "x".repeat(BATCH_BYTES / 4 - 1_000) }).collect();
        documents.push(rawdoc! { "_id": 10, "text": "x".repeat(BATCH_BYTES * 3) });
        documents.push(rawdoc! { "_id": 11 });
        // Also one that ends where a batch does.
        let without_text = bytes_of(&documents).len() + rawdoc! { "_id": 12, "text": "" }.as_bytes().len();
        documents.push(rawdoc! { "_id": 12, "text": "x".repeat(BATCH_BYTES - without_text % BATCH_BYTES) });
        documents.push(rawdoc! { "_id": 13 });
        for piece in [1_000, 100_000, 1 << 20] {
            let (batches, _) = read(whole(&documents).as_bytes(), piece, BatchEnd::Anywhere).expect("whole");
            assert_eq!(joined(&batches), bytes_of(&documents), "{piece}");
            let (last, full) = batches.split_last().expect("some");
            assert!(full.iter().all(|batch| batch.bytes().len() == BATCH_BYTES));
            assert_eq!((last.bytes(), last.documents()), (documents[13].as_bytes(), 1));
            assert_eq!(counts(&batches).iter().sum::<usize>(), 14);
        }
    }

    #[test]
    fn no_damage_is_taken_for_an_answer_or_ends_in_a_panic() {
        let documents: Vec<_> = (0..3).map(|n| rawdoc! { "_id": n, "a": { "b": [n] } }).collect();
        let answer = whole(&documents);
        for at in 0..answer.as_bytes().len() {
            for value in [0, 1, 3, 4, 0x7f, 0x80, 0xff] {
                let mut bytes = answer.as_bytes().to_vec();
                bytes[at] = value;
                for (piece, end) in [(3, BatchEnd::Document), (1_000, BatchEnd::Document), (1_000, BatchEnd::Anywhere)] {
                    if let Ok((batches, _)) = read(&bytes, piece, end) {
                        assert!(batches.iter().all(|batch| batch.bytes().len() < 1_000));
                    }
                }
            }
            assert!(read(&answer.as_bytes()[..at], 10, BatchEnd::Document).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_field_without_end_is_not_waited_for() {
        let answer = rawdoc! { "ok": 0.0, "errmsg": "x".repeat(FIELDS_BYTES_MAX * 2) };
        assert!(read(answer.as_bytes(), 1_000, BatchEnd::Anywhere).is_err());
    }
}
