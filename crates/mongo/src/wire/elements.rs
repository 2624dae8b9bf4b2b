//! How long things are in BSON: enough to step over elements without decoding them.

/// The largest document a server stores or sends: 16 MiB, plus 16 KiB that it allows itself in the oplog.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024 + 16 * 1024;
/// The smallest document: its length and the zero byte.
pub(crate) const DOCUMENT_BYTES_MIN: usize = 5;

/// An element's type byte, where its value begins, and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) kind: u8,
    pub(crate) value: usize,
    pub(crate) end: usize,
}

/// Why an element cannot be stepped over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoElement {
    /// It may be one, but the bytes end within it.
    Cut,
    /// Nothing that follows could make it one.
    Nonsense,
}

/// The element at the beginning of `bytes`.
pub(crate) fn element(bytes: &[u8]) -> Result<Element, NoElement> {
    let (kind, value) = key(bytes)?;
    let length = value_bytes(kind, &bytes[value..])?;
    let end = value.checked_add(length).ok_or(NoElement::Nonsense)?;
    if end > bytes.len() { Err(NoElement::Cut) } else { Ok(Element { kind, value, end }) }
}

/// The type byte, and where the value begins.
pub(crate) fn key(bytes: &[u8]) -> Result<(u8, usize), NoElement> {
    let kind = *bytes.first().ok_or(NoElement::Cut)?;
    let zero = bytes[1..].iter().position(|byte| *byte == 0).ok_or(NoElement::Cut)?;
    Ok((kind, zero + 2))
}

/// A length as BSON writes it: 4 bytes, little-endian, never negative.
pub(crate) fn length(bytes: &[u8]) -> Result<usize, NoElement> {
    let bytes = bytes.get(..4).and_then(|bytes| bytes.try_into().ok()).ok_or(NoElement::Cut)?;
    usize::try_from(i32::from_le_bytes(bytes)).map_err(|_| NoElement::Nonsense)
}

/// The length of the document at the beginning of `bytes`, if it can be one's.
pub(crate) fn document_bytes(bytes: &[u8]) -> Result<usize, NoElement> {
    let length = length(bytes)?;
    if (DOCUMENT_BYTES_MIN..=DOCUMENT_BYTES_MAX).contains(&length) { Ok(length) } else { Err(NoElement::Nonsense) }
}

fn value_bytes(kind: u8, value: &[u8]) -> Result<usize, NoElement> {
    let sized = |more: usize| Ok(length(value)?.saturating_add(more));
    match kind {
        // Null, undefined, the smallest and the largest key.
        0x0a | 0x06 | 0xff | 0x7f => Ok(0),
        0x08 => Ok(1),
        0x10 => Ok(4),
        // Double, date, timestamp, 64 bits.
        0x01 | 0x09 | 0x11 | 0x12 => Ok(8),
        0x07 => Ok(12),
        0x13 => Ok(16),
        // Texts, code, symbols: the length counts the zero byte.
        0x02 | 0x0d | 0x0e => sized(4),
        // Documents, arrays, code with scope: the length counts itself.
        0x03 | 0x04 | 0x0f => sized(0),
        // Binary: a byte for its subtype.
        0x05 => sized(5),
        // A pointer: a text and an id.
        0x0c => sized(16),
        0x0b => {
            let pattern = value.iter().position(|byte| *byte == 0).ok_or(NoElement::Cut)? + 1;
            let options = value[pattern..].iter().position(|byte| *byte == 0).ok_or(NoElement::Cut)? + 1;
            Ok(pattern + options)
        }
        _ => Err(NoElement::Nonsense),
    }
}

/// The elements at the top of a whole document, as far as they make sense: type, and the bytes of key and value.
pub(crate) fn top_level(document: &[u8]) -> impl Iterator<Item = (Element, &[u8])> {
    let mut rest = document.get(4..document.len().saturating_sub(1)).unwrap_or_default();
    std::iter::from_fn(move || {
        let found = element(rest).ok()?;
        let (bytes, after) = rest.split_at(found.end);
        rest = after;
        Some((found, bytes))
    })
}

#[cfg(test)]
mod tests {
    use bson::oid::ObjectId;
    use bson::{Binary, Bson, DateTime, Decimal128, JavaScriptCodeWithScope, Regex, Timestamp, doc, rawdoc};

    use super::*;

    #[test]
    fn every_type_is_stepped_over_exactly() {
        let regex = Regex { pattern: bson::raw::cstr!("a.*").to_owned(), options: bson::raw::cstr!("i").to_owned() };
        let values = [
            Bson::Double(1.5),
            Bson::String("text".to_owned()),
            Bson::Document(doc! { "a": { "b": 1 } }),
            Bson::Array(vec![Bson::Int32(1), Bson::Null]),
            Bson::Binary(Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1, 2, 3] }),
            Bson::Undefined,
            Bson::ObjectId(ObjectId::from_bytes([7; 12])),
            Bson::Boolean(true),
            Bson::DateTime(DateTime::from_millis(1)),
            Bson::Null,
            Bson::RegularExpression(regex),
            Bson::JavaScriptCode("f()".to_owned()),
            Bson::Symbol("s".to_owned()),
            Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code: "g()".to_owned(), scope: doc! { "x": 1 } }),
            Bson::Int32(1),
            Bson::Timestamp(Timestamp { time: 1, increment: 2 }),
            Bson::Int64(1),
            Bson::Decimal128(Decimal128::from_bytes([1; 16])),
            Bson::MaxKey,
            Bson::MinKey,
        ];
        for value in values {
            let document =
                rawdoc! { "before": 1, "value": bson::RawBson::try_from(value.clone()).expect("a value of the test"), "after": 2 };
            let lengths: usize = top_level(document.as_bytes()).map(|(element, _)| element.end).sum();
            assert_eq!((top_level(document.as_bytes()).count(), lengths), (3, document.as_bytes().len() - 5), "{value:?}");
            // However it is cut, it is never taken for a whole one.
            let bytes = &document.as_bytes()[4 + 12..];
            let whole = element(bytes).expect("whole").end;
            assert!((0..whole).all(|cut| element(&bytes[..cut]) == Err(NoElement::Cut)), "{value:?}");
        }
    }

    #[test]
    fn nonsense_is_told_apart_from_a_cut() {
        assert_eq!(element(&[0x20, b'a', 0, 1]), Err(NoElement::Nonsense));
        assert_eq!(element(&[0x02, b'a', 0, 255, 255, 255, 255]), Err(NoElement::Nonsense));
        assert_eq!(element(&[0x02, b'a', 0, 255, 255, 255, 127]), Err(NoElement::Cut));
        assert_eq!(document_bytes(&[4, 0, 0, 0]), Err(NoElement::Nonsense));
        assert_eq!(document_bytes(&[5, 0, 0]), Err(NoElement::Cut));
    }
}
