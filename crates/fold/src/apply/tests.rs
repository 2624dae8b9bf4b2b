//! What single changes make of single documents, case by case.

use bson::{Bson, DateTime, Decimal128, Document, Regex, Timestamp, doc, oid::ObjectId};
use bson::{RawDocument, RawDocumentBuf};

use super::{ApplyError, update};

mod properties;

fn raw(document: &Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).expect("a document of the test")
}

fn applied(before: &Document, change: &Document) -> Result<Document, ApplyError> {
    update(&raw(before), &raw(change)).map(|after| Document::try_from(&*after).expect("what comes out is BSON"))
}

/// Each change makes the document beside it.
fn check<const N: usize>(before: Document, cases: [(Document, Document); N]) {
    for (change, after) in cases {
        let result = update(&raw(&before), &raw(&change));
        let seen = result.as_ref().map(|after| Document::try_from(&**after).expect("what comes out is BSON"));
        assert_eq!(result.as_deref().map(RawDocument::as_bytes), Ok(raw(&after).as_bytes()), "{before} {change} gave {seen:?}");
    }
}

/// Each change is left to a server, and the reason has these words.
fn check_unknown<const N: usize>(before: Document, cases: [(Document, &str); N]) {
    for (change, words) in cases {
        match applied(&before, &change) {
            Err(ApplyError::Unknown(reason)) => assert!(reason.contains(words), "{change}: {reason:?} does not say {words:?}"),
            other => panic!("{before} {change} gave {other:?}"),
        }
    }
}

fn set(fields: Document) -> Document {
    doc! { "$v": 1, "$set": fields }
}

fn unset(fields: Document) -> Document {
    doc! { "$v": 1, "$unset": fields }
}

fn diff(diff: Document) -> Document {
    doc! { "$v": 2, "diff": diff }
}

/// Of a diff, for a value under `a`.
fn below(below: Document) -> Document {
    diff(doc! { "sa": below })
}

#[test]
fn a_replacement_takes_the_place_of_all_but_the_id_which_comes_first() {
    check(
        doc! { "_id": 1, "a": 1 },
        [
            (doc! { "_id": 1, "b": 2 }, doc! { "_id": 1, "b": 2 }),
            (doc! { "b": 2, "_id": 1, "c": 3 }, doc! { "_id": 1, "b": 2, "c": 3 }),
            (doc! { "_id": 1 }, doc! { "_id": 1 }),
            (doc! { "_id": 1, "$v": 1, "a.b": 2, "": 3 }, doc! { "_id": 1, "$v": 1, "a.b": 2, "": 3 }),
            (doc! { "$set": 1, "_id": 1 }, doc! { "_id": 1, "$set": 1 }),
        ],
    );
    check_unknown(
        doc! { "_id": 1, "a": 1 },
        [
            (doc! { "_id": 2 }, "another _id"),
            (doc! { "_id": 1.0 }, "another _id"),
            (doc! { "b": 2 }, "without an _id"),
            (doc! {}, "without an _id"),
            (doc! { "$v": 2, "diff": { "u": { "a": 1 } }, "_id": 1 }, "versions read differently"),
        ],
    );
}

#[test]
fn a_field_is_set_where_it_is_and_new_ones_come_last_in_the_order_of_their_paths() {
    check(
        doc! { "_id": 1, "b": { "y": 1, "x": 2 }, "a": 3 },
        [
            (
                set(doc! { "b.x": "longer", "c.d": 1, "a": null }),
                doc! { "_id": 1, "b": { "y": 1, "x": "longer" }, "a": null, "c": { "d": 1 } },
            ),
            (doc! { "$set": { "b": 5 } }, doc! { "_id": 1, "b": 5, "a": 3 }),
            (
                set(doc! { "b.A": 1, "b.Z.q": 2, "b.z.0.q": 3, "b.z.1": 4 }),
                doc! { "_id": 1, "b": { "y": 1, "x": 2, "A": 1, "Z": { "q": 2 }, "z": { "0": { "q": 3 }, "1": 4 } }, "a": 3 },
            ),
            (
                set(doc! { "z": 1, "y": 2, "c-": 3, "c.d": 4 }),
                doc! { "_id": 1, "b": { "y": 1, "x": 2 }, "a": 3, "c": { "d": 4 }, "c-": 3, "y": 2, "z": 1 },
            ),
            (set(doc! { "b.$ref": "r", "b.$id": 7 }), doc! { "_id": 1, "b": { "y": 1, "x": 2, "$id": 7, "$ref": "r" }, "a": 3 }),
            (set(doc! { "_id": 1, "a": 4 }), doc! { "_id": 1, "b": { "y": 1, "x": 2 }, "a": 4 }),
            (doc! { "$v": 1 }, doc! { "_id": 1, "b": { "y": 1, "x": 2 }, "a": 3 }),
        ],
    );
}

