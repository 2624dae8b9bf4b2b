//! Documents of all sorts, and updates as applications send them.

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Decimal128, Document, JavaScriptCodeWithScope, Regex, Timestamp, doc, oid::ObjectId};
use oplogue_testkit::Version;

use super::chance::Chance;
use super::paths::{Place, below_array, paths, some_path};

const NAMES: [&str; 18] = ["a", "b", "c", "d", "e", "A", "0", "1", "2", "10", "9", "100", "1x", "Ωµ", "a b", "a-b", "_", "ab"];
/// Names that paths cannot reach.
const ODD_NAMES: [&str; 4] = ["", "d.e", ".", "a."];

pub fn documents(chance: &mut Chance, count: usize) -> Vec<Document> {
    (0..count).map(|number| document(chance, id(number))).collect()
}

fn document(chance: &mut Chance, id: Bson) -> Document {
    let mut document = doc! { "_id": id };
    document.extend(fields(chance, 3));
    document
}

fn id(number: usize) -> Bson {
    let int = i32::try_from(number).expect("few documents");
    match number {
        0 => Bson::Null,
        1 => Bson::MinKey,
        2 => Bson::MaxKey,
        3 => Bson::Boolean(true),
        4 => Bson::Double(f64::NAN),
        5 => Bson::Double(-0.0),
        6 => Bson::String(String::new()),
        7 => Bson::Document(doc! {}),
        8 => Bson::String(String::from("BAD")),
        _ => match number % 13 {
            0 => Bson::Int64(i64::from(int)),
            1 => Bson::Double(f64::from(int) + 0.5),
            2 => Bson::String(format!("id {number}")),
            3 => Bson::ObjectId(ObjectId::from_bytes([u8::try_from(number % 256).expect("a byte"); 12])),
            4 => Bson::Document(doc! { "a": int, "b": [int, { "c": "x" }] }),
            5 => Bson::DateTime(DateTime::from_millis(i64::from(int))),
            6 => Bson::Decimal128(format!("{number}.10").parse().expect("a number")),
            7 => Bson::Binary(Binary { subtype: BinarySubtype::Uuid, bytes: vec![u8::try_from(number % 256).expect("a byte"); 16] }),
            8 => Bson::Timestamp(Timestamp { time: 1, increment: u32::try_from(number).expect("few") }),
            9 => Bson::Symbol(format!("symbol {number}")),
            _ => Bson::Int32(int),
        },
    }
}

pub fn name(chance: &mut Chance) -> String {
    let names: &[&str] = if chance.one_in(30) { &ODD_NAMES } else { &NAMES };
    String::from(*chance.pick(names))
}

pub fn fields(chance: &mut Chance, depth: usize) -> Document {
    let count = if chance.one_in(20) { 30 } else { chance.below(7) };
    (0..count).map(|_| (name(chance), value(chance, depth))).filter(|(name, _)| name != "_id").collect()
}

pub fn value(chance: &mut Chance, depth: usize) -> Bson {
    match chance.below(if depth == 0 { 5 } else { 9 }) {
        0..=2 => Bson::Int32(i32::try_from(chance.below(20)).expect("small")),
        3 => Bson::String("xyz".repeat(chance.below(5))),
        4 => scalar(chance),
        5 | 6 => Bson::Document(fields(chance, depth - 1)),
        7 => Bson::Array((0..chance.below(13)).map(|_| value(chance, depth - 1)).collect()),
        _ => Bson::Array((0..chance.below(4)).map(|_| Bson::Document(fields(chance, depth - 1))).collect()),
    }
}

