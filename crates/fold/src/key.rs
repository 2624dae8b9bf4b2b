//! Which document an operation is about: the canonical bytes of an `_id`.
//!
//! Two `_id`s have one key exactly when a server takes them for one: numbers that compare equal do, whatever their types, at any depth;
//! strings and symbols of the same letters do; everything else goes byte for byte. It would be a loss of data to give one key to what
//! a server keeps apart, so numbers are compared exactly, not as doubles.
//!
//! A collection's collation makes `a` and `A` one `_id` for its index, but not one key here, and need not: an entry of the oplog carries
//! the `_id` as it is stored, whatever the client wrote. Under one collation `a` may be deleted and `A` be inserted; that is two keys, one
//! of them gone.

mod number;

use bson::raw::RawBsonRef;
use bson::spec::ElementType;
use bson::{RawDocument, RawDocumentBuf};

/// Documents nested deeper than servers allow are compared byte for byte, so that no input can exhaust the stack.
const DEPTH_MAX: usize = 200;

/// Writes the key of `document` into `key`, which is emptied first. False when it has no readable `_id`.
pub fn of_document(document: &RawDocument, key: &mut Vec<u8>) -> bool {
    key.clear();
    if let Some(id) = leading_object_id(document.as_bytes()) {
        key.push(ElementType::ObjectId as u8);
        key.extend_from_slice(id);
        return true;
    }
    match document.get("_id") {
        Ok(Some(id)) => {
            append(id, key, 0);
            true
        }
        _ => false,
    }
}

/// What nearly every document begins with, found without looking at anything else.
fn leading_object_id(document: &[u8]) -> Option<&[u8; 12]> {
    let (id, rest) = document.get(4..)?.strip_prefix(b"\x07_id\0")?.split_first_chunk()?;
    (!rest.is_empty()).then_some(id)
}

fn append(value: RawBsonRef<'_>, key: &mut Vec<u8>, depth: usize) {
    match value {
        RawBsonRef::Int32(number) => number::append_integer(i64::from(number), key),
        RawBsonRef::Int64(number) => number::append_integer(number, key),
        RawBsonRef::Double(number) => number::append_double(number, key),
        RawBsonRef::Decimal128(number) => number::append_decimal(number.bytes(), key),
        RawBsonRef::ObjectId(id) => {
            key.push(ElementType::ObjectId as u8);
            key.extend_from_slice(&id.bytes());
        }
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) => {
            key.push(ElementType::String as u8);
            key.extend_from_slice(&(text.len() as u64).to_le_bytes());
            key.extend_from_slice(text.as_bytes());
        }
        RawBsonRef::Document(document) if depth < DEPTH_MAX => {
            key.push(ElementType::EmbeddedDocument as u8);
            let fields = document.iter().map(|field| field.map(|(name, value)| (Some(name.as_str()), value)));
            append_all(fields, document.as_bytes(), key, depth);
        }
        RawBsonRef::Array(array) if depth < DEPTH_MAX => {
            key.push(ElementType::Array as u8);
            let values = array.into_iter().map(|value| value.map(|value| (None, value)));
            append_all(values, array.as_bytes(), key, depth);
        }
        other => append_as_is(other, key),
    }
}

/// A length or a count before everything of variable size keeps neighbours apart.
fn append_all<'a, E>(
    fields: impl Iterator<Item = Result<(Option<&'a str>, RawBsonRef<'a>), E>>,
    bytes: &[u8],
    key: &mut Vec<u8>,
    depth: usize,
) {
    let count_at = key.len();
    key.extend_from_slice(&[0; 8]);
    let mut count: u64 = 0;
    for field in fields {
        let Ok((name, value)) = field else {
            // Nothing that a server stored: the whole of it as it is.
            key.extend_from_slice(bytes);
            count = u64::MAX;
            break;
        };
        if let Some(name) = name {
            key.extend_from_slice(name.as_bytes());
            key.push(0);
        }
        append(value, key, depth + 1);
        count += 1;
    }
    key[count_at..count_at + 8].copy_from_slice(&count.to_le_bytes());
}

fn append_as_is(value: RawBsonRef<'_>, key: &mut Vec<u8>) {
    let mut alone = RawDocumentBuf::new();
    alone.append(bson::raw::cstr!(""), value);
    // Without the length before and the zero behind.
    let bytes = alone.as_bytes();
    key.extend_from_slice(&bytes[4..bytes.len() - 1]);
}