#[test]
fn new_fields_named_by_numbers_come_in_the_order_of_the_server_that_wrote_the_entry() {
    check(
        doc! { "_id": 1 },
        [
            // 4.2 and 4.4 compare bytes, 5.0 and later numbers.
            (set(doc! { "a.10": 1, "a.9": 2 }), doc! { "_id": 1, "a": { "10": 1, "9": 2 } }),
            (set(doc! { "a.9": 2, "a.10": 1 }), doc! { "_id": 1, "a": { "9": 2, "10": 1 } }),
            (set(doc! { "b": 1, "a": 2 }), doc! { "_id": 1, "a": 2, "b": 1 }),
        ],
    );
    check_unknown(doc! { "_id": 1 }, [(set(doc! { "b": 1, "a.9": 2, "a.10": 1 }), "different orders")]);
}

#[test]
fn an_item_of_an_array_is_set_by_its_index_and_missing_ones_are_null() {
    check(
        doc! { "_id": 1, "a": [1, { "x": 1 }, [2]], "z": 0 },
        [
            (set(doc! { "a.0": "one", "a.1.x": 2, "a.2.0": 3 }), doc! { "_id": 1, "a": ["one", { "x": 2 }, [3]], "z": 0 }),
            (set(doc! { "a.01": 9 }), doc! { "_id": 1, "a": [1, 9, [2]], "z": 0 }),
            (set(doc! { "a.3": 4 }), doc! { "_id": 1, "a": [1, { "x": 1 }, [2], 4], "z": 0 }),
            (
                set(doc! { "a.4.x": 1, "a.4.y": 2, "a.12": 1 }),
                doc! { "_id": 1, "a": [1, { "x": 1 }, [2], null, { "x": 1, "y": 2 }, null, null, null, null, null, null, null, 1], "z": 0 },
            ),
            (set(doc! { "a.2.2.0": 1 }), doc! { "_id": 1, "a": [1, { "x": 1 }, [2, null, { "0": 1 }]], "z": 0 }),
        ],
    );
    check_unknown(
        doc! { "_id": 1, "a": [1] },
        [(set(doc! { "a.1500002": 1 }), "nulls in an array"), (set(doc! { "a.0": 1, "a.00": 2 }), "under two names")],
    );
}

#[test]
fn in_the_order_of_bytes_an_item_that_was_padded_cannot_be_entered() {
    check(
        doc! { "_id": 1, "a": [] },
        [
            (
                set(doc! { "a.2.x": 1, "a.10.x": 2 }),
                doc! { "_id": 1, "a": [null, null, { "x": 1 }, null, null, null, null, null, null, null, { "x": 2 }] },
            ),
            (
                set(doc! { "a.10.x": 2, "a.2.x": 1, "a.3": 5 }),
                doc! { "_id": 1, "a": [null, null, null, 5, null, null, null, null, null, null, { "x": 2 }] },
            ),
        ],
    );
}

#[test]
fn arrays_of_any_length_keep_their_numbering() {
    let items = |count: i32, last: i32| (0..count).map(|item| if item == count - 1 { last } else { item }).collect::<Vec<_>>();
    for count in [1, 9, 10, 11, 99, 100, 101, 999, 1000, 1001] {
        let last = (count - 1).to_string();
        check(
            doc! { "_id": 1, "a": items(count, 7) },
            [
                (set(doc! { format!("a.{last}"): 8 }), doc! { "_id": 1, "a": items(count, 8) }),
                (below(doc! { "a": true, format!("u{last}"): 8 }), doc! { "_id": 1, "a": items(count, 8) }),
                (below(doc! { "a": true, format!("u{count}"): 8 }), doc! { "_id": 1, "a": ([items(count, 7), vec![8]].concat()) }),
            ],
        );
    }
}