fn scalar(chance: &mut Chance) -> Bson {
    let text = |text: &str| text.try_into().expect("no zero in it");
    match chance.below(24) {
        0 => Bson::Null,
        1 => Bson::Undefined,
        2 => Bson::MinKey,
        3 => Bson::MaxKey,
        4 => Bson::Boolean(chance.one_in(2)),
        5 => Bson::Double(-0.0),
        6 => Bson::Double(f64::from_bits(0x7FF8_0000_0000_0000 | (chance.number() >> 13))),
        7 => Bson::Double(f64::INFINITY),
        8 => Bson::Int64(i64::MIN + 1),
        9 => Bson::Int64(7),
        10 => Bson::Decimal128(Decimal128::from_bytes([0x40; 16])),
        11 => Bson::Decimal128("1.000".parse().expect("a number")),
        12 => Bson::DateTime(DateTime::from_millis(-1)),
        13 => Bson::Timestamp(Timestamp { time: 5, increment: 6 }),
        14 => Bson::ObjectId(ObjectId::from_bytes([9; 12])),
        15 => Bson::Symbol(String::from("symbol")),
        16 => Bson::JavaScriptCode(String::from("f()")),
        17 => Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code: String::from("f()"), scope: doc! { "x": [1] } }),
        18 => Bson::RegularExpression(Regex { pattern: text("^a"), options: text("i") }),
        19 => Bson::Binary(Binary { subtype: BinarySubtype::BinaryOld, bytes: vec![1, 2, 3] }),
        20 => Bson::Binary(Binary { subtype: BinarySubtype::UserDefined(200), bytes: vec![0; 5] }),
        21 => Bson::String(String::from("BAD")),
        22 => pointer(),
        _ => Bson::Double(1.5),
    }
}

fn pointer() -> Bson {
    let bytes = [&b"\x1C\0\0\0\x0Cp\0\x04\0\0\0a.b\0"[..], &[7; 12], b"\0"].concat();
    let document = Document::from_reader(&bytes[..]).expect("a document with a pointer");
    document.get("p").expect("the pointer").clone()
}

/// An update of one document, as an item of the `update` command.
pub fn update(chance: &mut Chance, document: &Document, version: Version) -> Document {
    let id = document.get("_id").expect("each has one").clone();
    let places = paths(document);
    let mut update = doc! { "q": { "_id": id.clone() }, "u": {} };
    match chance.below(12) {
        0..=5 => update.insert("u", operators(chance, &places)),
        6 => positional(chance, &places, &mut update),
        7 => filtered(chance, &places, &mut update),
        8 | 9 => update.insert("u", pipeline(chance, document, &places, version)),
        _ => update.insert("u", replacement(chance, document)),
    };
    update
}

fn operators(chance: &mut Chance, places: &[Place]) -> Document {
    let mut operators = Document::new();
    for _ in 0..=chance.below(4) {
        let path = some_path(chance, places);
        let number = Bson::Int32(i32::try_from(chance.below(10)).expect("small"));
        let (operator, argument) = match chance.below(20) {
            0..=5 => ("$set", value(chance, 2)),
            6..=8 => ("$unset", Bson::Boolean(true)),
            9 => ("$inc", number),
            10 => ("$mul", Bson::Double(1.5)),
            11 => ("$min", number),
            12 => ("$max", value(chance, 1)),
            13 => ("$push", push(chance)),
            14 => ("$push", value(chance, 2)),
            15 => ("$pop", Bson::Int32(if chance.one_in(2) { 1 } else { -1 })),
            16 => ("$pull", Bson::Document(doc! { "$in": [number, 3, "xyz", null] })),
            17 => ("$addToSet", value(chance, 1)),
            18 => ("$rename", Bson::String(some_path(chance, places))),
            _ => ("$bit", Bson::Document(doc! { "or": number })),
        };
        // Mostly where the operator has a meaning: in an array, on a number.
        let fitting: Vec<&Place> = places.iter().filter(|place| fits(operator, &place.value)).collect();
        let path = if fitting.is_empty() || chance.one_in(5) { path } else { chance.pick(&fitting).path.clone() };
        match operators.get_mut(operator) {
            Some(Bson::Document(fields)) => drop(fields.insert(path, argument)),
            _ => drop(operators.insert(operator, doc! { path: argument })),
        }
    }
    operators
}

fn fits(operator: &str, value: &Bson) -> bool {
    match operator {
        "$push" | "$pop" | "$pull" | "$addToSet" => matches!(value, Bson::Array(_)),
        "$inc" | "$mul" => matches!(value, Bson::Int32(_) | Bson::Double(_)),
        "$bit" => matches!(value, Bson::Int32(_)),
        "$min" | "$max" | "$unset" | "$rename" => true,
        _ => false,
    }
}