/// Where a key falls: its highest bits say the partition, all of them together whether a filter may know it.
pub(crate) fn hash(collection: u32, key: &[u8]) -> u64 {
    use std::hash::Hasher;
    // Without random keys: what is spilled in one pass is looked for in another.
    #[allow(deprecated)]
    let mut hasher = std::hash::SipHasher::new_with_keys(u64::from(collection), 0x6f70_6c6f_6775_6521);
    hasher.write(key);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use bson::{Bson, Document, doc, oid::ObjectId, raw::cstr};

    use super::*;

    fn key(id: impl Into<Bson>) -> Vec<u8> {
        let document = RawDocumentBuf::try_from(&doc! { "other": 1, "_id": id.into() }).expect("a document of the test");
        let mut key = vec![9, 9];
        assert!(of_document(&document, &mut key));
        key
    }

    fn decimal(text: &str) -> Bson {
        Bson::Decimal128(text.parse().expect("a decimal of the test"))
    }

    #[test]
    fn numbers_that_compare_equal_are_one_key() {
        let groups: &[&[Bson]] = &[
            &[1_i32.into(), 1_i64.into(), 1.0.into(), decimal("1"), decimal("1.000"), decimal("10E-1")],
            &[0_i32.into(), 0.0.into(), (-0.0).into(), decimal("-0"), decimal("0E+100")],
            &[i64::MIN.into(), (-9_223_372_036_854_775_808.0).into(), decimal("-9223372036854775808")],
            &[i64::MAX.into(), decimal("9223372036854775807")],
            &[9_223_372_036_854_775_808.0.into(), decimal("9223372036854775808")],
            &[0.5.into(), decimal("0.5"), decimal("0.500")],
            &[(-2.75).into(), decimal("-2.75")],
            &[1e22.into(), decimal("1E22"), decimal("10000000000000000000000")],
            &[f64::NAN.into(), (-f64::NAN).into(), decimal("NaN")],
            &[f64::INFINITY.into(), decimal("Infinity")],
            &[f64::NEG_INFINITY.into(), decimal("-Infinity")],
            &[0.1.into()],
            &[decimal("0.1")],
            &[1e23.into()],
            &[decimal("1E23")],
            &[9_007_199_254_740_993_i64.into()],
            &[9_007_199_254_740_992_i64.into(), 9_007_199_254_740_992.0.into()],
            &[f64::MIN_POSITIVE.into()],
            &[5e-324.into()],
            &[f64::MAX.into()],
            &[decimal("9.999999999999999999999999999999999E+6144")],
            &[decimal("1E-6176")],
        ];
        for (at, group) in groups.iter().enumerate() {
            for one in *group {
                assert_eq!(key(one.clone()), key(group[0].clone()), "{one:?}");
                // Inside a document as well.
                assert_eq!(key(doc! { "a": { "b": one.clone() } }), key(doc! { "a": { "b": group[0].clone() } }), "{one:?}");
                for other in groups.iter().skip(at + 1).flat_map(|group| group.iter()) {
                    assert_ne!(key(one.clone()), key(other.clone()), "{one:?} and {other:?}");
                }
            }
        }
    }

    #[test]
    fn what_a_server_keeps_apart_is_apart() {
        let different: Vec<Bson> = vec![
            1_i32.into(),
            "1".into(),
            "".into(),
            true.into(),
            false.into(),
            Bson::Null,
            Bson::Undefined,
            Bson::MinKey,
            Bson::MaxKey,
            bson::DateTime::from_millis(1).into(),
            Bson::Timestamp(bson::Timestamp { time: 0, increment: 1 }),
            ObjectId::from_bytes([1; 12]).into(),
            doc! {}.into(),
            doc! { "a": 1 }.into(),
            doc! { "b": 1 }.into(),
            doc! { "a": "1" }.into(),
            doc! { "a": 1, "b": 2 }.into(),
            doc! { "b": 2, "a": 1 }.into(),
            doc! { "a": { "b": 1 } }.into(),
            doc! { "a": [1] }.into(),
            doc! { "a": [[1], 2] }.into(),
            doc! { "a": [[1, 2]] }.into(),
            doc! { "a": ["x", "yz"] }.into(),
            doc! { "a": ["xy", "z"] }.into(),
            Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1] }),
            Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![1] }),
            Bson::RegularExpression(bson::Regex { pattern: cstr!("1").into(), options: cstr!("").into() }),
            Bson::JavaScriptCode("1".into()),
            Bson::JavaScriptCodeWithScope(bson::JavaScriptCodeWithScope { code: "1".into(), scope: Document::new() }),
        ];
        for (at, one) in different.iter().enumerate() {
            for other in &different[at + 1..] {
                assert_ne!(key(one.clone()), key(other.clone()), "{one:?} and {other:?}");
            }
        }
        assert_eq!(key("a"), key(Bson::Symbol("a".into())));
        assert_ne!(key("a"), key("A"));
    }

    #[test]
    fn a_document_without_a_readable_id_has_no_key() {
        let without = RawDocumentBuf::try_from(&doc! { "a": 1 }).expect("a document of the test");
        assert!(!of_document(&without, &mut Vec::new()));
        let damaged = RawDocumentBuf::from_bytes(vec![8, 0, 0, 0, 0x7f, 0x61, 0, 0]).expect("its frame is right");
        assert!(!of_document(&damaged, &mut Vec::new()));
    }

    #[test]
    fn an_id_nested_without_end_does_no_harm() {
        let mut document = RawDocumentBuf::new();
        for _ in 0..20_000 {
            let mut outer = RawDocumentBuf::new();
            outer.append(bson::raw::cstr!("_id"), document);
            document = outer;
        }
        assert!(of_document(&document, &mut Vec::new()));
    }
}