#[test]
fn an_unset_field_goes_and_an_unset_item_becomes_null() {
    check(
        doc! { "_id": 1, "a": [1, { "x": 1, "y": 2 }], "b": { "c": 1 } },
        [
            (unset(doc! { "b.c": true }), doc! { "_id": 1, "a": [1, { "x": 1, "y": 2 }], "b": {} }),
            (unset(doc! { "b": 1, "a.0": true }), doc! { "_id": 1, "a": [null, { "x": 1, "y": 2 }] }),
            (
                unset(doc! { "a.1.x": true, "a.7": true, "a.q": true, "q.r": true }),
                doc! { "_id": 1, "a": [1, { "y": 2 }], "b": { "c": 1 } },
            ),
            (
                doc! { "$v": 1, "$set": { "q.r": 1 }, "$unset": { "q.s": true, "b.c": true } },
                doc! { "_id": 1, "a": [1, { "x": 1, "y": 2 }], "b": {}, "q": { "r": 1 } },
            ),
        ],
    );
}

#[test]
fn a_path_through_a_value_is_passed_over() {
    check(
        doc! { "_id": 1, "a": 1, "b": [1, 2] },
        [
            (
                set(doc! { "a.x": 1, "b.x": 1, "b.0.x": 1, "b.+1": 1, "b.4294967296": 1, "c": 2 }),
                doc! { "_id": 1, "a": 1, "b": [1, 2], "c": 2 },
            ),
            (unset(doc! { "a.x": 1, "b.x": 1, "b.0.x": 1 }), doc! { "_id": 1, "a": 1, "b": [1, 2] }),
        ],
    );
}

#[test]
fn modifiers_that_a_server_would_refuse_are_left_to_it() {
    check_unknown(
        doc! { "_id": 1, "a": [1] },
        [
            (set(doc! { "_id": 2 }), "changes the _id"),
            (set(doc! { "_id.x": 2 }), "changes the _id"),
            (unset(doc! { "_id": 2 }), "changes the _id"),
            (set(doc! { "": 2 }), "empty part"),
            (set(doc! { "a.": 2 }), "empty part"),
            (set(doc! { "a.$": 2 }), "positional"),
            (set(doc! { "a.$[]": 2 }), "positional"),
            (set(doc! { "a.$[x].y": 2 }), "positional"),
            (set(doc! { "a": 2, "a.0": 1 }), "contradict"),
            (doc! { "$set": { "a": 2 }, "$unset": { "a": 1 } }, "contradict"),
            (set(doc! {}), "without fields"),
            (doc! { "$v": 1, "$inc": { "a": 1 } }, "$inc"),
            (doc! { "$v": 1.0, "$set": { "a": 1 } }, "not an integer"),
            (doc! { "$v": 3, "$set": { "a": 1 } }, "$v is 3"),
            (set(doc! { vec!["a"; 201].join("."): 1 }), "201 parts"),
        ],
    );
}

#[test]
fn a_diff_removes_sets_and_appends() {
    check(
        doc! { "_id": 1, "a": 1, "b": 2, "c": { "d": 3, "e": 4 } },
        [
            (
                diff(doc! { "d": { "a": false }, "u": { "b": 5, "n": 6 }, "i": { "c": 7, "m": 8 } }),
                doc! { "_id": 1, "b": 5, "n": 6, "c": 7, "m": 8 },
            ),
            (diff(doc! { "i": { "a": 1 } }), doc! { "_id": 1, "b": 2, "c": { "d": 3, "e": 4 }, "a": 1 }),
            (diff(doc! { "sc": { "d": { "d": false }, "i": { "f": 1 } } }), doc! { "_id": 1, "a": 1, "b": 2, "c": { "e": 4, "f": 1 } }),
            (
                diff(doc! { "sq": { "u": { "x": 1 } }, "sb": { "u": { "x": 1 } } }),
                doc! { "_id": 1, "a": 1, "b": null, "c": { "d": 3, "e": 4 } },
            ),
            (diff(doc! { "d": { "q": false } }), doc! { "_id": 1, "a": 1, "b": 2, "c": { "d": 3, "e": 4 } }),
        ],
    );
    let many = |value: i32| (0..50).map(|at| (format!("f{}", (at * 37) % 50), Bson::Int32(value))).collect::<Document>();
    let mut before = doc! { "_id": 1 };
    before.extend(many(1));
    let mut after = doc! { "_id": 1 };
    after.extend(many(2));
    check(before, [(diff(doc! { "u": many(2) }), after)]);
}

