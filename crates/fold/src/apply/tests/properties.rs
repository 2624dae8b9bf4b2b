//! What holds for every document and change, and that no bytes make this code panic.

use bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};
use proptest::prelude::*;

use super::raw;
use crate::apply::{ApplyError, update};

/// Documents and changes with few names, so that they meet.
fn value() -> impl Strategy<Value = Bson> {
    let leaf = prop_oneof![Just(Bson::Null), any::<i32>().prop_map(Bson::Int32), "[a-c]{0,3}".prop_map(Bson::String)];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..5).prop_map(Bson::Array), fields(inner).prop_map(Bson::Document)]
    })
}

fn fields(value: impl Strategy<Value = Bson>) -> impl Strategy<Value = Document> {
    prop::collection::vec((prop::sample::select(vec!["a", "b", "c", "0", "1", "10", "9", "u0", "s1", "l", "$x", ""]), value), 0..5)
        .prop_map(|list| list.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn a_diff() -> impl Strategy<Value = Bson> {
    let leaf = (fields(value()), fields(value())).prop_map(|(set, append)| Bson::Document(doc! { "u": set, "i": append }));
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            (fields(value()), prop::sample::select(vec!["sa", "sb", "s0"]), inner.clone())
                .prop_map(|(set, name, below)| Bson::Document(doc! { "u": set, name: below })),
            (prop::option::of(0..6), 0..3, value(), inner).prop_map(|(length, first, value, below)| {
                let mut items = doc! { "a": true };
                items.extend(length.map(|length| (String::from("l"), Bson::Int32(length))));
                items.insert(format!("u{first}"), value);
                items.insert(format!("s{}", first + 1), below);
                Bson::Document(items)
            })
        ]
    })
}

fn change() -> impl Strategy<Value = Document> {
    let path = prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "0", "1", "10", "9", "01", "$x"]), 1..4)
        .prop_map(|parts| parts.join("."));
    prop_oneof![
        prop::collection::vec((path, prop::option::of(value())), 1..5).prop_map(|list| {
            let (mut set, mut unset) = (Document::new(), Document::new());
            for (path, value) in list {
                match value {
                    Some(value) => set.insert(path, value),
                    None => unset.insert(path, true),
                };
            }
            doc! { "$v": 1, "$set": set, "$unset": unset }
        }),
        a_diff().prop_map(|below| doc! { "$v": 2, "diff": below }),
        fields(value()).prop_map(|fields| {
            let mut replacement = doc! { "_id": 1 };
            replacement.extend(fields);
            replacement
        }),
    ]
}

/// Whatever comes out is BSON to its depths, and has the `_id` in front.
fn check_result(before: &RawDocument, result: Result<RawDocumentBuf, ApplyError>) {
    let Ok(after) = result else { return };
    let first =
        |document: &RawDocument| document.iter_elements().next().and_then(Result::ok).map(|field| (field.key().to_owned(), field.size()));
    assert_eq!(first(before), first(&after));
    let id = |document: &RawDocument| document.get("_id").ok().flatten().map(|id| format!("{id:?}"));
    assert_eq!(id(before), id(&after));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_out_is_bson_with_the_same_id(fields in fields(value()), change in change()) {
        let mut before = doc! { "_id": 1 };
        before.extend(fields);
        let before = raw(&before);
        let result = update(&before, &raw(&change));
        if let Ok(after) = &result {
            Document::try_from(&**after).expect("BSON");
        }
        check_result(&before, result);
    }

    #[test]
    fn damaged_bytes_do_no_harm(fields in fields(value()), change in change(), damage in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut before = doc! { "_id": 1 };
        before.extend(fields);
        let (mut before, mut change) = (raw(&before).into_bytes(), raw(&change).into_bytes());
        for (which, at, byte) in damage {
            let bytes = if which { &mut before } else { &mut change };
            // All but the length and the end, which make it a document.
            if bytes.len() > 5 {
                let at = 4 + at.index(bytes.len() - 5);
                bytes[at] = byte;
            }
        }
        let (before, change) = (RawDocumentBuf::from_bytes(before).expect("framed"), RawDocumentBuf::from_bytes(change).expect("framed"));
        drop(update(&before, &change));
    }

    #[test]
    fn any_bytes_do_no_harm(before in prop::collection::vec(any::<u8>(), 0..60), change in prop::collection::vec(any::<u8>(), 0..60)) {
        let framed = |content: Vec<u8>, start: &[u8]| {
            let length = u32::try_from(start.len() + content.len() + 5).expect("short").to_le_bytes();
            RawDocumentBuf::from_bytes([&length[..], start, &content, &[0]].concat()).expect("framed")
        };
        let before = framed(before, b"\x10_id\0\x01\0\0\0");
        drop(update(&before, &framed(change.clone(), b"")));
        drop(update(&before, &framed(change.clone(), b"\x10_id\0\x01\0\0\0")));
        drop(update(&before, &framed(change, b"\x10$v\0\x01\0\0\0")));
    }
}