fn push(chance: &mut Chance) -> Bson {
    let mut push = doc! { "$each": (0..chance.below(4)).map(|_| value(chance, 1)).collect::<Vec<_>>() };
    if chance.one_in(2) {
        push.insert("$position", [0, 1, -1, 50][chance.below(4)]);
    }
    if chance.one_in(2) {
        push.insert("$slice", [0, 3, -3, 100][chance.below(4)]);
    }
    match chance.below(4) {
        0 => drop(push.insert("$sort", 1)),
        1 => drop(push.insert("$sort", doc! { "a": -1, "b": 1 })),
        _ => {}
    }
    Bson::Document(push)
}

/// `$`: the item that the query found.
fn positional(chance: &mut Chance, places: &[Place], update: &mut Document) -> Option<Bson> {
    let (array, item) = below_array(chance, places)?;
    update.get_document_mut("q").ok()?.insert(array.clone(), item);
    let path = if chance.one_in(2) { format!("{array}.$") } else { format!("{array}.$.{}", name(chance)) };
    let other = some_path(chance, places);
    update.insert("u", doc! { "$set": { path: value(chance, 2), other: 1 } })
}

/// `$[]` and `$[x]`.
fn filtered(chance: &mut Chance, places: &[Place], update: &mut Document) -> Option<Bson> {
    let (array, item) = below_array(chance, places)?;
    let (all, field) = (chance.one_in(2), if chance.one_in(2) { String::new() } else { format!(".{}", name(chance)) });
    let operator = *chance.pick(&["$set", "$set", "$unset", "$inc"]);
    let argument = if operator == "$set" { value(chance, 2) } else { Bson::Int32(1) };
    if all {
        return update.insert("u", doc! { operator: { format!("{array}.$[]{field}"): argument } });
    }
    update.insert("arrayFilters", vec![doc! { "x": { "$in": [item, 1, 2, 3] } }]);
    update.insert("u", doc! { operator: { format!("{array}.$[x]{field}"): argument } })
}

fn pipeline(chance: &mut Chance, document: &Document, places: &[Place], version: Version) -> Vec<Document> {
    let mut stages = Vec::new();
    for _ in 0..=chance.below(3) {
        let path = some_path(chance, places);
        let stage = match chance.below(8) {
            0..=2 => doc! { "$set": { path: { "$literal": value(chance, 2) } } },
            3 => doc! { "$set": { path: { "x": "$a", "y": [1, "$b"] } } },
            4 => doc! { "$unset": path },
            5 => doc! { "$replaceWith": { "$literal": rearranged(chance, document) } },
            6 if version >= Version::V5_0 => {
                let field = *chance.pick(&["$x", "d.e", "a"]);
                doc! { "$replaceWith": { "$setField": { "field": { "$literal": field }, "input": "$$ROOT", "value": { "$literal": value(chance, 2) } } } }
            }
            _ => doc! { "$replaceWith": { "$mergeObjects": ["$$ROOT", { "c": "$a", "Z": { "$literal": value(chance, 1) } }] } },
        };
        stages.push(stage);
    }
    stages
}

fn replacement(chance: &mut Chance, document: &Document) -> Document {
    let mut replacement = rearranged(chance, document);
    if chance.one_in(3) {
        replacement.remove("_id");
    }
    // Which MongoDB takes for the same.
    if chance.one_in(20)
        && let Some(Bson::Int32(id)) = document.get("_id")
    {
        replacement.insert("_id", f64::from(*id));
    }
    replacement
}

/// Some of the fields, in another order, some changed, some new. `_id` may come anywhere.
fn rearranged(chance: &mut Chance, document: &Document) -> Document {
    let mut fields: Vec<(String, Bson)> = document.clone().into_iter().filter(|(name, _)| name == "_id" || !chance.one_in(4)).collect();
    if chance.one_in(2) {
        let (one, other) = (chance.below(fields.len()), chance.below(fields.len()));
        fields.swap(one, other);
    }
    for (name, field) in &mut fields {
        if name != "_id" && chance.one_in(4) {
            *field = value(chance, 2);
        }
    }
    fields.push((name(chance), value(chance, 2)));
    fields.into_iter().collect()
}