#[test]
fn a_diff_of_an_array_sets_pads_and_cuts() {
    check(
        doc! { "_id": 1, "a": [1, { "x": 1 }, [2, 3]] },
        [
            (
                below(doc! { "a": true, "u0": 5, "s1": { "u": { "x": 2 } }, "s2": { "a": true, "l": 1 } }),
                doc! { "_id": 1, "a": [5, { "x": 2 }, [2]] },
            ),
            (below(doc! { "a": true, "l": 0 }), doc! { "_id": 1, "a": [] }),
            (below(doc! { "a": true, "l": 1, "u0": 7 }), doc! { "_id": 1, "a": [7] }),
            (below(doc! { "a": true, "l": 5 }), doc! { "_id": 1, "a": [1, { "x": 1 }, [2, 3], null, null] }),
            (below(doc! { "a": true, "u5": 5 }), doc! { "_id": 1, "a": [1, { "x": 1 }, [2, 3], null, null, 5] }),
            (below(doc! { "a": true, "s4": { "u": { "x": 1 } } }), doc! { "_id": 1, "a": [1, { "x": 1 }, [2, 3], null, null] }),
            (
                below(doc! { "a": true, "s0": { "u": { "x": 1 } }, "s1": { "a": true, "u0": 1 } }),
                doc! { "_id": 1, "a": [null, null, [2, 3]] },
            ),
            (below(doc! { "a": true, "u01": 5 }), doc! { "_id": 1, "a": [1, 5, [2, 3]] }),
            (below(doc! { "u": { "x": 1 } }), doc! { "_id": 1, "a": null }),
        ],
    );
}

#[test]
fn a_diff_never_changes_the_id() {
    check(
        doc! { "_id": 1, "a": 1 },
        [
            (diff(doc! { "d": { "_id": false }, "i": { "b": 1 } }), doc! { "_id": 1, "a": 1, "b": 1 }),
            (diff(doc! { "i": { "b": 2, "_id": 1 } }), doc! { "_id": 1, "a": 1, "b": 2 }),
            (diff(doc! { "u": { "_id": 1, "a": 2 } }), doc! { "_id": 1, "a": 2 }),
        ],
    );
    check_unknown(
        doc! { "_id": 1, "a": 1 },
        [(diff(doc! { "u": { "_id": 2 } }), "changes the _id"), (diff(doc! { "s_id": { "u": { "x": 1 } } }), "changes the _id")],
    );
}

#[test]
fn a_diff_that_a_server_would_refuse_is_left_to_it() {
    check_unknown(
        doc! { "_id": 1, "a": [1, 2], "b": { "c": 1 } },
        [
            (diff(doc! {}), "empty diff"),
            (diff(doc! { "a": true, "u0": 1 }), "an array for a document"),
            (diff(doc! { "u": { "a": 1 }, "i": { "a": 1 } }), "a twice"),
            (diff(doc! { "i": { "x": 1 }, "u": { "y": 1 } }), "another order"),
            (diff(doc! { "sb": { "u": { "c": 2 } }, "u": { "x": 1 } }), "another order"),
            (diff(doc! { "b": { "x": { "o": 1 } } }), "section b"),
            (diff(doc! { "u": 1 }), "not a document"),
            (diff(doc! { "sq": {} }), "empty diff"),
            (below(doc! { "a": false, "u0": 1 }), "a: true"),
            (below(doc! { "a": true, "l": -1 }), "not a number of items"),
            (below(doc! { "a": true, "l": 1_i64 }), "not a number of items"),
            (below(doc! { "a": true, "u1": 1, "u0": 1 }), "out of order"),
            (below(doc! { "a": true, "l": 1, "u1": 1 }), "beyond its end"),
            (below(doc! { "a": true, "x0": 1 }), "the field x0"),
            (below(doc! { "a": true, "u": 1 }), "the field u"),
            (below(doc! { "a": true, "s0": 1 }), "the field s0"),
            (below(doc! { "a": true, "u4294967295": 1 }), "16 MiB"),
            (below(doc! { "a": true, "l": i32::MAX }), "16 MiB"),
        ],
    );
    let deep = (0..300).fold(doc! { "u": { "x": 1 } }, |below, _| doc! { "sa": below });
    let nested = (0..300).fold(doc! { "x": 1 }, |below, _| doc! { "a": below });
    check_unknown(doc! { "_id": 1, "a": nested }, [(diff(deep), "deeper")]);
}

#[test]
fn a_document_without_its_id_in_front_is_left_to_a_server() {
    for change in [doc! { "_id": 1 }, set(doc! { "a": 1 }), diff(doc! { "u": { "a": 1 } })] {
        check_unknown(doc! { "a": 1, "_id": 1 }, [(change.clone(), "begin with its _id")]);
        check_unknown(doc! {}, [(change, "begin with its _id")]);
    }
}

#[test]
fn sixteen_mebibytes_are_the_most() {
    let fill = |bytes: usize| doc! { "_id": 1, "a": "x".repeat(bytes - raw(&doc! { "_id": 1, "a": "" }).as_bytes().len()) };
    let most = 16 * 1024 * 1024;
    assert_eq!(applied(&doc! { "_id": 1, "a": 0 }, &set(doc! { "a": fill(most).get("a") })), Ok(fill(most)));
    check_unknown(doc! { "_id": 1, "a": 0 }, [(set(doc! { "a": fill(most + 1).get("a") }), "16 MiB"), (fill(most + 1), "16 MiB")]);
}

#[test]
fn an_array_that_is_not_numbered_is_kept_when_it_is_not_touched() {
    let mut bytes = raw(&doc! { "_id": 1, "a": { "0": 1, "7": 2 }, "b": 1 }).into_bytes();
    let at = bytes.windows(3).position(|window| window == b"\x03a\0").expect("the field is there");
    bytes[at] = 4;
    let before = RawDocumentBuf::from_bytes(bytes.clone()).expect("still a document");
    let after = update(&before, &raw(&set(doc! { "b": 2 }))).expect("known").into_bytes();
    assert_eq!(after[..after.len() - 5], bytes[..bytes.len() - 5]);
    for change in [set(doc! { "a.1": 1 }), below(doc! { "a": true, "u1": 1 })] {
        assert!(matches!(update(&before, &raw(&change)), Err(ApplyError::Unknown(reason)) if reason.contains("not numbered")));
    }
}

#[test]
fn values_are_copied_whatever_they_are() {
    let values = [
        Bson::Double(-0.0),
        Bson::Double(f64::from_bits(0x7FF8_0000_0000_1234)),
        Bson::Decimal128(Decimal128::from_bytes([0xFF; 16])),
        Bson::MinKey,
        Bson::MaxKey,
        Bson::Undefined,
        Bson::Symbol(String::from("s")),
        Bson::JavaScriptCodeWithScope(bson::JavaScriptCodeWithScope { code: String::from("f"), scope: doc! { "x": 1 } }),
        Bson::RegularExpression(Regex {
            pattern: String::from("a").try_into().expect("no zero"),
            options: String::from("zx").try_into().expect("no zero"),
        }),
        Bson::Timestamp(Timestamp { time: 0, increment: 0 }),
        Bson::DateTime(DateTime::from_millis(i64::MIN)),
        Bson::ObjectId(ObjectId::from_bytes([7; 12])),
        Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::BinaryOld, bytes: vec![1, 2] }),
    ];
    for value in values {
        let before = doc! { "_id": 1, "kept": value.clone(), "a": { "x": 1 }, "l": [value.clone(), 0] };
        for change in [
            set(doc! { "a.x": value.clone(), "l.1": value.clone(), "new": value.clone() }),
            diff(doc! { "i": { "new": value.clone() }, "sa": { "u": { "x": value.clone() } }, "sl": { "a": true, "u1": value.clone() } }),
        ] {
            let after = doc! { "_id": 1, "kept": value.clone(), "a": { "x": value.clone() }, "l": [value.clone(), value.clone()], "new": value.clone() };
            assert_eq!(update(&raw(&before), &raw(&change)).expect("known").as_bytes(), raw(&after).as_bytes(), "{value:?}");
        }
    }
}

#[test]
fn text_that_is_not_utf8_is_copied() {
    let spoil = |document: &Document| {
        let mut bytes = raw(document).into_bytes();
        for at in 0..bytes.len() {
            if bytes[at..].starts_with(b"BAD") {
                bytes[at..at + 3].copy_from_slice(b"\xFF\xC0\x80");
            }
        }
        RawDocumentBuf::from_bytes(bytes).expect("the length is right")
    };
    let before = spoil(&doc! { "_id": "BAD", "BAD": "BAD", "a": { "x": 1 } });
    let after = spoil(&doc! { "_id": "BAD", "BAD": 2, "a": { "x": "BAD" } });
    for change in [set(doc! { "BAD": 2, "a.x": "BAD" }), diff(doc! { "u": { "BAD": 2 }, "sa": { "u": { "x": "BAD" } } })] {
        assert_eq!(update(&before, &spoil(&change)).expect("known").as_bytes(), after.as_bytes());
    }
}
